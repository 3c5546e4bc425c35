//! Trains a byte-level BPE like GPT-2's, and encodes texts with it.

use candlescope::Tokenizer;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as HfTokenizer};

use super::Result;
use super::text::Document;

/// The token after each document; id 0.
pub const END_OF_TEXT: &str = "<|endoftext|>";
pub const END_OF_TEXT_ID: u32 = 0;

/// Trains a byte-level BPE of `size` tokens and returns its `tokenizer.json`: GPT-2's pre-tokenizer,
/// no added prefix space, a token for every byte, `<|endoftext|>` as the only special token.
pub fn train(documents: &[&Document], size: usize) -> Result<String> {
    let mut tokenizer = HfTokenizer::new(BPE::default());
    tokenizer
        .with_pre_tokenizer(Some(ByteLevel::new(false, true, true)))
        .with_post_processor(Some(ByteLevel::new(true, false, true)))
        .with_decoder(Some(ByteLevel::new(true, true, true)));
    let trainer = BpeTrainer::builder()
        .vocab_size(size)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .build();
    let mut trainer = TrainerWrapper::from(trainer);
    tokenizer.train(&mut trainer, documents.iter().map(|document| document.text.as_str()))?;
    let found = tokenizer.get_vocab_size(true);
    if found != size {
        return Err(
            format!("the text gave only {found} tokens; ask for --vocab {found} or less").into()
        );
    }
    tokenizer.to_string(false)
}

/// The documents' ids, each document followed by `<|endoftext|>`.
pub fn encode(tokenizer: &Tokenizer, documents: &[&Document]) -> Result<Vec<u32>> {
    let mut tokens = Vec::new();
    for document in documents {
        let ids = tokenizer.encode(&document.text)?;
        if tokenizer.decode(&ids)? != document.text {
            return Err(format!("{} does not survive encoding and decoding", document.name).into());
        }
        tokens.extend(ids);
        tokens.push(END_OF_TEXT_ID);
    }
    Ok(tokens)
}
