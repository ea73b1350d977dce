//! The running strategy: it adds what devices sent, and makes a classifier across tasks from the sums.

use std::fmt::Debug;

use alluvium_model::{Answers, Expert, ModelError, ModelState, Weights};
use alluvium_strategy::{
    Beside, BesideRequest, Context, RunDescription, Strategy, StrategyError, StrategyState, take_head,
};

use crate::base::FeatureSource;
use crate::drift::Drift;
use crate::features::{FEATURES, FeatureSpec, features_for, network_number, with_network};
use crate::settings::{Chosen, Finds};
use crate::statistic::network_of;
use crate::{ClassSums, Kept, Moments};

/// What is made from the sums of all devices.
pub trait FromSums: Debug + Send + Sync + 'static {
    /// The model with a classifier across tasks. `noise` bounds the eigenvalues of the noise in the sums of products; it is 0
    /// without noise.
    ///
    /// # Errors
    /// When the sums do not suffice.
    fn classifier(&self, source: ClassifierSource<'_>) -> Result<ModelState, ModelError>;
}

/// What a classifier across tasks is made from.
#[derive(Debug)]
pub struct ClassifierSource<'a> {
    /// The central model.
    pub central: ModelState,
    /// The sums of all devices so far.
    pub sums: &'a ClassSums,
    /// The features.
    pub features: FeatureSpec,
    /// The tensors of the feature map.
    pub handed: &'a Weights,
    /// When the classifier answers.
    pub answers: Answers,
    /// A bound of the eigenvalues of the noise in the sums of products; 0 without noise.
    pub noise: f64,
}

/// What every device is sent for these features.
///
/// # Errors
/// When surrogate data are needed and cannot be source.
pub fn handed_beside(chosen: &Chosen, request: &mut BesideRequest<'_>) -> Result<Beside, StrategyError> {
    let features = chosen.features().on(request.initial);
    let handed = features_for(&features, chosen.settings.patches, request)?;
    Ok(if handed.is_empty() { Beside::new() } else { Beside::from([(FEATURES.to_owned(), handed)]) })
}

/// A strategy whose classifier comes from sums alone.
#[derive(Debug)]
pub struct StatisticsStrategy<R> {
    rule: R,
    chosen: Chosen,
    kept: Kept,
}

impl<R: FromSums> StatisticsStrategy<R> {
    /// A strategy that has received nothing.
    pub fn new(rule: R, chosen: Chosen, run: &RunDescription) -> Self {
        StatisticsStrategy { rule, chosen, kept: Kept::of_run(run) }
    }

    fn source(&self) -> FeatureSource {
        self.chosen.settings.source.features
    }

    /// The network and the heads without another strategy. The network is the initial one, or the first device's, and does not move;
    /// a head is the expert's, or a new one where the expert's network is another.
    fn network(
        &self,
        previous: &ModelState,
        expert: &Expert,
        context: &Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if previous.heads.is_empty() && self.source() == FeatureSource::FirstBackbone {
            return Ok(expert.model.clone());
        }
        let mut central = previous.clone().without_across();
        if expert.model.has_the_backbone_of(&central) {
            take_head(&mut central, expert);
        } else {
            let latent_size = central.backbone.build(central.input, context.compute())?.latent_size();
            central.grow_head(expert.head(), latent_size, context.seed());
        }
        Ok(central)
    }

    /// Takes in what the experts' devices sent, and adds the classifier.
    fn add_classifier(
        &mut self,
        central: ModelState,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
        alone: bool,
    ) -> Result<ModelState, StrategyError> {
        let drifts = self.source() == FeatureSource::CentreLatents;
        if let (true, Some(expert), false) = (drifts, experts.first(), previous.heads.is_empty()) {
            let drift = Drift::between(previous, &central, previous, expert, context)?;
            self.kept.map(|sums| drift.applied_to(sums));
        }
        for expert in experts {
            if self.source() == FeatureSource::FirstBackbone {
                same_network(&central, expert)?;
            }
            let drift =
                drifts.then(|| Drift::between(&expert.model, &central, previous, expert, context)).transpose()?;
            let left_out = self.kept.receive(expert, |sums| match &drift {
                Some(drift) => drift.applied_to(&sums),
                None => sums,
            })?;
            if !left_out.is_empty() {
                let classes: Vec<_> = left_out.iter().map(usize::to_string).collect();
                context.note(format!(
                    "The device of the task \"{}\" left the classes {} out of its statistics: it has fewer than {} samples of each.",
                    expert.manifest.task_name,
                    classes.join(", "),
                    self.chosen.settings.privacy.smallest_class
                ));
            }
        }
        let total = self.kept.total()?.filter(|sums| !sums.classes().is_empty());
        // Every class so far was left out: the heads answer.
        let Some(sums) = total else { return Ok(central) };
        let handed = context.beside(FEATURES).cloned().unwrap_or_default();
        let (features, handed) = match self.source() {
            FeatureSource::FirstBackbone => (self.chosen.features().on(&central), with_network(&handed, &central)),
            // The network that is handed out states its backbone, which is that of the centre.
            _ => (self.chosen.features().on(&central), handed),
        };
        let answers = match self.chosen.settings.finds {
            _ if alone => Answers::Always,
            Finds::Class => Answers::UnknownTask,
            Finds::Task => Answers::WhichTask,
        };
        let noise = self.chosen.settings.privacy.noise(self.chosen.moments);
        // Products of a class have the noise of the devices that have the class, which is mostly one.
        let devices = if self.chosen.moments == Moments::OfClasses { 1 } else { self.kept.devices() };
        let noise = noise.map_or(0.0, |noise| noise.spread(sums.features(), devices));
        Ok(self.rule.classifier(ClassifierSource {
            central,
            sums: &sums,
            features,
            handed: &handed,
            answers,
            noise,
        })?)
    }
}

/// Checks that the sums of a device are over the latents of this network.
fn same_network(central: &ModelState, expert: &Expert) -> Result<(), StrategyError> {
    let stated = network_of(expert)?;
    if stated == Some(network_number(central)) {
        return Ok(());
    }
    let reason = format!(
        "the device of the task \"{}\" computed its statistics on another network than the first device's, because it took its \
         model before the first device had answered",
        expert.manifest.task_name
    );
    Err(ModelError::Incompatible { reason }.into())
}

impl<R: FromSums> Strategy for StatisticsStrategy<R> {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let central = self.network(previous, expert, context)?;
        self.add_classifier(central, previous, &[expert], context, true)
    }

    /// As one after another, but the classifier is made once.
    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if experts.is_empty() {
            return Ok(previous.clone());
        }
        let mut central = previous.clone();
        for (index, expert) in experts.iter().enumerate() {
            central = self.network(&central, expert, &context.of_expert(index, experts.len()))?;
        }
        self.add_classifier(central, previous, experts, context, true)
    }

    fn across(
        &mut self,
        central: ModelState,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        self.add_classifier(central, previous, experts, context, false)
    }

    fn state(&self) -> StrategyState {
        self.kept.state()
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.kept.restore(&state)
    }
}
