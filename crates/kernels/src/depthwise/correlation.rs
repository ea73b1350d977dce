//! Kernels that slide over planes: what the convolution and its gradient by the input have in common.

use super::edges::Edges;
use super::geometry::Place;
use super::runs::{Run, pick};
use super::slide::{Source, Weights, any, fixed};
use crate::lanes::widest;
use crate::share::share;
use pulp::{Simd, WithSimd};

/// A correlation of each plane with the kernel of its channel.
#[derive(Debug)]
pub(super) struct Correlation<'a> {
    /// The rows and columns of a run.
    pub size: [usize; 2],
    /// The places of source and result in a run.
    pub source: Place,
    pub result: Place,
    pub kernel: [usize; 2],
    /// The tap that lies on the result.
    pub anchor: [usize; 2],
    /// `[channel, kernel row, kernel column]`.
    pub weights: &'a [f32],
    pub bias: Option<&'a [f32]>,
}

impl Correlation<'_> {
    /// Runs the correlation for all planes of `source`.
    pub fn run(&self, source: &[f32], out: &mut [f32], threads: usize) {
        let values = self.result.values();
        if out.is_empty() {
            return;
        }
        // ResultPlanes are computed separately, so a cut that depends on the threads does not change the results.
        let planes = (out.len() / values).div_ceil(threads.max(1));
        let pieces = out.chunks_mut(planes * values).enumerate().map(|(index, out)| (index * planes, out)).collect();
        let shifts = (0..self.kernel[1]).map(|column| column as isize - self.anchor[1] as isize);
        let edges = Edges::new(self.size, shifts);
        share(threads, pieces, |pieces: Vec<_>| {
            for (first, out) in pieces {
                widest(ResultPlanes { correlation: self, edges: &edges, source, first, out });
            }
        });
    }
}

/// The result's planes from `first` on.
struct ResultPlanes<'a> {
    correlation: &'a Correlation<'a>,
    edges: &'a Edges,
    source: &'a [f32],
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for ResultPlanes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ResultPlanes { correlation, edges, source, first, out } = self;
        let Correlation { size: [height, width], result, kernel, anchor, .. } = *correlation;
        let (pixels, area) = (height * width, kernel[0] * kernel[1]);
        let channels = correlation.weights.len() / area;
        let values = correlation.source.values();
        let direct = result.fills(pixels);
        let mut results = vec![0.0; if direct { 0 } else { pixels }];
        // The next plane is copied before this one is computed: a load soon after stores that it overlaps would wait.
        let new = || Run::new(pixels, kernel[0] * width + kernel[1]);
        let (mut now, mut next) = (new(), new());
        now.fill(&correlation.source, &source[first * values..][..values]);
        for (plane, out) in (first..).zip(out.chunks_exact_mut(result.values())) {
            if let Some(source) = source[(plane + 1) * values..].get(..values) {
                next.fill(&correlation.source, source);
            }
            let channel = plane % channels;
            let weights = Weights {
                taps: &correlation.weights[channel * area..][..area],
                bias: correlation.bias.map_or(0.0, |bias| bias[channel]),
            };
            let start = now.start() - anchor[0] * width;
            let source = Source { all: now.all(), first: start, width };
            let target = if direct { &mut *out } else { &mut results[..] };
            match kernel {
                [3, 3] => fixed::<S, 3, 3>(simd, source, weights, edges, target),
                [5, 5] => fixed::<S, 5, 5>(simd, source, weights, edges, target),
                _ => any(simd, source, kernel, anchor[1], weights, edges, target),
            }
            if !direct {
                pick(&result, &results, out);
            }
            std::mem::swap(&mut now, &mut next);
        }
    }
}
