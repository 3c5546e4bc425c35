//! TypeScript types, written from the declarations of options and results.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The declarations of a TypeScript module.
#[derive(Default)]
pub struct TypeScript {
    imports: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Names and declarations, in the order in which they were first used.
    declarations: Vec<(String, String)>,
}

impl TypeScript {
    /// Imports `name`, which is written by hand in the module `from`. Returns the name.
    pub fn import(&mut self, from: &'static str, name: &'static str) -> String {
        self.imports.entry(from).or_default().insert(name);
        name.into()
    }

    /// Declares `type name = …` once. Returns the name.
    pub fn alias(
        &mut self,
        name: &str,
        docs: &[&str],
        write: impl FnOnce(&mut TypeScript) -> String,
    ) -> String {
        self.declare(name, |types| {
            let body = write(types);
            let space = if body.starts_with('\n') { "" } else { " " };
            format!("{}export type {name} ={space}{body};\n", comment(docs, None, ""))
        })
    }

    /// Declares `interface name { … }` once. Returns the name.
    pub fn interface(
        &mut self,
        name: &str,
        docs: &[&str],
        write: impl FnOnce(&mut Interface, &mut TypeScript),
    ) -> String {
        self.declare(name, |types| {
            let mut interface = Interface::default();
            write(&mut interface, types);
            let (comment, fields) = (comment(docs, None, ""), interface.fields);
            format!("{comment}export interface {name} {{\n{fields}}}\n")
        })
    }

    fn declare(&mut self, name: &str, write: impl FnOnce(&mut TypeScript) -> String) -> String {
        if self.declarations.iter().all(|(known, _)| known != name) {
            let index = self.declarations.len();
            self.declarations.push((name.into(), String::new()));
            self.declarations[index].1 = write(self);
        }
        name.into()
    }

    /// The module's text.
    pub fn module(&self, header: &str) -> String {
        let mut text = header.to_string();
        for (from, names) in &self.imports {
            let names: Vec<_> = names.iter().copied().collect();
            let _ = writeln!(text, "import type {{ {} }} from \"{from}\";", names.join(", "));
        }
        for (_, declaration) in &self.declarations {
            let _ = write!(text, "\n{declaration}");
        }
        text
    }
}

/// An interface that is being written.
#[derive(Default)]
pub struct Interface {
    fields: String,
}

impl Interface {
    /// The interface without a name, as a member of a union.
    pub fn inline(&self) -> String {
        let body = self.fields.replace("\n  ", "\n      ");
        format!("{{\n    {}\n    }}", body.trim_end())
    }

    /// Adds a field. `default` is a literal for the documentation.
    pub fn field(
        &mut self,
        docs: &[&str],
        name: &str,
        is_optional: bool,
        type_name: &str,
        default: Option<String>,
    ) {
        let mark = if is_optional { "?" } else { "" };
        let comment = comment(docs, default, "  ");
        let _ = writeln!(self.fields, "{comment}  {name}{mark}: {type_name};");
    }
}

/// A doc comment, on one line if there is one. Rust examples are left out.
fn comment(docs: &[&str], default: Option<String>, indent: &str) -> String {
    let example = docs.iter().position(|line| line.trim().starts_with("```"));
    let docs = &docs[..example.unwrap_or(docs.len())];
    let mut lines: Vec<String> = docs.iter().map(|line| line.trim().to_string()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.extend(default.map(|default| format!("@default {default}")));
    match lines.as_slice() {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let body: String = lines.iter().fold(String::new(), |mut body, line| {
                let _ = writeln!(body, "{}", format!("{indent} * {line}").trim_end());
                body
            });
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}
