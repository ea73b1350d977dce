//! The strategy `class-statistics`: Gaussians of all classes from means and covariances that devices send.

use std::sync::Arc;

use alluvium_model::{ModelError, ModelState, Width};
use alluvium_statistics::gaussian::{Covariance, Shrinkage, estimate};
use alluvium_statistics::{
    Chosen, ClassifierSource, FromSums, Moments, ProjectionKind, StatisticsClassifier, StatisticsSettings,
    StatisticsStrategy, handed_beside,
};
use alluvium_strategy::{
    Beside, BesideRequest, DataAccess, DeviceStatistic, RunDescription, Strategy, StrategyConfig, StrategyError,
    options, plugin,
};

/// Class statistics: a Gaussian for each class, from means and covariances that devices send once.
///
/// Each device computes features ψ of its samples, and sends the number of samples, the mean and the covariance of each class, in
/// 32 bits. The score of class k is log N(ψ; μ_k, Σ_k), and all classes of all devices compete. With one covariance for all classes
/// (`tied`) this is streaming linear discriminant analysis; with its own (`own`), shrunk towards that of all classes, it is
/// quadratic discriminant analysis, and FeCAM without its power transform and its normalisation, which lost accuracy here. The
/// result does not depend on the order of devices. A device that comes again replaces what it sent before.
///
/// The classifier answers for samples whose task is unknown, and, where this is the strategy of a row, also where the task is
/// known. As the `unknown_task` of another strategy, it answers only where the task is unknown. With `features =
/// "centre-latents"` the classes live in the latents of the centre; when it moves, they are carried along by a linear map that is
/// fitted on surrogate data.
///
/// A device sends 2·d·(d + 1) bytes for d features and each class with `own`, and in all with `tied`, beside 4·d for each class:
/// 33 kB a class for 128 features. What they tell of the samples stands below the table.
#[options]
#[derive(PartialEq)]
pub struct ClassStatisticsConfig {
    /// Where features come from, and what bounds what the sums tell.
    #[serde(flatten)]
    pub statistics: StatisticsSettings,
    /// How the features of the source are mapped to `size`: `random-linear`, `random-relu`, `principal-components` or `none`.
    #[default(ProjectionKind::RandomLinear)]
    pub projection: ProjectionKind,
    /// The number of features d that are projected to.
    #[schemars(range(min = 1, max = 4096))]
    #[default(128)]
    pub size: usize,
    /// The covariance of a class: its `own`, one for all (`tied`), or `none`, so that the nearest mean decides.
    #[default(Covariance::Own)]
    pub covariance: Covariance,
    /// The weight of the covariance of all classes in that of a class, with `covariance` = "own". Without it, the larger of ½ and
    /// d / (n + d) for n samples of the class; with `epsilon`, 0.8.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub shrinkage: Option<f64>,
    /// A fraction of the mean variance of a feature that is added to every variance.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[default(0.0001)]
    pub ridge: f64,
}

impl ClassStatisticsConfig {
    fn chosen(&self) -> Chosen {
        let moments = match self.covariance {
            Covariance::Own => Moments::OfClasses,
            Covariance::Tied => Moments::Shared,
            Covariance::None => Moments::Means,
        };
        let settings = self.statistics.clone();
        Chosen { settings, projection: self.projection, size: self.size, moments, width: Width::Single }
    }
}

#[plugin(
    kind = "class-statistics",
    paper = "Hayes & Kanan, \"Lifelong machine learning with deep streaming linear discriminant analysis\", CVPR workshops 2020, \
             arXiv 1909.01520; Goswami et al., \"FeCAM: Exploiting the heterogeneity of class distributions in exemplar-free \
             continual learning\", NeurIPS 2023, arXiv 2309.14062"
)]
impl StrategyConfig for ClassStatisticsConfig {
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
        if self.shrinkage.is_some() && self.covariance != Covariance::Own {
            let problem = "has an effect only on covariances of single classes".to_owned();
            let accepted = "`covariance` = \"own\", or no `shrinkage`".to_owned();
            return Err(StrategyError::Option { option: "shrinkage", problem, accepted });
        }
        self.chosen().validate(run)
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        let rule = OfClasses { covariance: self.covariance, tied: self.shrinkage, ridge: self.ridge };
        Ok(Box::new(StatisticsStrategy::new(rule, self.chosen(), run)))
    }
}

/// The weight of the covariance of all classes in that of a class whose products are noisy: chosen on held-back tasks of both shipped
/// streams.
const NOISY: f64 = 0.8;

/// Gaussians from the sums of all devices.
#[derive(Debug)]
struct OfClasses {
    covariance: Covariance,
    tied: Option<f64>,
    ridge: f64,
}

impl FromSums for OfClasses {
    fn classifier(&self, source: ClassifierSource<'_>) -> Result<ModelState, ModelError> {
        let tied = self.tied.or((source.noise > 0.0).then_some(NOISY));
        let shrinkage = Shrinkage { tied, ridge: self.ridge, noise: source.noise };
        let gaussians = estimate(source.sums, self.covariance, shrinkage)?;
        Ok(StatisticsClassifier::gaussian(source.central, source.features, source.handed, &gaussians, source.answers))
    }
}

#[cfg(test)]
mod tests;
