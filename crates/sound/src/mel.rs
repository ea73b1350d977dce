//! The mel scale, and the bands of a spectrogram on it.
//!
//! Both are those of M. Slaney, "Auditory Toolbox, Version 2", Technical Report 1998-010, Interval Research (function
//! `mfcc`), as librosa 0.11 has them in `librosa.filters.mel` with `htk=False` and `norm="slaney"`.

/// Below this frequency in Hz, the scale is linear; from it on, logarithmic.
const LOGARITHMIC_FROM: f64 = 1000.0;

/// Hz per mel, in the linear part.
const LINEAR_STEP: f64 = 200.0 / 3.0;

/// The natural logarithm of the ratio of frequencies that are one mel apart, in the logarithmic part: ln(6.4) / 27.
fn logarithmic_step() -> f64 {
    6.4f64.ln() / 27.0
}

/// A frequency in mel.
fn from_hertz(hertz: f64) -> f64 {
    if hertz < LOGARITHMIC_FROM {
        hertz / LINEAR_STEP
    } else {
        LOGARITHMIC_FROM / LINEAR_STEP + (hertz / LOGARITHMIC_FROM).ln() / logarithmic_step()
    }
}

/// A frequency in Hz.
fn to_hertz(mel: f64) -> f64 {
    let linear = mel * LINEAR_STEP;
    if linear < LOGARITHMIC_FROM {
        linear
    } else {
        LOGARITHMIC_FROM * ((mel - LOGARITHMIC_FROM / LINEAR_STEP) * logarithmic_step()).exp()
    }
}

/// A band: a triangle over frequencies, as the weights of neighbouring bins of a spectrum.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Band {
    /// The first bin with a weight.
    start: usize,
    weights: Vec<f64>,
}

impl Band {
    /// Whether no bin of the spectrum is within the band.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The power within the band.
    pub fn power(&self, spectrum: &[f64]) -> f64 {
        self.weights.iter().zip(&spectrum[self.start..]).map(|(weight, power)| weight * power).sum()
    }
}

/// `count` bands whose centres are equally far from each other in mel, between two frequencies in Hz, for the spectrum
/// of `window` samples at `rate`. Each band reaches from the centre of the previous to the centre of the next, and has
/// the area 1 over Hz (Slaney's normalisation).
pub(crate) fn bands(count: usize, lowest: f64, highest: f64, rate: u32, window: usize) -> Vec<Band> {
    let (first, last) = (from_hertz(lowest), from_hertz(highest));
    let edge = |index: usize| to_hertz(first + (last - first) * index as f64 / (count + 1) as f64);
    let frequency = |bin: usize| bin as f64 * f64::from(rate) / window as f64;
    let band = |index: usize| {
        let (left, centre, right) = (edge(index), edge(index + 1), edge(index + 2));
        let weight = |bin: usize| {
            let (up, down) = ((frequency(bin) - left) / (centre - left), (right - frequency(bin)) / (right - centre));
            up.min(down) * 2.0 / (right - left)
        };
        let inside: Vec<_> = (0..=window / 2).filter(|&bin| weight(bin) > 0.0).collect();
        Band { start: inside.first().copied().unwrap_or(0), weights: inside.into_iter().map(weight).collect() }
    };
    (0..count).map(band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_linear_up_to_1000_hertz_and_logarithmic_above() {
        // Slaney's report: 133.33 Hz is 2 mel at 66.67 Hz per mel, and 27 steps above 1000 Hz (15 mel) is 6400 Hz.
        for (hertz, mel) in [(0.0, 0.0), (400.0 / 3.0, 2.0), (1000.0, 15.0), (6400.0, 42.0)] {
            assert!((from_hertz(hertz) - mel).abs() < 1e-12, "{hertz} Hz");
            assert!((to_hertz(mel) - hertz).abs() < 1e-9, "{mel} mel");
        }
    }

    #[test]
    fn a_band_is_a_triangle_of_area_one() {
        // One band between 0 and 400 Hz, which is linear: its centre is 200 Hz, its height 2 / 400 = 0.005. A window of
        // 8 samples at 800 Hz has bins at 0, 100, 200, 300 and 400 Hz: within are three, of half, all and half of the
        // height.
        let bands = bands(1, 0.0, 400.0, 800, 8);
        assert_eq!(bands[0].start, 1);
        let expected = [0.0025, 0.005, 0.0025];
        assert!(bands[0].weights.iter().zip(expected).all(|(is, should)| (is - should).abs() < 1e-15), "{bands:?}");
        assert_eq!(bands[0].weights.len(), 3);
        // 0.0025 · 2 + 0.005 · 3 + 0.0025 · 4 = 0.03.
        assert!((bands[0].power(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 0.03).abs() < 1e-15);
    }
}
