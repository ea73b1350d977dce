//! Sums over samples, by class: the number of samples, the sum of their features, and the sums of products of features.

use std::collections::BTreeMap;

use alluvium_model::{ModelError, Values, Weights, Width};
use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use crate::matrix::{Symmetric, add_gram, entries};

/// Which sums of products are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moments {
    /// None: class means alone.
    Means,
    /// Σ ψψᵀ over the samples of all classes together.
    Shared,
    /// Σ ψψᵀ over the samples of each class.
    OfClasses,
}

/// Sums over the features ψ of samples, in 64 bits: n_k, Σ ψ, and Σ ψψᵀ of all samples or of each class. Sums of different samples
/// can be added, in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSums {
    /// The number of features.
    features: usize,
    moments: Moments,
    /// n_k and Σ ψ, by class.
    classes: BTreeMap<usize, OfClass>,
    /// Σ ψψᵀ of all samples.
    shared: Option<Symmetric>,
}

#[derive(Debug, Clone, PartialEq)]
struct OfClass {
    count: f64,
    sum: Vec<f64>,
    gram: Option<Symmetric>,
}

const CLASSES: &str = "classes";
const COUNTS: &str = "counts";
const SUMS: &str = "sums";
const MEANS: &str = "means";
const GRAM: &str = "gram";
const GRAMS: &str = "grams";

/// The rows that are multiplied at a time.
const ROWS: usize = 2048;

