//! Python scripts as templates: valid Python files, so that they can be linted, from which scripts are rendered.
//!
//! - The lines up to `# --- script ---` are left out. They import what the file uses of earlier parts of a script, and
//!   declare its placeholders with values of the right type.
//! - A placeholder is a word in capitals, such as `TOKENS`. It is replaced wherever it stands, within strings and
//!   comments too. A placeholder that is its whole line is replaced by any number of lines, each indented like it.
//! - `# if NAME:`, `# else:` and `# end` select lines by whether the placeholder `NAME` has a value.

use std::fmt::Display;

/// The parts of scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Template {
    // Whole scripts.
    Run,
    Generation,
    Sweep,
    Attribution,
    Path,
    Integrated,
    // Parts of them.
    Model,
    Hooks,
    Helpers,
    Change,
    Carry,
    Contrast,
    Metric,
    Gradients,
    Report,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Template::Run => include_str!("templates/run.py"),
            Template::Generation => include_str!("templates/generation.py"),
            Template::Sweep => include_str!("templates/sweep.py"),
            Template::Attribution => include_str!("templates/attribution.py"),
            Template::Path => include_str!("templates/path.py"),
            Template::Integrated => include_str!("templates/integrated.py"),
            Template::Model => include_str!("templates/model.py"),
            Template::Hooks => include_str!("templates/hooks.py"),
            Template::Helpers => include_str!("templates/helpers.py"),
            Template::Change => include_str!("templates/change.py"),
            Template::Carry => include_str!("templates/carry.py"),
            Template::Contrast => include_str!("templates/contrast.py"),
            Template::Metric => include_str!("templates/metric.py"),
            Template::Gradients => include_str!("templates/gradients.py"),
            Template::Report => include_str!("templates/report.py"),
        }
    }

    /// The template with its placeholders replaced.
    pub(super) fn render(self, values: &Placeholders) -> String {
        render(self.text(), values)
    }
}

/// The lines after the marker, with their placeholders replaced.
fn render(text: &str, values: &Placeholders) -> String {
    let (declarations, body) = text.split_once(MARKER).unwrap_or(("", text));
    debug_assert_eq!(undeclared(declarations, values), None, "{text}");
    let mut script = String::with_capacity(body.len());
    let mut conditions: Vec<bool> = Vec::new();
    for line in body.lines() {
        let marker = line.trim_start();
        if let Some(name) = marker.strip_prefix("# if ").and_then(|if_| if_.strip_suffix(':')) {
            conditions.push(values.get(name).is_some());
        } else if marker == "# else:" {
            conditions.iter_mut().last().into_iter().for_each(|holds| *holds = !*holds);
        } else if marker == "# end" {
            conditions.pop();
        } else if conditions.iter().all(|holds| *holds) {
            render_line(line, values, &mut script);
        }
    }
    script
}

const MARKER: &str = "# --- script ---\n";

/// The values of placeholders.
#[derive(Default)]
pub(super) struct Placeholders(Vec<(&'static str, Option<String>)>);

impl Placeholders {
    pub(super) fn new() -> Placeholders {
        Placeholders::default()
    }

    /// The same with a value for `name`.
    pub(super) fn set(self, name: &'static str, value: impl Display) -> Placeholders {
        self.set_if(name, Some(value))
    }

    /// The same with a value for `name` or without one, as `# if` tests.
    pub(super) fn set_if(
        mut self,
        name: &'static str,
        value: Option<impl Display>,
    ) -> Placeholders {
        self.0.push((name, value.map(|value| value.to_string())));
        self
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name)?.1.as_deref()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }
}

/// A placeholder that the declarations of a template name, but `values` do not.
fn undeclared<'t>(declarations: &'t str, values: &Placeholders) -> Option<&'t str> {
    let names = declarations.lines().filter_map(|line| line.rsplit_once(" = "));
    names.flat_map(|(names, _)| names.split(" = ")).find(|name| !values.has(name))
}

fn render_line(line: &str, values: &Placeholders, script: &mut String) {
    let word = line.trim_start();
    if values.has(word) {
        let indentation = &line[..line.len() - word.len()];
        for line in values.get(word).unwrap_or_default().lines() {
            script.push_str(if line.is_empty() { "" } else { indentation });
            script.push_str(line);
            script.push('\n');
        }
        return;
    }
    let mut rest = line;
    while let Some(start) = rest.find(is_word) {
        let length = rest[start..].find(|character| !is_word(character));
        let end = length.map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        script.push_str(&rest[..start]);
        script.push_str(values.get(word).unwrap_or(word));
        rest = &rest[end..];
    }
    script.push_str(rest);
    script.push('\n');
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(line: &str, values: &Placeholders) -> String {
        let mut script = String::new();
        render_line(line, values, &mut script);
        script
    }

    #[test]
    fn only_whole_words_are_replaced_and_values_are_not_searched() {
        let values = Placeholders::new().set("TOP", "END").set("END", 1);
        assert_eq!(rendered("x[TOP] = f\"{y}TOP\"  # TOP_K, STOP", &values), {
            "x[END] = f\"{y}END\"  # TOP_K, STOP\n"
        });
    }

    #[test]
    fn a_placeholder_alone_on_its_line_takes_any_number_of_lines() {
        let values = Placeholders::new().set("LIST", "a,\n\nb,\n").set("NOTHING", "");
        assert_eq!(rendered("    LIST", &values), "    a,\n\n    b,\n");
        assert_eq!(rendered("NOTHING", &values), "");
    }

    #[test]
    fn conditions_select_lines() {
        const TEXT: &str = "A = B = 1\n# --- script ---\n\
            # if A:\nfirst(A)\n# if B:\nboth(A, B)\n# end\n# else:\nnone()\n# end\nlast()\n";
        let script = |a, b| {
            let values = Placeholders::new().set_if("A", a).set_if("B", b);
            render(TEXT, &values)
        };
        assert_eq!(script(Some(1), Some(2)), "first(1)\nboth(1, 2)\nlast()\n");
        assert_eq!(script(Some(1), None), "first(1)\nlast()\n");
        // B lies within the condition A.
        assert_eq!(script(None::<i32>, Some(2)), "none()\nlast()\n");
    }
}
