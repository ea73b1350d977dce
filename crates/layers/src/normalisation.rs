//! Batch and group normalisation as one node of the autodiff graph.

use alluvium_kernels::norm::{Affine, Kernel, NormShape, Operands};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::flex::{AutodiffTensor, contiguous, tensor, threads, values};

/// A normalisation of inputs of one size, with an optional rectifier after it.
#[derive(Debug, Clone)]
pub(crate) struct Normalisation<K> {
    kernel: K,
    shape: NormShape,
    dims: [usize; 4],
}

/// The values that the backward pass needs.
#[derive(Debug, Clone)]
pub(crate) struct State<S> {
    /// Input, scales and shifts.
    operands: [FlexTensor; 3],
    statistics: S,
}

impl<K: Kernel> Normalisation<K> {
    /// The normalisation of inputs with the size of `x`; `None` if they have no values.
    pub(crate) fn of(kernel: K, x: &Tensor<4>) -> Option<Self> {
        let dims = x.dims();
        let [batch, channels, height, width] = dims;
        let shape = NormShape { batch, channels, pixels: height * width };
        (batch * shape.pixels > 0).then_some(Normalisation { kernel, shape, dims })
    }

    /// The sizes of inputs and outputs.
    pub(crate) fn shape(&self) -> &NormShape {
        &self.shape
    }

    /// Calls `work` with input, scales and shifts; returns the tensor that it writes and its result.
    pub(crate) fn apply<R>(
        &self,
        operands: [&FlexTensor; 3],
        work: impl FnOnce(Operands<'_>, &mut [f32]) -> R,
    ) -> (FlexTensor, R) {
        let [x, scale, shift] = operands.map(contiguous);
        let affine = Affine { scale: values(&scale), shift: values(&shift) };
        let mut out = vec![0.0; self.dims.iter().product()];
        let beside = work(Operands { x: values(&x), affine }, &mut out);
        (tensor(out, self.dims), beside)
    }

    /// Computes the normalised input and the statistics from input, scales and shifts.
    pub(crate) fn forward(&self, operands: [&FlexTensor; 3]) -> (FlexTensor, K::Statistics) {
        self.apply(operands, |operands, out| self.kernel.forward(&self.shape, operands, out, threads()))
    }

    /// The same as a node of the autodiff graph.
    pub(crate) fn recorded(self, operands: [AutodiffTensor; 3]) -> (AutodiffTensor, K::Statistics) {
        let (out, statistics) = self.forward(operands.each_ref().map(AutodiffTensor::primitive));
        let nodes = operands.each_ref().map(AutodiffTensor::node);
        let out = match self.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let operands = operands.map(AutodiffTensor::into_primitive);
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
        let (dx, by_parameters) = self.apply(operands.each_ref(), |operands, dx| {
            self.kernel.backward(&self.shape, operands, &statistics, values(&dy), dx, threads())
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
