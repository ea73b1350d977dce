//! The `pld` strategy: data-agnostic consolidation with double distillation and projected latent distillation.
//!
//! A. Carta, A. Cossu, V. Lomonaco, D. Bacciu, J. van de Weijer, "Projected latent distillation for data-agnostic
//! consolidation in distributed continual learning", arXiv 2303.15888. A student learns from two frozen teachers, the
//! previous central model and the expert, on surrogate data: in the output space (L_KD) and, through projections that
//! are thrown away afterwards, in the latent space (L_PLD). L = L_KD + λ·L_PLD.

mod config;
mod loss;
mod projections;
mod recalibration;
mod strategy;

pub use config::{BatchNorm, Data, LatentLoss, OutputLoss, PldConfig, Projection};
