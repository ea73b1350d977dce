//! Convolution.

use alluvium_kernels::conv::{self, Shape};
use alluvium_kernels::depthwise::{self, DepthwiseShape};
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::depthwise::shape as depthwise_shape;
use crate::flex::{AutodiffTensor, Operands, contiguous, operand, tensor, threads, together, values};

/// Equals `layer.forward(x)`: `[batch, inputs, height, width]` → `[batch, outputs, rows, columns]`.
///
/// The kernels support symmetric padding, without dilation, and either no groups or one group for each channel, with
/// one output each (a depthwise convolution). Other convolutions call the layer itself.
pub fn conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x).unwrap_or_else(|| layer.forward(x))
}

/// The convolution by the kernels, if they support it.
pub(crate) fn native(layer: &Conv2d, x: &Tensor<4>) -> Option<Tensor<4>> {
    let sizes = Sizes::new(layer, x.dims())?;
    let (x, weight) = (operand(x)?, operand(&layer.weight.val())?);
    let Some(bias) = &layer.bias else {
        return Some(match together([x, weight]) {
            Operands::Plain([x, weight]) => Tensor::from_primitive::<Flex>(forward(&sizes, &x, &weight, None)),
            Operands::Learning([x, weight]) => Tensor::from_primitive::<Autodiff<Flex>>(without_bias(sizes, x, weight)),
        });
    };
    Some(match together([x, weight, operand(&bias.val())?]) {
        Operands::Plain([x, weight, bias]) => Tensor::from_primitive::<Flex>(forward(&sizes, &x, &weight, Some(&bias))),
        Operands::Learning([x, weight, bias]) => {
            Tensor::from_primitive::<Autodiff<Flex>>(with_bias(sizes, x, weight, bias))
        }
    })
}

/// The sizes of a convolution that the kernels support. They choose the kernels.
#[derive(Debug, Clone, Copy)]
enum Sizes {
    /// Without groups.
    Ungrouped(Shape),
    /// With a group for each channel.
    Depthwise(DepthwiseShape),
}

impl Sizes {
    /// The sizes, if the kernels support the convolution.
    fn new(layer: &Conv2d, [batch, inputs, height, width]: [usize; 4]) -> Option<Sizes> {
        let padding = match layer.padding {
            PaddingConfig2d::Valid => [0, 0],
            PaddingConfig2d::Explicit(top, left, bottom, right) if top == bottom && left == right => [top, left],
            _ => return None,
        };
        let [outputs, _, rows, columns] = layer.weight.dims();
        let fits = height + 2 * padding[0] >= rows && width + 2 * padding[1] >= columns;
        if layer.dilation != [1, 1] || batch == 0 || !fits {
            return None;
        }
        if layer.groups != 1 {
            return depthwise_shape(layer, [batch, inputs, height, width], padding).map(Sizes::Depthwise);
        }
        let (kernel, stride) = ([rows, columns], layer.stride);
        Some(Sizes::Ungrouped(Shape { batch, inputs, height, width, outputs, kernel, stride, padding }))
    }

    /// The input's sizes.
    fn input(&self) -> [usize; 4] {
        match self {
            Sizes::Ungrouped(shape) => [shape.batch, shape.inputs, shape.height, shape.width],
            Sizes::Depthwise(shape) => [shape.batch, shape.channels, shape.height, shape.width],
        }
    }

    /// The output's sizes.
    fn output(&self) -> [usize; 4] {
        match self {
            Sizes::Ungrouped(shape) => [shape.batch, shape.outputs, shape.rows(), shape.columns()],
            Sizes::Depthwise(shape) => [shape.batch, shape.channels, shape.rows(), shape.columns()],
        }
    }

    /// The weights' sizes.
    fn weight(&self) -> [usize; 4] {
        match self {
            Sizes::Ungrouped(shape) => [shape.outputs, shape.inputs, shape.kernel[0], shape.kernel[1]],
            Sizes::Depthwise(shape) => [shape.channels, 1, shape.kernel[0], shape.kernel[1]],
        }
    }
}

/// Zeros for a tensor of these sizes.
fn zeros(sizes: [usize; 4]) -> Vec<f32> {
    vec![0.0; sizes.iter().product()]
}

