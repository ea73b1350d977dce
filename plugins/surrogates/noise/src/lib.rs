//! The `noise` surrogate: random pixels, a baseline for other surrogate data.

use alluvium_model::{InputShape, Inputs, Random, Seed};
use alluvium_strategy::{
    RunDescription, Surrogate, SurrogateConfig, SurrogateError, SurrogateRequest, options, plugin,
};
use rand::RngExt;

/// The distribution of the noise.
#[options]
pub enum Distribution {
    /// A uniform distribution.
    Uniform,
    /// A normal distribution.
    Normal,
}

/// Random noise: every value of every input is drawn independently.
///
/// It does not need files and contains no information about the inputs, so it is a baseline for other surrogate data.
///
/// Pixels of pictures are within −1…1. Values of other inputs have the stated mean and standard deviation, and no bound; choose
/// those of the stream's inputs. Standardised inputs have 0 and 1, the defaults.
#[options]
#[derive(PartialEq)]
pub struct NoiseConfig {
    /// The number of inputs of the fixed set.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(4000)]
    pub samples: usize,
    /// The distribution of the values. For pictures, unless `mean` or `deviation` is set, `uniform` is uniform between −1 and
    /// 1; `normal` has mean 0 and standard deviation 0.5, clamped to −1…1.
    #[default(Distribution::Uniform)]
    pub distribution: Distribution,
    /// The mean of the values. Absent: 0.
    #[schemars(range(min = -1_000_000.0, max = 1_000_000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The standard deviation of the values. Absent: that of `distribution` for pictures, and 1 for other inputs.
    #[schemars(range(min = 0.000_001, max = 1_000_000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
}

#[plugin(kind = "noise")]
impl SurrogateConfig for NoiseConfig {
    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let (samples, distribution) = (self.samples, self.distribution);
        let stated = self.mean.is_some() || self.deviation.is_some();
        let moments = (self.mean.unwrap_or(0.0) as f32, self.deviation.unwrap_or(1.0) as f32);
        Ok(Box::new(Noise { samples, distribution, stated, moments }))
    }
}

/// The source of noise. It does not cache inputs, because drawing costs hardly more than copying.
#[derive(Debug)]
struct Noise {
    samples: usize,
    distribution: Distribution,
    /// Whether the moments were stated.
    stated: bool,
    /// Mean and standard deviation of values that are not those of pictures.
    moments: (f32, f32),
}

impl Noise {
    fn values(&self, count: usize, input: InputShape, seed: Seed) -> Vec<f32> {
        let mut random = seed.random();
        if self.stated || input.picture().is_none() {
            let (mean, deviation) = self.moments;
            // U(−√3, √3) has the variance 1.
            let unit = match self.distribution {
                Distribution::Uniform => |random: &mut Random| 3_f32.sqrt() * (2.0 * random.random::<f32>() - 1.0),
                Distribution::Normal => normal,
            };
            return (0..count * input.values()).map(|_| mean + deviation * unit(&mut random)).collect();
        }
        let draw = match self.distribution {
            Distribution::Uniform => |random: &mut Random| 2.0 * random.random::<f32>() - 1.0,
            Distribution::Normal => |random: &mut Random| (0.5 * normal(random)).clamp(-1.0, 1.0),
        };
        (0..count * input.values()).map(|_| draw(&mut random)).collect()
    }
}

impl Surrogate for Noise {
    fn samples(&self) -> usize {
        self.samples
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        Ok(request.inputs(self.values(count, request.input, request.seed)))
    }
}

/// A draw from N(0, 1), by the transform of Box and Muller (1958).
fn normal(random: &mut Random) -> f32 {
    // 1 − u lies in (0, 1], so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

#[cfg(test)]
mod tests {
    use alluvium_strategy::conformance::check_surrogate;

    use super::*;

    fn pictures(distribution: Distribution) -> Noise {
        Noise { samples: 0, distribution, stated: false, moments: (0.0, 1.0) }
    }

    fn values(distribution: Distribution, seed: u64) -> Vec<f32> {
        pictures(distribution).values(50, [3, 20, 10].into(), Seed::new(seed))
    }

    fn moments(values: &[f32]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let variance = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
        (mean, variance)
    }

    #[test]
    fn values_have_the_moments_of_their_distribution() {
        // U(−1, 1) has the variance 1/3. N(0, 0.5²) clamped at two deviations: with φ and Φ of the standard normal,
        // E[z²; |z| < 2] = 2Φ(2) − 1 − 4φ(2) = 0.738536 and P(|z| > 2) = 0.0455003, so the variance is
        // 0.25·(0.738536 + 4·0.0455003) = 0.230134.
        for (distribution, expected) in [(Distribution::Uniform, 1.0 / 3.0), (Distribution::Normal, 0.230134)] {
            let drawn = values(distribution, 1);
            assert_eq!(drawn.len(), 30_000);
            assert!(drawn.iter().all(|value| (-1.0..=1.0).contains(value)));
            let (mean, variance) = moments(&drawn);
            assert!(mean.abs() < 0.015 && (variance - expected).abs() < 0.01, "{distribution:?}: {mean}, {variance}");
        }
    }

    #[test]
    fn inputs_that_are_not_pictures_have_the_stated_moments() {
        for distribution in [Distribution::Uniform, Distribution::Normal] {
            for (moments, shape) in [((0.0, 1.0), InputShape::from([600])), ((5.0, 0.5), [3, 200].into())] {
                let drawn = Noise { stated: false, moments, ..pictures(distribution) }.values(50, shape, Seed::new(1));
                let (mean, variance) = self::moments(&drawn);
                let (expected, deviation) = (f64::from(moments.0), f64::from(moments.1));
                assert!((mean - expected).abs() < 0.03 * deviation, "{distribution:?}: {mean}");
                assert!((variance.sqrt() / deviation - 1.0).abs() < 0.03, "{distribution:?}: {variance}");
            }
        }
        // Stated, they are also those of pictures.
        let stated = Noise { stated: true, moments: (5.0, 0.5), ..pictures(Distribution::Uniform) };
        let (mean, _) = moments(&stated.values(50, [1, 20, 10].into(), Seed::new(1)));
        assert!((mean - 5.0).abs() < 0.03, "{mean}");
    }

    #[test]
    fn conforms() {
        for distribution in [Distribution::Uniform, Distribution::Normal] {
            check_surrogate(&NoiseConfig { samples: 20, distribution, ..Default::default() });
        }
    }

    #[test]
    fn more_inputs_begin_with_the_same_ones() {
        let noise = pictures(Distribution::Normal);
        let of = |count| noise.values(count, [1, 4, 4].into(), Seed::new(0));
        assert_eq!(of(9)[..5 * 16], of(5));
    }
}
