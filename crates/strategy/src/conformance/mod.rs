//! The tests that every strategy and all surrogate data must pass, ours and those of third parties, and the test doubles
//! that they need.
//!
//! A plugin enables the feature `conformance` under `[dev-dependencies]` and calls [`check`] with its kind:
//!
//! ```ignore
//! #[test]
//! fn conforms() {
//!     alluvium_strategy::conformance::check("my-strategy");
//! }
//! ```
//!
//! Surrogate data call [`check_surrogate`] with options that need little work.

mod doubles;
mod fixture;
mod norms;
mod pieces;
mod suite;
mod surrogates;
mod unlike;

pub use doubles::{
    RandomInputs, TinyConfig, build, central, consolidate, context, expert, handed_beside, run_description, samples,
    sent,
};
pub use fixture::{assert_close, check_fixture};
pub use norms::NormsConfig;
pub use suite::{check, check_config};
pub use surrogates::{check_surrogate, check_surrogate_of};
pub use unlike::{NarrowConfig, unlike_expert, unlike_run_description};
