//! The centre's step towards the mean of a round.

use alluvium_model::{ModelError, Numbers, Values, Weights};
use alluvium_strategy::is_statistic;

/// Steps with momentum: v ← βv + Δ, w ← w − ηv, where Δ is how far w is from the mean.
#[derive(Debug)]
pub(crate) struct Server {
    momentum: f64,
    rate: f64,
    /// v, by full names; empty without momentum, because v is Δ then.
    velocity: Weights,
}

impl Server {
    pub(crate) fn new(momentum: f64, rate: f64) -> Self {
        Server { momentum, rate, velocity: Weights::new() }
    }

    /// The state that is kept between rounds.
    pub(crate) fn velocity(&self) -> &Weights {
        &self.velocity
    }

    /// Restores what [`velocity`](Self::velocity) returned.
    ///
    /// # Errors
    /// When there is a velocity, but the momentum is 0.
    pub(crate) fn restore(&mut self, velocity: Weights) -> Result<(), String> {
        if self.momentum == 0.0 && !velocity.is_empty() {
            return Err("it holds a momentum, but `server_momentum` is 0".to_owned());
        }
        self.velocity = velocity;
        Ok(())
    }

    fn goes_all_the_way(&self) -> bool {
        self.momentum == 0.0 && self.rate == 1.0
    }

    /// The new weights: each old tensor moved towards its mean. A tensor without a mean stays as it is. New tensors and running
    /// statistics become the mean.
    ///
    /// # Errors
    /// When a mean or a velocity has another shape than the weights; the message names the tensor. Nothing is changed then.
    pub(crate) fn step(&mut self, weights: &Weights, means: &Weights) -> Result<Weights, ModelError> {
        let mut new = weights.clone();
        let mut velocity = self.velocity.clone();
        for (name, mean) in means.iter() {
            // The paper's step ends at the mean itself, without the rounding of w − (w − mean).
            let Some(own) = weights.get(name).filter(|_| !is_statistic(name) && !self.goes_all_the_way()) else {
                new.insert(name, mean.clone());
                continue;
            };
            same_shape(name, own, mean)?;
            let before = match self.velocity.get(name) {
                Some(before) => {
                    same_shape(name, own, before)?;
                    before.numbers.exact().into_owned()
                }
                None => vec![0.0; own.len()],
            };
            let width = own.width().max(mean.width());
            let step = |((own, mean), before): ((&f64, &f64), f64)| {
                let moved = self.momentum * before + (own - mean);
                (moved, own - self.rate * moved)
            };
            let (own_values, means) = (own.numbers.exact(), mean.numbers.exact());
            let (moved, after): (Vec<_>, Vec<_>) = own_values.iter().zip(&*means).zip(before).map(step).unzip();
            let rounded = |values: Vec<f64>| Values::of(own.shape.clone(), Numbers::rounded(values, width));
            new.insert(name, rounded(after));
            if self.momentum > 0.0 {
                velocity.insert(name, rounded(moved));
            }
        }
        new.check_finite()?;
        self.velocity = velocity;
        Ok(new)
    }
}

fn same_shape(name: &str, own: &Values, other: &Values) -> Result<(), ModelError> {
    if own.shape == other.shape {
        return Ok(());
    }
    let (found, expected) = (other.shape.clone(), own.shape.clone());
    Err(ModelError::Shape { name: name.to_owned(), found, expected })
}
