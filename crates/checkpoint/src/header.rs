//! The header of a safetensors file: the tensors, and the bytes of each.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;

use safetensors::tensor::Metadata;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Place;
use crate::shown::shown;
use crate::tensor::elements;
use crate::{CheckpointError, Dtype, TensorInfo};

/// The most bytes of a header that the reference implementation reads.
pub(crate) const LONGEST_HEADER: u64 = 100_000_000;

/// The only key of the header that is not a tensor.
pub(crate) const METADATA: &str = "__metadata__";

/// More dimensions than any framework supports. The limit keeps a list of sizes from filling the memory.
pub(crate) const MOST_DIMENSIONS: usize = 64;

/// The checked content of a header.
#[derive(Debug)]
pub(crate) struct Header {
    /// Each tensor with its range of bytes, relative to the end of the header. In the order of the bytes.
    pub tensors: Vec<(TensorInfo, Range<u64>)>,
    pub metadata: BTreeMap<String, String>,
}

/// Parses the JSON of a header that is followed by `data` bytes.
///
/// The reference implementation makes the same checks, but does not say which tensor is wrong. So it is called last.
pub(crate) fn parse(place: &Place, json: &[u8], data: u64) -> Result<Header, CheckpointError> {
    let text = str::from_utf8(json)
        .map_err(|error| place.broken(format!("its header is not UTF-8 (at byte {})", error.valid_up_to())))?;
    let entries: Entries =
        serde_json::from_str(text).map_err(|error| place.broken(format!("its header cannot be read ({error})")))?;
    let mut tensors = vec![];
    for (name, entry) in entries.tensors {
        tensors.push(entry.checked(place, name, data)?);
    }
    // An empty tensor may have the same offset as the next tensor.
    tensors.sort_by_key(|(_, bytes)| (bytes.start, bytes.end));
    check_cover(place, &tensors, data)?;
    ask_reference(place, text)?;
    Ok(Header { tensors, metadata: entries.metadata })
}

/// Checks that every byte belongs to exactly one tensor.
fn check_cover(place: &Place, tensors: &[(TensorInfo, Range<u64>)], data: u64) -> Result<(), CheckpointError> {
    let (mut covered, mut previous) = (0, "the header");
    for (info, bytes) in tensors {
        if bytes.start != covered {
            let what =
                if bytes.start < covered { "they overlap" } else { "the bytes between them belong to no tensor" };
            let reason = format!(
                "begins at byte {} of the data, where {} ends at byte {covered}: {what}",
                bytes.start,
                shown(previous)
            );
            return Err(place.tensor(&info.name, reason));
        }
        (covered, previous) = (bytes.end, &info.name);
    }
    match data - covered {
        0 => Ok(()),
        more => Err(place.broken(format!("{more} bytes after the last tensor belong to no tensor"))),
    }
}

fn ask_reference(place: &Place, header: &str) -> Result<(), CheckpointError> {
    match serde_json::from_str::<Metadata>(header) {
        Ok(_) => Ok(()),
        Err(error) => Err(place.broken(format!("its header is refused by the reference implementation ({error})"))),
    }
}

/// The header as parsed from JSON.
#[derive(Debug, Default)]
struct Entries {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Entry)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Sizes,
    data_offsets: [u64; 2],
}

impl Entry {
    fn checked(self, place: &Place, name: String, data: u64) -> Result<(TensorInfo, Range<u64>), CheckpointError> {
        let dtype = Dtype::named(&self.dtype).ok_or_else(|| {
            let reason = format!("has values of type {}; accepted: {}", shown(&self.dtype), Dtype::accepted());
            place.tensor(&name, reason)
        })?;
        let shape = self.shape.0;
        let needed = elements(&shape).and_then(|count| count.checked_mul(dtype.bytes())).ok_or_else(|| {
            place.tensor(&name, format!("has the shape {shape:?}, which is more than fits into memory"))
        })? as u64;
        let [start, end] = self.data_offsets;
        if end < start || end > data {
            let reason = format!("claims the bytes {start} to {end} of the data, but the file has only {data}");
            return Err(place.tensor(&name, reason));
        }
        if end - start != needed {
            let reason = format!("has {} bytes; the shape {shape:?} of {dtype} needs {needed}", end - start);
            return Err(place.tensor(&name, reason));
        }
        Ok((TensorInfo { name, dtype, shape }, start..end))
    }
}

/// The sizes of the dimensions, at most [`MOST_DIMENSIONS`].
#[derive(Debug)]
struct Sizes(Vec<usize>);

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Sizes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST_DIMENSIONS} sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sizes, A::Error> {
                let mut sizes = vec![];
                while let Some(size) = list.next_element()? {
                    if sizes.len() == MOST_DIMENSIONS {
                        return Err(de::Error::invalid_length(MOST_DIMENSIONS + 1, &self));
                    }
                    sizes.push(size);
                }
                Ok(Sizes(sizes))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Entries, A::Error> {
                let mut entries = Entries::default();
                let mut seen = HashSet::new();
                while let Some(name) = table.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(de::Error::custom(format!("the tensor {} occurs twice", shown(&name))));
                    }
                    if name == METADATA {
                        entries.metadata =
                            table.next_value::<Option<_>>().map_err(|error| within(&name, &error))?.unwrap_or_default();
                    } else {
                        let entry = table.next_value().map_err(|error| within(&name, &error))?;
                        entries.tensors.push((name, entry));
                    }
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Table)
    }
}

/// The same error, with the name of its entry.
fn within<E: de::Error>(name: &str, error: &E) -> E {
    de::Error::custom(format!("the entry {}: {error}", shown(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_in_the_order_of_their_bytes() {
        let json = r#"{"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]},"__metadata__":{"format":"pt"},
            "none":{"dtype":"I64","shape":[0,3],"data_offsets":[1,1]},"a":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}  "#;
        let header = parse(&Place::new("a.safetensors"), json.as_bytes(), 9).unwrap();
        let names: Vec<_> = header.tensors.iter().map(|(info, bytes)| (info.name.as_str(), bytes.clone())).collect();
        assert_eq!(names, [("a", 0..1), ("none", 1..1), ("b", 1..9)]);
        assert_eq!(header.metadata, BTreeMap::from([("format".to_owned(), "pt".to_owned())]));
        assert!(header.tensors[0].0.shape.is_empty());
    }
}
