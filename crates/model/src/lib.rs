//! Models: a backbone and one head per task, also as plain data.
//!
//! A model exists in two forms. [`ModelState`] is plain data (architecture, heads, named weights): it is sent between
//! centre and devices, stored, hashed and averaged. [`Model`] is the same model on a compute device: it runs and it learns.
//! Plugins bring backbones: they implement the typed [`Backbone`] on their burn module, a blanket implementation gives the
//! erased [`DynBackbone`], and a [`BackboneConfig`] builds one by name. Each head has a [`Classifier`], which turns a sample into
//! scores of classes; by default, a linear one. A model may have one more, [across tasks](AcrossTasks), for samples whose task is
//! unknown.
//!
//! This crate holds models, their weights and the loop in which they learn, and, behind the feature `conformance`, the tests that
//! every backbone must pass. It does not hold data, losses, tasks' samples or concrete backbones.

// The attributes name this crate, also in its own code.
extern crate self as alluvium_model;

mod across;
mod backbone;
mod classifier;
#[cfg(feature = "conformance")]
pub mod conformance;
mod erased;
mod error;
mod expert;
mod facts;
mod gradients;
mod initial;
mod inputs;
mod learning;
mod model;
mod module_gradients;
mod module_low_rank;
mod module_parameters;
mod parameters;
mod patches;
mod shape;
mod share;
mod state;
mod unfit;
mod values;
mod weights;

pub use across::{ACROSS, AcrossTasks, Answers};
pub use alluvium_macros::{model_options as options, model_plugin as plugin};
pub use alluvium_primitives::{Digest, DigestBuilder, Host, Progress, Random, Seed, Silent, host, set_host};
pub use alluvium_registry as registry;
pub use backbone::{Backbone, BackboneConfig, BoxedBackbone, DynBackbone};
pub use classifier::{
    BoxedClassifier, Classifier, ClassifierConfig, DynClassifier, HeadShape, LinearClassifierConfig,
    default_classifier, is_default_classifier,
};
pub use erased::DynModule;
pub use error::ModelError;
pub use expert::{Expert, LowRank, Manifest};
pub use facts::{BackboneFacts, ClassifierFacts};
pub use initial::{initial_linear, initial_weights};
pub use inputs::Inputs;
pub use learning::{
    AdamOptions, Average, Learning, LearningMisfit, LowRankSettings, NamePattern, Nothing, Optimiser, OptimizerKind,
    Pull, Schedule, state_defaults,
};
pub use model::{Head, Model};
pub use module_gradients::NamedTensors;
pub use parameters::{Parameters, SetParameters};
pub use patches::patches;
pub use serde;
pub use shape::{InputShape, PictureShape};
pub use share::Share;
pub use state::{BACKBONE, DIFFERENCE, HeadSpec, ModelState};
pub use typetag;
pub use values::{Beside, Number, Numbers, Pairwise, Values, Width};
pub use weights::Weights;
