//! The values of samples: bytes with a normalisation, or 32-bit numbers.

/// How bytes become the values of inputs: value / `divisor` − `offset`.
///
/// The default maps 0…255 to −1…1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// What a byte is divided by.
    pub divisor: f32,
    /// What is subtracted afterwards.
    pub offset: f32,
}

impl Default for Normalisation {
    fn default() -> Self {
        Normalisation { divisor: 127.5, offset: 1.0 }
    }
}

impl Normalisation {
    /// The value of an input for a byte, or for a number between two bytes.
    pub fn apply(self, byte: f32) -> f32 {
        byte / self.divisor - self.offset
    }
}

/// The type of the values of a stream's inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueType {
    /// One byte per value, as in pictures.
    Bytes(Normalisation),
    /// 32-bit numbers, which are the values of inputs as they are.
    Numbers,
}

impl Default for ValueType {
    fn default() -> Self {
        ValueType::Bytes(Normalisation::default())
    }
}

impl ValueType {
    /// The size of a value in bytes.
    pub fn size(self) -> usize {
        match self {
            ValueType::Bytes(_) => 1,
            ValueType::Numbers => size_of::<f32>(),
        }
    }

    /// No values of this type yet.
    pub(crate) fn none(self) -> SampleValues {
        match self {
            ValueType::Bytes(_) => SampleValues::Bytes(vec![]),
            ValueType::Numbers => SampleValues::Numbers(vec![]),
        }
    }
}

/// The values of samples in memory, one sample after another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SampleValues {
    Bytes(Vec<u8>),
    Numbers(Vec<f32>),
}

/// Some of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ValueSlice<'a> {
    Bytes(&'a [u8]),
    Numbers(&'a [f32]),
}

impl SampleValues {
    /// The values from `start` on.
    pub(crate) fn slice(&self, start: usize, count: usize) -> ValueSlice<'_> {
        match self {
            SampleValues::Bytes(bytes) => ValueSlice::Bytes(&bytes[start..start + count]),
            SampleValues::Numbers(numbers) => ValueSlice::Numbers(&numbers[start..start + count]),
        }
    }

    /// All values.
    pub(crate) fn all(&self) -> ValueSlice<'_> {
        match self {
            SampleValues::Bytes(bytes) => ValueSlice::Bytes(bytes),
            SampleValues::Numbers(numbers) => ValueSlice::Numbers(numbers),
        }
    }

    /// Adds values of the same type.
    ///
    /// # Panics
    /// When they have another type, which is a defect of the caller.
    pub(crate) fn extend(&mut self, more: ValueSlice<'_>) {
        match (self, more) {
            (SampleValues::Bytes(own), ValueSlice::Bytes(more)) => own.extend_from_slice(more),
            (SampleValues::Numbers(own), ValueSlice::Numbers(more)) => own.extend_from_slice(more),
            _ => panic!("bytes and 32-bit numbers are not values of the same samples"),
        }
    }
}

impl ValueSlice<'_> {
    pub(crate) fn len(self) -> usize {
        match self {
            ValueSlice::Bytes(bytes) => bytes.len(),
            ValueSlice::Numbers(numbers) => numbers.len(),
        }
    }

    /// The values as bytes, for digests: numbers are little-endian.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            ValueSlice::Bytes(bytes) => bytes.to_vec(),
            ValueSlice::Numbers(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        }
    }

    /// The values of inputs.
    pub(crate) fn inputs(self, value_type: ValueType, into: &mut [f32]) {
        match (self, value_type) {
            (ValueSlice::Bytes(bytes), ValueType::Bytes(normalisation)) => {
                let values = bytes.iter().map(|byte| normalisation.apply(f32::from(*byte)));
                into.iter_mut().zip(values).for_each(|(into, value)| *into = value);
            }
            (ValueSlice::Numbers(numbers), _) => into.copy_from_slice(numbers),
            (ValueSlice::Bytes(_), ValueType::Numbers) => panic!("samples of numbers hold bytes"),
        }
    }
}
