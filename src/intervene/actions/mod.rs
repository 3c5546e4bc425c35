//! Every action, one file each. To add one, write its file, declare the module, and add a line to `actions!`.

mod add;
mod js;
mod knock_out;
mod mean;
mod patch;
mod reference_mean;
mod scale;
mod set;
mod zero;

use serde::Serialize;

use super::effect::{Effect, Form, Resolve, ResolveContext};
use crate::error::Result;
use crate::wire::{Fields, FromValue, Interface, Node, Object, TypeScript};

pub use knock_out::Edge;

/// Declares [`Action`] with a variant for each type, and what is the same for every variant. Messages list the forms in
/// this order.
macro_rules! actions {
    (
        words { $($word_module:ident::$word:ident),* $(,)? }
        objects { $($object_module:ident::$object:ident),* $(,)? }
    ) => {
        $(pub use $word_module::$word;)*
        $(pub use $object_module::$object;)*

        /// What is done to the selected values.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Action {
            $(
                #[doc = concat!("See [`", stringify!($word), "`].")]
                $word($word),
            )*
            $(
                #[doc = concat!("See [`", stringify!($object), "`].")]
                $object($object),
            )*
        }

        $(impl From<$word> for Action {
            fn from(word: $word) -> Action {
                Action::$word(word)
            }
        })*
        $(impl From<$object> for Action {
            fn from(object: $object) -> Action {
                Action::$object(object)
            }
        })*

        impl Action {
            pub(super) fn resolve(&self, context: &ResolveContext) -> Result<Box<dyn Effect>> {
                match self {
                    $(Action::$word(word) => word.resolve(context),)*
                    $(Action::$object(object) => object.resolve(context),)*
                }
            }
        }

        const FORMS: &[Form] = &[$($word::FORM,)* $($object::FORM),*];

        fn from_word(text: &str) -> Option<Action> {
            $(if matches!($word::FORM, Form::Word(word) if word == text) {
                return Some(Action::$word($word));
            })*
            None
        }

        /// Reads the object whose field `key` tells which action it is.
        fn from_object(key: &str, object: &Object) -> Result<Option<Action>> {
            $(if matches!($object::FORM, Form::Object { key: own, .. } if own == key) {
                return <$object as Fields>::read(object).map(|read| Some(Action::$object(read)));
            })*
            Ok(None)
        }

        /// The forms of the objects in TypeScript.
        fn object_types(types: &mut TypeScript) -> Vec<String> {
            vec![$({
                let mut interface = Interface::default();
                <$object as Fields>::describe(&mut interface, types);
                interface.inline()
            }),*]
        }
    };
}

actions! {
    words { zero::Zero, mean::Mean }
    objects {
        scale::Scale,
        add::Add,
        set::Set,
        patch::Patch,
        reference_mean::ReferenceMean,
        knock_out::KnockOut,
        js::Js,
    }
}

/// The forms of all actions, for messages.
pub(super) fn forms() -> Vec<String> {
    FORMS.iter().map(Form::shown).collect()
}

// ---- reading ----

impl FromValue for Action {
    fn from_value(node: Node) -> Result<Action> {
        if let Some(text) = node.text() {
            return from_word(text).ok_or_else(|| node.expected(Self::singular()));
        }
        let (mut keys, mut optional) = (Vec::new(), Vec::new());
        for form in FORMS {
            if let Form::Object { key, optional: fields, .. } = form {
                keys.push(*key);
                optional.extend(fields.iter().map(|field| (*field, *key)));
            }
        }
        let mut known = keys.clone();
        known.extend(optional.iter().map(|(field, _)| *field));
        let object = node.object(&known, Self::singular)?;
        keys.retain(|key| object.has(key));
        let [key] = *keys.as_slice() else {
            return Err(match keys.as_slice() {
                [] => node.expected(Self::singular()),
                _ => {
                    node.error(format!("has the actions `{}`, expected one", keys.join("` and `")))
                }
            });
        };
        let misplaced = |(field, owner): &&(&str, &str)| object.has(field) && *owner != key;
        if let Some((name, owner)) = optional.iter().find(misplaced) {
            return Err(node
                .error(format!("has `{name}` beside `{key}`, expected it beside `{owner}` only")));
        }
        from_object(key, &object)?.ok_or_else(|| node.expected(Self::singular()))
    }

    fn singular() -> String {
        let forms = forms();
        match forms.split_last() {
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }

    fn typescript(types: &mut TypeScript) -> String {
        types.alias("Action", &["What is done to the selected values."], |types| {
            let words = FORMS.iter().filter(|form| matches!(form, Form::Word(_))).map(Form::shown);
            let forms: Vec<String> = words.chain(object_types(types)).collect();
            format!("\n  | {}", forms.join("\n  | "))
        })
    }
}
