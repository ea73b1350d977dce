//! A model under our own names: one of a run directory, or one that another program wrote under the same names.

use std::path::Path;
use std::sync::Arc;

use alluvium_checkpoint::{Checkpoint, Values, listed, shown};
use alluvium_model::{BACKBONE, BackboneConfig, DIFFERENCE, InputShape, Numbers, Values as OurValues, Weights};
use burn::tensor::Device;
use serde::Deserialize;
use serde_json::Value;

use crate::architecture::{Shapes, backbone_in_words, backbone_of, check_input, table_of};
use crate::manifest::text_of;
use crate::{InterchangeError, Reading};

/// The metadata key of a model in a run directory.
pub(crate) const RUN_MODEL: &str = "alluvium";

/// The prefixes of our tensors. Statistics are sent along with an expert, and are not part of a model.
const PREFIXES: [&str; 3] = ["backbone.", "heads.", "statistics."];

/// The description of a model in its file. Classes have numbers of another stream, so they count only as rows.
#[derive(Deserialize)]
struct Header {
    backbone: Value,
    input: InputShape,
    heads: Vec<HeaderHead>,
}

#[derive(Deserialize)]
struct HeaderHead {
    name: String,
    classes: Vec<usize>,
}

/// An open model file with our names, whose tensors match its backbone.
#[derive(Debug)]
pub(crate) struct OwnModel {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) backbone: Arc<dyn BackboneConfig>,
    pub(crate) input: InputShape,
    /// The name and the number of rows of each head.
    pub(crate) heads: Vec<(String, usize)>,
}

impl OwnModel {
    /// Whether a file has our names.
    pub(crate) fn is_in(checkpoint: &Checkpoint) -> bool {
        let ours = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        checkpoint.metadata().contains_key(RUN_MODEL) || checkpoint.tensors().all(|info| ours(&info.name))
    }

    /// Checks the tensors of such a file. Reads no values.
    pub(crate) fn of(
        path: &Path,
        checkpoint: Checkpoint,
        reading: &Reading,
        compute: &Device,
    ) -> Result<Self, InterchangeError> {
        let wrong = |problem: String| InterchangeError::file(path, problem);
        let header: Option<Header> = text_of(checkpoint.metadata(), RUN_MODEL).map_err(wrong)?;
        let stated = header.as_ref().map(|header| backbone_of(&header.backbone)).transpose().map_err(wrong)?;
        let said = || reading.backbone.clone().or_else(|| reading.fallback.backbone.clone());
        let backbone = stated.or_else(said);
        let input = header.as_ref().map(|header| header.input).or(reading.input).or(reading.fallback.input);
        let (Some(backbone), Some(input)) = (backbone, input) else {
            let problem =
                "does not state its backbone and its input; accepted: a file of a run directory, or both stated";
            return Err(wrong(problem.to_owned()));
        };
        check_input(input).map_err(wrong)?;
        let mut model = OwnModel { checkpoint, backbone, input, heads: vec![] };
        let latent = model.check_backbone(path, compute)?;
        let names = match &header {
            Some(header) => header.heads.iter().map(|head| head.name.clone()).collect(),
            None => model.heads_by_tensors(),
        };
        for (index, name) in names.into_iter().enumerate() {
            let rows = model.check_head(path, &name, latent)?;
            let stated = header.as_ref().map(|header| header.heads[index].classes.len());
            if let Some(stated) = stated.filter(|stated| *stated != rows) {
                let problem = format!("has {rows} values, but the file names {stated} classes of its head");
                return Err(InterchangeError::tensor(path, &format!("heads.{name}.bias"), problem));
            }
            model.heads.push((name, rows));
        }
        Ok(model)
    }

    /// Checks the backbone's tensors. Returns the size of a latent.
    fn check_backbone(&self, path: &Path, compute: &Device) -> Result<usize, InterchangeError> {
        let words = backbone_in_words(&table_of(self.backbone.as_ref()));
        let built = self.backbone.build(self.input, compute).map_err(|error| InterchangeError::file(path, error))?;
        let needed = built.shapes();
        check_shapes(path, &self.checkpoint, BACKBONE, &needed, &format!("{words} for inputs of {}", self.input))?;
        let prefix = format!("{BACKBONE}.");
        let own = self.checkpoint.tensors().filter_map(|info| info.name.strip_prefix(&prefix));
        if let Some(name) = own.into_iter().find(|name| !needed.contains_key(*name)) {
            let problem = format!("is not part of {words}; accepted: {}", listed(needed.keys().map(String::as_str)));
            return Err(InterchangeError::tensor(path, &format!("{prefix}{name}"), problem));
        }
        Ok(built.latent_size())
    }

    /// The names of the heads that the file has tensors of.
    fn heads_by_tensors(&self) -> Vec<String> {
        let bias = |name: &str| name.strip_prefix("heads.")?.strip_suffix(".bias").map(str::to_owned);
        self.checkpoint.tensors().filter_map(|info| bias(&info.name)).collect()
    }

