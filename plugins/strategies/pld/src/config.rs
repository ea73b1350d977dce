//! The options of the strategy.

use alluvium_strategy::{DistillationSettings, StudentStart, options};

/// Which inputs the student is distilled on.
#[options]
pub enum Data {
    /// Surrogate data: inputs that belong to no device.
    Surrogate,
    /// The inputs of the device's own task, where the protocol grants them.
    CurrentTask,
}

/// The distance in output space.
#[options]
pub enum OutputLoss {
    /// The mean squared error of logits, the teacher's less their mean.
    Mse,
    /// The Kullback–Leibler divergence of softened probabilities.
    Kl,
}

/// The distance in latent space.
#[options]
pub enum LatentLoss {
    /// The mean squared error.
    Mse,
    /// One minus the cosine.
    Cosine,
}

/// The shape of the projections from the student's latent into each teacher's.
#[options]
pub enum Projection {
    /// None: the student's latent is compared as it is.
    None,
    /// One linear layer.
    Linear,
    /// Two linear layers with a rectifier between them.
    Mlp,
}

/// What batch normalisation does in the student.
#[options]
pub enum BatchNorm {
    /// Keeps the running statistics that the student starts with.
    Frozen,
    /// Normalises by the surrogate batch, and moves the running statistics towards it.
    Batch,
    /// As `frozen` while the student learns; then its running statistics become mean and variance over all inputs of the
    /// fixed set under its final weights, layer after layer: AdaBN (Li et al., "Revisiting batch normalization for practical
    /// domain adaptation", arXiv 1603.04779, Algorithm 1), as the last step of training like the update of Izmailov et al.,
    /// arXiv 1803.05407, section 3. It costs one pass over the inputs per batch normalisation of the backbone.
    Recalibrated,
}

/// Data-agnostic consolidation: a student is distilled from the previous central model and the expert at once, in the
/// output space and in a projected latent space, on surrogate data.
///
/// L = `output_weight`·L_KD + `latent_weight`·L_PLD with L_KD = mse(z_S\[old\], N(z_P)) + mse(z_S\[new\], N(z_E)), where N
/// subtracts a sample's mean over the teacher's logits, and L_PLD = D(g_P(h_S), h_P) + D(g_E(h_S), h_E). A class that both
/// teachers know is distilled from the mean of their logits. `latent_weight = 0` is plain double distillation, much
/// as in `deep-model-consolidation`, whose mean is over the logits of both teachers at once.
#[options]
#[derive(PartialEq)]
pub struct PldConfig {
    /// Which weights the student starts from. `initial` weights have no statistics yet, so with them a backbone with batch
    /// normalisation needs `batch_norm = "batch"`. Default: `average` on a backbone with batch normalisation, where a student that
    /// starts far from its teachers loses what surrogate data do not show; otherwise `expert`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<StudentStart>,
    /// Which inputs the student is distilled on; `current-task` needs a protocol that grants it.
    #[default(Data::Surrogate)]
    pub data: Data,
    /// How the student and the projections learn. If none of these keys is changed, a backbone with batch normalisation has a
    /// learning rate of 0.005 that falls along a cosine: its statistics are frozen, so larger steps leave what they were made for.
    #[serde(flatten)]
    pub distillation: DistillationSettings,
    /// The weight of L_KD, the distillation in output space; 0 leaves only latent distillation.
    #[default(1.0)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub output_weight: f64,
    /// The distance in output space.
    #[default(OutputLoss::Mse)]
    pub output_loss: OutputLoss,
    /// The temperature τ of `output_loss = "kl"`; the loss is multiplied by τ².
    #[default(2.0)]
    #[schemars(range(min = 0.01, max = 1000.0))]
    pub temperature: f64,
    /// λ, the weight of L_PLD, the distillation in latent space; 0 leaves only double distillation.
    #[default(1.0)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub latent_weight: f64,
    /// The distance in latent space.
    #[default(LatentLoss::Mse)]
    pub latent_loss: LatentLoss,
    /// The shape of the projections. They learn beside the student, at the same learning rate. A `linear` one between latents of the
    /// same size starts as the identity; other ones start at random. Devices whose own networks have another latent size need one.
    #[default(Projection::Linear)]
    pub projection: Projection,
    /// The layers that are distilled in latent space, by the backbone's names; the last one is always called `latent`. The networks of
    /// devices with a backbone of their own must have layers of the same names.
    #[default(vec!["latent".to_owned()])]
    #[schemars(length(min = 1, max = 1024))]
    pub layers: Vec<String>,
    /// The weight of the previous central model as a teacher; with 0, only the expert teaches.
    #[default(1.0)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub previous_weight: f64,
    /// The weight of the expert as a teacher; with 0, only the previous central model teaches.
    #[default(1.0)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub expert_weight: f64,
    /// What batch normalisation does in the student. `frozen` is the default, because the statistics of surrogate data
    /// are not those of the devices' data. `recalibrated` estimates them once, after the student has learned, on the fixed set of
    /// surrogate data or on the current task's samples, whatever `batch_size` is. A backbone without batch normalisation accepts
    /// only `frozen`, because the others would have no effect.
    #[default(BatchNorm::Frozen)]
    pub batch_norm: BatchNorm,
}
