//! The scale of an update: alpha divided by the rank, or by its square root.

use std::path::Path;

use alluvium_store::text::read_text;
use serde_json::{Map, Value};

use crate::CheckpointError;
use crate::error::Place;
use crate::shown::shown;

/// The configuration file that PEFT writes beside an adapter.
const CONFIG: &str = "adapter_config.json";
const LONGEST_CONFIG: u64 = 10_000_000;

/// Determines the scales of an adapter.
#[derive(Debug)]
pub(crate) struct Scales(Option<Config>);

/// The keys of an `adapter_config.json` that determine an update.
#[derive(Debug)]
struct Config {
    r: Option<f64>,
    lora_alpha: Option<f64>,
    use_rslora: bool,
    fan_in_fan_out: bool,
    rank_pattern: Option<Map<String, Value>>,
    alpha_pattern: Option<Map<String, Value>>,
}

impl Scales {
    /// Reads the configuration beside a file, if there is one.
    pub(crate) fn beside(file: &Path) -> Result<Self, CheckpointError> {
        let path = file.parent().unwrap_or(Path::new("")).join(CONFIG);
        let place = Place::new(&path);
        if !path.exists() {
            return Ok(Scales(None));
        }
        let text = read_text(&path, LONGEST_CONFIG).map_err(|error| place.broken(error.problem.to_string()))?;
        let table: Value = serde_json::from_str(&text).map_err(|error| {
            place.broken(format!("is not valid JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let Value::Object(table) = table else {
            return Err(place.broken("is not a JSON object; accepted: the file that PEFT writes"));
        };
        let (config, refused) = Config::read(table).map_err(|problem| place.broken(problem))?;
        if let Some(reason) = refused {
            return Err(place.broken(reason));
        }
        Ok(Scales(Some(config)))
    }

    /// Whether weights are stored transposed, `[in, out]`, as in GPT-2.
    pub(crate) fn is_turned(&self) -> bool {
        self.0.as_ref().is_some_and(|config| config.fan_in_fan_out)
    }

    /// The scale of an update of this rank. `alpha` is the value in the file itself. The error completes the sentence
    /// "the tensor …" about a factor.
    pub(crate) fn of(&self, target: &str, rank: usize, alpha: Option<f64>) -> Result<f64, String> {
        let rank = rank.max(1) as f64;
        let Some(config) = &self.0 else {
            return alpha.map(|alpha| alpha / rank).ok_or_else(|| {
                format!(
                    "is a factor of an update whose scale is not stated; accepted: an `{CONFIG}` beside the file with \
                     `lora_alpha` and `r`, or a tensor {}",
                    shown(&format!("{target}.alpha"))
                )
            });
        };
        let own = |pattern: &Option<Map<String, Value>>, key: &str| by_pattern(pattern.as_ref(), target, key);
        let stated = own(&config.rank_pattern, "rank_pattern")?.or(config.r);
        if let Some(stated) = stated.filter(|stated| *stated != rank) {
            return Err(format!(
                "has the rank {rank}, but {CONFIG} beside the file states {stated}; accepted: equal values in both"
            ));
        }
        let stated = own(&config.alpha_pattern, "alpha_pattern")?.or(config.lora_alpha);
        let alpha = match (alpha, stated) {
            (Some(own), Some(stated)) if own != stated => {
                return Err(format!(
                    "has the alpha {own}, but {CONFIG} beside the file states {stated}; accepted: equal values in both"
                ));
            }
            (own, stated) => own.or(stated),
        };
        let alpha = alpha.filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or_else(|| {
            format!("is a factor of an update whose scale is not stated; accepted: `lora_alpha` in {CONFIG}")
        })?;
        Ok(if config.use_rslora { alpha / rank.sqrt() } else { alpha / rank })
    }
}

impl Config {
    /// Parses the configuration. The text says why an adapter of this kind is refused, if it is.
    fn read(mut table: Map<String, Value>) -> Result<(Self, Option<String>), String> {
        let mut key = |key: &str| table.remove(key).filter(|value| !value.is_null());
        let kind = key("peft_type")
            .filter(|kind| *kind != "LORA")
            .map(|kind| format!("is of the kind {}; accepted: \"LORA\"", shown(&kind.to_string())));
        let dora = truth("use_dora", key("use_dora"))?
            .then(|| "is of a DoRA adapter (`use_dora`), whose update is not a product; accepted: LoRA".to_owned());
        let start = key("init_lora_weights");
        let changed = start.as_ref().and_then(Value::as_str).filter(|start| {
            ["pissa", "olora", "corda", "loftq", "lora_ga"].iter().any(|changes| start.starts_with(changes))
        });
        let changed = changed.map(|start| {
            format!(
                "says that initialising the adapter changed the base model (`init_lora_weights` = {}), so its factors are not \
                 updates of the original; accepted: an adapter that was converted to plain LoRA when it was saved",
                shown(start)
            )
        });
        let config = Config {
            r: number("r", key("r"))?,
            lora_alpha: number("lora_alpha", key("lora_alpha"))?,
            use_rslora: truth("use_rslora", key("use_rslora"))?,
            fan_in_fan_out: truth("fan_in_fan_out", key("fan_in_fan_out"))?,
            rank_pattern: pattern("rank_pattern", key("rank_pattern"))?,
            alpha_pattern: pattern("alpha_pattern", key("alpha_pattern"))?,
        };
        Ok((config, kind.or(dora).or(changed)))
    }
}

fn number(key: &str, value: Option<Value>) -> Result<Option<f64>, String> {
    let number = |value: Value| {
        value.as_f64().ok_or_else(|| format!("has {} for `{key}`; accepted: a number", shown(&value.to_string())))
    };
    value.map(number).transpose()
}

fn truth(key: &str, value: Option<Value>) -> Result<bool, String> {
    match value {
        None => Ok(false),
        Some(Value::Bool(truth)) => Ok(truth),
        Some(other) => Err(format!("has {} for `{key}`; accepted: true or false", shown(&other.to_string()))),
    }
}

fn pattern(key: &str, value: Option<Value>) -> Result<Option<Map<String, Value>>, String> {
    match value {
        None => Ok(None),
        Some(Value::Object(pattern)) => Ok(Some(pattern)),
        Some(other) => Err(format!("has {} for `{key}`; accepted: an object of numbers", shown(&other.to_string()))),
    }
}

/// The value of a pattern for a target. For PEFT, keys are regular expressions that match from a dot to the end. Only
/// keys that are plain names are supported.
fn by_pattern(pattern: Option<&Map<String, Value>>, target: &str, key: &str) -> Result<Option<f64>, String> {
    for (name, value) in pattern.into_iter().flatten() {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')) {
            return Err(format!(
                "has a scale that {CONFIG} states with the pattern {} in `{key}`; accepted: names without special characters",
                shown(name)
            ));
        }
        let begins = target.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if begins {
            let number =
                value.as_f64().ok_or_else(|| format!("has {} for a number in `{key}` of {CONFIG}", shown(name)))?;
            return Ok(Some(number));
        }
    }
    Ok(None)
}
