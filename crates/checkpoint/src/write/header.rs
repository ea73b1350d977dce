//! The beginning of a safetensors file: the length of the header, and the header, padded with spaces to a multiple of
//! eight.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::error::Place;
use crate::header::{LONGEST_HEADER, METADATA};
use crate::{CheckpointError, TensorInfo};

/// All bytes before the values of the first tensor.
pub(crate) fn bytes(
    place: &Place,
    tensors: &[TensorInfo],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, CheckpointError> {
    let json =
        serde_json::to_vec(&WrittenHeader { tensors, metadata }).map_err(|error| place.broken(error.to_string()))?;
    let length = json.len().next_multiple_of(8);
    if length as u64 > LONGEST_HEADER {
        return Err(place.broken(format!("would have a header of {length} bytes; accepted: at most {LONGEST_HEADER}")));
    }
    let mut bytes = (length as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&json);
    bytes.resize(8 + length, b' ');
    Ok(bytes)
}

struct WrittenHeader<'a> {
    tensors: &'a [TensorInfo],
    metadata: &'a BTreeMap<String, String>,
}

#[derive(serde::Serialize)]
struct WrittenEntry<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [u64; 2],
}

impl Serialize for WrittenHeader<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            table.serialize_entry(METADATA, self.metadata)?;
        }
        let mut start = 0;
        for info in self.tensors {
            // The sum of bytes was checked when the files were planned.
            let end = start + info.bytes();
            let entry = WrittenEntry { dtype: info.dtype.name(), shape: &info.shape, data_offsets: [start, end] };
            table.serialize_entry(&info.name, &entry)?;
            start = end;
        }
        table.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;

    #[test]
    fn a_header_is_padded_to_eight_bytes() {
        let tensors = [TensorInfo { name: "a".to_owned(), dtype: Dtype::Bf16, shape: vec![2, 1] }];
        let bytes = bytes(&Place::new("a"), &tensors, &BTreeMap::new()).unwrap();
        // 57 characters and 7 spaces.
        let expected = b"\x40\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[0,4]}}       ";
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expected));
    }
}
