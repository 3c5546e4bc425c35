//! "Copy as TransformerLens": a run, a generation or a sweep as a Python script that does the same.
//!
//! The script needs only `transformer_lens` 4 and `transformers`. It loads the checkpoint folder it is given, holds the
//! tokens as ids and the values of interventions as numbers, and prints its results as one line of JSON. TransformerLens 4
//! has `TransformerBridge` instead of `HookedTransformer`; with its compatibility names and without processing of the
//! weights, every hook point has the name and the value that it has here.
//!
//! Each script is a template in `templates/`, and a function here that fills it in.

mod generation;
mod hooks;
mod integrated;
mod literal;
mod parts;
mod path;
mod run;
mod sweep;
mod template;

pub use generation::generation_script;
pub use integrated::integrated_script;
pub use path::path_script;
pub use run::run_script;
pub use sweep::{attribution_script, sweep_script};
