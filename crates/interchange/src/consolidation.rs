//! Consolidates experts into a previous model by any strategy: checks the request, and consolidates whole models in
//! memory.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use alluvium_checkpoint::shown;
use alluvium_model::{
    BackboneFacts, Expert, HeadSpec, Manifest as ExpertManifest, ModelError, ModelState, Progress, Seed, Values,
    Weights,
};
use alluvium_strategy::{
    Context, DataAccess, ExpertStart, RunDescription, Strategy, StrategyConfig, StrategyError, Surrogate,
    SurrogateConfig, SurrogateError, fits_in_memory,
};
use burn::tensor::Device;
use serde_json::Value;

use crate::foreign::HEAD;
use crate::{Arrangement, ForeignModel, InterchangeError, Parent, Provenance, SurrogateNote};

/// The name of the head of the previous model while it counts as the first expert.
const PREVIOUS: &str = "previous";

/// A request to consolidate models.
#[derive(Debug, Clone, Copy)]
pub struct Consolidation<'a> {
    /// The central model before the consolidation. With heads, it counts as the first expert. Without heads, it only
    /// serves as the start of the experts, to which task vectors are differences.
    pub previous: &'a ForeignModel,
    /// The experts, in the order in which they are consolidated. The strategy gets them as one round.
    pub experts: &'a [ForeignModel],
    /// The heads of all models.
    pub arrangement: &'a Arrangement,
    /// The kind of the strategy, and the strategy.
    pub strategy: (&'a str, &'a dyn StrategyConfig),
    /// Surrogate data, if the strategy needs them.
    pub surrogate: Option<&'a dyn SurrogateConfig>,
    /// The seed of everything random.
    pub seed: u64,
}

