//! A term of a loss on the parameters themselves: a pull towards anchors.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use crate::{Model, Values, Weights};

/// ½ Σ s (θ − a)² over a model's parameters: θ is pulled towards its anchor a with the stiffness s.
///
/// With s = μ and the model that a device took, it is FedProx (Li et al., arXiv 1812.06127, eq. 2); with s = λF, elastic weight
/// consolidation (Kirkpatrick et al., arXiv 1612.00796, eq. 3); with the weights of pre-training, L2-SP (Li et al., arXiv 1802.01483,
/// eq. 3). Any other term can be written with [`Model::view`].
#[derive(Debug)]
pub struct Pull {
    strength: f64,
    /// The anchor of each parameter, and its own stiffness if they differ; flat, as constants of an autodiff graph.
    anchors: BTreeMap<String, (Tensor<1>, Option<Tensor<1>>)>,
}

impl Pull {
    /// The same stiffness for all parameters of these names. Others are free. `compute` is with or without autodiff.
    pub fn even(strength: f64, anchors: &Weights, compute: &Device) -> Self {
        let anchors =
            anchors.iter().filter_map(|(name, anchor)| Some((name.to_owned(), (flat(anchor, compute)?, None))));
        Pull { strength, anchors: anchors.collect() }
    }

    /// The stiffness `strength` times the number for each parameter in `stiffness`. Parameters without an anchor or such a number are
    /// free.
    pub fn weighted(strength: f64, stiffness: &Weights, anchors: &Weights, compute: &Device) -> Self {
        let pair = |(name, stiffness): (&str, &Values)| {
            let anchor = flat(anchors.get(name)?, compute)?;
            Some((name.to_owned(), (anchor, Some(flat(stiffness, compute)?))))
        };
        Pull { strength, anchors: stiffness.iter().filter_map(pair).collect() }
    }

    /// The term for a model, `[1]`; `None` if nothing is pulled.
    ///
    /// # Panics
    /// When a parameter and its anchor differ in size.
    pub fn of(&self, model: &Model) -> Option<Tensor<1>> {
        if self.strength == 0.0 {
            return None;
        }
        let terms = model.view().into_iter().filter_map(|(name, parameter)| {
            let (anchor, stiffness) = self.anchors.get(&name)?;
            let away = parameter - anchor.clone();
            let weighed = match stiffness {
                Some(stiffness) => stiffness.clone() * away.clone(),
                None => away.clone(),
            };
            Some((weighed * away).sum())
        });
        Some(terms.reduce(|a, b| a + b)?.mul_scalar(0.5 * self.strength))
    }
}

/// A constant of an autodiff graph; `None` for 64-bit values, which no model that learns has.
fn flat(values: &Values, compute: &Device) -> Option<Tensor<1>> {
    Some(Tensor::from_floats(values.as_f32()?, &compute.clone().autodiff()))
}
