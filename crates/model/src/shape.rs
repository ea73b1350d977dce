//! The shape of an input: any rank up to eight, pictures being the one of rank three.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most sizes that a shape has.
const MOST: usize = 8;

/// The shape of one input: 1 to 8 sizes. A vector has one, a sequence `[channels, length]`, a picture `[channels, height, width]`.
///
/// It is written as the list of its sizes.
///
/// ```
/// use alluvium_model::InputShape;
///
/// let picture = InputShape::from([1, 28, 28]);
/// assert_eq!((picture.to_string(), picture.values(), picture.rank()), ("1×28×28".to_owned(), 784, 3));
/// assert_eq!(picture.picture().map(|picture| picture.height), Some(28));
/// assert_eq!(InputShape::from([12]).picture(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct InputShape {
    /// Those beyond `rank` are 0.
    sizes: [usize; MOST],
    rank: usize,
}

/// The shape of a picture: an input of rank three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PictureShape {
    /// Colour channels.
    pub channels: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
}

impl InputShape {
    /// The sizes, outermost first.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes[..self.rank]
    }

    /// The number of sizes.
    pub fn rank(self) -> usize {
        self.rank
    }

    /// The number of values of one input; `usize::MAX` if it overflows.
    pub fn values(self) -> usize {
        self.sizes().iter().fold(1, |product: usize, size| product.saturating_mul(*size))
    }

    /// Channels, height and width, if inputs are pictures.
    pub fn picture(self) -> Option<PictureShape> {
        match *self.sizes() {
            [channels, height, width] => Some(PictureShape { channels, height, width }),
            _ => None,
        }
    }

    /// The number of channels: the first size of a picture or a sequence, 1 for a vector.
    pub fn channels(self) -> usize {
        if self.rank == 1 { 1 } else { self.sizes[0] }
    }

    /// What such inputs are, in words: `vectors of 12 numbers`, `pictures of 1×28×28`.
    pub fn described(self) -> String {
        match *self.sizes() {
            [1] => "single numbers".to_owned(),
            [length] => format!("vectors of {length} numbers"),
            [channels, length] => format!("sequences of {length} steps with {channels} channels"),
            [_, _, _] => format!("pictures of {self}"),
            _ => format!("arrays of {self}"),
        }
    }
}

impl PictureShape {
    /// The number of values of one picture; `usize::MAX` if it overflows.
    pub fn values(self) -> usize {
        InputShape::from(self).values()
    }
}

impl From<[usize; 3]> for PictureShape {
    fn from([channels, height, width]: [usize; 3]) -> Self {
        PictureShape { channels, height, width }
    }
}

impl<const N: usize> From<[usize; N]> for InputShape {
    fn from(given: [usize; N]) -> Self {
        const { assert!(N >= 1 && N <= MOST, "an input has 1 to 8 sizes") };
        let mut sizes = [0; MOST];
        sizes[..N].copy_from_slice(&given);
        InputShape { sizes, rank: N }
    }
}

impl TryFrom<&[usize]> for InputShape {
    type Error = String;

    fn try_from(given: &[usize]) -> Result<Self, String> {
        if !(1..=MOST).contains(&given.len()) {
            return Err(format!("the shape of an input has {} sizes; accepted: 1 to {MOST}", given.len()));
        }
        let mut sizes = [0; MOST];
        sizes[..given.len()].copy_from_slice(given);
        Ok(InputShape { sizes, rank: given.len() })
    }
}

impl TryFrom<Vec<usize>> for InputShape {
    type Error = String;

    fn try_from(given: Vec<usize>) -> Result<Self, String> {
        given.as_slice().try_into()
    }
}

impl From<InputShape> for Vec<usize> {
    fn from(shape: InputShape) -> Self {
        shape.sizes().to_vec()
    }
}

impl From<PictureShape> for InputShape {
    fn from(PictureShape { channels, height, width }: PictureShape) -> Self {
        [channels, height, width].into()
    }
}

impl fmt::Display for InputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, size) in self.sizes().iter().enumerate() {
            let between = if index == 0 { "" } else { "×" };
            write!(f, "{between}{size}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for InputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputShape({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_written_as_the_list_of_its_sizes() {
        for (shape, written, shown) in [
            (InputShape::from([3, 32, 16]), "[3,32,16]", "3×32×16"),
            (InputShape::from([12]), "[12]", "12"),
            (InputShape::from([2, 3, 4, 5, 6, 7, 8, 9]), "[2,3,4,5,6,7,8,9]", "2×3×4×5×6×7×8×9"),
        ] {
            assert_eq!(serde_json::to_string(&shape).unwrap(), written);
            assert_eq!(serde_json::from_str::<InputShape>(written).unwrap(), shape);
            assert_eq!(shape.to_string(), shown);
        }
        for wrong in ["[]", "[1,1,1,1,1,1,1,1,1]"] {
            let error = serde_json::from_str::<InputShape>(wrong).unwrap_err().to_string();
            assert!(error.contains("accepted: 1 to 8"), "{error}");
        }
    }

    #[test]
    fn only_three_sizes_are_a_picture() {
        let picture = PictureShape { channels: 3, height: 32, width: 16 };
        assert_eq!(InputShape::from(picture).picture(), Some(picture));
        assert_eq!(InputShape::from([3, 128]).described(), "sequences of 128 steps with 3 channels");
        assert_eq!(InputShape::from([3, 8, 9]).described(), "pictures of 3×8×9");
    }
}
