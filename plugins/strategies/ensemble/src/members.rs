//! The new central model: the previous members, and the expert as one more.
//!
//! A head is a linear classifier over the latents of all members. Its weight has a block of rows for each member; the
//! blocks of members that do not know the task are zero.

use std::sync::Arc;

use alluvium_model::{BACKBONE, BackboneConfig, Expert, HeadSpec, ModelError, ModelState, Values, Weights};

use crate::backbone::{EnsembleBackboneConfig, prefix};

const WEIGHT: &str = "weight";
const BIAS: &str = "bias";

/// The ensemble `previous` with the expert as one more member. `had` is the number of members that had the expert's head
/// before: its logits are their mean.
///
/// A previous model that is not an ensemble becomes the first member if it has heads. Without heads it is dropped, because
/// initial weights have learned nothing.
///
/// # Errors
/// When the expert's weights are not finite, or expert and centre do not have the same inputs or classes.
pub(crate) fn joined(previous: &ModelState, expert: &Expert, had: u64) -> Result<ModelState, ModelError> {
    expert.model.weights.check_finite()?;
    if expert.model.input != previous.input {
        let reason = format!("the expert's inputs are {}, the centre's {}", expert.model.input, previous.input);
        return Err(ModelError::Incompatible { reason });
    }
    let (mut members, mut backbone) = members(previous);
    backbone.extend_below(&prefix(members.len()), expert.model.backbone_weights());
    members.push(expert.model.backbone.clone());
    let mut weights = Weights::new();
    weights.extend_below(BACKBONE, backbone);
    let backbone = Arc::new(EnsembleBackboneConfig { members });
    let mut central = ModelState { weights, ..ModelState::bare(backbone, previous.input) };

    let new = Linear::of(&expert.model, expert.head())?;
    let own = &expert.head().name;
    let mut rows = 0;
    for head in &previous.heads {
        let old = Linear::of(previous, head)?;
        rows = old.rows();
        let classes = head.classes.len();
        let both = if head.name == *own {
            same_classes(head, expert.head())?;
            let share = 1.0 / (had as f64 + 1.0);
            old.scaled(1.0 - share).above(new.scaled(share))
        } else {
            old.above(Linear::nothing(new.rows(), classes))
        };
        central.set_head(head.clone(), both.into());
    }
    if previous.head(own).is_none() {
        let nothing = Linear::nothing(rows, expert.head().classes.len());
        central.set_head(expert.head().clone(), nothing.above(new).into());
    }
    Ok(central)
}

/// The members of a central model, and their weights.
fn members(model: &ModelState) -> (Vec<Arc<dyn BackboneConfig>>, Weights) {
    match model.backbone.members() {
        [] if model.heads.is_empty() => (vec![], Weights::new()),
        [] => {
            let mut weights = Weights::new();
            weights.extend_below(&prefix(0), model.backbone_weights());
            (vec![model.backbone.clone()], weights)
        }
        members => (members.to_vec(), model.backbone_weights()),
    }
}

fn same_classes(centre: &HeadSpec, expert: &HeadSpec) -> Result<(), ModelError> {
    if centre.classes == expert.classes {
        return Ok(());
    }
    let reason = format!(
        "the head \"{}\" has the classes {:?} in the expert; accepted: the centre's, {:?}",
        centre.name, expert.classes, centre.classes
    );
    Err(ModelError::Incompatible { reason })
}

/// A head's weights: `[latent, classes]`, row by row, and `[classes]`.
struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    fn of(model: &ModelState, head: &HeadSpec) -> Result<Self, ModelError> {
        let weights = model.head_weights(head);
        let classes = head.classes.len();
        let weight = weights.get(WEIGHT).filter(|weight| matches!(weight.shape[..], [_, width] if width == classes));
        let bias = weights.get(BIAS).filter(|bias| bias.shape == [classes]);
        let missing = || {
            let shapes = format!("`{WEIGHT}` of latents × {classes} and `{BIAS}` of {classes}");
            ModelError::Incompatible { reason: format!("the head \"{}\" lacks {shapes}", head.name) }
        };
        let (weight, bias) = weight.zip(bias).ok_or_else(missing)?;
        let full = |name: &str| format!("{}.{name}", head.prefix());
        let (weight, bias) = (weight.single(&full(WEIGHT))?, bias.single(&full(BIAS))?);
        Ok(Linear { weight: weight.to_vec(), bias: bias.to_vec() })
    }

    /// A head whose weights are all 0.
    fn nothing(rows: usize, classes: usize) -> Self {
        Linear { weight: vec![0.0; rows * classes], bias: vec![0.0; classes] }
    }

    fn rows(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }

    fn scaled(&self, share: f64) -> Self {
        let scaled = |values: &[f32]| values.iter().map(|value| (share * f64::from(*value)) as f32).collect();
        Linear { weight: scaled(&self.weight), bias: scaled(&self.bias) }
    }

    /// The head that adds the logits of two heads, each over its own latents. The rows of this head come first.
    fn above(mut self, below: Linear) -> Self {
        self.weight.extend(below.weight);
        self.bias.iter_mut().zip(below.bias).for_each(|(sum, other)| *sum += other);
        self
    }
}

