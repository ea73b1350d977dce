//! How a model learns: one table of settings and one loop, for devices, for samples that a protocol grants, for distillation and for
//! joint training.
//!
//! `settings` holds the table, `schedule` the learning rate over the steps, `optimizer` the kinds of optimisers, `descent` the loop.
//! `optimiser` takes one step; `sgd` and `adam` are the steps of one tensor. `frozen` says which parameters stay, `low_rank`
//! which learn as small factors, `average` averages weights over steps, and `pull` is a term of a loss on the parameters themselves.

mod adam;
mod average;
mod descent;
mod frozen;
mod low_rank;
mod optimiser;
mod optimizer;
mod pull;
mod schedule;
mod settings;
mod sgd;

pub use average::Average;
pub use frozen::NamePattern;
pub use low_rank::LowRankSettings;
pub use optimiser::{Nothing, Optimiser};
pub use optimizer::{AdamOptions, OptimizerKind};
pub use pull::Pull;
pub use schedule::Schedule;
pub use settings::{Learning, LearningMisfit, state_defaults};
