//! The device and its two contacts with the centre.

use std::fmt::Debug;
use std::time::Duration;

use alluvium_model::{Digest, Expert, HeadSpec, ModelError, ModelState, Progress, Weights};

use crate::{DeviceError, HandOut};

/// What a device states about itself when it asks for the central model. It is a part of the first contact.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Announcement {
    /// The name of the device's task.
    pub task: String,
    /// The head of the task, with the stream's numbers of its classes.
    pub head: HeadSpec,
    /// The number of training samples; `None` if the device does not know or does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// A digest that changes when the device's samples or its expert's origin change. It identifies what the device learns
    /// from, and tells nothing about it.
    pub digest: Digest,
}

/// What a device answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The adapted model: the second contact.
    Expert(Box<Expert>),
    /// Nothing yet. The device is asked again.
    Later,
    /// Nothing, ever: the device was lost.
    Never,
}

/// A participant of the stream, wherever it runs.
///
/// A visit has two acts. The device states what it is about to learn and takes the central model; later, or never, it answers.
/// A device that comes back with another task makes another visit.
///
/// ```
/// use std::sync::Arc;
///
/// use alluvium_device::{Announcement, Answer, Device, DeviceError, HandOut};
/// use alluvium_model::{Digest, Expert, HeadSpec, Manifest, Progress};
///
/// /// A device that sends the model back as it is, if the model knows its task.
/// #[derive(Debug)]
/// struct Idle {
///     head: HeadSpec,
///     taken: Option<HandOut>,
/// }
///
/// impl Device for Idle {
///     fn request(&mut self) -> Result<Announcement, DeviceError> {
///         let digest = Digest::of(b"no samples");
///         Ok(Announcement { task: "nothing".to_owned(), head: self.head.clone(), samples: Some(0), digest })
///     }
///
///     fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
///         self.taken = Some(model);
///         Ok(())
///     }
///
///     fn answer(&mut self, _progress: &dyn Progress) -> Result<Answer, DeviceError> {
///         let Some(taken) = self.taken.take() else { return Ok(Answer::Never) };
///         let model = taken.model.with_heads(|head| *head == self.head);
///         let manifest = Manifest {
///             task: taken.terms.device,
///             task_name: "nothing".to_owned(),
///             samples: 0,
///             steps: 0,
///             parent: taken.parent(),
///             digest: model.digest(),
///             statistics: Default::default(),
///         };
///         let failed = |cause| DeviceError::Model { task: "nothing".to_owned(), cause: Box::new(cause) };
///         Ok(Answer::Expert(Box::new(Expert::new(model, manifest).map_err(failed)?)))
///     }
/// }
///
/// let head = HeadSpec { name: "own".to_owned(), classes: vec![4, 7] };
/// let mut device = Idle { head: head.clone(), taken: None };
/// assert_eq!(device.request().unwrap().head, head);
/// assert!(matches!(device.answer(&alluvium_model::Silent).unwrap(), Answer::Never), "it took no model");
/// ```
pub trait Device: Debug + Send {
    /// The device asks for the central model, and states its task. Two calls give the same statement.
    ///
    /// # Errors
    /// When the device cannot say what it learns, because a file or a program fails.
    fn request(&mut self) -> Result<Announcement, DeviceError>;

    /// The first contact: the device takes the model. It may begin to adapt it at once.
    ///
    /// # Errors
    /// When the device cannot take the model, or has not answered for the one that it holds.
    fn take(&mut self, model: HandOut) -> Result<(), DeviceError>;

    /// The second contact: the device answers for the model that it took, once. A device that works in the caller's thread
    /// reports its steps to `progress`.
    ///
    /// # Errors
    /// When the device cannot adapt the model, training diverges, or the device holds no model.
    fn answer(&mut self, progress: &dyn Progress) -> Result<Answer, DeviceError>;

    /// How long the device worked for its last answer, if it waited meanwhile, too. Default, `None`: all the time.
    fn worked(&self) -> Option<Duration> {
        None
    }
}

/// Checks an expert against what its device announced and took. Nobody's word is taken for what can be computed.
///
/// # Errors
/// [`DeviceError::Contradiction`], which names what differs: the parent, the head, the number of samples, a tensor, a
/// statistic; or [`DeviceError::Model`] for a weight that is not finite, or a model that is not what was sent.
pub fn check_expert(expert: &Expert, announced: &Announcement, taken: &HandOut) -> Result<(), DeviceError> {
    let Announcement { task, head, samples, .. } = announced;
    let refuse =
        |problem: String, accepted: String| Err(DeviceError::Contradiction { task: task.clone(), problem, accepted });
    let (manifest, parent) = (&expert.manifest, taken.parent());
    if manifest.parent != parent {
        return refuse(format!("states the parent {}", manifest.parent), format!("the model that it took, {parent}"));
    }
    if expert.head() != head {
        let shown = |head: &HeadSpec| format!("the head \"{}\" of the classes {:?}", head.name, head.classes);
        return refuse(format!("has {}", shown(expert.head())), format!("{}, as it announced", shown(head)));
    }
    if manifest.task != taken.terms.device {
        return refuse(format!("states the task number {}", manifest.task), taken.terms.device.to_string());
    }
    if let Some(samples) = samples.filter(|samples| *samples != manifest.samples) {
        return refuse(format!("states {} samples", manifest.samples), format!("{samples}, as it announced"));
    }
    let kind = |model: &ModelState| serde_json::to_value(&model.classifier).unwrap_or_default();
    if kind(&expert.model) != kind(&taken.model) {
        let (own, given) = (&expert.model.classifier, &taken.model.classifier);
        return refuse(format!("has heads of the classifier {own:?}"), format!("that of its parent, {given:?}"));
    }
    let (own, given) = (expert.model.backbone_weights(), taken.model.backbone_weights());
    for (name, tensor) in given.iter() {
        match own.get(name) {
            None => return refuse(format!("lacks the tensor backbone.{name}"), "all tensors of its parent".to_owned()),
            Some(sent) if sent.shape != tensor.shape => {
                let problem = format!("has a tensor backbone.{name} of the shape {:?}", sent.shape);
                return refuse(problem, format!("the shape of its parent, {:?}", tensor.shape));
            }
            Some(_) => {}
        }
    }
    if let Some((name, _)) = own.iter().find(|(name, _)| given.get(name).is_none()) {
        return refuse(format!("has a tensor backbone.{name}"), "the tensors of its parent".to_owned());
    }
    let finite = |weights: &Weights| -> Result<(), ModelError> { weights.check_finite() };
    finite(&expert.model.weights).map_err(|cause| DeviceError::Model { task: task.clone(), cause: Box::new(cause) })?;
    let sent: Vec<_> = manifest.statistics.keys().cloned().collect();
    let mut asked = taken.terms.statistics.clone();
    asked.sort();
    if sent != asked {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return refuse(
            format!("carries the statistics {}", list(&sent)),
            format!("those that it was asked for: {}", list(&asked)),
        );
    }
    expert.check(&taken.model).map_err(|cause| DeviceError::Model { task: task.clone(), cause: Box::new(cause) })
}
