//! Named weights as plain data: stored, hashed, compared and combined without a backend.

use std::collections::BTreeMap;

use alluvium_primitives::DigestBuilder;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::values::InDoubles;
use crate::{Digest, ModelError, Numbers, Pairwise, Values, Width};

/// Named tensors in the order of their names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights(BTreeMap<String, Values>);

impl Weights {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Values> {
        self.0.get(name)
    }

    /// The tensor of this name, which must have this shape.
    ///
    /// # Errors
    /// [`ModelError::Missing`] or [`ModelError::Shape`], which name the tensor.
    pub fn shaped(&self, name: &str, expected: &[usize]) -> Result<&Values, ModelError> {
        let missing = || ModelError::Missing { name: name.to_owned(), expected: expected.to_vec() };
        let found = self.get(name).ok_or_else(missing)?;
        if found.shape != expected {
            let (found, expected) = (found.shape.clone(), expected.to_vec());
            return Err(ModelError::Shape { name: name.to_owned(), found, expected });
        }
        Ok(found)
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Values) {
        self.0.insert(name.into(), tensor);
    }

    /// Adds the values of a tensor to the tensor of this name, in the wider width of the two. Inserts the tensor if there is none
    /// of this name.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when the tensor of this name has another shape. Nothing is changed then.
    pub fn accumulate(&mut self, name: &str, tensor: &Values) -> Result<(), ModelError> {
        match self.0.get_mut(name) {
            Some(sum) if sum.shape != tensor.shape => {
                let (found, expected) = (tensor.shape.clone(), sum.shape.clone());
                return Err(ModelError::Shape { name: name.to_owned(), found, expected });
            }
            Some(sum) => sum.add(tensor),
            None => self.insert(name, tensor.clone()),
        }
        Ok(())
    }

    /// All tensors in 32 bits; values of 64 bits are rounded to the nearest number. Use it to run a model, not before storing
    /// its weights.
    pub fn rounded_to_single(&self) -> Weights {
        let rounded = self.iter().map(|(name, tensor)| (name.to_owned(), tensor.rounded_to_single()));
        rounded.collect()
    }

    /// Names and tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of values of all tensors together.
    pub fn values(&self) -> usize {
        self.0.values().map(|tensor| tensor.len()).sum()
    }

    /// The tensors whose name starts with `prefix` and a dot, under their remaining names.
    pub fn below(&self, prefix: &str) -> Weights {
        let dotted = format!("{prefix}.");
        // Names are sorted, so these are adjacent: this does not scan all tensors of a model with many heads.
        let below =
            self.0.range(dotted.clone()..).map_while(|(name, tensor)| Some((name.strip_prefix(&dotted)?, tensor)));
        Weights(below.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect())
    }

