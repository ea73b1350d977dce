//! The attributes of plugins: `options`, `plugin` and `strategy`.
//!
//! A plugin is its options and what it does. The attributes write the rest: derives, defaults, kind, description, schema and
//! registration. Each trait crate re-exports them (`alluvium_strategy::{options, plugin, strategy}`), and the generated code
//! names that crate. So a plugin needs no other dependency, and no manifest is read.
//! A trait crate that uses them in its own code also names itself: `extern crate self as alluvium_model;`.
//!
//! This crate holds the attributes only. It does not know a plugin, and depends on nothing of ours.

mod arguments;
mod facade;
mod kind;
mod options;
mod plugin;
mod strategy;

use proc_macro::TokenStream;

use facade::Facade;

/// The attributes that one trait crate re-exports as `options` and `plugin`.
macro_rules! attributes {
    ($facade:literal, $options:ident, $plugin:ident) => {
        /// Options of a plugin: what a table of a configuration is read into.
        ///
        /// On a struct with named fields, it derives `Debug`, `Clone`, `Serialize`, `Deserialize` and `JsonSchema`, and
        /// implements `Default`. A table need only name the options that differ. Unknown options are refused, unless a field is
        /// flattened. `#[default(…)]` on a field is its default; without it, the default is that of the field's type. Doc comments
        /// of the struct and its fields are what `alluvium show` prints. A struct with `#[serde(…)]` of its own keeps those
        /// attributes in place of `default` and `deny_unknown_fields`.
        ///
        /// A field with `#[state]` is not an option: it is what a running strategy keeps between devices. It is not read or
        /// written, and begins with the default of its type.
        ///
        /// On an enum of plain variants, the values of one option, it derives `Copy`, `PartialEq` and `Eq`, too. A value is
        /// written in lower case, with hyphens between words.
        ///
        /// Other traits are derived as usual, with `#[derive(PartialEq)]` below the attribute.
        #[proc_macro_attribute]
        pub fn $options(arguments: TokenStream, item: TokenStream) -> TokenStream {
            options::expand(arguments.into(), item.into(), Facade($facade)).into()
        }

        /// A plugin: `#[plugin(kind = "my-kind")]` on the implementation of the configuration's trait for the options.
        ///
        /// The kind becomes readable from a configuration, and the plugin's description is submitted. The trait says which family
        /// it is. `paper = "…"` is the publication of the method. With `default`, a table of the family that names no kind means
        /// this one.
        #[proc_macro_attribute]
        pub fn $plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
            plugin::expand(arguments.into(), item.into(), Facade($facade)).into()
        }
    };
}

attributes!("alluvium_backend", backend_options, backend_plugin);
attributes!("alluvium_device", device_options, device_plugin);
attributes!("alluvium_model", model_options, model_plugin);
attributes!("alluvium_strategy", strategy_options, strategy_plugin);
attributes!("alluvium_stream", stream_options, stream_plugin);

/// A strategy whose options are also the running strategy: `#[strategy(kind = "my-kind")]` on a struct that implements
/// `Strategy`.
///
/// It is `options` on the struct, and `plugin` on an implementation of `StrategyConfig` that it writes:
///
/// - `data = Surrogate` (or `CurrentTask`, `AllTasks`) is the data that the strategy needs; without it, none;
/// - `paper = "…"` is the publication of the method;
/// - `piecewise` says that each new value is computed only from the same value of the models, so that the strategy also
///   consolidates files larger than memory;
/// - `unlike_networks` says that it takes experts whose backbone is not the centre's.
///
/// Options that are flattened into the struct, such as `TrainingSettings`, are checked against a run by their own method `validate`.
/// What the strategy keeps between devices are fields with `#[state]`. A strategy that must say more, such as which runs it
/// fits, takes `options` on the struct and `plugin` on its own implementation of `StrategyConfig`.
#[proc_macro_attribute]
pub fn strategy(arguments: TokenStream, item: TokenStream) -> TokenStream {
    strategy::expand(arguments.into(), item.into(), Facade("alluvium_strategy")).into()
}
