//! Objects whose field names are known.

use super::node::Path;
use super::{Interface, Node, ReadAs, TypeScript, Value};
use crate::error::{Error, Result};

impl<'a> Node<'a> {
    /// The object, if each of its field names is one of `known`.
    pub(crate) fn object(
        &self,
        known: &[&'static str],
        expected: fn() -> String,
    ) -> Result<Object<'a>> {
        let Value::Object(fields) = self.value else { return Err(self.expected(expected())) };
        match fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(self.unknown_option(name, known)),
            None => Ok(Object { fields, path: self.path }),
        }
    }
}

/// An object whose field names are known.
pub struct Object<'a> {
    fields: &'a [(String, Value)],
    path: Path<'a>,
}

impl Object<'_> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// The field as `W` reads it, if it is there.
    pub(crate) fn given<T, W: ReadAs<T>>(&self, name: &str) -> Result<Option<T>> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found
            .map(|(name, value)| W::read_as(Node { value, path: Path::Field(&self.path, name) }))
            .transpose()
    }

    /// The field as `W` reads it. An absent field is an error unless `W` can be absent.
    pub(crate) fn field<T, W: ReadAs<T>>(&self, name: &str) -> Result<T> {
        self.given::<T, W>(name)?.or_else(W::when_absent).ok_or_else(|| {
            let path = Path::Field(&self.path, name).in_words();
            Error::Input(format!("{path} is missing, expected {}", W::singular_as()))
        })
    }
}

/// A type that is read from fields of an object. Several types can be read from one object.
pub trait Fields: Sized {
    /// Adds the names of the fields.
    fn names(names: &mut Vec<&'static str>);

    /// Reads the fields.
    ///
    /// # Errors
    /// As [`FromValue::from_value`].
    fn read(object: &Object) -> Result<Self>;

    /// Adds the fields to a TypeScript interface.
    fn describe(interface: &mut Interface, types: &mut TypeScript);
}
