//! stub
pub struct Tokenizer;
pub struct Token;
