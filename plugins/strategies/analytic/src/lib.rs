//! The strategy `analytic`: ridge regression of all classes from sums that devices send, in features that never move.

use std::sync::Arc;

use alluvium_model::{ModelError, ModelState, Width};
use alluvium_statistics::ridge::{Choice, solve};
use alluvium_statistics::{
    Chosen, ClassifierSource, FromSums, Moments, ProjectionKind, StatisticsClassifier, StatisticsSettings,
    StatisticsStrategy, handed_beside,
};
use alluvium_strategy::{
    Beside, BesideRequest, DataAccess, DeviceStatistic, RunDescription, Strategy, StrategyConfig, StrategyError,
    options, plugin,
};

/// Analytic consolidation: a classifier of all classes by ridge regression, from sums that devices send once.
///
/// Each device computes features ψ of its samples that never move, and sends G = Σψψᵀ and, for each class, Σψ and the number of
/// samples, in 64 bits. The centre adds the sums of all devices and solves (G + λI) W = C, with the mean of the features taken off
/// (ACIL, eq. 4; AFL, theorem 1). This is exactly ridge regression on the samples of all devices together: in any order, with any
/// device missing, without a gradient. A device that comes again replaces what it sent before.
///
/// The classifier answers for samples whose task is unknown, and, where this is the strategy of a row, also where the task is
/// known. It does not use the network that devices adapt: that stays the initial one, or the first device's with `features =
/// "first-backbone"`. As the `unknown_task` of another strategy, it answers only where the task is unknown.
///
/// A device sends 4·d·(d + 1) bytes for d features, beside 8·d for each class: 4.2 MB for the default of 1 024 features. What
/// they tell of the samples stands below the table.
///
/// Random features with a rectifier follow RanPAC (McDonnell et al., NeurIPS 2023, arXiv 2307.02251), which puts them behind a
/// pre-trained network: with `[initial] file` and `features = "initial-backbone"`, this is that.
#[options]
#[derive(PartialEq)]
pub struct AnalyticConfig {
    /// Where features come from, and what bounds what the sums tell.
    #[serde(flatten)]
    pub statistics: StatisticsSettings,
    /// How the features of the source are mapped to `size`: `none`, `random-relu`, `random-linear` or `principal-components`.
    #[default(ProjectionKind::None)]
    pub projection: ProjectionKind,
    /// The number of features d that are projected to, with a `projection`. The centre solves a system of this size, in O(d³).
    #[schemars(range(min = 1, max = 16_384))]
    #[default(2048)]
    pub size: usize,
    /// λ as a fraction of the mean variance of a feature times the number of samples. Without it, λ is chosen by generalised
    /// cross-validation (Golub, Heath & Wahba, Technometrics 1979) from the same sums. With `epsilon`, it follows from the noise
    /// alone.
    #[schemars(range(min = 1e-12, max = 1e6))]
    pub ridge: Option<f64>,
}

impl AnalyticConfig {
    fn chosen(&self) -> Chosen {
        Chosen {
            settings: self.statistics.clone(),
            projection: self.projection,
            size: self.size,
            moments: Moments::Shared,
            width: Width::Double,
        }
    }
}

#[plugin(
    kind = "analytic",
    paper = "Zhuang et al., \"ACIL: Analytic class-incremental learning with absolute memorization and privacy protection\", \
             NeurIPS 2022, arXiv 2205.14922; He et al., \"AFL: A single-round analytic approach for federated learning with \
             pre-trained models\", CVPR 2025, arXiv 2405.16240"
)]
impl StrategyConfig for AnalyticConfig {
    fn data_access(&self) -> DataAccess {
        self.chosen().data_access()
    }

    fn accepts_unlike_networks(&self) -> bool {
        true
    }

    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        vec![Arc::new(self.chosen().statistic())]
    }

    fn handed_beside(&self, request: &mut BesideRequest<'_>) -> Result<Beside, StrategyError> {
        handed_beside(&self.chosen(), request)
    }

    fn makes_across(&self) -> bool {
        true
    }

    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        if self.ridge.is_some() && self.statistics.privacy.epsilon.is_some() {
            let problem = "has no effect with `epsilon`, because it then follows from the noise".to_owned();
            let accepted = "one of the two".to_owned();
            return Err(StrategyError::Option { option: "ridge", problem, accepted });
        }
        self.chosen().validate(run)
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(StatisticsStrategy::new(Regression { ridge: self.ridge }, self.chosen(), run)))
    }
}

/// λ of noisy sums, in units of the noise's largest eigenvalue: chosen on held-back tasks of both shipped streams.
const NOISE_RIDGE: f64 = 0.3;

/// Ridge regression from the sums of all devices.
#[derive(Debug)]
struct Regression {
    ridge: Option<f64>,
}

impl FromSums for Regression {
    fn classifier(&self, source: ClassifierSource<'_>) -> Result<ModelState, ModelError> {
        let choice = match self.ridge {
            _ if source.noise > 0.0 => Choice::Noisy(NOISE_RIDGE * source.noise),
            Some(ridge) => Choice::Fraction(ridge),
            None => Choice::CrossValidation,
        };
        let solution = solve(source.sums, choice)?;
        Ok(StatisticsClassifier::linear(source.central, source.features, source.handed, &solution, source.answers))
    }
}

#[cfg(test)]
mod tests;
