//! Runs products over a batch, a group of images at a time.

use super::planes::Planes;
use super::spread::Spread;
use super::taps::{Buffers, Product, SLACK};
use crate::lanes::widest;
use crate::share::share;
use pulp::{Simd, WithSimd};

/// Products over the same planes.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub planes: Planes,
    /// One product for whole images, or one for each pair of residues.
    pub products: Vec<Product<'a>>,
    /// Where the residues go.
    pub spread: Option<Spread>,
    /// The values of an image of the result.
    pub image: usize,
}

impl Batch<'_> {
    /// Runs the products for all images of `source`.
    pub fn run(&self, source: &[f32], out: &mut [f32], threads: usize) {
        let source_image = self.source_image();
        let pixels = self.products.iter().map(|product| product.pixels()).max().unwrap_or(0).max(1);
        let size = Product::group(pixels, source.len() / source_image).max(1);
        let groups = source.chunks(size * source_image).zip(out.chunks_mut(size * self.image)).collect();
        share(threads, groups, |groups| widest(Groups { batch: self, groups, size }));
    }

    fn source_image(&self) -> usize {
        self.planes.channels * self.planes.image[0] * self.planes.image[1]
    }
}

struct Groups<'a> {
    batch: &'a Batch<'a>,
    groups: Vec<(&'a [f32], &'a mut [f32])>,
    size: usize,
}

impl WithSimd for Groups<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Groups { batch, groups, size } = self;
        let Batch { planes, products, spread, image } = batch;
        let length = planes.length();
        // The padding is written here, once. Filling the planes does not change it.
        let mut padded = vec![0.0; size * length + SLACK];
        let mut buffers = Buffers::default();
        let mut residues = Vec::new();
        if spread.is_some() {
            residues.extend(products.iter().map(|product| vec![0.0; size * product.image()]));
        }
        for (source, out) in groups {
            let images = source.chunks_exact(batch.source_image());
            let count = images.len();
            for (image, planes_of_image) in images.zip(padded.chunks_exact_mut(length)) {
                planes.fill(simd, image, planes_of_image);
            }
            match spread {
                None => {
                    for product in products {
                        product.run(simd, &padded, count, out, &mut buffers);
                    }
                }
                Some(spread) => {
                    for (product, residue) in products.iter().zip(&mut residues) {
                        product.run(simd, &padded, count, residue, &mut buffers);
                    }
                    spread.run(simd, &residues, count * image / (spread.image[0] * spread.image[1]), out);
                }
            }
        }
    }
}
