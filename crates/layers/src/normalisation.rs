//! What batch and group normalisation have in common: one node of the autodiff graph.

use std::fmt::Debug;

use alluvium_kernels::norm::{Affine, Gradients as ByParameters, Shape};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::flex::{Learning, contiguous, tensor, values};

/// A normalisation on slices, forward and backward: the options of one of the kernels.
pub(crate) trait Kernel: Debug + Clone + Send + 'static {
    /// What the backward pass needs of the forward pass.
    type Statistics: Debug + Clone + Send + 'static;

    /// Writes the normalised `x` to `out`.
    fn forward(&self, shape: &Shape, x: &[f32], affine: Affine<'_>, out: &mut [f32]) -> Self::Statistics;

    /// Writes the gradient by `x` to `dx`, and returns those by the parameters.
    fn backward(
        &self,
        shape: &Shape,
        x: &[f32],
        affine: Affine<'_>,
        statistics: &Self::Statistics,
        dy: &[f32],
        dx: &mut [f32],
    ) -> ByParameters;
}

/// A normalisation of inputs of one size, and the rectifier where one follows.
#[derive(Debug, Clone)]
pub(crate) struct Normalisation<K> {
    kernel: K,
    shape: Shape,
    dims: [usize; 4],
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub(crate) struct State<S> {
    /// Input, scales and shifts.
    operands: [FlexTensor; 3],
    statistics: S,
}

impl<K: Kernel> Normalisation<K> {
    /// The normalisation of inputs as large as `x`; `None` where they have no values.
    pub(crate) fn of(kernel: K, x: &Tensor<4>) -> Option<Self> {
        let dims = x.dims();
        let [batch, channels, height, width] = dims;
        let shape = Shape { batch, channels, pixels: height * width };
        (batch * shape.pixels > 0).then_some(Normalisation { kernel, shape, dims })
    }

    /// The sizes of inputs and outputs.
    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What `work` writes for input, scales and shifts, and what it gives beside.
    pub(crate) fn apply<R>(
        &self,
        operands: [&FlexTensor; 3],
        work: impl FnOnce(&[f32], Affine<'_>, &mut [f32]) -> R,
    ) -> (FlexTensor, R) {
        let [x, scale, shift] = operands.map(contiguous);
        let affine = Affine { scale: values(&scale), shift: values(&shift) };
        let mut out = vec![0.0; self.dims.iter().product()];
        let beside = work(values(&x), affine, &mut out);
        (tensor(out, self.dims), beside)
    }

    /// The normalised input, and the statistics, of input, scales and shifts.
    pub(crate) fn forward(&self, operands: [&FlexTensor; 3]) -> (FlexTensor, K::Statistics) {
        self.apply(operands, |x, affine, out| self.kernel.forward(&self.shape, x, affine, out))
    }

    /// The same as a node of the autodiff graph.
    pub(crate) fn recorded(self, operands: [Learning; 3]) -> (Learning, K::Statistics) {
        let (out, statistics) = self.forward(operands.each_ref().map(Learning::primitive));
        let nodes = operands.each_ref().map(Learning::node);
        let out = match self.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let operands = operands.map(Learning::into_primitive);
                prepared.finish(State { operands, statistics: statistics.clone() }, out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        };
        (out, statistics)
    }
}

impl<K: Kernel> Backward<Flex, 3> for Normalisation<K> {
    type State = State<K::Statistics>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = contiguous(&gradients.consume::<Flex>(&ops.node));
        let State { operands, statistics } = ops.state;
        let (dx, by_parameters) = self.apply(operands.each_ref(), |x, affine, dx| {
            self.kernel.backward(&self.shape, x, affine, &statistics, values(&dy), dx)
        });
        let channels = [self.shape.channels];
        let all = [dx, tensor(by_parameters.scale, channels), tensor(by_parameters.shift, channels)];
        for (parent, gradient) in ops.parents.into_iter().zip(all) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}
