//! Convolution.

use alluvium_kernels::conv::{self, Shape};
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

use crate::flex::{AutodiffTensor, Operands, contiguous, operand, tensor, threads, together, values};

/// Equals `layer.forward(x)`: `[batch, inputs, height, width]` → `[batch, outputs, rows, columns]`.
///
/// The kernels support symmetric padding, but neither groups nor dilation. Other convolutions call the layer itself.
pub fn conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x).unwrap_or_else(|| layer.forward(x))
}

fn native(layer: &Conv2d, x: &Tensor<4>) -> Option<Tensor<4>> {
    let shape = shape(layer, x.dims())?;
    let (x, weight) = (operand(x)?, operand(&layer.weight.val())?);
    let Some(bias) = &layer.bias else {
        return Some(match together([x, weight]) {
            Operands::Plain([x, weight]) => Tensor::from_primitive::<Flex>(forward(&shape, &x, &weight, None)),
            Operands::Learning([x, weight]) => Tensor::from_primitive::<Autodiff<Flex>>(without_bias(shape, x, weight)),
        });
    };
    Some(match together([x, weight, operand(&bias.val())?]) {
        Operands::Plain([x, weight, bias]) => Tensor::from_primitive::<Flex>(forward(&shape, &x, &weight, Some(&bias))),
        Operands::Learning([x, weight, bias]) => {
            Tensor::from_primitive::<Autodiff<Flex>>(with_bias(shape, x, weight, bias))
        }
    })
}

/// The sizes, if the kernels support the convolution.
fn shape(layer: &Conv2d, [batch, inputs, height, width]: [usize; 4]) -> Option<Shape> {
    let padding = match layer.padding {
        PaddingConfig2d::Valid => [0, 0],
        PaddingConfig2d::Explicit(top, left, bottom, right) if top == bottom && left == right => [top, left],
        _ => return None,
    };
    let [outputs, _, rows, columns] = layer.weight.dims();
    let known = layer.groups == 1 && layer.dilation == [1, 1] && batch > 0;
    let fits = height + 2 * padding[0] >= rows && width + 2 * padding[1] >= columns;
    let (kernel, stride) = ([rows, columns], layer.stride);
    (known && fits).then_some(Shape { batch, inputs, height, width, outputs, kernel, stride, padding })
}

fn forward(shape: &Shape, x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let [x, weight] = [x, weight].map(contiguous);
    let bias = bias.map(contiguous);
    let mut out = vec![0.0; shape.batch * shape.output_image()];
    conv::forward(shape, values(&x), values(&weight), bias.as_ref().map(values), &mut out, threads());
    tensor(out, [shape.batch, shape.outputs, shape.rows(), shape.columns()])
}

/// The convolution as a node of the autodiff graph.
#[derive(Debug)]
struct Convolution;

/// The values that the backward pass needs.
#[derive(Debug, Clone)]
struct ConvState {
    shape: Shape,
    x: FlexTensor,
    weight: FlexTensor,
}

impl ConvState {
    fn backward(&self, dy: FlexTensor, [x, weight, bias]: [Option<NodeId>; 3], gradients: &mut Gradients) {
        let ConvState { shape, .. } = self;
        let dy = contiguous(&dy);
        let dy = values(&dy);
        if let Some(node) = x {
            let weight = contiguous(&self.weight);
            let mut dx = vec![0.0; shape.batch * shape.input_image()];
            conv::input_gradient(shape, dy, values(&weight), &mut dx, threads());
            let dx = tensor(dx, [shape.batch, shape.inputs, shape.height, shape.width]);
            gradients.register::<Flex>(node, dx);
        }
        if let Some(node) = weight {
            let x = contiguous(&self.x);
            let mut dw = vec![0.0; shape.weights()];
            conv::weight_gradient(shape, values(&x), dy, &mut dw, threads());
            let [rows, columns] = shape.kernel;
            gradients.register::<Flex>(node, tensor(dw, [shape.outputs, shape.inputs, rows, columns]));
        }
        if let Some(node) = bias {
            let mut db = vec![0.0; shape.outputs];
            conv::bias_gradient(shape, dy, &mut db);
            gradients.register::<Flex>(node, tensor(db, [shape.outputs]));
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

fn without_bias(shape: Shape, x: AutodiffTensor, weight: AutodiffTensor) -> AutodiffTensor {
    let out = forward(&shape, x.primitive(), weight.primitive(), None);
    let prepared =
        <Convolution as Backward<Flex, 2>>::prepare::<NoCheckpointing>(Convolution, [x.node(), weight.node()]);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            prepared.finish(ConvState { shape, x: x.into_primitive(), weight: weight.into_primitive() }, out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

fn with_bias(shape: Shape, x: AutodiffTensor, weight: AutodiffTensor, bias: AutodiffTensor) -> AutodiffTensor {
    let out = forward(&shape, x.primitive(), weight.primitive(), Some(bias.primitive()));
    let nodes = [x.node(), weight.node(), bias.node()];
    let prepared = <Convolution as Backward<Flex, 3>>::prepare::<NoCheckpointing>(Convolution, nodes);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            prepared.finish(ConvState { shape, x: x.into_primitive(), weight: weight.into_primitive() }, out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

#[cfg(test)]
mod tests;
