//! The classes and functions that a pickle of weights may name. None of them is ever called.

use std::fmt;

use crate::Dtype;

/// A known class or function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// A function of `torch._utils` that builds a tensor from a storage.
    Tensor(Rebuild),
    /// `torch._utils._rebuild_parameter` with or without a state, or `torch.nn.parameter.Parameter` itself before version 0.4.
    Parameter,
    /// `torch._tensor._rebuild_from_type_v2`: a tensor with attributes, or of a subclass.
    FromType,
    /// `torch.Tensor`, or the class of a buffer. They do not change the values.
    TensorClass,
    /// `torch.Size`.
    Size,
    /// A class such as `torch.FloatStorage`, and its type if that is accepted.
    Storage { class: String, dtype: Option<Dtype> },
    /// A type such as `torch.float32`, if it is accepted.
    Dtype(Dtype),
}

/// The function that builds a tensor. The functions differ in their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rebuild {
    /// `_rebuild_tensor(storage, offset, sizes, strides)`, before version 0.4.
    V1,
    /// `_rebuild_tensor_v2(…, requires_grad, hooks, metadata=None)`.
    V2,
    /// `_rebuild_tensor_v3(…, requires_grad, hooks, dtype, metadata=None)`. The length of its storage is in bytes.
    V3,
}

impl Global {
    /// The class or function with this name, if weights need it.
    pub(crate) fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor") => Global::Tensor(Rebuild::V1),
            ("torch._utils", "_rebuild_tensor_v2") => Global::Tensor(Rebuild::V2),
            ("torch._utils", "_rebuild_tensor_v3") => Global::Tensor(Rebuild::V3),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
            | ("torch.nn.parameter", "Parameter") => Global::Parameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Global::FromType,
            ("torch" | "torch._tensor", "Tensor") | ("torch.nn.parameter", "Buffer") => Global::TensorClass,
            ("torch", "Size") => Global::Size,
            ("torch" | "torch.storage", class) if is_storage(class) => {
                Global::Storage { class: class.to_owned(), dtype: Dtype::of_storage(class) }
            }
            ("torch", name) => Global::Dtype(Dtype::of_torch(name)?),
            _ => return None,
        })
    }
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Global::OrderedDict => f.write_str("collections.OrderedDict"),
            Global::Tensor(Rebuild::V1) => f.write_str("torch._utils._rebuild_tensor"),
            Global::Tensor(Rebuild::V2) => f.write_str("torch._utils._rebuild_tensor_v2"),
            Global::Tensor(Rebuild::V3) => f.write_str("torch._utils._rebuild_tensor_v3"),
            Global::Parameter => f.write_str("torch._utils._rebuild_parameter"),
            Global::FromType => f.write_str("torch._tensor._rebuild_from_type_v2"),
            Global::TensorClass => f.write_str("torch.Tensor"),
            Global::Size => f.write_str("torch.Size"),
            Global::Storage { class, .. } => write!(f, "torch.{class}"),
            Global::Dtype(dtype) => write!(f, "torch.{}", dtype.in_torch()),
        }
    }
}

/// The storage without a type. Its length is in bytes, and the tensor states the type.
pub(crate) const UNTYPED: &str = "UntypedStorage";

/// How many bytes a value of this storage class takes. Types that are not accepted are included, because an optimiser
/// may use them.
pub(crate) fn storage_width(class: &str) -> Option<u64> {
    Some(match class {
        "ComplexDoubleStorage" => 16,
        "ComplexFloatStorage" => 8,
        "QInt32Storage" => 4,
        "QInt8Storage" | "QUInt8Storage" | UNTYPED => 1,
        _ => Dtype::of_storage(class)?.bytes() as u64,
    })
}

/// Includes storages of types that are not accepted, so that the error can name the tensor.
fn is_storage(class: &str) -> bool {
    class.len() <= 40 && class.ends_with("Storage") && class.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_weights_need_is_known() {
        let storage = Global::Storage { class: "HalfStorage".to_owned(), dtype: Some(Dtype::F16) };
        assert_eq!(Global::named("torch", "HalfStorage"), Some(storage));
        let unknown = Global::Storage { class: "ComplexFloatStorage".to_owned(), dtype: None };
        assert_eq!(Global::named("torch", "ComplexFloatStorage"), Some(unknown));
        assert_eq!(Global::named("torch", "bfloat16"), Some(Global::Dtype(Dtype::Bf16)));
        for (module, name) in [
            ("os", "system"),
            ("torch", "load"),
            ("torch", "float8_e4m3fn"),
            ("torch.hub", "Storage"),
            ("torch", "a.Storage"),
        ] {
            assert_eq!(Global::named(module, name), None, "{module}.{name}");
        }
    }
}
