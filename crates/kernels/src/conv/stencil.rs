//! The source pixels that each pixel of the result sums up, without those in the padding.

use super::Shape;

/// For each pixel of the result, its taps in the order of the kernel: by rows, then by columns.
#[derive(Debug)]
pub(super) struct Stencil {
    taps: Vec<Tap>,
    /// The start of each pixel's taps, which is the end of the previous pixel's.
    starts: Vec<usize>,
    /// The pixels of an image of the source.
    pub source: usize,
}

/// A position in the kernel, and the source pixel at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap {
    pub kernel: usize,
    pub pixel: usize,
}

impl Stencil {
    /// Output pixels from input pixels.
    pub fn of_output(shape: &Shape) -> Stencil {
        let meets = |axis: usize, position: usize, kernel: usize| {
            (position * shape.stride[axis] + kernel)
                .checked_sub(shape.padding[axis])
                .filter(|pixel| *pixel < [shape.height, shape.width][axis])
        };
        Stencil::new(shape, [shape.rows(), shape.columns()], [shape.height, shape.width], meets)
    }

    /// Input pixels from output pixels: those that read them.
    pub fn of_input(shape: &Shape) -> Stencil {
        let meets = |axis: usize, pixel: usize, kernel: usize| {
            (pixel + shape.padding[axis])
                .checked_sub(kernel)
                .filter(|start| start.is_multiple_of(shape.stride[axis]))
                .map(|start| start / shape.stride[axis])
                .filter(|position| *position < [shape.rows(), shape.columns()][axis])
        };
        Stencil::new(shape, [shape.height, shape.width], [shape.rows(), shape.columns()], meets)
    }

    /// `meets(axis, position, kernel)` is the source position along an axis, for a position in the result and one in
    /// the kernel.
    fn new(
        shape: &Shape,
        result: [usize; 2],
        source: [usize; 2],
        meets: impl Fn(usize, usize, usize) -> Option<usize>,
    ) -> Stencil {
        let axis = |axis: usize, position: usize| {
            let kernel = 0..shape.kernel[axis];
            kernel.filter_map(|kernel| Some([kernel, meets(axis, position, kernel)?])).collect::<Vec<_>>()
        };
        let columns: Vec<_> = (0..result[1]).map(|x| axis(1, x)).collect();
        let (mut taps, mut starts) = (Vec::new(), vec![0]);
        for y in 0..result[0] {
            let rows = axis(0, y);
            for columns in &columns {
                for [kernel_y, y] in &rows {
                    for [kernel_x, x] in columns {
                        let kernel = kernel_y * shape.kernel[1] + kernel_x;
                        taps.push(Tap { kernel, pixel: y * source[1] + x });
                    }
                }
                starts.push(taps.len());
            }
        }
        Stencil { taps, starts, source: source[0] * source[1] }
    }

    /// The pixels of an image of the result.
    pub fn pixels(&self) -> usize {
        self.starts.len() - 1
    }

    /// The taps of each pixel of the result.
    #[inline(always)]
    pub fn taps(&self) -> impl Iterator<Item = &[Tap]> {
        self.starts.windows(2).map(
            #[inline(always)]
            |ends| &self.taps[ends[0]..ends[1]],
        )
    }
}
