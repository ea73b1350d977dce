//! The plugins of the shipped binary.
//!
//! Rust does not link a dependency that no code names, and its registrations would be missing silently. So there is a line for
//! each plugin.

use alluvium_backbone_conv1d as _;
use alluvium_backbone_identity as _;
use alluvium_backbone_mlp as _;
use alluvium_backbone_resnet as _;
use alluvium_backbone_small_cnn as _;
use alluvium_backbone_vit_tiny as _;
use alluvium_backend_cuda as _;
use alluvium_backend_flex as _;
use alluvium_backend_ndarray as _;
use alluvium_backend_wgpu as _;
use alluvium_classifier_cosine as _;
use alluvium_device_checkpoints as _;
use alluvium_device_command as _;
use alluvium_device_in_process as _;
use alluvium_strategy_analytic as _;
use alluvium_strategy_class_statistics as _;
use alluvium_strategy_dare as _;
use alluvium_strategy_deep_model_consolidation as _;
use alluvium_strategy_ensemble as _;
use alluvium_strategy_ewc as _;
use alluvium_strategy_ex_model_distillation as _;
use alluvium_strategy_fedavg as _;
use alluvium_strategy_finetune as _;
use alluvium_strategy_fisher_merging as _;
use alluvium_strategy_lwf as _;
use alluvium_strategy_magmax as _;
use alluvium_strategy_naive as _;
use alluvium_strategy_opcm as _;
use alluvium_strategy_pld as _;
use alluvium_strategy_reg_mean as _;
use alluvium_strategy_replay as _;
use alluvium_strategy_slerp as _;
use alluvium_strategy_task_arithmetic as _;
use alluvium_strategy_ties as _;
use alluvium_strategy_weight_averaging as _;
use alluvium_stream_arrays as _;
use alluvium_stream_class_folders as _;
use alluvium_stream_core50 as _;
use alluvium_stream_emnist as _;
use alluvium_stream_mixed as _;
use alluvium_stream_parquet as _;
use alluvium_stream_split_cifar as _;
use alluvium_stream_split_fashion_mnist as _;
use alluvium_stream_split_glyphs as _;
use alluvium_stream_split_tiny_imagenet as _;
use alluvium_stream_svhn as _;
use alluvium_stream_table as _;
use alluvium_surrogate_data_impressions as _;
use alluvium_surrogate_dataset as _;
use alluvium_surrogate_image_folder as _;
use alluvium_surrogate_model_inversion as _;
use alluvium_surrogate_noise as _;
use alluvium_surrogate_single_image as _;
