//! Where inputs and outputs lie in a run.

use super::DepthwiseShape;

/// Equally spaced values along an axis of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spacing {
    /// The number of values.
    pub size: usize,
    /// The position of the first one.
    pub start: usize,
    /// The distance between two.
    pub step: usize,
}

/// A plane of a tensor in a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub rows: Spacing,
    pub columns: Spacing,
    /// The columns of the run.
    pub width: usize,
}

impl Place {
    /// The values of the plane.
    pub fn values(&self) -> usize {
        self.rows.size * self.columns.size
    }

    /// Whether the plane is the run itself, if the run has `pixels` values.
    pub fn fills(&self, pixels: usize) -> bool {
        self.values() == pixels
    }
}

/// The sizes of a run, and the places of inputs and outputs in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    /// The rows and columns of the run.
    pub size: [usize; 2],
    pub input: Place,
    pub output: Place,
    /// The tap of the kernel that lies on the output: the middle one.
    pub anchor: [usize; 2],
}

impl Geometry {
    pub fn new(shape: &DepthwiseShape) -> Geometry {
        let (inputs, outputs) = ([shape.height, shape.width], [shape.rows(), shape.columns()]);
        let anchor = shape.kernel.map(|size| (size - 1) / 2);
        // Output `i` lies on input `i * stride - padding + anchor`. The first of both has position 0.
        let input = |axis: usize| Spacing {
            size: inputs[axis],
            start: shape.padding[axis].saturating_sub(anchor[axis]),
            step: 1,
        };
        let output = |axis: usize| Spacing {
            size: outputs[axis],
            start: anchor[axis].saturating_sub(shape.padding[axis]),
            step: shape.stride[axis],
        };
        let size = [0, 1].map(|axis| {
            let (input, output) = (input(axis), output(axis));
            (input.start + input.size).max(output.start + (output.size - 1) * output.step + 1)
        });
        let place = |[rows, columns]: [Spacing; 2]| Place { rows, columns, width: size[1] };
        Geometry { size, input: place([0, 1].map(input)), output: place([0, 1].map(output)), anchor }
    }

    /// The values of the run.
    pub fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }
}
