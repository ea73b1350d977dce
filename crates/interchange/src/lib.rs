//! Checkpoints of other frameworks as models of ours, and back.
//!
//! A [`ForeignModel`] is a model file whose tensors were found to be those of a backbone of ours, by a checked table of names,
//! and perhaps of one classifier. A [`Consolidation`] folds experts into a previous model by any strategy that needs neither
//! devices nor their samples, and a [`Plan`] writes what comes out under the names that the previous model came with, so that
//! it loads where that one did. [`Tensorwise`] does so for networks that are not known here, where the strategy works in
//! pieces. Classes are known by their names: an [`Arrangement`] says which models have a head in common, and [`score`] which
//! classes of a stream a model knows. What a file says of itself is its [`Manifest`], where it comes from its [`Provenance`];
//! an [`Inspection`] shows both, and reads any model file.
//!
//! ```
//! use alluvium_interchange::{ForeignModel, InterchangeError, Reading};
//!
//! # fn classes(path: &std::path::Path, compute: &burn::tensor::Device) -> Result<Vec<String>, InterchangeError> {
//! let model = ForeignModel::open(path, &Reading::default(), compute)?;
//! println!("{} for inputs of {}", model.backbone_in_words(), model.input());
//! # Ok(model.classes())
//! # }
//! ```
//!
//! This crate refuses to read the formats of files (`alluvium-checkpoint` does), to know a concrete plugin, and to print.

mod architecture;
mod arrangement;
mod carry_out;
mod consolidation;
mod error;
mod foreign;
mod inspection;
mod manifest;
mod naming;
mod normalisation;
mod printable;
mod provenance;
mod reading;
mod scores;
mod streamed;
mod tensorwise;
mod watcher;
mod writing;

pub use alluvium_checkpoint::{StateDict, StateDictKey};
pub use arrangement::{Arrangement, ExpertRows};
pub use carry_out::carry_out;
pub use consolidation::Consolidation;
pub use error::InterchangeError;
pub use foreign::ForeignModel;
pub use inspection::{Dtypes, Inspection, Kind, RunHead};
pub use manifest::{MANIFEST, Manifest, NamedHead};
pub use normalisation::Normalisation;
pub use printable::printable;
pub use provenance::{PROVENANCE, Parent, Provenance, SurrogateNote};
pub use reading::{Fallback, Names, Reading};
pub use scores::{StreamScores, TaskScore, score};
pub use tensorwise::Tensorwise;
pub use watcher::Watcher;
pub use writing::{Destination, Plan};
