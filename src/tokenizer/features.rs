//! Properties of a tokenizer that decide how texts are encoded and decoded.

use tokenizers::decoders::DecoderWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{Model, ModelWrapper, NormalizerWrapper};

use super::bytes::byte_letters;

/// Whether a decoder turns tokens such as `<0xE2>` into bytes.
pub(super) fn has_byte_fallback(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteFallback(_) => true,
        DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().any(has_byte_fallback),
        _ => false,
    }
}

/// Whether texts become letters of GPT-2's byte alphabet.
pub(super) fn splits_into_bytes(inner: &tokenizers::Tokenizer) -> bool {
    fn in_pre_tokenizer(step: &PreTokenizerWrapper) -> bool {
        match step {
            PreTokenizerWrapper::ByteLevel(_) => true,
            PreTokenizerWrapper::Sequence(steps) => steps.as_ref().iter().any(in_pre_tokenizer),
            _ => false,
        }
    }
    fn in_normalizer(step: &NormalizerWrapper) -> bool {
        match step {
            NormalizerWrapper::ByteLevel(_) => true,
            NormalizerWrapper::Sequence(steps) => steps.as_ref().iter().any(in_normalizer),
            _ => false,
        }
    }
    inner.get_pre_tokenizer().is_some_and(in_pre_tokenizer)
        || inner.get_normalizer().is_some_and(in_normalizer)
}

/// Whether the tokens of a text joined are the text: it is neither normalized nor split, and the decoder only joins.
pub(super) fn spells_text(inner: &tokenizers::Tokenizer) -> bool {
    matches!(inner.get_decoder(), Some(DecoderWrapper::Fuse(_)))
        && matches!(inner.get_model(), ModelWrapper::BPE(bpe) if !bpe.byte_fallback && bpe.unk_token.is_none())
        && inner.get_normalizer().is_none()
        && inner.get_pre_tokenizer().is_none()
}

/// Whether texts are split by GPT-2's regular expression, without normalization.
pub(super) fn splits_as_gpt2(inner: &tokenizers::Tokenizer) -> bool {
    let pre_tokenizer = inner.get_pre_tokenizer();
    let is_gpt2s = matches!(pre_tokenizer, Some(PreTokenizerWrapper::ByteLevel(step)) if step.use_regex && !step.add_prefix_space);
    is_gpt2s && inner.get_normalizer().is_none()
}

/// Whether the model may drop a character that its vocabulary lacks: byte pair encoding without an unknown token or
/// byte tokens does. Vocabularies with subword prefixes or suffixes are not checked, because they spell a character
/// in several ways.
pub(super) fn drops_characters(inner: &tokenizers::Tokenizer, byte_level: bool) -> bool {
    let ModelWrapper::BPE(bpe) = inner.get_model() else { return false };
    let has_all_bytes = byte_level
        && byte_letters().iter().all(|letter| bpe.token_to_id(&letter.to_string()).is_some());
    let has_affixes = bpe.continuing_subword_prefix.is_some() || bpe.end_of_word_suffix.is_some();
    !(has_all_bytes
        || has_affixes
        || bpe.unk_token.is_some()
        || bpe.byte_fallback
        || bpe.ignore_merges)
}
