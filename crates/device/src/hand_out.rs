//! What a device takes at its first contact: the central model, and what is declared beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{Digest, ModelError, ModelState, Seed, Weights};
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

impl HandOut {
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
    use alluvium_model::Values;

    use super::*;

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