impl Consolidation<'_> {
    /// Checks everything that does not require reading values: the models have one architecture, the strategy needs
    /// only what checkpoints contain, numbered names of classes do not clash, and the surrogate data exist.
    ///
    /// # Errors
    /// [`InterchangeError`], which says what does not match and what is accepted.
    pub fn check(&self) -> Result<(), InterchangeError> {
        self.check_request()?;
        self.build_surrogate(&self.description(None)).map(|_| ())
    }

    /// Like [`check`](Self::check), without the surrogate data.
    pub(crate) fn check_request(&self) -> Result<(), InterchangeError> {
        self.check_strategy()?;
        if self.experts.is_empty() {
            return Err(InterchangeError::Request("no expert is given; accepted: at least one".to_owned()));
        }
        for expert in self.experts {
            self.check_expert(expert)?;
        }
        self.check_widths()?;
        self.check_prefixes()?;
        let mut numbered: BTreeMap<String, &ForeignModel> = BTreeMap::new();
        for model in [self.previous].into_iter().chain(self.experts).filter(|model| model.is_numbered()) {
            if let Some(other) = numbered.insert(model.stem(), model) {
                let problem = format!(
                    "has unnamed classes, and so has {}: both would have the classes \"{}:0\" and so on; name the classes of \
                     one of them with --classes",
                    other.path().display(),
                    model.stem()
                );
                return Err(InterchangeError::file(model.path(), problem));
            }
        }
        Ok(())
    }

    fn check_strategy(&self) -> Result<(), InterchangeError> {
        let (kind, config) = self.strategy;
        let refused = |reason: String| Err(InterchangeError::Request(format!("the strategy \"{kind}\" {reason}")));
        let access = config.data_access();
        if access > DataAccess::Surrogate {
            return refused(format!(
                "needs samples of devices (its data access is {access}), which no checkpoint holds; accepted: a strategy \
                 whose data access is none or surrogate"
            ));
        }
        if let Some(statistic) = config.statistics().first() {
            return refused(format!(
                "asks devices for the statistic \"{}\" of their samples, which no checkpoint holds; accepted: a strategy that \
                 asks for none",
                statistic.name()
            ));
        }
        match (access, self.surrogate) {
            (DataAccess::Surrogate, None) => {
                refused("needs surrogate data; accepted: --surrogate with a picture or a table".to_owned())
            }
            (DataAccess::None, Some(_)) => {
                refused("uses no surrogate data, but some are given; leave out --surrogate".to_owned())
            }
            _ => self.check_fit(&self.description(None)),
        }
    }

    /// Checks that strategy and surrogate data fit these models.
    fn check_fit(&self, run: &RunDescription) -> Result<(), InterchangeError> {
        let (kind, config) = self.strategy;
        let fits = config.validate(run);
        fits.map_err(|cause| InterchangeError::Strategy { file: kind.to_owned(), cause })?;
        self.surrogate.map_or(Ok(()), |surrogate| surrogate.validate(run)).map_err(unfit)
    }

    /// What strategy and surrogate data are told about the consolidation. Only what runs the models needs their backbone.
    pub(crate) fn description(&self, backbone: Option<BackboneFacts>) -> RunDescription {
        let counts = !self.previous.heads().is_empty();
        RunDescription {
            input: Some(self.previous.input()),
            backbone: backbone.map(Arc::new),
            tasks: Some(self.experts.len() + usize::from(counts)),
            start: if counts { ExpertStart::Previous } else { ExpertStart::Common },
            ..Default::default()
        }
    }

    /// Refuses weights of 64 bits for a strategy that trains: training is in 32 bits, and would round them silently.
    fn check_widths(&self) -> Result<(), InterchangeError> {
        let (kind, config) = self.strategy;
        let mut models = [self.previous].into_iter().chain(self.experts);
        let wide = models.find_map(|model| Some((model, model.wide_tensor()?)));
        match wide.filter(|_| config.data_access() == DataAccess::Surrogate) {
            None => Ok(()),
            Some((model, tensor)) => {
                let problem = format!(
                    "holds F64, and the strategy \"{kind}\" trains in 32 bits; accepted: F32, F16, BF16, or a strategy that works \
                     on weights alone, such as weight-averaging"
                );
                Err(InterchangeError::tensor(model.path(), tensor, problem))
            }
        }
    }

    /// The strategy's table with all options, including those that were left open and follow from the models.
    pub fn strategy_table(&self) -> Value {
        let completed = self.strategy.1.completed(&self.description(None));
        serde_json::to_value(completed.as_deref().unwrap_or(self.strategy.1)).unwrap_or_default()
    }

    fn check_expert(&self, expert: &ForeignModel) -> Result<(), InterchangeError> {
        let previous = self.previous;
        let differs = |what: &str, own: String, other: String| {
            let problem =
                format!("has {what} {own}, but {} has {other}; accepted: the same", previous.path().display());
            Err(InterchangeError::file(expert.path(), problem))
        };
        if expert.backbone_table() != previous.backbone_table() {
            return differs("the backbone", expert.backbone_in_words(), previous.backbone_in_words());
        }
        if expert.input() != previous.input() {
            return differs("inputs of", expert.input().to_string(), previous.input().to_string());
        }
        if expert.normalisation() != previous.normalisation() {
            let words = |model: &ForeignModel| {
                let normalisation = model.normalisation();
                format!("{:?} and {:?}", normalisation.mean, normalisation.std)
            };
            return differs("inputs of the mean and standard deviation", words(expert), words(previous));
        }
        if expert.heads().is_empty() {
            let problem = "has no classifier; accepted as an expert: a model with one";
            return Err(InterchangeError::file(expert.path(), problem));
        }
        Ok(())
    }

    /// Checks the prefix of names when the classifier has the names of the first expert: all other tensors must have
    /// the same prefix.
    fn check_prefixes(&self) -> Result<(), InterchangeError> {
        let Some(first) = self.experts.first().filter(|_| self.previous.mapping.foreign(HEAD[0]).is_none()) else {
            return Ok(());
        };
        let [own, other] = [first, self.previous].map(|model| model.names().prefix());
        if own == other {
            Ok(())
        } else {
            let problem = format!(
                "has names that begin with {}. Its classifier would be added to {}, whose names begin with {}; accepted: the \
                 same beginning, or a --previous with a classifier",
                shown(own),
                self.previous.path().display(),
                shown(other)
            );
            Err(InterchangeError::file(first.path(), problem))
        }
    }

    /// Consolidates the models in memory. A panic in burn or in a plugin becomes an error.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); when a weight is not finite (the message names the tensor), and when the
    /// strategy fails.
    pub fn run(&self, compute: &Device, progress: &dyn Progress) -> Result<ModelState, InterchangeError> {
        self.check_request()?;
        let consolidated = catch_unwind(AssertUnwindSafe(|| self.consolidate(compute, progress)));
        consolidated.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
    }

    fn consolidate(&self, compute: &Device, progress: &dyn Progress) -> Result<ModelState, InterchangeError> {
        let (kind, config) = self.strategy;
        let failed = |file: &str| {
            let file = file.to_owned();
            move |cause| InterchangeError::Strategy { file, cause }
        };
        let facts = BackboneFacts::of(self.previous.backbone().as_ref(), self.previous.input(), compute)?;
        let run = self.description(Some(facts));
        self.check_fit(&run)?;
        let mut strategy = config.build(&run).map_err(failed(kind))?;
        let mut surrogate = self.build_surrogate(&run)?;
        let mut central = self.initial()?;
        let mut before = 0;
        let heads = &self.arrangement.heads[..self.arrangement.previous];
        if !heads.is_empty() {
            let context = self.context(compute, progress, &mut surrogate, 0);
            central = self.consolidate_previous(strategy.as_mut(), central, heads, context)?;
            before = 1;
        }
        let experts = self.experts.iter().zip(&self.arrangement.experts).enumerate();
        let experts = experts.map(|(index, (model, own))| {
            let head = &self.arrangement.heads[own.head];
            expert(model, head, &own.rows, before + index)
        });
        let experts: Vec<Expert> = experts.collect::<Result<_, _>>()?;
        let names: Vec<_> = self.experts.iter().map(|model| model.path().display().to_string()).collect();
        let round: Vec<_> = experts.iter().collect();
        let mut context = self.context(compute, progress, &mut surrogate, before);
        let model = strategy.consolidate_round(&central, &round, &mut context);
        let model = model.map_err(failed(&names.join(", ")))?;
        self.check_result(&central, model)
    }

    /// The strategy's context after `before` experts.
    fn context<'c>(
        &self,
        compute: &Device,
        progress: &'c dyn Progress,
        surrogate: &'c mut Option<Box<dyn Surrogate>>,
        before: usize,
    ) -> Context<'c> {
        let context = Context::new(compute, Seed::new(self.seed), before).with_progress(progress);
        match surrogate {
            Some(surrogate) => context.with_surrogate(surrogate.as_mut()),
            None => context,
        }
    }

    /// The previous model's backbone, without heads.
    fn initial(&self) -> Result<ModelState, InterchangeError> {
        let mut model = ModelState::bare(self.previous.backbone(), self.previous.input());
        model.weights.extend_below(alluvium_model::BACKBONE, self.previous.backbone_weights()?);
        Ok(model)
    }

    /// Consolidates the previous model as the first expert, with one head that has all its rows. The result has its
    /// real heads again.
    fn consolidate_previous(
        &self,
        strategy: &mut dyn Strategy,
        initial: ModelState,
        heads: &[HeadSpec],
        mut context: Context<'_>,
    ) -> Result<ModelState, InterchangeError> {
        let classes: Vec<_> = heads.iter().flat_map(|head| head.classes.iter().copied()).collect();
        let rows: Vec<_> = (0..classes.len()).collect();
        let all = HeadSpec { name: PREVIOUS.to_owned(), classes };
        let first = expert(self.previous, &all, &rows, 0)?;
        let file = self.previous.path().display().to_string();
        let central = strategy.consolidate_round(&initial, &[&first], &mut context);
        let central = central.map_err(|cause| InterchangeError::Strategy { file, cause })?;
        let mut central = self.check_result(&initial, central)?.with_heads(|_| false);
        let (classifier, mut from) = (self.previous.classifier()?, 0);
        for head in heads {
            let rows: Vec<_> = (from..from + head.classes.len()).collect();
            from += rows.len();
            central.set_head(head.clone(), rows_of(&classifier, &rows));
        }
        Ok(central)
    }

    /// Checks that the result has the architecture of the inputs. Only then can it be written under the names of the
    /// previous model.
    fn check_result(&self, before: &ModelState, after: ModelState) -> Result<ModelState, InterchangeError> {
        let tensors = |model: &ModelState| {
            let backbone = model.backbone_weights();
            backbone.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect::<Vec<_>>()
        };
        if tensors(before) != tensors(&after) {
            return Err(InterchangeError::Request(format!(
                "the strategy \"{}\" makes a model whose architecture is not {}; accepted: a strategy whose \
                 central model has the experts' architecture",
                self.strategy.0,
                self.previous.backbone_in_words()
            )));
        }
        after.weights.check_finite().map_err(|error| self.diverged(error))?;
        Ok(after)
    }

    fn diverged(&self, error: ModelError) -> InterchangeError {
        InterchangeError::Strategy { file: self.strategy.0.to_owned(), cause: StrategyError::Diverged(error) }
    }

    /// The source of surrogate data. Reads its files, but draws no samples.
    fn build_surrogate(&self, run: &RunDescription) -> Result<Option<Box<dyn Surrogate>>, InterchangeError> {
        let Some(config) = self.surrogate else { return Ok(None) };
        let surrogate = config.build(run).map_err(unfit)?;
        match fits_in_memory(surrogate.samples(), self.previous.input()) {
            Ok(()) => Ok(Some(surrogate)),
            Err(error) => Err(InterchangeError::Request(format!(
                "the surrogate data {error}. Ask for fewer samples, or for smaller ones with --input"
            ))),
        }
    }

    /// The provenance of the new model. Reads all models, for their digests.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn provenance(&self, version: &str, backend: Value) -> Result<Provenance, InterchangeError> {
        let experts = self.experts.iter().map(ForeignModel::as_parent).collect::<Result<Vec<Parent>, _>>()?;
        Ok(Provenance {
            version: version.to_owned(),
            strategy: self.strategy_table(),
            surrogate: self.surrogate.map(SurrogateNote::of).transpose()?,
            seed: self.seed,
            backend,
            previous: self.previous.as_parent()?,
            experts,
        })
    }
}