    /// Checks a head's tensors. Returns the number of its rows.
    fn check_head(&self, path: &Path, name: &str, latent: usize) -> Result<usize, InterchangeError> {
        let bias = format!("heads.{name}.bias");
        let shape = self.checkpoint.tensor(&bias).map(|info| info.shape.as_slice());
        let rows = match shape {
            Some([rows]) if *rows > 0 => *rows,
            Some(other) => {
                let problem = format!("has the shape {other:?}; accepted: one value for each class");
                return Err(InterchangeError::tensor(path, &bias, problem));
            }
            None => return Err(InterchangeError::tensor(path, &bias, "is missing; accepted: a head with its bias")),
        };
        let needed = Shapes::from([("weight".to_owned(), vec![latent, rows]), ("bias".to_owned(), vec![rows])]);
        let words = format!("a head of {rows} classes on {latent} latents");
        check_shapes(path, &self.checkpoint, &format!("heads.{name}"), &needed, &words)?;
        Ok(rows)
    }

    /// The backbone's values by our names.
    pub(crate) fn backbone_weights(&self, path: &Path) -> Result<Weights, InterchangeError> {
        self.below(path, BACKBONE)
    }

    /// A head's weight `[latent, classes]` and bias `[classes]`.
    pub(crate) fn head_weights(&self, path: &Path, head: &str) -> Result<[OurValues; 2], InterchangeError> {
        Ok([self.values(path, &format!("heads.{head}.weight"))?, self.values(path, &format!("heads.{head}.bias"))?])
    }

    fn below(&self, path: &Path, prefix: &str) -> Result<Weights, InterchangeError> {
        let prefix = format!("{prefix}.");
        let names = self.checkpoint.tensors().filter_map(|info| info.name.strip_prefix(&prefix));
        names.map(|name| Ok((name.to_owned(), self.values(path, &format!("{prefix}{name}"))?))).collect()
    }

    fn values(&self, path: &Path, name: &str) -> Result<OurValues, InterchangeError> {
        let tensor = self.checkpoint.read_finite(name)?;
        let numbers: Numbers = match tensor.values {
            Values::Floats(values) => values.into(),
            Values::Doubles(values) => values.into(),
            Values::Integers(_) => return Err(not_floats(path, name, tensor.dtype)),
        };
        check_variances(path, name, name, &numbers)?;
        Ok(OurValues::of(tensor.shape, numbers))
    }
}

/// Refuses the file of an expert that lacks the tensors of its parent.
pub(crate) fn refuse_difference(path: &Path, checkpoint: &Checkpoint) -> Result<(), InterchangeError> {
    if checkpoint.metadata().contains_key(DIFFERENCE) {
        let problem = "holds only the difference of an expert to the model that its device took; accepted: whole models, \
                       which devices send with `sends = \"model\"`";
        return Err(InterchangeError::file(path, problem));
    }
    Ok(())
}

/// Checks that all tensors below a prefix are there, with these shapes, and hold floats.
fn check_shapes(
    path: &Path,
    checkpoint: &Checkpoint,
    prefix: &str,
    needed: &Shapes,
    words: &str,
) -> Result<(), InterchangeError> {
    for (name, needed) in needed {
        let name = format!("{prefix}.{name}");
        let problem = match checkpoint.tensor(&name) {
            None => format!("is missing; {words} needs it with the shape {needed:?}"),
            Some(info) if info.shape != *needed => {
                format!("has the shape {:?}; {words} needs {needed:?}", info.shape)
            }
            Some(info) if !info.dtype.is_float() => return Err(not_floats(path, &name, info.dtype)),
            Some(_) => continue,
        };
        return Err(InterchangeError::tensor(path, &name, problem));
    }
    Ok(())
}

fn not_floats(path: &Path, name: &str, dtype: alluvium_checkpoint::Dtype) -> InterchangeError {
    InterchangeError::tensor(path, name, format!("holds {dtype}; accepted for weights: floats"))
}

/// Whether the tensor with this name of ours holds running variances of a normalisation.
pub(crate) fn is_variance(ours: &str) -> bool {
    ours.rsplit('.').next() == Some("running_var")
}

/// Checks that no running variance is negative: a network would take the root of it. `ours` is our name of the tensor, `name`
/// the file's.
pub(crate) fn check_variances(path: &Path, ours: &str, name: &str, numbers: &Numbers) -> Result<(), InterchangeError> {
    let negative =
        || numbers.exact().iter().enumerate().find(|(_, value)| **value < 0.0).map(|(at, value)| (at, *value));
    match is_variance(ours).then(negative).flatten() {
        None => Ok(()),
        Some((index, value)) => {
            let problem = format!("holds a negative variance ({value} at index {index}); accepted: 0 or more");
            Err(InterchangeError::tensor(path, name, problem))
        }
    }
}

/// The rows of a file's heads in words: `2 rows (task-1) and 3 rows (task-2)`.
pub(crate) fn rows_in_words(heads: &[(String, usize)]) -> String {
    let each: Vec<_> = heads.iter().map(|(name, rows)| format!("{rows} rows ({})", shown(name))).collect();
    each.join(" and ")
}
