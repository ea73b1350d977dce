//! Reads checkpoints of other frameworks as our models, and writes our models as such checkpoints.
//!
//! A [`ForeignModel`] is a model file with the tensors of one of our backbones, and perhaps of one classifier. A
//! checked table of names maps its tensors to ours. A [`Consolidation`] consolidates experts into a previous model, by
//! any strategy that needs neither devices nor their samples. A [`Plan`] writes the result under the names of the
//! previous model, so that it loads where that one did. [`Tensorwise`] does the same for networks that are not known
//! here, if the strategy works in pieces.
//!
//! Classes are matched by name: an [`Arrangement`] says which models share a head, and [`score`] which classes of a
//! stream a model knows. A file describes its model in its [`Manifest`], and the origin of the model in its
//! [`Provenance`]. An [`Inspection`] shows both, and reads any model file.
//!
//! A [`ModelFile`] is any model file, also one of a run directory, as a model of a stream: the first weights of a centre,
//! or the expert of a device.
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
//! This crate does not read file formats (`alluvium-checkpoint` does), knows no concrete plugin, and does not print.

mod architecture;
mod arrangement;
mod carry_out;
mod consolidation;
mod error;
mod foreign;
mod inspection;
mod manifest;
mod merge_request;
mod model_file;
mod naming;
mod normalisation;
mod own_model;
mod printable;
mod provenance;
mod reading;
mod scores;
mod tensorwise;
mod watcher;
mod writing;

pub use alluvium_checkpoint::{Checkpoint, NameMap, StateDict, StateDictKey};
pub use arrangement::{Arrangement, ExpertRows};
pub use carry_out::{carry_out, carry_out_in_memory};
pub use consolidation::Consolidation;
pub use error::InterchangeError;
pub use foreign::ForeignModel;
pub use inspection::{Dtypes, Inspection, Kind, RunAcross, RunHead};
pub use manifest::{MANIFEST, Manifest, NamedHead};
pub use model_file::ModelFile;
pub use normalisation::Normalisation;
pub use printable::printable;
pub use provenance::{PROVENANCE, Parent, Provenance, SurrogateNote};
pub use reading::{Fallback, Names, Reading};
pub use scores::{StreamScores, TaskScore, score};
pub use tensorwise::Tensorwise;
pub use watcher::Watcher;
pub use writing::{Destination, Plan};
