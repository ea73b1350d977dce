//! The expected shape of a value of the file: which schemas apply to it, and whether a list there is a sweep.

use alluvium_registry::{Family, SchemaNode, default_kind, descriptions, schemars};
use serde_json::{Map, Value, json};

use crate::root_table::RootTable;

/// The keys at the top of a file whose tables belong to a plugin. The strategies' tables are not among them: they are rows.
pub(crate) const PLUGIN_TABLES: [(&str, Family); 6] = [
    ("backend", Family::Backend),
    ("stream", Family::Stream),
    ("backbone", Family::Backbone),
    ("classifier", Family::Classifier),
    ("surrogate", Family::Surrogate),
    ("device", Family::Device),
];

/// The key of a `[[strategies]]` table with the row's own surrogate data. Like [`ROW_PROTOCOL`] and [`ROW_DEVICE`], it replaces
/// the table of the same name for its row.
pub const ROW_SURROGATE: &str = "surrogate";
/// The key with the row's own protocol; see [`ROW_SURROGATE`].
pub const ROW_PROTOCOL: &str = "protocol";
/// The key with the device settings in which the row differs; see [`ROW_SURROGATE`].
pub const ROW_DEVICE: &str = "device";

/// The key with the strategy for samples of an unknown task, a table of its own within the row.
pub use alluvium_strategy::UNKNOWN_TASK as ROW_UNKNOWN_TASK;

/// The table of devices with networks of their own.
pub(crate) const OWN_NETWORKS: &str = "own_networks";
/// Its key with the table of their backbone, which belongs to a plugin.
pub(crate) const OWN_BACKBONE: &str = "backbone";

/// The keys at the top of a file that have one value for the whole file.
pub(crate) const NOT_SWEPT: [&str; 4] = ["name", "seeds", "references", "strategies"];

/// The schemas of a file: of the tables that no plugin owns, and of the options of every linked plugin.
#[derive(Debug)]
pub(crate) struct Schemas {
    root: Value,
    plugins: Vec<Plugin>,
    /// The families whose tables need not name a kind.
    with_default: Vec<Family>,
}

#[derive(Debug)]
struct Plugin {
    family: Family,
    kind: String,
    schema: Value,
}

impl Schemas {
    /// The schemas of the plugins that are linked into the running binary.
    pub(crate) fn linked() -> Self {
        let plugins = descriptions().into_iter().map(|one| (one.family, one.kind, one.options_schema()));
        let with_default = Family::ALL.into_iter().filter(|family| default_kind(*family).is_some()).collect();
        Schemas { with_default, ..Schemas::new(plugins) }
    }

    pub(crate) fn new(plugins: impl IntoIterator<Item = (Family, &'static str, Value)>) -> Self {
        let plugin = |(family, kind, mut schema): (Family, &str, Value)| {
            schema["properties"]["kind"] = json!({"type": "string"});
            Plugin { family, kind: kind.to_owned(), schema }
        };
        Schemas {
            root: schemars::schema_for!(RootTable).to_value(),
            plugins: plugins.into_iter().map(plugin).collect(),
            with_default: vec![],
        }
    }

    /// The shape of a value at the top of a file.
    pub(crate) fn top(&self, key: &str) -> Shape<'_> {
        if NOT_SWEPT.contains(&key) {
            return Shape::Fixed;
        }
        match PLUGIN_TABLES.iter().find(|(table, _)| *table == key) {
            Some((_, family)) => Shape::Plugin(self, *family),
            None if key == OWN_NETWORKS => {
                Shape::OwnNetworks(self, SchemaNode::root(&self.root).property(key).into_iter().collect())
            }
            None => Shape::of(SchemaNode::root(&self.root).property(key)),
        }
    }

    /// The shape of a `[[strategies]]` table.
    pub(crate) fn strategy(&self) -> Shape<'_> {
        Shape::Plugin(self, Family::Strategy)
    }
}