impl ClassSums {
    /// Sums over no samples.
    pub fn new(features: usize, moments: Moments) -> Self {
        let shared = (moments == Moments::Shared).then(|| Symmetric::zeros(features));
        ClassSums { features, moments, classes: BTreeMap::new(), shared }
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Which sums of products are kept.
    pub fn moments(&self) -> Moments {
        self.moments
    }

    /// The classes, in ascending order.
    pub fn classes(&self) -> Vec<usize> {
        self.classes.keys().copied().collect()
    }

    /// The number of samples of a class; 0 for a class that is not there.
    pub fn count(&self, class: usize) -> f64 {
        self.classes.get(&class).map_or(0.0, |own| own.count)
    }

    /// The number of all samples.
    pub fn samples(&self) -> f64 {
        self.classes.values().map(|own| own.count).sum()
    }

    /// Σ ψ over the samples of a class.
    pub fn sum(&self, class: usize) -> Option<&[f64]> {
        self.classes.get(&class).map(|own| own.sum.as_slice())
    }

    /// Σ ψψᵀ over all samples; `None` for class means alone.
    pub fn gram(&self) -> Option<Symmetric> {
        match self.moments {
            Moments::Means => None,
            Moments::Shared => self.shared.clone(),
            Moments::OfClasses => {
                let mut all = Symmetric::zeros(self.features);
                self.classes.values().filter_map(|own| own.gram.as_ref()).for_each(|own| all.add(1.0, own));
                Some(all)
            }
        }
    }

    /// Σ ψψᵀ over the samples of a class, if it is kept.
    pub fn gram_of(&self, class: usize) -> Option<&Symmetric> {
        self.classes.get(&class)?.gram.as_ref()
    }

    /// The classes of these labels with fewer samples than `smallest`.
    pub(crate) fn small_classes(labels: &[usize], smallest: usize) -> Vec<usize> {
        let mut counts = BTreeMap::<usize, usize>::new();
        labels.iter().for_each(|label| *counts.entry(*label).or_default() += 1);
        counts.into_iter().filter(|(_, count)| *count < smallest).map(|(class, _)| class).collect()
    }

    /// Adds samples: their features, row by row, and the class of each.
    pub fn add_samples(&mut self, rows: &[f32], labels: &[usize]) {
        let features = self.features;
        let mut product = self.shared.is_some().then(|| Mat::zeros(features, features));
        for (rows, labels) in rows.chunks(ROWS * features.max(1)).zip(labels.chunks(ROWS)) {
            let mut by_class = BTreeMap::<usize, Vec<usize>>::new();
            labels.iter().enumerate().for_each(|(row, label)| by_class.entry(*label).or_default().push(row));
            for (class, indices) in by_class {
                let own = self.classes.entry(class).or_insert_with(|| OfClass::empty(features, self.moments));
                own.count += indices.len() as f64;
                for row in &indices {
                    let row = &rows[row * features..(row + 1) * features];
                    own.sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
                }
                if let Some(gram) = &mut own.gram {
                    let of_class = Mat::from_fn(indices.len(), features, |row, column| {
                        f64::from(rows[indices[row] * features + column])
                    });
                    let mut product = Mat::zeros(features, features);
                    add_gram(&mut product, of_class.as_ref());
                    gram.add(1.0, &Symmetric::upper(product.as_ref()));
                }
            }
            if let Some(product) = &mut product {
                // Rows lie together in memory, so they are converted as they are.
                let rows: Vec<f64> = rows.iter().map(|value| f64::from(*value)).collect();
                add_gram(product, MatRef::from_row_major_slice(&rows, labels.len(), features));
            }
        }
        if let (Some(shared), Some(product)) = (&mut self.shared, product) {
            shared.add(1.0, &Symmetric::upper(product.as_ref()));
        }
    }

    /// Adds the sums of other samples.
    ///
    /// # Errors
    /// When they are over other features, or of another kind.
    pub fn add(&mut self, other: &ClassSums) -> Result<(), ModelError> {
        if (self.features, self.moments) != (other.features, other.moments) {
            let described = |sums: &ClassSums| format!("{:?} moments of {} features", sums.moments, sums.features);
            let reason = format!("sums of {} cannot be added to {}", described(other), described(self));
            return Err(ModelError::Incompatible { reason });
        }
        for (class, theirs) in &other.classes {
            match self.classes.get_mut(class) {
                None => _ = self.classes.insert(*class, theirs.clone()),
                Some(own) => {
                    own.count += theirs.count;
                    own.sum.iter_mut().zip(&theirs.sum).for_each(|(sum, value)| *sum += value);
                    if let (Some(own), Some(theirs)) = (&mut own.gram, &theirs.gram) {
                        own.add(1.0, theirs);
                    }
                }
            }
        }
        if let (Some(own), Some(theirs)) = (&mut self.shared, &other.shared) {
            own.add(1.0, theirs);
        }
        Ok(())
    }

    /// Adds a class without samples, if it is not there.
    pub(crate) fn have_class(&mut self, class: usize) {
        let empty = || OfClass::empty(self.features, self.moments);
        self.classes.entry(class).or_insert_with(empty);
    }

    /// Drops the classes with fewer samples, and returns them. What they added to shared products stays.
    pub(crate) fn drop_below(&mut self, smallest: f64) -> Vec<usize> {
        let small: Vec<_> =
            self.classes.iter().filter(|(_, own)| own.count < smallest).map(|(class, _)| *class).collect();
        small.iter().for_each(|class| _ = self.classes.remove(class));
        small
    }

    /// Every number of the sums, to add noise: counts, sums, products. A product of two different features stands once for two entries
    /// of the matrix, so its noise has the weight 1/√2; all others have 1.
    pub(crate) fn numbers_mut(&mut self) -> impl Iterator<Item = (f64, &mut f64)> {
        let shared = self.shared.iter_mut().flat_map(Symmetric::weighted_mut);
        let of_classes = self.classes.values_mut().flat_map(|own| {
            let grams = own.gram.iter_mut().flat_map(Symmetric::weighted_mut);
            std::iter::once((1.0, &mut own.count)).chain(own.sum.iter_mut().map(|value| (1.0, value))).chain(grams)
        });
        of_classes.chain(shared)
    }

    /// The sums of samples whose features are mapped by ψ ↦ Aψ + b: `matrix` is Aᵀ, `[features, new features]`.
    pub fn mapped(&self, matrix: &Mat<f64>, offset: &[f64]) -> ClassSums {
        let size = matrix.ncols();
        let map = |vector: &[f64]| -> Vec<f64> {
            let of = |column: usize| vector.iter().enumerate().map(|(row, value)| value * matrix[(row, column)]).sum();
            (0..size).map(of).collect()
        };
        let map_gram = |gram: &Symmetric, count: f64, sum: &[f64]| {
            let product = matrix.transpose() * gram.full() * matrix;
            let mut mapped = Symmetric::upper(product.as_ref());
            // Σ (Aψ + b)(Aψ + b)ᵀ = A Σψψᵀ Aᵀ + s bᵀ + b sᵀ + n bbᵀ with s = A Σψ, and s bᵀ + b sᵀ from (s + b)(s + b)ᵀ.
            let linear = map(sum);
            let both: Vec<_> = linear.iter().zip(offset).map(|(one, other)| one + other).collect();
            mapped.add_outer(1.0, &both);
            mapped.add_outer(-1.0, &linear);
            mapped.add_outer(count - 1.0, offset);
            mapped
        };
        let of_class = |own: &OfClass| {
            let linear = map(&own.sum);
            let sum = linear.iter().zip(offset).map(|(value, offset)| value + own.count * offset).collect();
            let gram = own.gram.as_ref().map(|gram| map_gram(gram, own.count, &own.sum));
            OfClass { count: own.count, sum, gram }
        };
        let mut total = vec![0.0; self.features];
        for own in self.classes.values() {
            total.iter_mut().zip(&own.sum).for_each(|(total, value)| *total += value);
        }
        ClassSums {
            features: size,
            moments: self.moments,
            classes: self.classes.iter().map(|(class, own)| (*class, of_class(own))).collect(),
            shared: self.shared.as_ref().map(|gram| map_gram(gram, self.samples(), &total)),
        }
    }

    /// The sums as tensors. In 64 bits they are sent as they are. In 32 bits, means and products of deviations from the class means
    /// are sent instead, which lose less.
    pub fn to_weights(&self, width: Width) -> Weights {
        let (count, features) = (self.classes.len(), self.features);
        let mut weights = Weights::new();
        let double = |values: Vec<f64>, shape: Vec<usize>| Values::of(shape, values);
        weights.insert(CLASSES, double(self.classes.keys().map(|class| *class as f64).collect(), vec![count]));
        weights.insert(COUNTS, double(self.classes.values().map(|own| own.count).collect(), vec![count]));
        let packed = entries(features);
        if width == Width::Double {
            let sums = self.classes.values().flat_map(|own| own.sum.iter().copied()).collect();
            weights.insert(SUMS, double(sums, vec![count, features]));
            if let Some(shared) = &self.shared {
                weights.insert(GRAM, double(shared.entries().to_vec(), vec![packed]));
            }
            if self.moments == Moments::OfClasses {
                let grams = self.classes.values().filter_map(|own| own.gram.as_ref());
                let grams = grams.flat_map(|gram| gram.entries().iter().copied()).collect();
                weights.insert(GRAMS, double(grams, vec![count, packed]));
            }
            return weights;
        }
        let single = |values: Vec<f64>, shape: Vec<usize>| {
            Values::new(shape, values.into_iter().map(|value| value as f32).collect())
        };
        let means = self.classes.values().flat_map(OfClass::mean).collect();
        weights.insert(MEANS, single(means, vec![count, features]));
        if let Some(shared) = &self.shared {
            let mut within = shared.clone();
            self.classes.values().for_each(|own| within.add_outer(-own.count, &own.rounded_mean()));
            weights.insert(GRAM, single(within.entries().to_vec(), vec![packed]));
        }
        if self.moments == Moments::OfClasses {
            let within = self.classes.values().filter_map(|own| {
                let mut within = own.gram.clone()?;
                within.add_outer(-own.count, &own.rounded_mean());
                Some(within.entries().to_vec())
            });
            weights.insert(GRAMS, single(within.flatten().collect(), vec![count, packed]));
        }
        weights
    }

    /// Reads what [`to_weights`](Self::to_weights) wrote.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape; the message names it.
    pub fn from_weights(weights: &Weights) -> Result<Self, ModelError> {
        let get = |name: &str, expected: Vec<usize>| -> Result<Vec<f64>, ModelError> {
            Ok(weights.shaped(name, &expected)?.numbers.exact().to_vec())
        };
        let count = weights.get(CLASSES).map_or(0, Values::len);
        let (classes, counts) = (get(CLASSES, vec![count])?, get(COUNTS, vec![count])?);
        let name = if weights.get(MEANS).is_some() { MEANS } else { SUMS };
        let features = weights.get(name).and_then(|sums| sums.shape.get(1).copied()).unwrap_or_default();
        let sums = get(name, vec![count, features])?;
        let packed = entries(features);
        let gram = weights.get(GRAM).map(|_| get(GRAM, vec![packed])).transpose()?;
        let grams = weights.get(GRAMS).map(|_| get(GRAMS, vec![count, packed])).transpose()?;
        let wrong = classes.iter().find(|class| **class < 0.0 || class.fract() != 0.0 || **class > 2_f64.powi(53));
        if let Some(class) = wrong {
            let reason = format!("the tensor `{CLASSES}` holds {class}, which is not the number of a class");
            return Err(ModelError::Incompatible { reason });
        }
        let moments = match (&gram, &grams) {
            (None, None) => Moments::Means,
            (Some(_), _) => Moments::Shared,
            (None, Some(_)) => Moments::OfClasses,
        };
        let mut found = ClassSums { features, moments, classes: BTreeMap::new(), shared: None };
        found.shared = gram.filter(|_| moments == Moments::Shared).and_then(|gram| Symmetric::of(features, gram));
        for (index, class) in classes.iter().enumerate() {
            let of_class = sums[index * features..(index + 1) * features].to_vec();
            let own_gram = grams.as_ref().map(|grams| grams[index * packed..(index + 1) * packed].to_vec());
            let gram = own_gram.and_then(|gram| Symmetric::of(features, gram));
            found.classes.insert(*class as usize, OfClass { count: counts[index], sum: of_class, gram });
        }
        if found.classes.len() < count {
            let reason = format!("the tensor `{CLASSES}` names a class twice");
            return Err(ModelError::Incompatible { reason });
        }
        if name == MEANS {
            found.uncentre();
        }
        Ok(found)
    }

    /// Turns means and products of deviations into sums and products.
    fn uncentre(&mut self) {
        for own in self.classes.values_mut() {
            let mean = own.sum.clone();
            if let Some(gram) = &mut own.gram {
                gram.add_outer(own.count, &mean);
            }
            if let Some(shared) = &mut self.shared {
                shared.add_outer(own.count, &mean);
            }
            own.sum.iter_mut().for_each(|value| *value *= own.count);
        }
    }
}

impl OfClass {
    fn empty(features: usize, moments: Moments) -> Self {
        let gram = (moments == Moments::OfClasses).then(|| Symmetric::zeros(features));
        OfClass { count: 0.0, sum: vec![0.0; features], gram }
    }