impl From<Linear> for Weights {
    fn from(linear: Linear) -> Self {
        let shape = vec![linear.rows(), linear.bias.len()];
        let mut weights = Weights::new();
        weights.insert(WEIGHT, Values::new(shape, linear.weight));
        weights.insert(BIAS, Values::new(vec![linear.bias.len()], linear.bias));
        weights
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Manifest;
    use alluvium_strategy::conformance;

    use super::*;

    /// The values of a head in a model: the weight's first column, and the bias.
    fn head(model: &ModelState, name: &str) -> (Vec<f32>, Vec<f32>) {
        let linear = Linear::of(model, model.head(name).unwrap()).unwrap();
        (linear.weight.iter().step_by(linear.bias.len()).copied().collect(), linear.bias)
    }

    /// An expert of four latents whose head has the same value everywhere.
    fn expert(name: &str, value: f32) -> Expert {
        let mut model = conformance::expert(name, 1).model;
        let spec = model.heads[0].clone();
        model.set_head(spec, Linear { weight: vec![value; 8], bias: vec![value; 2] }.into());
        sent(model)
    }

    fn sent(model: ModelState) -> Expert {
        let Expert { manifest, .. } = conformance::expert("a", 1);
        let manifest = Manifest { digest: model.digest(), ..manifest };
        Expert::new(model, manifest).unwrap()
    }

    #[test]
    fn a_head_has_the_rows_of_its_own_expert_and_zeros() {
        let initial = conformance::central(&[], 0);
        let one = joined(&initial, &expert("a", 5.0), 0).unwrap();
        assert_eq!((one.backbone.members().len(), head(&one, "a")), (1, (vec![5.0; 4], vec![5.0; 2])));
        let two = joined(&one, &expert("b", 7.0), 0).unwrap();
        assert_eq!(head(&two, "a"), ([[5.0; 4], [0.0; 4]].concat(), vec![5.0; 2]));
        assert_eq!(head(&two, "b"), ([[0.0; 4], [7.0; 4]].concat(), vec![7.0; 2]));
        let names: Vec<_> = two.heads.iter().map(|head| head.name.as_str()).collect();
        assert_eq!((two.backbone.members().len(), names), (2, vec!["a", "b"]));
    }

    #[test]
    fn a_head_that_comes_back_is_the_mean() {
        let mut central = joined(&conformance::central(&[], 0), &expert("a", 3.0), 0).unwrap();
        central = joined(&central, &expert("b", 9.0), 0).unwrap();
        central = joined(&central, &expert("a", 6.0), 1).unwrap();
        // 3 / 2 and 6 / 2; the bias (3 + 6) / 2. The expert of b does not contribute.
        assert_eq!(head(&central, "a"), ([[1.5; 4], [0.0; 4], [3.0; 4]].concat(), vec![4.5; 2]));
        central = joined(&central, &expert("a", 12.0), 2).unwrap();
        // 3 / 3, 6 / 3 and 12 / 3; the bias (3 + 6 + 12) / 3.
        let (weight, bias) = head(&central, "a");
        let expected = [[1.0; 4], [0.0; 4], [2.0; 4], [4.0; 4]].concat();
        assert!(weight.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{weight:?}");
        assert!(weight.len() == 16 && bias.iter().all(|bias| (bias - 7.0_f32).abs() < 1e-6), "{bias:?}");
        assert_eq!(head(&central, "b").0, [[0.0; 4], [9.0; 4], [0.0; 4], [0.0; 4]].concat());
    }

    #[test]
    fn a_model_with_heads_becomes_a_member() {
        let previous = conformance::central(&["a", "b"], 1);
        let central = joined(&previous, &expert("c", 2.0), 0).unwrap();
        assert_eq!(central.backbone.members().len(), 2);
        assert_eq!(central.backbone_weights().below("members.0"), previous.backbone_weights());
        let (before, after) = (head(&previous, "b"), head(&central, "b"));
        assert_eq!((&after.0[..4], &after.0[4..], after.1), (&before.0[..], &[0.0; 4][..], before.1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let central = joined(&conformance::central(&[], 0), &expert("a", 1.0), 0).unwrap();
        let refused = |model: ModelState| joined(&central, &sent(model), 1).unwrap_err().to_string();
        let mut other = expert("a", 1.0).model;
        other.heads[0].classes.reverse();
        assert!(refused(other).contains("accepted: the centre's, [0, 1]"));
        let mut other = expert("a", 1.0).model;
        other.input = [1, 3, 2].into();
        assert!(refused(other).contains("1×3×2"));
        let mut other = expert("a", 1.0).model;
        other.weights.insert("heads.a.bias", Values::new(vec![2], vec![f32::NAN; 2]));
        assert!(refused(other).contains("`heads.a.bias`"));
        let mut other = expert("a", 1.0).model;
        other.weights.insert("heads.a.bias", Values::new(vec![1], vec![0.0]));
        assert!(refused(other).contains("the head \"a\" lacks"));
    }
}
