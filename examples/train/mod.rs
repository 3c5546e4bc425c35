//! The parts of the trainer, in the order of the data flow.

pub mod text;
pub mod vocabulary;

pub mod rng;
pub mod rows;

pub mod optimizer;
pub mod trainer;

pub mod checkpoint;

pub mod evaluate;
pub mod trigram;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