fn forward(sizes: &Sizes, x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let [x, weight] = [x, weight].map(contiguous);
    let bias = bias.map(contiguous);
    let (x, weight, bias) = (values(&x), values(&weight), bias.as_ref().map(values));
    let mut out = zeros(sizes.output());
    match sizes {
        Sizes::Ungrouped(shape) => conv::forward(shape, x, weight, bias, &mut out, threads()),
        Sizes::Depthwise(shape) => depthwise::forward(shape, x, weight, bias, &mut out, threads()),
    }
    tensor(out, sizes.output())
}

/// The convolution as a node of the autodiff graph.
#[derive(Debug)]
struct Convolution;

/// The values that the backward pass needs.
#[derive(Debug, Clone)]
struct ConvState {
    sizes: Sizes,
    x: FlexTensor,
    weight: FlexTensor,
}

impl ConvState {
    fn backward(&self, dy: FlexTensor, [x, weight, bias]: [Option<NodeId>; 3], gradients: &mut Gradients) {
        let ConvState { sizes, .. } = self;
        let dy = contiguous(&dy);
        let dy = values(&dy);
        if let Some(node) = x {
            let weight = contiguous(&self.weight);
            let weight = values(&weight);
            let mut dx = zeros(sizes.input());
            match sizes {
                Sizes::Ungrouped(shape) => conv::input_gradient(shape, dy, weight, &mut dx, threads()),
                Sizes::Depthwise(shape) => depthwise::input_gradient(shape, dy, weight, &mut dx, threads()),
            }
            gradients.register::<Flex>(node, tensor(dx, sizes.input()));
        }
        if let Some(node) = weight {
            let x = contiguous(&self.x);
            let x = values(&x);
            let mut dw = zeros(sizes.weight());
            match sizes {
                Sizes::Ungrouped(shape) => conv::weight_gradient(shape, x, dy, &mut dw, threads()),
                Sizes::Depthwise(shape) => depthwise::weight_gradient(shape, x, dy, &mut dw, threads()),
            }
            gradients.register::<Flex>(node, tensor(dw, sizes.weight()));
        }
        if let Some(node) = bias {
            let [outputs, ..] = sizes.weight();
            let mut db = vec![0.0; outputs];
            match sizes {
                Sizes::Ungrouped(shape) => conv::bias_gradient(shape, dy, &mut db),
                Sizes::Depthwise(shape) => depthwise::bias_gradient(shape, dy, &mut db),
            }
            gradients.register::<Flex>(node, tensor(db, [outputs]));
        }
    }
}

impl Backward<Flex, 2> for Convolution {
    type State = ConvState;

    fn backward(self, ops: Ops<ConvState, 2>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [x, weight] = ops.parents.map(|parent| parent.map(|node| node.id));
        let dy = gradients.consume::<Flex>(&ops.node);
        ops.state.backward(dy, [x, weight, None], gradients);
    }
}

impl Backward<Flex, 3> for Convolution {
    type State = ConvState;

    fn backward(self, ops: Ops<ConvState, 3>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let parents = ops.parents.map(|parent| parent.map(|node| node.id));
        let dy = gradients.consume::<Flex>(&ops.node);
        ops.state.backward(dy, parents, gradients);
    }
}

fn without_bias(sizes: Sizes, x: AutodiffTensor, weight: AutodiffTensor) -> AutodiffTensor {
    let out = forward(&sizes, x.primitive(), weight.primitive(), None);
    let prepared =
        <Convolution as Backward<Flex, 2>>::prepare::<NoCheckpointing>(Convolution, [x.node(), weight.node()]);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            prepared.finish(ConvState { sizes, x: x.into_primitive(), weight: weight.into_primitive() }, out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

fn with_bias(sizes: Sizes, x: AutodiffTensor, weight: AutodiffTensor, bias: AutodiffTensor) -> AutodiffTensor {
    let out = forward(&sizes, x.primitive(), weight.primitive(), Some(bias.primitive()));
    let nodes = [x.node(), weight.node(), bias.node()];
    let prepared = <Convolution as Backward<Flex, 3>>::prepare::<NoCheckpointing>(Convolution, nodes);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            prepared.finish(ConvState { sizes, x: x.into_primitive(), weight: weight.into_primitive() }, out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

#[cfg(test)]
mod tests;
