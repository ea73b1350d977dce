//! Accuracy matrices over seeds, coarse enough to draw.

use alluvium_results::{Accuracy, AccuracyMatrix, Cell, Estimate, Results, Row};

use super::curve::{Measure, Steps};

/// The most blocks of a matrix in each direction. More could not be distinguished.
const FINEST: usize = 60;

/// The most blocks in one figure, over all its matrices, so that a browser opens the page quickly.
const MOST_BLOCKS: usize = 10_000;

/// The accuracies of one strategy, mean over seeds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blocks {
    /// The strategy's name.
    pub(crate) name: String,
    /// Whether devices and tasks are counted in the order of the stream or in that of their arrival.
    pub(crate) steps: Steps,
    /// The number of devices, and so of tasks.
    pub(crate) devices: usize,
    /// The number of devices and tasks that each block covers in each direction. The last ones may cover fewer.
    pub(crate) side: usize,
    /// The blocks of the lower triangle, line by line.
    pub(crate) blocks: Vec<Block>,
}

/// The mean accuracy after some devices on some tasks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Block {
    /// The first and last device, from 1.
    pub(crate) devices: (usize, usize),
    /// The first and last task, from 1.
    pub(crate) tasks: (usize, usize),
    /// The mean accuracy.
    pub(crate) accuracy: f64,
    /// The number of seeds.
    pub(crate) seeds: usize,
}

/// The matrix of each row that has one.
pub(crate) fn matrices(results: &Results, shown: Measure) -> Vec<Blocks> {
    let of_row = |row: &'_ Row| -> usize {
        row.cells.iter().filter_map(|cell| matrix(cell, shown)).map(AccuracyMatrix::tasks).max().unwrap_or(0)
    };
    let rows: Vec<_> = results.rows.iter().map(|row| (row, of_row(row))).filter(|(_, devices)| *devices > 0).collect();
    let most = blocks_a_side(rows.len());
    let coarse = |(row, devices): (&Row, usize)| {
        let side = devices.div_ceil(most);
        let seeds: Vec<_> = row.cells.iter().filter_map(|cell| matrix(cell, shown)).collect();
        Blocks { name: row.name.clone(), steps: Steps::of(row), devices, side, blocks: blocks(&seeds, devices, side) }
    };
    rows.into_iter().map(coarse).collect()
}

/// The most blocks of each of `matrices` matrices in each direction. A triangle has half of the blocks of a square.
fn blocks_a_side(matrices: usize) -> usize {
    let share = 2.0 * MOST_BLOCKS as f64 / matrices.max(1) as f64;
    (share.sqrt() as usize).clamp(8, FINEST)
}

fn matrix(cell: &Cell, shown: Measure) -> Option<&AccuracyMatrix> {
    match (&cell.accuracy, shown) {
        (Accuracy::Stream { task_aware, .. }, Measure::TaskAware) => Some(task_aware),
        (Accuracy::Stream { task_agnostic, .. }, Measure::TaskAgnostic) => Some(task_agnostic),
        _ => None,
    }
}

/// The lower triangle in blocks of this side.
fn blocks(seeds: &[&AccuracyMatrix], devices: usize, side: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    for top in (0..devices).step_by(side) {
        for left in (0..=top).step_by(side) {
            let bottom = (top + side).min(devices);
            let right = (left + side).min(devices);
            let means: Vec<f64> = seeds.iter().filter_map(|seed| mean(seed, (top, bottom), (left, right))).collect();
            if let Some(estimate) = Estimate::from_samples(&means) {
                blocks.push(Block {
                    devices: (top + 1, bottom),
                    tasks: (left + 1, right),
                    accuracy: estimate.mean,
                    seeds: estimate.n,
                });
            }
        }
    }
    blocks
}

/// The mean of the values of one seed between these bounds. Values above the diagonal were never measured.
fn mean(matrix: &AccuracyMatrix, (top, bottom): (usize, usize), (left, right): (usize, usize)) -> Option<f64> {
    let values: Vec<f64> =
        (top..bottom).flat_map(|device| (left..right).filter_map(move |task| matrix.at(device, task))).collect();
    Some(Estimate::from_samples(&values)?.mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_small_matrix_is_the_mean_over_seeds() {
        // R[2, 1] of pld is 0.5, 0.6, 0.7 over the seeds, R[2, 2] is 0.7, 0.8, 0.9.
        let matrices = matrices(&example::results(), Measure::TaskAware);
        let names: Vec<_> = matrices.iter().map(|matrix| matrix.name.as_str()).collect();
        assert_eq!(names, ["naive", "pld"], "references have no matrix");
        let found: Vec<_> = matrices[1].blocks.iter().map(|block| (block.devices, block.tasks, block.seeds)).collect();
        assert_eq!(found, [((1, 1), (1, 1), 3), ((2, 2), (1, 1), 3), ((2, 2), (2, 2), 3)]);
        let expected = [1.0, 0.6, 0.8];
        for (block, expected) in matrices[1].blocks.iter().zip(expected) {
            assert!((block.accuracy - expected).abs() < 1e-12, "{block:?}");
        }
    }

    #[test]
    fn blocks_average_what_is_below_the_diagonal() {
        let matrix = AccuracyMatrix::from_rows(vec![vec![1.0], vec![0.5, 0.75], vec![0.0, 0.25, 0.5]]).expect("valid");
        let found = blocks(&[&matrix], 3, 2);
        let expected = [
            // (1 + 0.5 + 0.75) / 3
            Block { devices: (1, 2), tasks: (1, 2), accuracy: 0.75, seeds: 1 },
            // (0 + 0.25) / 2
            Block { devices: (3, 3), tasks: (1, 2), accuracy: 0.125, seeds: 1 },
            Block { devices: (3, 3), tasks: (3, 3), accuracy: 0.5, seeds: 1 },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_number_of_blocks_is_bounded() {
        assert_eq!(blocks_a_side(1), 60);
        assert_eq!(blocks_a_side(25), 28);
        assert_eq!(blocks_a_side(100_000), 8);
    }
}
