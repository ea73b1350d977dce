//! `alluvium reference`: the reference of the documentation as Markdown pages, made from what is linked in.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;

use alluvium_config::RootTable;
use alluvium_registry::schemars::schema_for;
use alluvium_registry::{Description, Family, OptionDescription, SchemaNode, described};
use alluvium_results::Metric;
use anyhow::Context;
use clap::CommandFactory;
use serde_json::Value;

use crate::arguments::Arguments;
use crate::describe::{table, unit};
use crate::print;

pub(crate) fn reference(folder: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let pages = pages();
    for (name, text) in &pages {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    print(out, &format!("Written: {} pages in {}\n", pages.len(), folder.display()))
}

/// The pages, by their file names.
fn pages() -> Vec<(String, String)> {
    let families = Family::ALL.iter().map(|family| (format!("{}.md", family.plural()), of_family(*family)));
    let others = [("metrics.md", metrics()), ("commands.md", commands()), ("configuration.md", configuration())];
    families.chain(others.map(|(name, text)| (name.to_owned(), text))).collect()
}

fn of_family(family: Family) -> String {
    let name = family.plural();
    let mut title = name.to_owned();
    title[..1].make_ascii_uppercase();
    let kinds = described(family);
    let mut text = format!("# {title}\n\nThe kinds that a `{}` table names. {GENERATED}\n\n", family.table());
    text.push_str("| kind | what it does |\n|---|---|\n");
    for kind in &kinds {
        _ = writeln!(text, "| [`{0}`](#{0}) | {1} |", kind.kind, in_cell(&kind.summary()));
    }
    kinds.iter().for_each(|kind| text.push_str(&of_kind(kind)));
    text
}

const GENERATED: &str = "This page is generated from the program: `alluvium show KIND` prints the same.";

fn of_kind(kind: &Description) -> String {
    let mut text = format!("\n## {} {{ #{} }}\n\n{}\n", kind.kind, kind.kind, escaped(&kind.text()));
    if !kind.paper.is_empty() {
        _ = write!(text, "\n**Paper:** {}\n", escaped(kind.paper));
    }
    let options = kind.options();
    if options.is_empty() {
        text.push_str("\nIt has no options.\n");
    } else {
        text.push_str("\n| option | default | accepted | meaning |\n|---|---|---|---|\n");
        options.iter().for_each(|option| text.push_str(&row(option)));
    }
    _ = write!(
        text,
        "\n??? example \"As TOML, with all defaults\"\n\n    ```text\n{}    ```\n",
        indented(&table(kind))
    );
    text
}

fn row(option: &OptionDescription) -> String {
    let default = match (&option.default, option.required) {
        (Some(value), _) => format!("`{}`", in_cell(&value.to_string())),
        (None, true) => "must be given".to_owned(),
        (None, false) => "absent".to_owned(),
    };
    let (accepts, meaning) = (in_cell(&option.accepts), in_cell(&option.meaning));
    format!("| `{}` | {default} | {accepts} | {meaning} |\n", option.name)
}

fn metrics() -> String {
    let mut text = "# Metrics\n\nWhat is computed for every strategy and seed. R[t, i] is the accuracy on task i after expert t of T, and \
                    e[t] that of expert t on its own task. A metric that cannot be computed is absent. This page is generated.\n\n\
                    | metric | formula | unit | better | meaning |\n|---|---|---|---|---|\n"
        .to_owned();
    for metric in Metric::all() {
        let better = match metric.higher_is_better() {
            Some(true) => "higher",
            Some(false) => "lower",
            None => "–",
        };
        let unit = unit(metric.unit());
        let (formula, meaning) = (in_cell(metric.formula()), in_cell(metric.description()));
        _ = writeln!(text, "| `{metric}` | {formula} | {unit} | {better} | {meaning} |");
    }
    text
}

fn commands() -> String {
    let mut command = Arguments::command();
    command.build();
    let mut text = "# Commands\n\nThis page is generated: `alluvium COMMAND --help` prints the same.\n".to_owned();
    let names: Vec<_> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for name in names.iter().filter(|name| *name != "help") {
        let Some(one) = command.find_subcommand_mut(name) else { continue };
        let help = one.render_long_help().to_string();
        _ = write!(text, "\n## {name}\n\n```text\n{}```\n", ended(&help));
    }
    text
}

fn configuration() -> String {
    let schema = schema_for!(RootTable).to_value();
    let root = SchemaNode::root(&schema);
    let mut text = "# Configuration\n\nThe keys of a configuration that no plugin owns; the tables of plugins are on the pages of their families. \
                    `alluvium schema` prints the JSON Schema of the whole, for editors. This page is generated.\n"
        .to_owned();
    for (name, property) in root.properties() {
        let node = root.at(property);
        let meaning = property.get("description").or_else(|| node.schema().get("description"));
        let meaning = meaning.and_then(Value::as_str).unwrap_or_default();
        let accepts = escaped(&node.accepts());
        _ = write!(text, "\n## {name}\n\n{}\n\nAccepted: {accepts}.\n", escaped(meaning));
        let inner: Vec<_> = node.properties().collect();
        if !inner.is_empty() {
            text.push_str("\n| key | default | accepted | meaning |\n|---|---|---|---|\n");
        }
        for (key, property) in inner {
            let own = node.at(property);
            let meaning = property.get("description").or_else(|| own.schema().get("description"));
            let default = property.get("default").filter(|value| !value.is_null());
            let option = OptionDescription {
                name: key.clone(),
                meaning: meaning.and_then(Value::as_str).unwrap_or_default().to_owned(),
                default: default.cloned(),
                accepts: own.accepts(),
                required: false,
            };
            text.push_str(&row(&option));
        }
    }
    text
}

/// Text in a cell of a table: one line, without what Markdown or HTML would read.
fn in_cell(text: &str) -> String {
    escaped(&text.split_whitespace().collect::<Vec<_>>().join(" ")).replace('|', "\\|")
}

/// Text in which `<` begins no tag, and asterisks and underscores outside code mean themselves.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| {
        let is_code = number % 2 == 1;
        if is_code { part.to_owned() } else { part.replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_") }
    });
    parts.collect::<Vec<_>>().join("`")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_option_metric_and_command_is_in_the_reference() {
        let pages = pages();
        let page = |name: &str| &pages.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("{name}")).1;
        for family in Family::ALL {
            let page = page(&format!("{}.md", family.plural()));
            for kind in described(family) {
                assert!(page.contains(&format!("\n## {} {{", kind.kind)), "{}", kind.kind);
                for option in kind.options() {
                    assert!(page.contains(&format!("\n| `{}` | ", option.name)), "{} {}", kind.kind, option.name);
                }
            }
        }
        for metric in Metric::all() {
            assert!(page("metrics.md").contains(&format!("| `{metric}` | ")), "{metric}");
        }
        for command in Arguments::command().get_subcommands() {
            assert!(page("commands.md").contains(&format!("\n## {}\n", command.get_name())), "{command}");
        }
        for key in ["protocol", "seeds", "references", "strategies", "evaluation", "initial"] {
            assert!(page("configuration.md").contains(&format!("\n## {key}\n")), "{key}");
        }
    }

    #[test]
    fn text_means_itself_in_a_table() {
        assert_eq!(in_cell("a < b | `x_y`\n c_d *"), "a &lt; b \\| `x_y` c\\_d \\*");
    }
}
