//! Symmetric matrices in 64 bits: one triangle, which is what is sent and kept, and sums of products.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, MatRef, Par, Side};

/// A symmetric matrix as the entries on and below its diagonal, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetric {
    size: usize,
    packed: Vec<f64>,
}

impl Symmetric {
    /// A matrix of zeros.
    pub fn zeros(size: usize) -> Self {
        Symmetric { size, packed: vec![0.0; entries(size)] }
    }

    /// A matrix of these entries. `None` if there are too many or too few.
    pub fn of(size: usize, packed: Vec<f64>) -> Option<Self> {
        (packed.len() == entries(size)).then_some(Symmetric { size, packed })
    }

    /// The symmetric matrix whose upper triangle is that of a square matrix.
    pub fn upper(matrix: MatRef<'_, f64>) -> Self {
        let size = matrix.nrows();
        let mut packed = Vec::with_capacity(entries(size));
        // Columns lie together in memory. A column down to the diagonal is a row of the lower triangle.
        (0..size).for_each(|column| packed.extend(matrix.col(column).iter().take(column + 1)));
        Symmetric { size, packed }
    }

    /// The number of rows.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The entries on and below the diagonal, row by row.
    pub fn entries(&self) -> &[f64] {
        &self.packed
    }

    /// The entries, to change them.
    pub fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.packed
    }

    /// The entries with the weight of their noise: 1 on the diagonal, 1/√2 below it.
    pub(crate) fn weighted_mut(&mut self) -> impl Iterator<Item = (f64, &mut f64)> {
        let places = (0..self.size).flat_map(|row| (0..=row).map(move |column| row == column));
        let weights = places.map(|diagonal| if diagonal { 1.0 } else { std::f64::consts::FRAC_1_SQRT_2 });
        weights.zip(&mut self.packed)
    }

    /// The nearest matrix without negative eigenvalues, which sums of products do not have.
    ///
    /// `None` if the decomposition fails, because an entry is not finite.
    pub fn without_negative(&self) -> Option<Symmetric> {
        let eigen = self.full().self_adjoint_eigen(Side::Lower).ok()?;
        let (vectors, values) = (eigen.U(), eigen.S());
        let root =
            Mat::from_fn(self.size, self.size, |row, column| vectors[(row, column)] * values[column].max(0.0).sqrt());
        let mut product = Mat::zeros(self.size, self.size);
        add_gram(&mut product, root.transpose());
        Some(Symmetric::upper(product.as_ref()))
    }

    /// The symmetric root of the matrix times a vector. Negative eigenvalues count as 0; without a decomposition, zeros.
    pub(crate) fn root_times(&self, vector: &[f64]) -> Vec<f64> {
        let Ok(eigen) = self.full().self_adjoint_eigen(Side::Lower) else { return vec![0.0; self.size] };
        let (vectors, values) = (eigen.U(), eigen.S());
        let mut product = vec![0.0; self.size];
        for index in 0..self.size {
            let column = vectors.col(index);
            let along: f64 = column.iter().zip(vector).map(|(entry, value)| entry * value).sum();
            let scaled = values[index].max(0.0).sqrt() * along;
            product.iter_mut().zip(column.iter()).for_each(|(sum, entry)| *sum += scaled * entry);
        }
        product
    }

    /// The whole matrix.
    pub fn full(&self) -> Mat<f64> {
        Mat::from_fn(self.size, self.size, |row, column| {
            let (row, column) = (row.max(column), row.min(column));
            self.packed[entries(row) + column]
        })
    }

    /// Adds `factor` · v vᵀ.
    pub fn add_outer(&mut self, factor: f64, vector: &[f64]) {
        for row in 0..self.size {
            let start = entries(row);
            let scaled = factor * vector[row];
            for (entry, other) in self.packed[start..=start + row].iter_mut().zip(vector) {
                *entry += scaled * other;
            }
        }
    }

    /// Adds `factor` · the other matrix, which has the same size.
    pub fn add(&mut self, factor: f64, other: &Symmetric) {
        self.packed.iter_mut().zip(&other.packed).for_each(|(entry, other)| *entry += factor * other);
    }
}

/// The number of entries on and below the diagonal.
pub(crate) fn entries(size: usize) -> usize {
    size * (size + 1) / 2
}

/// Adds XᵀX to the upper triangle of a square matrix, for rows X.
pub(crate) fn add_gram(gram: &mut Mat<f64>, rows: MatRef<'_, f64>) {
    let rectangular = BlockStructure::Rectangular;
    matmul(
        gram.as_mut(),
        BlockStructure::TriangularUpper,
        Accum::Add,
        rows.transpose(),
        rectangular,
        rows,
        rectangular,
        1.0,
        Par::rayon(0),
    );
}

/// Rows of 32 bits in 64 bits.
pub(crate) fn in_doubles(rows: &[f32], columns: usize) -> Mat<f64> {
    let count = rows.len() / columns.max(1);
    Mat::from_fn(count, columns, |row, column| f64::from(rows[row * columns + column]))
}