/// The shape of a value.
#[derive(Debug, Clone)]
pub(crate) enum Shape<'a> {
    /// The value is taken as it is: no schema knows it, or the whole file has one value.
    Fixed,
    /// The table of a plugin. Its kind selects the schema.
    Plugin(&'a Schemas, Family),
    /// The keys of a strategy's table: the plugin's, and those of the row, which no plugin owns.
    Row(&'a Schemas, Vec<SchemaNode<'a>>),
    /// The table of devices with networks of their own, or its keys: those that no plugin owns, and the table of their backbone.
    OwnNetworks(&'a Schemas, Vec<SchemaNode<'a>>),
    /// The value has a schema. Where the kind is swept, it has one for each kind that knows the key.
    Options(Vec<SchemaNode<'a>>),
}

impl<'a> Shape<'a> {
    fn of(nodes: impl IntoIterator<Item = SchemaNode<'a>>) -> Self {
        let nodes: Vec<_> = nodes.into_iter().collect();
        if nodes.is_empty() { Shape::Fixed } else { Shape::Options(nodes) }
    }

    /// Whether a list here is a sweep: where one value is expected; or where a list is expected, and this is a list of lists.
    pub(crate) fn is_swept_by(&self, list: &[Value]) -> bool {
        match self {
            Shape::Fixed | Shape::Row(..) => false,
            Shape::Plugin(..) | Shape::OwnNetworks(..) => true,
            Shape::Options(nodes) if !nodes.iter().any(|node| node.takes_list()) => true,
            Shape::Options(nodes) => {
                let expects_lists = |node: &SchemaNode<'_>| node.items().is_none_or(SchemaNode::takes_list);
                let lists = nodes.iter().filter(|node| node.takes_list());
                !list.is_empty() && list.iter().all(Value::is_array) && !lists.into_iter().any(expects_lists)
            }
        }
    }

    /// The shape of the keys of a table. The kind or kinds of a plugin's table select it.
    pub(crate) fn of_table(&self, table: &Map<String, Value>) -> Self {
        let Shape::Plugin(schemas, family) = self else { return self.clone() };
        let kinds = match table.get("kind") {
            Some(Value::Array(kinds)) => kinds.as_slice(),
            Some(kind) => std::slice::from_ref(kind),
            None => &[],
        };
        // A table without a kind may mean the default kind, or that of the table that a row's own table changes.
        let unnamed = kinds.is_empty() && schemas.with_default.contains(family);
        let named =
            |plugin: &&Plugin| plugin.family == *family && (unnamed || kinds.iter().any(|kind| *kind == *plugin.kind));
        let nodes = schemas.plugins.iter().filter(named).map(|plugin| SchemaNode::root(&plugin.schema));
        match family {
            Family::Strategy => Shape::Row(schemas, nodes.collect()),
            _ => Shape::of(nodes),
        }
    }

    /// The shape of the value of one key.
    pub(crate) fn key(&self, key: &str) -> Self {
        match self {
            Shape::Row(schemas, _) if key == ROW_SURROGATE => Shape::Plugin(schemas, Family::Surrogate),
            Shape::Row(schemas, _) if key == ROW_UNKNOWN_TASK => schemas.strategy(),
            Shape::Row(schemas, _) if key == ROW_PROTOCOL || key == ROW_DEVICE => schemas.top(key),
            Shape::OwnNetworks(schemas, _) if key == OWN_BACKBONE => Shape::Plugin(schemas, Family::Backbone),
            Shape::Row(_, nodes) | Shape::OwnNetworks(_, nodes) | Shape::Options(nodes) => {
                Shape::of(nodes.iter().filter_map(|node| node.property(key)))
            }
            _ => Shape::Fixed,
        }
    }

    /// The shape of the items of a list that is not a sweep.
    pub(crate) fn item(&self) -> Self {
        match self {
            Shape::Options(nodes) => Shape::of(nodes.iter().filter_map(|node| node.items())),
            _ => Shape::Fixed,
        }
    }

    /// What is accepted, in words.
    pub(crate) fn accepts(&self) -> String {
        match self {
            Shape::Fixed | Shape::Row(..) => "any value".to_owned(),
            Shape::Plugin(_, family) => format!("a table with a `kind` of `alluvium list {}`", family.plural()),
            Shape::OwnNetworks(_, nodes) | Shape::Options(nodes) => {
                let mut words: Vec<_> = nodes.iter().map(|node| node.accepts()).collect();
                words.dedup();
                words.join(" or ")
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two strategies and a surrogate, as plugins would describe them.
    pub(crate) fn schemas() -> Schemas {
        let integer = || json!({"type": "integer", "minimum": 1});
        let pld = json!({"type": "object", "properties": {
            "steps": integer(),
            "start": {"enum": ["previous", "expert"]},
            "layers": {"type": "array", "items": {"type": "string"}},
            "clip": {"type": "object", "properties": {"norm": integer()}},
        }});
        let device = json!({"type": "object", "properties": {"epochs": integer(), "batch_size": integer()}});
        let plugins = [
            (Family::Device, "trainee", device),
            (Family::Backbone, "net", json!({"type": "object", "properties": {"width": integer()}})),
            (Family::Strategy, "naive", json!({"type": "object"})),
            (Family::Strategy, "pld", pld),
            (Family::Surrogate, "noise", json!({"type": "object", "properties": {"samples": integer()}})),
            (Family::Surrogate, "patches", json!({"type": "object", "properties": {"samples": integer()}})),
        ];
        Schemas { with_default: vec![Family::Device], ..Schemas::new(plugins) }
    }

    #[test]
    fn a_list_is_a_sweep_where_none_is_expected() {
        let schemas = schemas();
        let table = json!({"kind": "pld"});
        let pld = schemas.strategy().of_table(table.as_object().unwrap());
        let swept = |key: &str, list: Value| pld.key(key).is_swept_by(list.as_array().unwrap());
        assert!(swept("kind", json!(["naive", "pld"])));
        assert!(swept("steps", json!([1, 2])));
        assert!(swept("clip", json!([{"norm": 1}, {"norm": 2}])));
        assert!(!swept("layers", json!(["latent"])), "the list itself is the value");
        assert!(swept("layers", json!([["latent"], ["first", "latent"]])), "each of these lists is a value");
        assert!(!swept("layers", json!([["latent"], "first"])), "neither");
        assert!(!swept("layers", json!([])));
        assert!(!swept("unknown", json!([1, 2])));
        assert!(swept("surrogate", json!([{"kind": "noise"}, {"kind": "patches"}])), "a row's own surrogate data");
    }

    #[test]
    fn at_the_top_names_seeds_and_references_are_not_swept() {
        let schemas = schemas();
        let swept = |key: &str| schemas.top(key).is_swept_by(&[json!("a"), json!("b")]);
        assert!(swept("surrogate") && swept("device") && swept("protocol") && swept("baseline"));
        assert!(!swept("name") && !swept("seeds") && !swept("references") && !swept("unknown"));
    }

    #[test]
    fn the_backbone_of_own_networks_is_swept_like_any_table_of_a_plugin() {
        let schemas = schemas();
        let table = schemas.top("own_networks");
        let keys = table.of_table(&Map::new());
        let swept = |shape: &Shape<'_>| shape.is_swept_by(&[json!(1), json!(2)]);
        assert!(swept(&table) && swept(&keys.key("every")) && swept(&keys.key("start")));
        assert!(!swept(&keys.key("devices")), "the list itself is the value");
        assert!(swept(&keys.key("backbone")));
        let backbone = keys.key("backbone").of_table(json!({"kind": "net"}).as_object().unwrap());
        assert!(swept(&backbone.key("width")));
    }

    #[test]
    fn a_swept_kind_knows_the_keys_of_all_its_kinds() {
        let schemas = schemas();
        let table = json!({"kind": ["naive", "pld"]});
        let both = schemas.strategy().of_table(table.as_object().unwrap());
        assert!(both.key("steps").is_swept_by(&[json!(1)]));
        assert_eq!(both.key("steps").accepts(), "an integer at least 1");
        assert!(both.key("kind").is_swept_by(&[json!("naive")]));
    }
}
