//! The memory of a run, with zeros around it.

use super::geometry::Place;
use crate::lanes::{LINE, aligned, copy};

/// The values that may be read after the last vector of a run.
const AHEAD: usize = 4 * LINE;

/// A run in memory. Vectors may be loaded from every place that a kernel reaches from the run.
#[derive(Debug)]
pub(super) struct Run {
    values: Vec<f32>,
    margin: usize,
    pixels: usize,
}

impl Run {
    /// A run of `pixels` zeros. A kernel reaches `reach` values from each value.
    pub fn new(pixels: usize, reach: usize) -> Run {
        let margin = reach.next_multiple_of(LINE);
        Run { values: vec![0.0; LINE + margin + pixels + margin + AHEAD], margin, pixels }
    }

    /// The values of the run and around it; the run begins at [`Run::start`], on the boundary of a cache line.
    #[inline(always)]
    pub fn all(&mut self) -> &mut [f32] {
        aligned(&mut self.values)
    }

    /// The place of the first value.
    #[inline(always)]
    pub fn start(&self) -> usize {
        self.margin
    }

    /// The values of the run.
    #[inline(always)]
    pub fn run(&mut self) -> &mut [f32] {
        let (start, pixels) = (self.margin, self.pixels);
        &mut self.all()[start..start + pixels]
    }

    /// Copies a plane to its place. All else must be zero.
    #[inline(always)]
    pub fn fill(&mut self, place: &Place, plane: &[f32]) {
        let Place { rows, columns, width } = *place;
        if place.fills(self.pixels) {
            return self.run().copy_from_slice(plane);
        }
        let run = self.run();
        for row in 0..rows.size {
            let source = &plane[row * columns.size..][..columns.size];
            let target = &mut run[(rows.start + row * rows.step) * width + columns.start..];
            if columns.step == 1 {
                copy(source, target);
            } else {
                for (target, &value) in target.iter_mut().step_by(columns.step).zip(source) {
                    *target = value;
                }
            }
        }
    }
}

/// Copies a plane from its place in a run.
#[inline(always)]
pub(super) fn pick(place: &Place, run: &[f32], plane: &mut [f32]) {
    let Place { rows, columns, width } = *place;
    for row in 0..rows.size {
        let source = &run[(rows.start + row * rows.step) * width + columns.start..];
        let target = &mut plane[row * columns.size..][..columns.size];
        if columns.step == 1 {
            copy(&source[..columns.size], target);
        } else {
            for (target, &value) in target.iter_mut().zip(source.iter().step_by(columns.step)) {
                *target = value;
            }
        }
    }
}
