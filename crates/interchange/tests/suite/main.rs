//! Models of other frameworks: read, consolidated, scored and refused. How much memory it takes is in `memory.rs`.

mod consolidating;
#[path = "../files/mod.rs"]
mod files;
mod model_files;
mod mutations;
mod refusals;
mod scores;
