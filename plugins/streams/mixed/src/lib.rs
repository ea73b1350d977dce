//! The `mixed` stream: the tasks of several other streams, one after another or in turn.
//!
//! `names` has the names of classes, `order` the order of the tasks, `stream` the running stream.

mod names;
mod order;
mod stream;

use std::path::PathBuf;

use alluvium_stream::{
    Digest, NestedError, Seed, StreamConfig, StreamError, TaskStream, nested_stream, options, plugin,
};
use serde_json::{Map, Value};

pub use order::Order;
use stream::{MixedStream, wrong};

/// Combines the tasks of several other streams into a stream of different data.
///
/// All streams must have inputs of one shape. Each keeps its classes and its heads: classes of different streams are
/// different, even if they have the same name. Such a name is prefixed with the stream's kind. The mixed stream counts
/// as class shift, whatever the scenarios of its streams. If two streams hold the same samples, for example because
/// they have the same kind, several devices get these samples.
#[options]
#[derive(PartialEq)]
pub struct MixedConfig {
    /// The streams: tables `[[stream.streams]]`, each with the `kind` and the options of any `[stream]`. At least one must be
    /// given.
    #[schemars(length(max = 100))]
    pub streams: Vec<Map<String, Value>>,
    /// The order of the tasks. `in-turn`: the first task of each stream, then the second of each, and so on.
    /// `one-after-another`: all tasks of the first stream, then all of the second. `shuffled`: the seed shuffles all
    /// tasks.
    pub order: Order,
}

#[plugin(kind = "mixed")]
impl StreamConfig for MixedConfig {
    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let build = |(number, config): (usize, Box<dyn StreamConfig>)| {
            let kind = self.kind(number);
            let which = format!("number {} ({kind}) cannot be built", number + 1);
            let built = config.build(seed.at("stream", number)).map_err(|error| match error {
                StreamError::Option { option, problem, accepted } => {
                    wrong(format!("{which}: `{option}` {problem}"), accepted)
                }
                other => wrong(format!("{which}: {other}"), "streams that can be built by themselves".to_owned()),
            })?;
            Ok((kind, built))
        };
        let parts = self.parts()?.into_iter().enumerate().map(build).collect::<Result<Vec<_>, StreamError>>()?;
        Ok(Box::new(MixedStream::new(parts, self.order, seed.of("order"))?))
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = self.parts().iter().flatten().flat_map(|part| part.files()).collect();
        files.sort();
        files.dedup();
        files
    }

    fn revision(&self) -> Option<Digest> {
        Digest::joined(self.parts().iter().flatten().filter_map(|part| part.revision()))
    }

    fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<_> = self.parts().iter().flatten().flat_map(|part| part.kinds()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

impl MixedConfig {
    /// The kind of the stream of this number, from 0, as the table names it.
    fn kind(&self, number: usize) -> &str {
        self.streams.get(number).and_then(|table| table.get("kind")?.as_str()).unwrap_or_default()
    }

    /// The configurations of the streams, each checked as a `[stream]` table is.
    fn parts(&self) -> Result<Vec<Box<dyn StreamConfig>>, StreamError> {
        if self.streams.is_empty() {
            let accepted = "at least one table [[stream.streams]] with the `kind` of a stream".to_owned();
            return Err(wrong("does not name a stream".to_owned(), accepted));
        }
        let read = |(index, table): (usize, &Map<String, Value>)| {
            let number = index + 1;
            nested_stream(table).map_err(|error| match error {
                NestedError::Kind { named, kinds } => {
                    wrong(format!("number {number} names {named}"), format!("one of the kinds {kinds}"))
                }
                NestedError::Option { path, problem, accepted } => {
                    let kind = self.kind(index);
                    wrong(format!("number {number} ({kind}) is wrong: `{}` {problem}", path.join(".")), accepted)
                }
                NestedError::Table { kind, cause } => {
                    let accepted = format!("the options of `alluvium show {kind}`");
                    wrong(format!("number {number} ({kind}) is wrong: {cause}"), accepted)
                }
            })
        };
        self.streams.iter().enumerate().map(read).collect()
    }
}

/// The error of the key `streams`.
#[cfg(test)]
mod tests;
