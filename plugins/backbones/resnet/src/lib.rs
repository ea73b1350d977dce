//! Residual networks with batch normalisation: the backbones `slim-resnet18`, `resnet18`, `resnet34`, `resnet50` and
//! `resnet32`.
//!
//! They are one network (`network`, of the blocks in `block`) in several layouts. The names of its tensors are those on
//! the right of the tables `torchvision-resnet` and `timm-resnet` of `alluvium-checkpoint`.

mod block;
mod cifar;
mod conv_norm;
mod imagenet;
mod layout;
mod network;
mod slim;

pub use block::Shortcut;
pub use cifar::ResNet32Config;
pub use imagenet::{ResNet18Config, ResNet34Config, ResNet50Config};
pub use slim::SlimResNet18Config;

#[cfg(test)]
mod tests;
