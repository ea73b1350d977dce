//! Patches of an image as contiguous runs of values, for the gradient by the weights.
//!
//! With channels last, the patch of a pixel is one run of the padded image for each kernel row: `[kernel column,
//! channel]`. With few channels, such runs would be shorter than a vector. The patches are then written out, which
//! costs little in this case.

use super::Shape;
use super::planes::Planes;
use super::registers::BLOCK;
use super::transpose::columns;
use crate::lanes::copy;
use pulp::Simd;

/// A run is padded to a multiple of this many values, a vector of AVX-512.
pub(super) const VECTOR: usize = 16;

/// How the patches of an image lie in memory.
#[derive(Debug)]
pub(super) struct Layout {
    pub shape: Shape,
    /// The output rows and columns. Each output pixel has one patch.
    pub grid: [usize; 2],
    /// The values of a run.
    pub run: usize,
    /// The runs of a patch: one per kernel row, or one in all.
    pub runs: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The padded image, channels last.
    Image,
    /// All patches, from the planes, whose taps these are.
    Written { planes: Planes, taps: Vec<usize> },
    /// For a kernel of one pixel that skips others: the image of the pixels that it reads, channels last.
    Thinned { planes: Planes },
}

/// The buffers that [`Layout::fill`] keeps between images.
#[derive(Debug)]
pub(super) struct PatchBuffers {
    planes: Vec<f32>,
    patches: Vec<f32>,
}

impl Layout {
    pub fn new(shape: &Shape) -> Layout {
        let Shape { inputs, kernel: [height, width], padding, stride, .. } = *shape;
        let grid = [shape.rows(), shape.columns()];
        let row = width * inputs;
        let planes = || Planes::new(inputs, [shape.height, shape.width], [padding; 2], stride, shape.kernel);
        let (run, runs, form) = if 4 * (height * row).div_ceil(VECTOR) <= 3 * height * row.div_ceil(VECTOR) {
            let planes = planes();
            let taps = (0..height * width)
                .flat_map(|tap| (0..inputs).map(move |channel| (channel, [tap / width, tap % width])))
                .map(|(channel, tap)| planes.tap(channel, tap))
                .collect();
            (height * row, 1, Form::Written { planes, taps })
        } else if [height, width] == [1, 1] && stride != [1, 1] {
            (row, height, Form::Thinned { planes: planes() })
        } else {
            (row, height, Form::Image)
        };
        Layout { shape: *shape, grid, run, runs, form }
    }

    /// The values of a run with its padding.
    pub fn padded_run(&self) -> usize {
        self.run.next_multiple_of(VECTOR)
    }

    /// The values of a row of sums.
    pub fn length(&self) -> usize {
        self.runs * self.padded_run()
    }

    /// Where a run of the first patch starts.
    pub fn start(&self, run: usize) -> usize {
        run * self.padded()[1] * self.shape.inputs
    }

    /// The size of the padded image.
    fn padded(&self) -> [usize; 2] {
        [self.shape.height + 2 * self.shape.padding[0], self.shape.width + 2 * self.shape.padding[1]]
    }

    /// The values of an image's patches.
    pub fn image(&self) -> usize {
        self.steps()[2]
    }

    /// Where each patch of an image starts.
    pub fn starts(&self) -> Vec<usize> {
        let [step, line, _] = self.steps();
        (0..self.grid[0]).flat_map(|y| (0..self.grid[1]).map(move |x| y * line + x * step)).collect()
    }

    /// The values from one patch to the next, to the next row of patches, and to the next image.
    fn steps(&self) -> [usize; 3] {
        let [rows, columns] = self.padded();
        let channels = self.shape.inputs;
        match &self.form {
            Form::Image => {
                let [vertical, horizontal] = self.shape.stride;
                [horizontal * channels, vertical * columns * channels, rows * columns * channels]
            }
            Form::Written { .. } => {
                let patch = self.padded_run();
                [patch, self.grid[1] * patch, self.grid[0] * self.grid[1] * patch]
            }
            Form::Thinned { planes } => {
                [channels, planes.size[1] * channels, planes.size[0] * planes.size[1] * channels]
            }
        }
    }

    pub fn buffers(&self) -> PatchBuffers {
        let [rows, columns] = self.grid;
        let (planes, patches) = match &self.form {
            Form::Image => (0, self.shape.input_image()),
            Form::Written { planes, .. } => (planes.length(), self.run * rows * columns),
            Form::Thinned { planes } => (planes.length(), 0),
        };
        PatchBuffers { planes: vec![0.0; planes], patches: vec![0.0; patches] }
    }

    /// Writes the patches of an image; their padding is not changed.
    #[inline(always)]
    pub fn fill<S: Simd>(&self, simd: S, image: &[f32], patches: &mut [f32], buffers: &mut PatchBuffers) {
        let Shape { inputs, height, width, padding, .. } = self.shape;
        match &self.form {
            Form::Image => {
                let pixels = height * width;
                let whole = width.is_multiple_of(BLOCK);
                if !whole {
                    columns(simd, image, pixels, [inputs, pixels], &mut buffers.patches, inputs);
                }
                for y in 0..height {
                    let start = ((y + padding[0]) * self.padded()[1] + padding[1]) * inputs;
                    let target = &mut patches[start..start + width * inputs];
                    if whole {
                        columns(simd, &image[y * width..], pixels, [inputs, width], target, inputs);
                    } else {
                        // Blocks of this row alone would be partly empty, so the image is transposed as one row above.
                        target.copy_from_slice(&buffers.patches[y * width * inputs..(y + 1) * width * inputs]);
                    }
                }
            }
            Form::Written { planes, taps } => {
                planes.fill(simd, image, &mut buffers.planes);
                let [rows, width] = self.grid;
                for (patches, tap) in buffers.patches.chunks_exact_mut(rows * width).zip(taps) {
                    for (y, patches) in patches.chunks_exact_mut(width).enumerate() {
                        let start = tap + y * planes.size[1];
                        copy(&buffers.planes[start..start + width], patches);
                    }
                }
                let pixels = rows * width;
                columns(simd, &buffers.patches, pixels, [self.run, pixels], patches, self.padded_run());
            }
            Form::Thinned { planes } => {
                planes.fill(simd, image, &mut buffers.planes);
                let pixels = planes.size[0] * planes.size[1];
                columns(simd, &buffers.planes, pixels, [inputs, pixels], patches, inputs);
            }
        }
    }

    /// Writes sums `[output, kernel row, kernel column, channel]`, with their padding, as weights.
    pub fn unpack(&self, sums: &[f32], dw: &mut [f32]) {
        let Shape { inputs, kernel: [height, width], .. } = self.shape;
        let row = if self.runs == height { self.padded_run() } else { width * inputs };
        for (sums, dw) in sums.chunks_exact(self.length()).zip(dw.chunks_exact_mut(inputs * height * width)) {
            for y in 0..height {
                for x in 0..width {
                    for channel in 0..inputs {
                        dw[(channel * height + y) * width + x] = sums[y * row + x * inputs + channel];
                    }
                }
            }
        }
    }
}
