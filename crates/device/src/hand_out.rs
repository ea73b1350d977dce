//! What a device takes at its first contact: the central model, and what is declared beside it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use alluvium_model::{Digest, ModelError, ModelState, Seed, Weights};
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Tensors that go with a model, by what they are for, such as a feature map that all devices must share.
pub type Beside = BTreeMap<String, Weights>;

/// What a device takes at its first contact.
#[derive(Debug, Clone)]
pub struct HandOut {
    /// The model that the device adapts: the central model; or, for a device with a backbone of its own, its own network with initial
    /// weights. The device draws these from the seed, so they are not sent.
    pub model: Arc<ModelState>,
    /// The central model, if a device with a backbone of its own learns from it before it adapts.
    pub teacher: Option<Arc<ModelState>>,
    /// What goes beside it.
    pub terms: Terms,
}

/// What a device takes beside the model. It is declared, and its bytes are counted.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The number of the device in the stream, from 0.
    pub device: usize,
    /// The number of the device's visit, from 0: how often it took a model before.
    pub visit: usize,
    /// The seed of everything that the device draws during this visit.
    pub seed: Seed,
    /// The `[device]` table: how the device adapts.
    pub settings: Value,
    /// The names of the statistics that the device is asked for.
    pub statistics: Vec<String>,
    /// Tensors that the strategy hands out beside the model.
    pub beside: Arc<Beside>,
    /// The kind and the options of the device's own backbone; absent if it adapts the central model.
    pub backbone: Option<Value>,
}

/// The keys of the metadata of a hand-out as bytes, and the names of its tensors.
const TERMS: &str = "alluvium.terms";
const MODEL: &str = "model";
const TEACHER: &str = "teacher";
const BESIDE: &str = "beside.";

/// [`Terms`] as they are sent, without the tensors beside them.
#[derive(Serialize, Deserialize)]
struct SentTerms {
    device: usize,
    visit: usize,
    seed: Seed,
    settings: Value,
    statistics: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backbone: Option<Value>,
}

impl HandOut {
    /// The hand-out as bytes: what is sent to a device that runs elsewhere. They are a safetensors file whose tensors are files
    /// themselves: the model, the teacher, and what goes beside them.
    ///
    /// # Errors
    /// When a model cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let Terms { device, visit, seed, settings, statistics, beside, backbone } = self.terms.clone();
        let mut parts = vec![(MODEL.to_owned(), self.model.to_bytes()?)];
        if let Some(teacher) = &self.teacher {
            parts.push((TEACHER.to_owned(), teacher.to_bytes()?));
        }
        for (name, weights) in beside.iter() {
            parts.push((format!("{BESIDE}{name}"), weights.to_safetensors(Default::default())?));
        }
        let terms = SentTerms { device, visit, seed, settings, statistics, backbone };
        let broken = |reason: String| ModelError::Format { reason };
        let terms = serde_json::to_string(&terms).map_err(|error| broken(error.to_string()))?;
        let views = parts.iter().map(|(name, bytes)| {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
            view.map(|view| (name.as_str(), view)).map_err(|error| broken(error.to_string()))
        });
        let views = views.collect::<Result<Vec<_>, _>>()?;
        let metadata = HashMap::from([(TERMS.to_owned(), terms)]);
        serialize(views, Some(metadata)).map_err(|error| broken(error.to_string()))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Nothing is believed: lengths are compared with the bytes that are there, and
    /// weights must be finite.
    ///
    /// # Errors
    /// [`ModelError::Format`] for other bytes, and what is wrong with a model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let broken = |reason: String| ModelError::Format { reason: format!("it is not a hand-out: {reason}") };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| broken(error.to_string()))?;
        let parts = SafeTensors::deserialize(bytes).map_err(|error| broken(error.to_string()))?;
        let terms = header.metadata().as_ref().and_then(|metadata| metadata.get(TERMS));
        let terms = terms.ok_or_else(|| broken(format!("its metadata lack the key `{TERMS}`")))?;
        let SentTerms { device, visit, seed, settings, statistics, backbone } =
            serde_json::from_str(terms).map_err(|error| broken(format!("the metadata's key `{TERMS}`: {error}")))?;
        let (mut model, mut teacher, mut beside) = (None, None, Beside::new());
        for (name, part) in parts.tensors() {
            match (name.as_str(), name.strip_prefix(BESIDE)) {
                (MODEL, _) => model = Some(Arc::new(ModelState::from_bytes(part.data())?)),
                (TEACHER, _) => teacher = Some(Arc::new(ModelState::from_bytes(part.data())?)),
                (_, Some(name)) => _ = beside.insert(name.to_owned(), Weights::from_safetensors(part.data())?.0),
                _ => return Err(broken(format!("it has a part `{name}`"))),
            }
        }
        let model = model.ok_or_else(|| broken("it has no model".to_owned()))?;
        let beside = Arc::new(beside);
        Ok(HandOut { model, teacher, terms: Terms { device, visit, seed, settings, statistics, beside, backbone } })
    }

    /// The digest of the model that the device adapts: what it states as the parent of its expert.
    pub fn parent(&self) -> Digest {
        self.model.digest()
    }
}