/// The error of surrogate data, as a sentence of its own.
fn unfit(error: SurrogateError) -> InterchangeError {
    match error {
        SurrogateError::Misfit { .. } => InterchangeError::Request(format!("the surrogate data {error}")),
        error => InterchangeError::Surrogate(error),
    }
}

/// The message of a panic, as an error.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> InterchangeError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    InterchangeError::Panicked(text.to_owned())
}

/// A foreign model as an expert with this head. `rows` are its rows in the classifier.
fn expert(model: &ForeignModel, head: &HeadSpec, rows: &[usize], task: usize) -> Result<Expert, InterchangeError> {
    let mut state = ModelState::bare(model.backbone(), model.input());
    state.weights.extend_below(alluvium_model::BACKBONE, model.backbone_weights()?);
    state.set_head(head.clone(), rows_of(&model.classifier()?, rows));
    let digest = state.digest();
    let manifest = ExpertManifest {
        task,
        task_name: model.stem(),
        // The number of samples is unknown, so all experts have the same weight.
        samples: 1,
        steps: 0,
        parent: digest.clone(),
        digest,
        statistics: BTreeMap::new(),
    };
    Ok(Expert::new(state, manifest)?)
}

/// The weights of a head: some rows of a classifier, in this order. In our order of dimensions, a row is a column.
pub(crate) fn rows_of(classifier: &[Values; 2], rows: &[usize]) -> Weights {
    let [weight, bias] = classifier;
    let all = bias.len().max(1);
    let latents = weight.len() / all;
    let chosen = weight.numbers.at((0..latents).flat_map(|latent| rows.iter().map(move |row| latent * all + row)));
    let shape = vec![latents, rows.len()];
    let biases = bias.numbers.at(rows.iter().copied());
    let part = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    [(part(HEAD[0]), Values::of(shape, chosen)), (part(HEAD[1]), Values::of(vec![rows.len()], biases))]
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_in_the_order_that_is_wanted() {
        // Two latents, three classes: the weight [latent, classes] is
        // 1 2 3
        // 4 5 6
        let classifier =
            [Values::new(vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), Values::new(vec![3], vec![7.0, 8.0, 9.0])];
        let taken = rows_of(&classifier, &[2, 0]);
        assert_eq!(taken.get("weight").unwrap(), &Values::new(vec![2, 2], vec![3.0, 1.0, 6.0, 4.0]));
        assert_eq!(taken.get("bias").unwrap(), &Values::new(vec![2], vec![9.0, 7.0]));
    }
}
