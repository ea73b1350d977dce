//! Writes a consolidated model to a file, under the names of the previous model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Dtype, Order, Tensor, TensorInfo, Values, WriteOptions, Writer};
use alluvium_model::{ModelState, Numbers, Values as OurValues, Width};

use crate::foreign::HEAD;
use crate::manifest::{MANIFEST, Manifest};
use crate::provenance::{PROVENANCE, Provenance};
use crate::watcher::WritingGuard;
use crate::{Arrangement, Consolidation, ForeignModel, InterchangeError, Watcher};

/// The output of a consolidation.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The path of the new file. If there are several files, their names begin with it.
    pub path: PathBuf,
    /// The most bytes of tensors in one file. If all tensors together have more, they are split into several files with
    /// an index.
    pub shard_bytes: Option<u64>,
    /// Files that are never overwritten: those that the models are read from.
    pub inputs: Vec<PathBuf>,
}

/// The plan of the file of a consolidated model: its tensors, their types, and its metadata.
#[derive(Debug)]
pub struct Plan<'a> {
    previous: &'a ForeignModel,
    /// The model that the classifier's names come from.
    classifier: &'a ForeignModel,
    arrangement: &'a Arrangement,
    tensors: Vec<TensorInfo>,
}

impl<'a> Plan<'a> {
    /// Plans the file of a consolidated model. The classifier has the names and the type of the previous model's or, if
    /// that has none, of the first expert's. Everything else is as in the previous model.
    pub fn of(consolidation: &Consolidation<'a>) -> Self {
        let Consolidation { previous, experts, arrangement, .. } = *consolidation;
        let has_classifier = |model: &&ForeignModel| model.mapping.foreign(HEAD[0]).is_some();
        let classifier = [previous].into_iter().chain(experts).find(has_classifier).unwrap_or(previous);
        let mut plan = Plan { previous, classifier, arrangement, tensors: vec![] };
        let is_head = |info: &&TensorInfo| !HEAD.iter().any(|head| previous.mapping.foreign(head) == Some(&info.name));
        plan.tensors = previous.checkpoint.tensors().filter(is_head).cloned().collect();
        plan.tensors.extend(plan.head_infos());
        plan.tensors.sort_by(|a, b| a.name.cmp(&b.name));
        plan
    }

    /// The tensors of the file, sorted by name.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// How many bytes all of them take.
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().fold(0, |sum, info| sum.saturating_add(info.bytes()))
    }

    /// How many rows the classifier has.
    pub fn rows(&self) -> usize {
        self.arrangement.heads.iter().map(|head| head.classes.len()).sum()
    }

    /// Writes the model. The file appears only when everything is written. After an error, nothing is left there.
    ///
    /// # Errors
    /// When a value does not fit its type (the message names the tensor), a file cannot be written, an input would be
    /// overwritten, or the watcher stops it.
    pub(crate) fn write(
        &self,
        model: &ModelState,
        provenance: &Provenance,
        to: &Destination,
        watcher: &dyn Watcher,
    ) -> Result<Vec<PathBuf>, InterchangeError> {
        let _writing = WritingGuard::begin(watcher);
        let options = self.options(Some(provenance), Some(to));
        let mut writer = Writer::create(&to.path, self.tensors.clone(), &options)?;
        self.write_all(model, &mut writer, &to.path, watcher)?;
        Ok(writer.finish()?)
    }

    /// The bytes of the file, without a provenance.
    ///
    /// # Errors
    /// When a value does not fit its type (the message names the tensor), or the watcher stops it.
    pub(crate) fn write_in_memory(
        &self,
        model: &ModelState,
        watcher: &dyn Watcher,
    ) -> Result<Vec<u8>, InterchangeError> {
        let mut writer = Writer::in_memory(self.tensors.clone(), &self.options(None, None))?;
        self.write_all(model, &mut writer, Path::new("(memory)"), watcher)?;
        Ok(writer.finish_in_memory()?)
    }

    fn write_all(
        &self,
        model: &ModelState,
        writer: &mut Writer,
        to: &Path,
        watcher: &dyn Watcher,
    ) -> Result<(), InterchangeError> {
        let go_on = || if watcher.stopped() { Err(InterchangeError::Stopped) } else { Ok(()) };
        while let Some(info) = writer.peek().cloned() {
            go_on()?;
            let values = self.values(model, &info, to)?;
            writer.write(&info.name, &values)?;
        }
        go_on()
    }

    /// The options for writing the file, including its metadata.
    pub(crate) fn options(&self, provenance: Option<&Provenance>, to: Option<&Destination>) -> WriteOptions {
        let previous = self.previous;
        let manifest = Manifest {
            backbone: previous.backbone_table().clone(),
            input: previous.input(),
            normalisation: previous.normalisation().clone(),
            names: previous.names().kind().map(str::to_owned),
            heads: self.arrangement.named_heads(),
        };
        // Hugging Face libraries require this key.
        let format = ("format".to_owned(), "pt".to_owned());
        let manifest = (MANIFEST.to_owned(), serde_json::to_string(&manifest).unwrap_or_default());
        let mut metadata = BTreeMap::from([format, manifest]);
        if let Some(provenance) = provenance {
            metadata.insert(PROVENANCE.to_owned(), provenance.to_text());
        }
        let inputs = to.map(|to| to.inputs.clone()).unwrap_or_default();
        WriteOptions { metadata, order: Order::Given, shard_bytes: to.and_then(|to| to.shard_bytes), inputs }
    }

    /// The names, types and shapes of the classifier's new tensors.
    fn head_infos(&self) -> Vec<TensorInfo> {
        let (rows, latent) = (self.rows(), self.previous.latent_size());
        let info = |ours: &str, shape: Vec<usize>| {
            let name = self.classifier.mapping.foreign(ours)?.to_owned();
            let dtype = self.classifier.checkpoint.tensor(&name).map_or(Dtype::F32, |info| info.dtype);
            let turned = self.classifier.mapping.is_transposed(ours);
            let shape = if turned { shape.into_iter().rev().collect() } else { shape };
            Some(TensorInfo { name, dtype, shape })
        };
        [info(HEAD[0], vec![latent, rows]), info(HEAD[1], vec![rows])].into_iter().flatten().collect()
    }

    fn values(&self, model: &ModelState, info: &TensorInfo, to: &Path) -> Result<Values, InterchangeError> {
        let head = HEAD.iter().find(|ours| self.classifier.mapping.foreign(ours) == Some(&info.name));
        let (source, ours, found) = match head {
            Some(ours) => (self.classifier, *ours, Some(side_by_side(model, ours))),
            None => match self.previous.mapping.ours(&info.name) {
                Some(ours) => (self.previous, ours, model.weights.get(&format!("backbone.{ours}")).cloned()),
                // Tensors that the table leaves out are copied.
                None => return Ok(self.previous.checkpoint.read_finite(&info.name)?.values),
            },
        };
        let found = found.ok_or_else(|| InterchangeError::tensor(to, &info.name, "was not consolidated"))?;
        let values = match found.numbers {
            Numbers::Single(values) => Values::Floats(values),
            Numbers::Double(values) => Values::Doubles(values),
        };
        let tensor = Tensor { dtype: info.dtype, shape: found.shape, values };
        let turned = source.mapping.turned(ours, tensor).map_err(InterchangeError::names(to))?;
        if turned.shape == info.shape {
            Ok(turned.values)
        } else {
            let problem = format!("would have the shape {:?}, not {:?}", turned.shape, info.shape);
            Err(InterchangeError::tensor(to, &info.name, problem))
        }
    }
}

