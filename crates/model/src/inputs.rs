//! A batch of inputs whose rank is erased.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::InputShape;

/// A batch of inputs of one shape on a compute device. A backbone takes the values in the rank that it works with.
///
/// ```
/// use alluvium_model::Inputs;
/// use burn::tensor::{Device, Tensor};
///
/// let inputs = Inputs::from(Tensor::<4>::ones([5, 1, 2, 3], &Device::flex()));
/// assert_eq!((inputs.len(), inputs.shape()), (5, [1, 2, 3].into()));
/// assert_eq!(inputs.clone().vectors().dims(), [5, 6]);
/// assert_eq!(inputs.pictures().dims(), [5, 1, 2, 3]);
/// ```
#[derive(Debug, Clone)]
pub struct Inputs {
    /// `[batch, values]`.
    values: Tensor<2>,
    shape: InputShape,
}

impl Inputs {
    /// Inputs of this shape from their values, `[batch, values]`.
    ///
    /// # Panics
    /// When an input of this shape has another number of values.
    pub fn new(values: Tensor<2>, shape: InputShape) -> Self {
        assert_eq!(values.dims()[1], shape.values(), "values of an input of {shape}");
        Inputs { values, shape }
    }

    /// Inputs of this shape from the values of one input after the other. Values beyond the last whole input are an error.
    ///
    /// # Panics
    /// When the values do not make whole inputs.
    pub fn from_values(values: Vec<f32>, shape: InputShape, compute: &Device) -> Self {
        let size = shape.values();
        let count = values.len() / size.max(1);
        Self::new(Tensor::from_data(TensorData::new(values, [count, size]), compute), shape)
    }

    /// The number of inputs.
    pub fn len(&self) -> usize {
        self.values.dims()[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one input.
    pub fn shape(&self) -> InputShape {
        self.shape
    }

    /// The compute device that the inputs are on.
    pub fn device(&self) -> Device {
        self.values.device()
    }

    /// The inputs flattened, `[batch, values]`, whatever their shape.
    pub fn vectors(self) -> Tensor<2> {
        self.values
    }

    /// `[batch, channels, length]`.
    ///
    /// # Panics
    /// When inputs do not have two sizes; see [`of`](Self::of).
    pub fn sequences(self) -> Tensor<3> {
        self.of()
    }

    /// `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// When inputs do not have three sizes; see [`of`](Self::of).
    pub fn pictures(self) -> Tensor<4> {
        self.of()
    }

    /// The inputs as a tensor of rank `D`: the batch, then the sizes of an input.
    ///
    /// # Panics
    /// When inputs have another rank. This is a defect of the backbone, whose
    /// [`accepts`](crate::BackboneConfig::accepts) lets such inputs through.
    pub fn of<const D: usize>(self) -> Tensor<D> {
        let sizes = std::iter::once(self.len()).chain(self.shape.sizes().iter().copied()).collect::<Vec<_>>();
        let sizes: [usize; D] =
            sizes.try_into().unwrap_or_else(|_| panic!("inputs of {} do not make a tensor of rank {D}", self.shape));
        self.values.reshape(sizes)
    }

    /// The inputs with these indices, in this order.
    pub fn select(self, indices: Tensor<1, Int>) -> Self {
        self.map(|values| values.select(0, indices))
    }

    /// Some inputs that follow one another.
    pub fn slice(self, range: Range<usize>) -> Self {
        self.map(|values| values.narrow(0, range.start, range.len()))
    }

    /// The inputs in batches of `size`; the last one may have fewer.
    pub fn split(self, size: usize) -> Vec<Self> {
        let shape = self.shape;
        self.values.split(size, 0).into_iter().map(|values| Inputs { values, shape }).collect()
    }

    /// All inputs of some batches, one after another.
    ///
    /// # Panics
    /// When there is no batch, or batches have different shapes.
    pub fn cat(batches: Vec<Inputs>) -> Self {
        let shape = batches.first().expect("at least one batch of inputs").shape;
        let each = batches.into_iter().map(|batch| {
            assert_eq!(batch.shape, shape, "inputs of one shape");
            batch.values
        });
        Inputs { values: Tensor::cat(each.collect(), 0), shape }
    }

    /// The same inputs with other values, computed from `[batch, values]`.
    ///
    /// # Panics
    /// When `change` changes the number of values of an input.
    pub fn map(self, change: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Self {
        Self::new(change(self.values), self.shape)
    }
}

/// The first size is the batch, the others are those of an input.
impl<const D: usize> From<Tensor<D>> for Inputs {
    fn from(tensor: Tensor<D>) -> Self {
        const { assert!(D >= 2 && D <= 9, "a batch of inputs of 1 to 8 sizes") };
        let dims = tensor.dims();
        let shape = InputShape::try_from(&dims[1..]).unwrap_or_else(|error| panic!("{error}"));
        Inputs { values: tensor.reshape([dims[0], shape.values()]), shape }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three inputs of 1×2 with the values 0 to 5.
    fn inputs() -> Inputs {
        Inputs::from_values((0..6).map(|value| value as f32).collect(), [1, 2].into(), &Device::flex())
    }

    fn host(inputs: Inputs) -> Vec<f32> {
        inputs.vectors().into_data().try_into_vec().unwrap()
    }

    #[test]
    fn flattening_keeps_values_and_their_order() {
        let tensor = inputs().sequences();
        assert_eq!(tensor.dims(), [3, 1, 2]);
        assert_eq!(host(tensor.into()), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn parts_of_a_batch_and_a_batch_of_parts() {
        let compute = Device::flex();
        assert_eq!(host(inputs().select(Tensor::from_ints([2, 0], &compute))), [4.0, 5.0, 0.0, 1.0]);
        assert_eq!(host(inputs().slice(1..3)), [2.0, 3.0, 4.0, 5.0]);
        let split = inputs().split(2);
        assert_eq!(split.iter().map(Inputs::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(host(Inputs::cat(split)), host(inputs()));
    }

    #[test]
    #[should_panic(expected = "inputs of 1×2 do not make a tensor of rank 4")]
    fn another_rank_is_a_defect() {
        inputs().pictures();
    }
}
