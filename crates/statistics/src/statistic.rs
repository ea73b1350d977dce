//! What a device computes and sends along: the sums of its samples in features.

use alluvium_model::{Expert, Inputs, Model, ModelError, ModelState, Values, Weights, Width};
use alluvium_strategy::{DeviceStatistic, Reconstruction, StatisticRequest};
use burn::tensor::Device;

use crate::base::FeatureSource;
use crate::features::{BATCH, FEATURES, FeatureMap, FeatureSpec, network_number, rows, with_network};
use crate::sums::{ClassSums, Moments};
use crate::{Privacy, probe};

/// The name of the statistic.
pub const CLASS_SUMS: &str = "class-sums";

/// The classes that a device left out, because it has too few samples of them.
const LEFT_OUT: &str = "left_out";

/// The number of the network whose latents are the features, where that is the first device's.
const NETWORK: &str = "network";

/// The sums of a device's samples in features: what is sent for a classifier across tasks.
#[derive(Debug)]
pub struct ClassSumsStatistic {
    /// The features.
    pub features: FeatureSpec,
    /// Which sums of products are sent.
    pub moments: Moments,
    /// The width of the numbers that are sent. Noisy sums always have 64 bits.
    pub width: Width,
    /// What bounds what the sums tell about a sample.
    pub privacy: Privacy,
}

impl DeviceStatistic for ClassSumsStatistic {
    fn name(&self) -> &str {
        CLASS_SUMS
    }

    fn tells(&self) -> Option<String> {
        let products = match self.moments {
            Moments::Means => "",
            Moments::Shared => ", and the products of all pairs of features summed over all samples",
            Moments::OfClasses => ", and the products of all pairs of features summed over the samples of each class",
        };
        let privacy = self.privacy.in_words();
        Some(format!("the number of samples of each class, the sum of each feature over them{products}; {privacy}"))
    }

    fn reconstructed(&self, request: &StatisticRequest<'_>) -> Result<Vec<Reconstruction>, ModelError> {
        let sums = ClassSums::from_weights(&self.compute(request)?)?;
        probe::reconstructed(&sums, &self.map(request, &request.compute.clone().autodiff())?, request)
    }

    fn compute(&self, request: &StatisticRequest<'_>) -> Result<Weights, ModelError> {
        let StatisticRequest { adapted, own, compute, seed, .. } = *request;
        let latents =
            (self.features.source.features == FeatureSource::CentreLatents).then(|| Model::load(adapted, compute));
        let latents = latents.transpose()?;
        let map = self.map(request, compute)?;
        let mut latents = |inputs: Inputs| match &latents {
            Some(model) => model.latents(inputs),
            None => inputs.vectors(),
        };

        let noise = self.privacy.noise(self.moments);
        let small = match noise {
            // With noise, a class is judged by its noisy number of samples.
            Some(_) => vec![],
            None => ClassSums::small_classes(own.samples.labels(), self.privacy.smallest_class),
        };
        let mut sums = ClassSums::new(map.size(), self.moments);
        let (mut waiting, mut labels) = (vec![], vec![]);
        for piece in own.samples.pieces(BATCH) {
            let piece = piece.map_err(|error| ModelError::Incompatible { reason: error.to_string() })?;
            let kept: Vec<_> = (0..piece.len()).filter(|index| !small.contains(&piece.labels()[*index])).collect();
            if kept.is_empty() {
                continue;
            }
            let piece = piece.select(kept);
            waiting.extend(rows(map.features(piece.inputs(compute), &mut latents)));
            labels.extend_from_slice(piece.labels());
            if labels.len() >= 8 * BATCH {
                sums.add_samples(&waiting, &labels);
                (waiting, labels) = (vec![], vec![]);
            }
        }
        sums.add_samples(&waiting, &labels);

        let mut left_out = small;
        if let Some(noise) = noise {
            // Every class of the head has noise, so that nobody sees which ones have samples.
            own.head.classes.iter().for_each(|class| sums.have_class(*class));
            noise.add_to(&mut sums, seed);
            left_out = sums.drop_below(self.privacy.smallest_class as f64);
        }
        let width = if noise.is_some() { Width::Double } else { self.width };
        let mut sent = sums.to_weights(width);
        if self.features.source.features == FeatureSource::FirstBackbone {
            sent.insert(NETWORK, Values::of(vec![1], vec![network_number(network_under(request))]));
        }
        if !left_out.is_empty() {
            let classes = left_out.iter().map(|class| *class as f64).collect::<Vec<_>>();
            sent.insert(LEFT_OUT, Values::of(vec![classes.len()], classes));
        }
        Ok(sent)
    }
}

impl ClassSumsStatistic {
    /// The map of the device's features.
    fn map(&self, request: &StatisticRequest<'_>, compute: &Device) -> Result<FeatureMap, ModelError> {
        let network = network_under(request);
        let mut handed = request.beside.get(FEATURES).cloned().unwrap_or_default();
        if self.features.source.features == FeatureSource::FirstBackbone {
            handed = with_network(&handed, network);
        }
        let adapted = request.adapted;
        let latent_size = match self.features.source.features {
            FeatureSource::CentreLatents => adapted.backbone.build(adapted.input, compute)?.latent_size(),
            _ => 0,
        };
        FeatureMap::of(&self.features.on(network), &handed, (adapted.input, latent_size), compute)
    }
}

/// The network whose latents are the features, where that is the first device's: its own, as nothing was consolidated before it, or
/// the one that later devices took.
fn network_under<'a>(request: &StatisticRequest<'a>) -> &'a ModelState {
    if request.taken.heads.is_empty() { request.adapted } else { request.taken }
}

/// The number of the network whose latents the sums of an expert's device are over, if it states one.
pub(crate) fn network_of(expert: &Expert) -> Result<Option<f64>, ModelError> {
    let stated = expert.statistic(CLASS_SUMS)?.get(NETWORK);
    Ok(stated.and_then(|number| number.numbers.exact().first().copied()))
}

/// The classes that the device of these sums left out.
pub(crate) fn left_out(sent: &Weights) -> Vec<usize> {
    sent.get(LEFT_OUT)
        .map(|classes| classes.numbers.exact().iter().map(|class| *class as usize).collect())
        .unwrap_or_default()
}