/// Joins a tensor of all heads: weights `[latent, classes]` side by side, biases one after another.
fn side_by_side(model: &ModelState, ours: &str) -> OurValues {
    let part = ours.rsplit('.').next().unwrap_or(ours);
    let heads = model.heads.iter().filter_map(|head| model.weights.get(&format!("{}.{part}", head.prefix())));
    let heads: Vec<_> = heads.collect();
    let columns = |head: &OurValues| head.shape.last().copied().unwrap_or(0);
    let rows = heads.first().map_or(0, |head| head.len() / columns(head).max(1));
    let all = heads.iter().map(|head| columns(head)).sum();
    let width = heads.iter().map(|head| head.width()).max().unwrap_or(Width::Single);
    let values: Vec<_> = heads.iter().map(|head| (head.numbers.exact(), columns(head))).collect();
    let row = |row: usize| values.iter().flat_map(move |(values, columns)| &values[row * columns..(row + 1) * columns]);
    let numbers = Numbers::rounded((0..rows).flat_map(row).copied(), width);
    let shape = if part == "bias" { vec![all] } else { vec![rows, all] };
    OurValues::of(shape, numbers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::HeadSpec;

    use super::*;

    #[test]
    fn heads_stand_side_by_side() {
        let backbone = Arc::new(MlpConfig { layers: vec![2] });
        let mut model = ModelState::bare(backbone, [1, 1, 1].into());
        for (name, classes, weight, bias) in
            [("a", 2, vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0]), ("b", 1, vec![7.0, 8.0], vec![9.0])]
        {
            let weights = [
                ("weight".to_owned(), OurValues::new(vec![2, classes], weight)),
                ("bias".to_owned(), OurValues::new(vec![classes], bias)),
            ];
            model
                .set_head(HeadSpec { name: name.to_owned(), classes: vec![0; classes] }, weights.into_iter().collect());
        }
        // 1 2   7      1 2 7
        // 3 4   8  →   3 4 8
        assert_eq!(side_by_side(&model, HEAD[0]), OurValues::new(vec![2, 3], vec![1.0, 2.0, 7.0, 3.0, 4.0, 8.0]));
        assert_eq!(side_by_side(&model, HEAD[1]), OurValues::new(vec![3], vec![5.0, 6.0, 9.0]));
    }
}