impl Terms {
    /// The terms without the tensors, as they are written for another program. The seed is [`Seed::number`].
    pub fn declared(&self) -> Value {
        let mut declared = json!({
            "device": self.device,
            "visit": self.visit,
            "seed": self.seed.number(),
            "settings": self.settings,
            "statistics": self.statistics,
        });
        if let Some(backbone) = &self.backbone {
            declared["backbone"] = backbone.clone();
        }
        declared
    }

    /// The size in bytes: [`declared`](Self::declared) as text, and the tensors as they would be stored.
    ///
    /// # Errors
    /// When the tensors cannot be written.
    pub fn bytes(&self) -> Result<u64, ModelError> {
        let declared = self.declared().to_string().len() as u64;
        self.beside
            .values()
            .try_fold(declared, |sum, weights| Ok(sum + weights.to_safetensors(Default::default())?.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::Values;

    use super::*;

    #[test]
    fn a_hand_out_survives_being_sent_and_other_bytes_are_refused() {
        let backbone = Arc::new(MlpConfig { layers: vec![3] });
        let model = |seed| {
            let made =
                ModelState::initial(backbone.clone(), [2].into(), Seed::new(seed), &burn::tensor::Device::flex());
            Arc::new(made.unwrap())
        };
        let map: Weights = [("w".to_owned(), Values::new(vec![2], vec![0.5; 2]))].into_iter().collect();
        let terms = Terms {
            device: 3,
            visit: 1,
            seed: Seed::new(0).of("visit"),
            settings: json!({"kind": "in-process", "epochs": 5}),
            statistics: vec!["gram".to_owned()],
            beside: Arc::new(Beside::from([("map".to_owned(), map)])),
            backbone: None,
        };
        let sent = HandOut { model: model(1), teacher: Some(model(2)), terms };
        let bytes = sent.to_bytes().unwrap();
        let taken = HandOut::from_bytes(&bytes).unwrap();
        assert_eq!((taken.parent(), taken.terms.declared()), (sent.parent(), sent.terms.declared()));
        assert_eq!((taken.terms.seed, &taken.terms.beside), (sent.terms.seed, &sent.terms.beside));
        assert_eq!(taken.teacher.unwrap().digest(), model(2).digest());

        for end in [0, 7, 8, bytes.len() / 2, bytes.len() - 1] {
            assert!(HandOut::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        let error = HandOut::from_bytes(&sent.model.to_bytes().unwrap()).unwrap_err().to_string();
        assert!(error.contains("`alluvium.terms`"), "{error}");
    }

    #[test]
    fn all_terms_are_counted() {
        let terms = |beside: Beside| Terms {
            device: 3,
            visit: 0,
            seed: Seed::new(0),
            settings: json!({"epochs": 5}),
            statistics: vec!["gram".to_owned()],
            beside: Arc::new(beside),
            backbone: None,
        };
        let plain = terms(Beside::new());
        let text = r#"{"device":3,"seed":4397132614989261527,"settings":{"epochs":5},"statistics":["gram"],"visit":0}"#;
        assert_eq!(plain.declared(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(plain.bytes().unwrap(), text.len() as u64);
        // ,"backbone":{"kind":"mlp"}
        let own = Terms { backbone: Some(json!({"kind": "mlp"})), ..plain.clone() };
        assert_eq!(own.bytes().unwrap(), text.len() as u64 + 26);
        let map: Weights = [("w".to_owned(), Values::new(vec![100], vec![0.5; 100]))].into_iter().collect();
        let with_map = terms(Beside::from([("map".to_owned(), map)]));
        assert!(with_map.bytes().unwrap() >= plain.bytes().unwrap() + 400, "100 numbers of four bytes");
    }
}
