//! The left side of a product, the weights, in the order in which tiles read it.

use crate::lanes::copy;

/// The most rows of a tile.
pub(super) const TALL: usize = 8;
/// The rows of a tile if fewer rows are left, or if there are few registers.
pub(super) const LOW: usize = 4;

/// A matrix `[row, k]`, cut into bands of [`TALL`] or [`LOW`] rows with the rows of a band interleaved: `[k, row]`.
#[derive(Debug)]
pub(super) struct Rows {
    pub bands: Vec<Band>,
    /// The number of rows.
    pub count: usize,
    values: Vec<f32>,
    length: usize,
}

/// The rows of one tile.
#[derive(Debug)]
pub(super) struct Band {
    /// The first of the rows.
    pub first: usize,
    /// The number of existing rows; the rest of the band is zeros.
    pub rows: usize,
    /// Whether the band has [`TALL`] rows.
    pub tall: bool,
    /// The start value of each row's sums.
    pub bias: [f32; TALL],
    start: usize,
}

impl Rows {
    /// `count` rows; their values at `k` are line `order[k]` of the dense matrix `[line, row]`.
    pub fn new(matrix: &[f32], order: &[usize], count: usize, bias: Option<&[f32]>) -> Rows {
        let length = order.len();
        let mut bands = Vec::new();
        let mut values = vec![0.0; count.next_multiple_of(TALL) * length];
        let (mut first, mut start) = (0, 0);
        while first < count {
            let tall = count - first > LOW;
            let height = if tall { TALL } else { LOW };
            let rows = height.min(count - first);
            let mut band = Band { first, rows, start, tall, bias: [0.0; TALL] };
            if let Some(bias) = bias {
                band.bias[..rows].copy_from_slice(&bias[first..first + rows]);
            }
            let targets = values[start..start + height * length].chunks_exact_mut(height);
            for (target, line) in targets.zip(order) {
                let from = line * count + first;
                copy(&matrix[from..from + rows], target);
            }
            bands.push(band);
            first += rows;
            start += height * length;
        }
        Rows { bands, count, values, length }
    }

    /// The values of a band: `[k, row]`.
    #[inline(always)]
    pub fn band(&self, band: &Band) -> &[f32] {
        let height = if band.tall { TALL } else { LOW };
        &self.values[band.start..band.start + height * self.length]
    }
}
