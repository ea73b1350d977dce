//! The figures of a run, each with its data.

mod axis;
mod budget;
mod canvas;
mod curve;
mod further;
mod heat_map;
mod legend;
mod lines;
mod matrix;
mod palette;
mod plan;
mod statistics;

use alluvium_results::Results;

use crate::error::ReportError;

pub(crate) use curve::{Measure, XAxis};
pub(crate) use plan::draw;

/// A complete figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The name of its files without the ending: small letters and hyphens.
    pub name: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What a reader must know to read it.
    pub caption: String,
    /// The picture: an SVG document on white.
    pub svg: String,
    /// The numbers in the picture: CSV with a heading line, one line for each point or cell.
    pub csv: String,
}

/// The outcome of drawing a figure.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The figure was drawn.
    Drawn(Figure),
    /// There are no data to draw.
    Missing {
        /// What it would have shown.
        title: String,
        /// Why there are no data.
        reason: String,
    },
}

/// Every figure with data.
///
/// - `accuracy-task-aware` and `accuracy-task-agnostic`: average accuracy on the tasks so far along the stream
/// - `matrix-task-aware` and `matrix-task-agnostic`: the accuracy matrices as heat maps
/// - `bytes-task-aware`, `bytes-task-agnostic`, `time-task-aware`, `time-task-agnostic`: accuracy against the costs
///   so far
/// - `latent-similarity`: linear CKA of centre and experts along the stream
/// - `statistics-task-agnostic`: the final accuracy against the bytes of statistics that a device sends, if any does
/// - `further-test-1` and so on: the accuracy on each test set that no task has, along the stream
/// - `budget`: the accuracy of the devices against the fraction of their budget that they have spent
pub fn figures(results: &Results) -> Result<Vec<Figure>, ReportError> {
    Ok(draw(results)?.into_iter().filter_map(Outcome::into_figure).collect())
}

impl Outcome {
    /// The figure, if there is one.
    pub(crate) fn into_figure(self) -> Option<Figure> {
        match self {
            Self::Drawn(figure) => Some(figure),
            Self::Missing { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
