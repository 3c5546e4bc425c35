//! Inputs and answers, which are texts or token ids in JavaScript and ids in Rust.

use super::{
    Fields, FromValue, Interface, List, Node, Object, OneOrMany, ReadAs, TypeScript, Value,
};
use crate::error::{Error, Result};
use crate::named_array::NamedArray;

/// A text or token ids, at least one of them; read as ids of the vocabulary.
pub struct Prompt;

impl ReadAs<Vec<u32>> for Prompt {
    fn read_as(node: Node) -> Result<Vec<u32>> {
        let ids = <PromptAfterBos as ReadAs<Vec<u32>>>::read_as(node)?;
        if ids.is_empty() { Err(node.of_text(Error::no_token())) } else { Ok(ids) }
    }

    fn singular_as() -> String {
        "a text or an array of token ids".into()
    }

    fn plural_as() -> String {
        "texts or arrays of token ids".into()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        let input = types.alias("Input", &["A text, or token ids."], |types| {
            let tensor = types.import("./tensor.js", "Tensor");
            format!("string | Uint32Array | ArrayLike<number> | {tensor}<Uint32Array> | {tensor}")
        });
        types.alias("Inputs", &["Several texts, each as text or as token ids: a batch."], |_| {
            "readonly Input[]".into()
        });
        input
    }
}

/// As [`Prompt`], but possibly empty, because a token is put in front of it.
pub struct PromptAfterBos;

impl ReadAs<Vec<u32>> for PromptAfterBos {
    fn read_as(node: Node) -> Result<Vec<u32>> {
        let model = node.model();
        let ids = match node.value() {
            Value::Text(text) => model.encode(text).map_err(|error| node.of_text(error))?,
            Value::Ids(ids) => ids.clone(),
            value if value.batch_size().is_some() => {
                return Err(node.expected(format!(
                    "{} of one text and not a batch; run them one after the other",
                    Prompt::singular_as()
                )));
            }
            Value::List(_) | Value::Numbers(_) | Value::Floats(_) => Vec::from_value(node)?,
            value if value.get("data").is_some() => tensor_ids(node)?,
            _ => return Err(node.expected(Self::singular_as())),
        };
        let checked = ids.iter().try_for_each(|id| model.check_id("token", *id));
        checked.map_err(|error| node.of_text(error))?;
        Ok(ids)
    }

    fn singular_as() -> String {
        Prompt::singular_as()
    }

    fn plural_as() -> String {
        Prompt::plural_as()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        Prompt::typescript_as(types)
    }
}

/// One text, or several as a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Texts {
    /// The token ids of a text.
    One(Vec<u32>),
    /// The token ids of each text of an array.
    Batch(Vec<Vec<u32>>),
}

/// A text or token ids, or an array of texts or of arrays of ids.
pub struct Prompts;

impl ReadAs<Texts> for Prompts {
    fn read_as(node: Node) -> Result<Texts> {
        match node.value().batch_size() {
            None => Prompt::read_as(node).map(Texts::One),
            Some(_) => <List<Prompt>>::read_as(node).map(Texts::Batch),
        }
    }

    fn singular_as() -> String {
        Prompt::singular_as()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        Prompt::typescript_as(types)
    }
}

/// The ids of a tensor over one axis, or over a batch of one and another.
fn tensor_ids(node: Node) -> Result<Vec<u32>> {
    let NamedArray { shape, data, .. } = NamedArray::from_value(node)?;
    let whole = |id: f32| (id >= 0.0 && id.fract() == 0.0).then_some(id as u32);
    let ids: Option<Vec<u32>> = data.into_iter().map(whole).collect();
    match (shape.as_slice(), ids) {
        ([_] | [1, _], Some(ids)) => Ok(ids),
        _ => {
            Err(node
                .error(format!("is a tensor of shape {shape:?}, expected token ids over one axis")))
        }
    }
}

/// A token's text, or its id; read as the id.
pub struct Answer;

/// Longer texts are refused before they are tokenized, because no token is that long.
const MAX_ANSWER_BYTES: usize = 300;

impl ReadAs<u32> for Answer {
    fn read_as(node: Node) -> Result<u32> {
        let model = node.model();
        let id = match node.value() {
            Value::Text(text) if text.len() > MAX_ANSWER_BYTES => {
                let bytes = text.len();
                return Err(
                    node.error(format!("has {bytes} bytes, expected the text of one token"))
                );
            }
            Value::Text(text) => model.single_token(text)?,
            Value::Number(number) if number.fract() == 0.0 && *number >= 0.0 => {
                u32::from_value(node)?
            }
            _ => return Err(node.expected(Self::singular_as())),
        };
        model.check_id("answer", id)?;
        Ok(id)
    }

    fn singular_as() -> String {
        "a token's text or its id".into()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        types.alias("Answer", &["A token's text, which must be a single token, or its id."], |_| {
            "string | number".into()
        })
    }
}

/// The name of a hook point. The JavaScript API has replaced every other selector by a name.
pub struct HookName;

impl ReadAs<String> for HookName {
    fn read_as(node: Node) -> Result<String> {
        String::from_value(node)
    }

    fn singular_as() -> String {
        String::singular()
    }

    fn plural_as() -> String {
        String::plural()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        types.import("./selectors.js", "HookSelector")
    }
}

/// What selects hook points: a name, a short name, a `*` glob or a `/regular expression/flags`, or an array of them. The
/// JavaScript API has replaced every other selector by names.
pub struct HookNames;

impl ReadAs<Vec<String>> for HookNames {
    fn read_as(node: Node) -> Result<Vec<String>> {
        OneOrMany::<String>::read_as(node)
    }

    fn singular_as() -> String {
        <OneOrMany<String> as ReadAs<Vec<String>>>::singular_as()
    }

    fn typescript_as(types: &mut TypeScript) -> String {
        <HookName as ReadAs<String>>::typescript_as(types)
    }

    fn literal_of(names: &Vec<String>) -> Option<String> {
        names.is_empty().then(|| "[]".into())
    }
}

/// The options `O` of a call together with its input, which is read as `I`.
pub struct Request<O, I = Prompt, T = Vec<u32>> {
    /// The input of the call.
    pub input: T,
    /// Its options.
    pub options: O,
    read_as: std::marker::PhantomData<I>,
}

impl<T, I: ReadAs<T>, O: Fields> Fields for Request<O, I, T> {
    fn names(names: &mut Vec<&'static str>) {
        names.push("input");
        O::names(names);
    }

    fn read(object: &Object) -> Result<Self> {
        let input = object.field::<T, I>("input")?;
        Ok(Request { input, options: O::read(object)?, read_as: std::marker::PhantomData })
    }

    fn describe(interface: &mut Interface, types: &mut TypeScript) {
        O::describe(interface, types);
    }
}

/// The TypeScript type is that of the options: the methods take the input as a separate argument.
impl<T, I: ReadAs<T>, O: Fields + FromValue> FromValue for Request<O, I, T> {
    fn from_value(node: Node) -> Result<Self> {
        let mut names = Vec::with_capacity(16);
        Self::names(&mut names);
        Self::read(&node.object(&names, Self::singular)?)
    }

    fn singular() -> String {
        let mut names = Vec::new();
        Self::names(&mut names);
        format!("an object with {}", names.join(", "))
    }

    fn typescript(types: &mut TypeScript) -> String {
        O::typescript(types)
    }
}
