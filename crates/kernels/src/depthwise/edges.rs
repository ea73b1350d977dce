//! Masks of the values that a shift moves within their row.

use crate::lanes::LINE;

/// A mask for each of some shifts to the side: all bits are set where a value `shift` columns further is in the same
/// row.
#[derive(Debug)]
pub(super) struct Edges {
    values: Vec<f32>,
    /// The values of one mask: whole vectors, with zeros after the run.
    length: usize,
}

impl Edges {
    /// The masks of runs of `rows` × `columns` values.
    pub fn new([rows, columns]: [usize; 2], shifts: impl ExactSizeIterator<Item = isize>) -> Edges {
        let pixels = rows * columns;
        let length = pixels.next_multiple_of(LINE);
        let mut values = vec![0.0; shifts.len() * length];
        for (mask, shift) in values.chunks_exact_mut(length).zip(shifts) {
            for row in mask[..pixels].chunks_exact_mut(columns) {
                for (column, value) in row.iter_mut().enumerate() {
                    let inside = column.checked_add_signed(shift).is_some_and(|column| column < columns);
                    *value = f32::from_bits(if inside { u32::MAX } else { 0 });
                }
            }
        }
        Edges { values, length }
    }

    /// The mask of a shift, by its index.
    #[inline(always)]
    pub fn mask(&self, index: usize) -> &[f32] {
        &self.values[index * self.length..][..self.length]
    }
}
