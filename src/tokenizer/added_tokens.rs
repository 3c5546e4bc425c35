//! The `added_tokens` of a `tokenizer.json`.

use std::collections::HashSet;

use serde_json::Value;
use tokenizers::{AddedToken, Model, NormalizedString, Normalizer, NormalizerWrapper};

use super::messages::{MAX_ID, brief, check_token, whole, wrong};
use crate::error::{Error, Result};

/// Adds the tokens of `list` to the model's. New tokens get the next free ids, which must be the ids in the file.
pub(super) fn add_tokens(tokenizer: &mut tokenizers::Tokenizer, list: &Value) -> Result<()> {
    let none = Vec::new();
    let list = match list {
        Value::Null => &none,
        Value::Array(list) => list,
        other => return Err(wrong(format!("`added_tokens` is {}, expected a list", brief(other)))),
    };
    let mut ids = HashSet::new();
    let mut patterns = HashSet::new();
    let mut tokens = Vec::new();
    for (index, fields) in list.iter().enumerate() {
        let (id, token) = added_token(index, fields)?;
        let own = tokenizer.get_model().token_to_id(&token.content).map(u64::from);
        let is_taken = || tokenizer.get_model().id_to_token(id as u32).is_some();
        if own.map_or_else(is_taken, |own| own != id) || !ids.insert(id) {
            let content = &token.content;
            return Err(wrong(format!(
                "`added_tokens[{index}]` gives {content:?} the id {id}, which another token has"
            )));
        }
        let pattern = pattern(tokenizer.get_normalizer(), &token)?;
        if pattern.is_empty() || !patterns.insert((token.normalized, pattern)) {
            return Err(wrong(format!(
                "`added_tokens[{index}]` is {:?}, whose normalised text is empty or that of another added token",
                token.content
            )));
        }
        tokens.push((id, token));
    }
    tokenizer
        .add_tokens(tokens.iter().map(|(_, token)| token.clone()))
        .map_err(Error::TokenizersCrate)?;
    for (id, AddedToken { content, .. }) in &tokens {
        let read = tokenizer.token_to_id(content).map(u64::from);
        if read != Some(*id) {
            let next = read.unwrap_or_default();
            return Err(wrong(format!(
                "`added_tokens` gives {content:?} the id {id}, expected the next id, {next}"
            )));
        }
    }
    Ok(())
}

/// The text that a search for the token looks for.
fn pattern(normalizer: Option<&NormalizerWrapper>, token: &AddedToken) -> Result<String> {
    let mut text = NormalizedString::from(token.content.as_str());
    if let Some(normalizer) = normalizer.filter(|_| token.normalized) {
        normalizer.normalize(&mut text).map_err(Error::TokenizersCrate)?;
    }
    Ok(text.get().to_string())
}

fn added_token(index: usize, fields: &Value) -> Result<(u64, AddedToken)> {
    let at = |name: &str| format!("`added_tokens[{index}].{name}`");
    let id = fields.get("id").and_then(whole).filter(|id| *id < MAX_ID);
    let id =
        id.ok_or_else(|| wrong(format!("{} is not a whole number below {MAX_ID}", at("id"))))?;
    let content =
        fields.get("content").and_then(Value::as_str).filter(|content| !content.is_empty());
    let content = content.ok_or_else(|| {
        wrong(format!("{} is not a text of at least one character", at("content")))
    })?;
    check_token(content).map_err(|error| wrong(format!("{}: {error}", at("content"))))?;
    let flag = |name: &str, default: bool| match fields.get(name) {
        None => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => {
            Err(wrong(format!("{} is {}, expected true or false", at(name), brief(other))))
        }
    };
    let token = AddedToken::from(content, flag("special", false)?)
        .single_word(flag("single_word", false)?)
        .lstrip(flag("lstrip", false)?)
        .rstrip(flag("rstrip", false)?)
        .normalized(flag("normalized", true)?);
    Ok((id, token))
}