    /// Adds all tensors of `other`, with `prefix` and a dot before each name.
    pub fn extend_below(&mut self, prefix: &str, other: Weights) {
        self.0.extend(other.0.into_iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
    }

    /// Combines two sets of weights value by value: `combine(mine, other's)`.
    ///
    /// The formula is computed in 64 bits. The result has the wider width of the two tensors: if both have 32 bits, it is
    /// rounded to 32 bits once.
    ///
    /// # Errors
    /// When the names or a shape differ; the message names the tensor.
    pub fn combine(&self, other: &Weights, combine: impl Fn(f64, f64) -> f64) -> Result<Weights, ModelError> {
        self.combine_by(other, &InDoubles(combine))
    }

    /// As [`combine`](Self::combine), with a formula that is computed in the wider width of the two tensors.
    ///
    /// # Errors
    /// As for [`combine`](Self::combine).
    pub fn combine_by(&self, other: &Weights, formula: &impl Pairwise) -> Result<Weights, ModelError> {
        self.combine_named(other, |_, mine, theirs| mine.numbers.combine(&theirs.numbers, formula))
    }

    /// Combines two sets of weights tensor by tensor: `combine(name, mine, other's)` returns the new values.
    ///
    /// # Errors
    /// When the names or a shape differ; the message names the tensor.
    pub fn combine_named(
        &self,
        other: &Weights,
        mut combine: impl FnMut(&str, &Values, &Values) -> Numbers,
    ) -> Result<Weights, ModelError> {
        self.same_tensors(other)?;
        let pairs = self.0.iter().zip(other.0.values());
        let combined = pairs
            .map(|((name, mine), theirs)| (name.clone(), Values::of(mine.shape.clone(), combine(name, mine, theirs))));
        Ok(Weights(combined.collect()))
    }

    fn same_tensors(&self, other: &Weights) -> Result<(), ModelError> {
        for (name, mine) in &self.0 {
            other.shaped(name, &mine.shape)?;
        }
        match other.0.keys().find(|name| !self.0.contains_key(*name)) {
            Some(name) => Err(ModelError::Unknown { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Checks that every value is a finite number.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] with the name of the first tensor that holds NaN or an infinity.
    pub fn check_finite(&self) -> Result<(), ModelError> {
        for (name, tensor) in &self.0 {
            if let Some(value) = tensor.numbers.first_not_finite() {
                return Err(ModelError::NotFinite { name: name.clone(), value });
            }
        }
        Ok(())
    }

    /// The digest of names, shapes, widths and values. Equal weights have equal digests.
    pub fn digest(&self) -> Digest {
        let mut hash = DigestBuilder::default();
        for (name, tensor) in &self.0 {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update((tensor.shape.len() as u64).to_le_bytes());
            for size in &tensor.shape {
                hash.update((*size as u64).to_le_bytes());
            }
            if tensor.width() == Width::Double {
                hash.update(b"F64");
            }
            hash.update(tensor.numbers.bytes());
        }
        hash.finish()
    }

    /// The weights as a safetensors file with the given metadata.
    ///
    /// # Errors
    /// [`ModelError::Format`] when the tensors cannot be written.
    pub fn to_safetensors(&self, metadata: BTreeMap<String, String>) -> Result<Vec<u8>, ModelError> {
        let broken = |error: safetensors::SafeTensorError| ModelError::Format { reason: error.to_string() };
        let bytes: BTreeMap<&str, Vec<u8>> = self.iter().map(|(name, tensor)| (name, tensor.numbers.bytes())).collect();
        let dtype = |tensor: &Values| match tensor.width() {
            Width::Single => Dtype::F32,
            Width::Double => Dtype::F64,
        };
        let views: Result<Vec<_>, _> = self
            .iter()
            .map(|(name, tensor)| Ok((name, TensorView::new(dtype(tensor), tensor.shape.clone(), &bytes[name])?)))
            .collect();
        serialize(views.map_err(broken)?, Some(metadata.into_iter().collect())).map_err(broken)
    }

    /// Reads a safetensors file: its weights and its metadata.
    ///
    /// # Errors
    /// [`ModelError::Format`] when the bytes are not such a file, or hold another type than floats of 32 and 64 bits.
    pub fn from_safetensors(bytes: &[u8]) -> Result<(Weights, BTreeMap<String, String>), ModelError> {
        let broken = |error: safetensors::SafeTensorError| ModelError::Format { reason: error.to_string() };
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let mut weights = Weights::new();
        for (name, view) in file.tensors() {
            let numbers = match view.dtype() {
                Dtype::F32 => Numbers::Single(each(view.data(), f32::from_le_bytes)),
                Dtype::F64 => Numbers::Double(each(view.data(), f64::from_le_bytes)),
                other => {
                    let reason = format!("the tensor `{name}` is {other:?}; accepted: F32, F64");
                    return Err(ModelError::Format { reason });
                }
            };
            weights.insert(name, Values::of(view.shape().to_vec(), numbers));
        }
        Ok((weights, metadata.into_iter().collect()))
    }
}

fn each<const WIDTH: usize, T>(bytes: &[u8], value: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<WIDTH>();
    chunks.iter().map(|chunk| value(*chunk)).collect()
}

impl IntoIterator for Weights {
    type Item = (String, Values);
    type IntoIter = std::collections::btree_map::IntoIter<String, Values>;

    /// Names and tensors, sorted by name, without a copy.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, Values)> for Weights {
    fn from_iter<I: IntoIterator<Item = (String, Values)>>(tensors: I) -> Self {
        Weights(tensors.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(values: [f32; 2]) -> Weights {
        [("a".to_owned(), Values::new(vec![2], values.to_vec()))].into_iter().collect()
    }

    #[test]
    fn combining_goes_value_by_value() {
        let sum = pair([1.0, 2.0]).combine(&pair([10.0, 20.0]), |a, b| a + b).unwrap();
        assert_eq!(sum, pair([11.0, 22.0]));
    }

    #[test]
    fn sums_take_up_new_tensors_and_refuse_another_shape() {
        let mut sums = pair([1.0, 2.0]);
        sums.accumulate("a", &Values::new(vec![2], vec![10.0, 20.0])).unwrap();
        sums.accumulate("b", &Values::new(vec![1], vec![5.0])).unwrap();
        let error = sums.accumulate("a", &Values::new(vec![1, 2], vec![1.0; 2])).unwrap_err();
        assert!(error.to_string().contains("`a`"), "{error}");
        let values: Vec<_> = sums.iter().map(|(_, tensor)| tensor.as_f32().unwrap()).collect();
        assert_eq!(values, [&[11.0, 22.0][..], &[5.0]]);
    }

    #[test]
    fn combining_names_the_tensor_that_differs() {
        let other: Weights = [("b".to_owned(), Values::new(vec![2], vec![0.0; 2]))].into_iter().collect();
        let error = pair([0.0; 2]).combine(&other, |a, _| a).unwrap_err();
        assert!(error.to_string().contains("`a`"), "{error}");
    }

    #[test]
    fn digests_tell_values_and_shapes_apart() {
        let row: Weights = [("a".to_owned(), Values::new(vec![1, 2], vec![1.0, 2.0]))].into_iter().collect();
        assert_eq!(pair([1.0, 2.0]).digest(), pair([1.0, 2.0]).digest());
        assert_ne!(pair([1.0, 2.0]).digest(), pair([1.0, 2.5]).digest());
        assert_ne!(pair([1.0, 2.0]).digest(), row.digest());
    }

    #[test]
    fn safetensors_keep_weights_and_metadata() {
        let metadata = BTreeMap::from([("format".to_owned(), "alluvium".to_owned())]);
        let bytes = pair([1.5, -2.0]).to_safetensors(metadata.clone()).unwrap();
        assert_eq!(Weights::from_safetensors(&bytes).unwrap(), (pair([1.5, -2.0]), metadata));
        assert!(Weights::from_safetensors(&bytes[..20]).is_err());
    }

    #[test]
    fn weights_of_64_bits_keep_them() {
        let wide = |value: f64| -> Weights {
            let tensors = [("a".to_owned(), Values::of(vec![2], vec![value, 1e300]))];
            tensors.into_iter().chain([("b".to_owned(), Values::new(vec![1], vec![0.5]))]).collect()
        };
        let weights = wide(1.000_000_000_3);
        let bytes = weights.to_safetensors(BTreeMap::new()).unwrap();
        assert_eq!(Weights::from_safetensors(&bytes).unwrap().0, weights);
        assert!(weights.check_finite().is_ok());
        assert_ne!(weights.digest(), wide(1.0).digest());
        let rounded = wide(0.1).rounded_to_single();
        assert_eq!(rounded.get("a").unwrap().as_f32().unwrap(), [0.1, f32::INFINITY]);
        assert_eq!(rounded.get("b"), weights.get("b"));
        let error = wide(f64::NEG_INFINITY).check_finite().unwrap_err().to_string();
        assert_eq!(error, "the tensor `a` holds a value that is not finite (-inf)");
    }

    /// Computed with Python's hashlib over the bytes that the comment of `digest` lists. A change would lose stored stages.
    #[test]
    fn the_digest_of_32_bits_stays_what_it_is() {
        let digest = "ce3248be2177b63d57dcb6dafe72fec61f3283d6ffe2bf19687e1517af8ed575";
        assert_eq!(pair([1.0, 2.0]).digest().as_str(), digest);
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let error = pair([1.0, f32::NAN]).check_finite().unwrap_err();
        assert_eq!(error.to_string(), "the tensor `a` holds a value that is not finite (NaN)");
    }
}
