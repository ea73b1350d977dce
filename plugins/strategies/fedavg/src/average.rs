//! The weighted mean of the experts of a round.

use std::collections::BTreeMap;

use alluvium_model::{BACKBONE, Expert, ModelError, ModelState, Number, Numbers, Values, Weights, Width};

use crate::Weighting;

/// Each tensor's mean over the experts that have it, by its full name (`backbone.…`, `heads.NAME.…`).
///
/// # Errors
/// When an expert's backbone is not the previous model's, a head has another shape in two models, or a weight is not finite;
/// the message names the tensor.
pub(crate) fn mean(previous: &ModelState, experts: &[&Expert], weighting: Weighting) -> Result<Weights, ModelError> {
    let mut sums = BTreeMap::<String, Sum>::new();
    for expert in experts {
        expert.model.weights.check_finite()?;
        let same = previous
            .backbone_weights()
            .combine_named(&expert.model.backbone_weights(), |_, _, expert| expert.numbers.clone());
        same.map_err(|error| error.below(BACKBONE))?;
        let weight = match weighting {
            // An expert with 0 samples counts as 1, because a head that only it has needs a mean.
            Weighting::Samples => expert.manifest.samples.max(1) as f64,
            Weighting::Uniform => 1.0,
        };
        for (name, tensor) in expert.model.weights.iter() {
            let sum = sums.entry(name.to_owned()).or_insert_with(|| Sum::of_shape(&tensor.shape));
            sum.add(name, tensor, weight)?;
        }
    }
    Ok(sums.into_iter().map(|(name, sum)| (name, sum.mean())).collect())
}

/// The sum of one tensor over experts, in 64 bits.
struct Sum {
    shape: Vec<usize>,
    values: Vec<f64>,
    /// The width of the widest of the experts' tensors.
    width: Width,
    weight: f64,
}

impl Sum {
    fn of_shape(shape: &[usize]) -> Self {
        Sum { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()], width: Width::Single, weight: 0.0 }
    }

    fn add(&mut self, name: &str, tensor: &Values, weight: f64) -> Result<(), ModelError> {
        if tensor.shape != self.shape {
            let (found, expected) = (tensor.shape.clone(), self.shape.clone());
            return Err(ModelError::Shape { name: name.to_owned(), found, expected });
        }
        self.weight += weight;
        self.width = self.width.max(tensor.width());
        match &tensor.numbers {
            Numbers::Single(values) => self.add_each(values, weight),
            Numbers::Double(values) => self.add_each(values, weight),
        }
        Ok(())
    }

    fn add_each<N: Number>(&mut self, values: &[N], weight: f64) {
        self.values.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value.exact());
    }

    fn mean(self) -> Values {
        Values::of(self.shape, Numbers::rounded(self.values.into_iter().map(|sum| sum / self.weight), self.width))
    }
}
