//! Surrogate data for streams of sound: whether spectrograms have the shape of the stream's inputs.

use alluvium_model::InputShape;
use alluvium_sound::FrontEnd;

use crate::SurrogateError;

/// Checks that the spectrograms of a front end have the shape of the inputs. A kind calls it in its `validate`, too.
///
/// # Errors
/// [`SurrogateError::Misfit`], which names both shapes.
pub fn spectrograms_only(front_end: &FrontEnd, input: InputShape) -> Result<(), SurrogateError> {
    let own = InputShape::from([1, front_end.bands(), front_end.frames()]);
    if own == input {
        return Ok(());
    }
    Err(SurrogateError::Misfit {
        problem: format!("are spectrograms of {own}, but the inputs are {}", input.described()),
        accepted: "the `rate` and the `spectrogram` of a stream of sounds, such as `accents`".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use alluvium_sound::SpectrogramOptions;

    use super::*;

    #[test]
    fn another_shape_is_named_with_what_is_made() {
        let front_end = SpectrogramOptions::default().front_end(8000).unwrap();
        assert!(spectrograms_only(&front_end, [1, 32, 51].into()).is_ok());
        let error = spectrograms_only(&front_end, [3, 32, 32].into()).unwrap_err().to_string();
        assert!(error.contains("1×32×51") && error.contains("pictures of 3×32×32"), "{error}");
    }
}