    fn mean(&self) -> Vec<f64> {
        self.sum.iter().map(|value| value / self.count.max(1.0)).collect()
    }

    /// The mean as it is sent in 32 bits. Products are taken about it, so that what is read again is exact.
    fn rounded_mean(&self) -> Vec<f64> {
        self.mean().into_iter().map(|value| f64::from(value as f32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [f32; 8] = [1.0, 2.0, 3.0, -1.0, 0.5, 4.0, -2.0, 0.25];
    const LABELS: [usize; 4] = [9, 2, 9, 2];

    fn sums(moments: Moments) -> ClassSums {
        let mut sums = ClassSums::new(2, moments);
        sums.add_samples(&ROWS, &LABELS);
        sums
    }

    #[test]
    fn sums_are_the_ones_worked_out_by_hand() {
        // Class 2: (3, −1) and (−2, 0.25). Class 9: (1, 2) and (0.5, 4).
        let own = sums(Moments::OfClasses);
        assert_eq!((own.classes(), own.count(2), own.count(9), own.count(3)), (vec![2, 9], 2.0, 2.0, 0.0));
        assert_eq!((own.sum(2).unwrap(), own.sum(9).unwrap()), (&[1.0, -0.75][..], &[1.5, 6.0][..]));
        // xx, xy, yy.
        assert_eq!(own.gram_of(2).unwrap().entries(), [9.0 + 4.0, -3.0 - 0.5, 1.0 + 0.0625]);
        assert_eq!(own.gram_of(9).unwrap().entries(), [1.25, 2.0 + 2.0, 4.0 + 16.0]);
        let all = [13.0 + 1.25, -3.5 + 4.0, 1.0625 + 20.0];
        assert_eq!(own.gram().unwrap().entries(), all);
        assert_eq!(sums(Moments::Shared).gram().unwrap().entries(), all);
        assert!(sums(Moments::Means).gram().is_none());
    }

    #[test]
    fn sums_survive_the_way_to_the_centre() {
        for moments in [Moments::Means, Moments::Shared, Moments::OfClasses] {
            let own = sums(moments);
            assert_eq!(ClassSums::from_weights(&own.to_weights(Width::Double)).unwrap(), own);
            // These values are exact in 32 bits, but for the means' quotients.
            let back = ClassSums::from_weights(&own.to_weights(Width::Single)).unwrap();
            assert_eq!((back.classes(), back.moments()), (own.classes(), moments));
            let near =
                |one: &[f64], other: &[f64]| one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-5);
            assert!(near(back.sum(2).unwrap(), own.sum(2).unwrap()));
            if let (Some(back), Some(own)) = (back.gram(), own.gram()) {
                assert!(near(back.entries(), own.entries()));
            }
        }
    }

    #[test]
    fn foreign_tensors_are_refused_by_name() {
        let mut sent = sums(Moments::Shared).to_weights(Width::Double);
        sent.insert(GRAM, Values::of(vec![2], vec![0.0; 2]));
        assert!(ClassSums::from_weights(&sent).unwrap_err().to_string().contains("`gram`"));
        let mut sent = sums(Moments::Shared).to_weights(Width::Double);
        sent.insert(CLASSES, Values::of(vec![2], vec![2.0, 2.0]));
        assert!(ClassSums::from_weights(&sent).unwrap_err().to_string().contains("twice"));
        sent.insert(CLASSES, Values::of(vec![2], vec![2.0, -1.0]));
        assert!(ClassSums::from_weights(&sent).unwrap_err().to_string().contains("-1"));
        let error = sums(Moments::Shared).add(&sums(Moments::Means)).unwrap_err().to_string();
        assert!(error.contains("cannot be added"), "{error}");
    }

    #[test]
    fn small_classes_are_found_and_dropped() {
        assert_eq!(ClassSums::small_classes(&[1, 1, 2, 1, 2, 5], 2), [5]);
        let mut own = sums(Moments::Means);
        own.have_class(4);
        assert_eq!(own.drop_below(1.0), [4]);
        assert_eq!(own.classes(), [2, 9]);
    }
}
