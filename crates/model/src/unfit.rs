//! The errors of backbones that take inputs of other shapes.

use crate::{InputShape, ModelError, PictureShape};

impl InputShape {
    /// [`picture`](Self::picture) for the backbone of this kind, which takes nothing else.
    ///
    /// # Errors
    /// [`ModelError::Input`] when inputs are not pictures.
    pub fn picture_for(self, kind: &str) -> Result<PictureShape, ModelError> {
        self.picture().ok_or_else(|| self.unfit(kind, "pictures [channels, height, width]"))
    }

    /// The error of a backbone of this kind that takes other inputs: `takes` says which.
    pub fn unfit(self, kind: &str, takes: &str) -> ModelError {
        ModelError::Input { kind: kind.to_owned(), takes: takes.to_owned(), given: Box::new(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backbone_of_pictures_says_what_it_takes_and_what_it_is_given() {
        let error = InputShape::from([12]).picture_for("small-cnn").unwrap_err().to_string();
        assert_eq!(
            error,
            "the backbone \"small-cnn\" takes pictures [channels, height, width], but the inputs are vectors of 12 numbers"
        );
    }
}
