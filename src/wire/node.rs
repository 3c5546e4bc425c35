//! A value and its path, for errors that say where they are: `interventions[0].position`.

use super::{ModelContext, Value};
use crate::error::{Error, Result, shortened};
use crate::nearest::likely_meant;

/// A value and its path from the options of a call.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) path: Path<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root(Root<'a>),
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

/// The options of a call.
#[derive(Clone, Copy)]
pub(super) struct Root<'a> {
    pub call: &'a str,
    /// Options that the caller handles itself. Messages list them too.
    pub also: &'a [&'static str],
    pub model: &'a dyn ModelContext,
}

impl<'a> Path<'a> {
    fn root(&self) -> &Root<'a> {
        match self {
            Path::Root(root) => root,
            Path::Field(outer, _) | Path::Item(outer, _) => outer.root(),
        }
    }

    fn write(&self, path: &mut String) {
        match self {
            Path::Root(_) => {}
            Path::Field(outer, name) => {
                outer.write(path);
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&shortened(name));
            }
            Path::Item(outer, index) => {
                outer.write(path);
                path.push_str(&format!("[{index}]"));
            }
        }
    }

    /// "`interventions[0].at` of runWithCache", or "the options of runWithCache".
    pub(super) fn in_words(&self) -> String {
        let mut path = String::new();
        self.write(&mut path);
        let call = self.root().call;
        match path.is_empty() {
            true if call.starts_with("the ") => call.into(),
            true => format!("the options of {call}"),
            false => format!("`{path}` of {call}"),
        }
    }
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value, root: Root<'a>) -> Node<'a> {
        Node { value, path: Path::Root(root) }
    }

    /// An error about this value: "`top` of logitLens " and then `what`.
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::Input(format!("{} {what}", self.path.in_words()))
    }

    /// "… is "x", expected …".
    pub(crate) fn expected(&self, what: impl std::fmt::Display) -> Error {
        self.error(format!("is {}, expected {what}", self.value.describe()))
    }

    /// `error`, if this is one of several texts, with its number in front.
    pub(super) fn of_text(&self, error: Error) -> Error {
        let Path::Item(list, index) = self.path else { return error };
        match list {
            Path::Root(_) | Path::Field(Path::Root(_), "input") => {
                error.about(format_args!("text {index} of the batch"))
            }
            _ => error.about(self.path.in_words()),
        }
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn model(&self) -> &dyn ModelContext {
        self.path.root().model
    }

    /// Reads an object once for each text of a batch, whose number is that of the field `first`. The fields `of_each` have an
    /// item for each text, and `shared` may be arrays too.
    pub(crate) fn read_rows<T>(
        &self,
        first: &str,
        of_each: &[&str],
        shared: &[&str],
        read: impl Fn(Node) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.value.get(first).and_then(Value::length).unwrap_or_default();
        let Value::Object(fields) = self.value else {
            return Err(self.expected("an object"));
        };
        for (name, value) in fields {
            let each = of_each.contains(&name.as_str());
            let length = value.length().filter(|_| each || shared.contains(&name.as_str()));
            let found = match (length, value) {
                (None, _) if !each => continue,
                (Some(length), Value::List(_)) if length == count => continue,
                (Some(length), _) if length == count && !each => continue,
                _ => Node { value, path: Path::Field(&self.path, name) },
            };
            let one = if each { "" } else { ", or one for all" };
            return Err(found.expected(format!(
                "an array of length {count}, one item for each text of `{first}`{one}"
            )));
        }
        let row = |row: usize| {
            let of_row = |(name, value): &(String, Value)| {
                let varies = of_each.contains(&name.as_str()) || shared.contains(&name.as_str());
                let item = varies.then(|| value.item(row)).flatten();
                (name.clone(), item.unwrap_or_else(|| value.clone()))
            };
            let value = Value::Object(fields.iter().map(of_row).collect());
            read(Node { value: &value, path: self.path }).map_err(|error| error.in_row(row, count))
        };
        (0..count).map(row).collect()
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads each item of an array; `None` if this is not an array.
    pub(super) fn items<T>(&self, read: impl Fn(Node) -> Result<T>) -> Option<Result<Vec<T>>> {
        let item = |(index, value): (usize, &Value)| {
            read(Node { value, path: Path::Item(&self.path, index) })
        };
        let number = |(index, number): (usize, f64)| item((index, &Value::Number(number)));
        match self.value {
            Value::List(items) => Some(items.iter().enumerate().map(item).collect()),
            Value::Numbers(numbers) => {
                Some(numbers.iter().copied().enumerate().map(number).collect())
            }
            Value::Floats(floats) => {
                Some(floats.iter().map(|float| f64::from(*float)).enumerate().map(number).collect())
            }
            Value::Ids(ids) => {
                Some(ids.iter().map(|id| f64::from(*id)).enumerate().map(number).collect())
            }
            _ => None,
        }
    }

    /// Reads each field of an object, whatever its name; `None` if this is not an object.
    pub(super) fn entries<T>(
        &self,
        read: impl Fn(Node) -> Result<T>,
    ) -> Option<Result<Vec<(String, T)>>> {
        let Value::Object(fields) = self.value else { return None };
        let entry = |(name, value): &(String, Value)| {
            Ok((name.clone(), read(Node { value, path: Path::Field(&self.path, name) })?))
        };
        Some(fields.iter().map(entry).collect())
    }

    pub(super) fn unknown_option(&self, name: &str, known: &[&'static str]) -> Error {
        let mut known = known.to_vec();
        let mut what = match self.path {
            Path::Root(root) => {
                known.extend(root.also);
                format!("{} has no option `{}`", root.call, shortened(name))
            }
            path => format!("{}: unknown option", Path::Field(&path, name).in_words()),
        };
        if let Some(near) = likely_meant(name, &known) {
            what.push_str(&format!("; did you mean `{near}`?"));
            return Error::Input(format!("{what} Expected one of {}", known.join(", ")));
        }
        Error::Input(format!("{what}; expected one of {}", known.join(", ")))
    }
}
