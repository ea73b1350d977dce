//! `alluvium list` and `alluvium show`: the descriptions of the plugins, and the metrics.

use std::io::Write;

use alluvium_registry::{Description, Family, OptionDescription, described, descriptions, did_you_mean};
use alluvium_results::{Metric, Unit};
use serde_json::Value;

use crate::arguments::FamilyArgument;
use crate::{Refusal, print};

pub(crate) fn list(wanted: Option<FamilyArgument>, out: &mut dyn Write) -> anyhow::Result<()> {
    let (families, metrics) = match wanted.map(FamilyArgument::family) {
        None => (Family::ALL.to_vec(), Metric::all()),
        Some(Some(family)) => (vec![family], vec![]),
        Some(None) => (vec![], Metric::all()),
    };
    let kinds = descriptions().into_iter().map(|description| description.kind.len());
    let widest = kinds.chain(metrics.iter().map(|metric| metric.name().len())).max().unwrap_or(0);
    let sections = families.into_iter().map(|family| {
        let lines = described(family).into_iter().map(|one| format!("  {:widest$}  {}\n", one.kind, one.summary()));
        format!("{}\n{}", family.plural(), lines.collect::<String>())
    });
    let lines = metrics.iter().map(|metric| format!("  {:widest$}  {}\n", metric.name(), metric.description()));
    let lines: String = lines.collect();
    let of_metrics = (!lines.is_empty()).then(|| format!("metrics\n{lines}"));
    print(out, &sections.chain(of_metrics).collect::<Vec<_>>().join("\n"))
}

pub(crate) fn show(kind: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let found: Vec<_> = descriptions().into_iter().filter(|description| description.kind == kind).collect();
    let metric = Metric::from_name(kind);
    if found.is_empty() && metric.is_none() {
        let metrics = Metric::all();
        let names = descriptions().into_iter().map(|description| description.kind);
        let meant = did_you_mean(kind, names.chain(metrics.iter().map(|metric| metric.name())), '"');
        let accepted = "accepted: what `alluvium list` prints";
        return Err(Refusal(format!("no kind and no metric is called \"{kind}\"{meant}; {accepted}")).into());
    }
    let texts: Vec<_> = found.into_iter().map(page).chain(metric.map(of_metric)).collect();
    print(out, &texts.join("\n"))
}

/// One metric: its formula and its meaning.
fn of_metric(metric: Metric) -> String {
    let better = match metric.higher_is_better() {
        Some(true) => "; higher is better",
        Some(false) => "; lower is better",
        None => "",
    };
    let (formula, meaning, unit) = (metric.formula(), metric.description(), unit(metric.unit()));
    format!("{metric} (metric)\n\n{formula}\n\n{meaning}.\n\nUnit: {unit}{better}.\n")
}

/// A unit in words.
pub(crate) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Fraction => "fraction",
        Unit::Bytes => "bytes",
        Unit::Seconds => "seconds",
        Unit::Count => "count",
    }
}

/// One kind: a comment that says what it does, and its table.
fn page(description: &Description) -> String {
    let mut lines = vec![format!("{} ({})", description.kind, description.family), String::new(), description.text()];
    if !description.paper.is_empty() {
        lines.push(format!("\nPaper: {}", description.paper));
    }
    lines.push(String::new());
    lines.push(table(description));
    lines.join("\n")
}

/// A kind's table with all its options, each under a comment with its meaning and range.
pub(crate) fn table(description: &Description) -> String {
    let mut text = format!("{}\nkind = \"{}\"\n", description.family.table(), description.kind);
    for option in description.options() {
        let note = format!("{} Accepted: {}.", full_stop(&option.meaning), option.accepts);
        text.push_str(&comment(&note));
        text.push_str(&assignment(&option));
    }
    text
}

fn full_stop(sentence: &str) -> String {
    let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    if sentence.ends_with(['.', ';', ':']) || sentence.is_empty() { sentence } else { format!("{sentence}.") }
}

/// Text as comment lines of at most 100 columns.
pub(crate) fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > 100 {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    format!("{lines}{line}\n")
}

/// `key = default`, commented out if the key has no default.
fn assignment(option: &OptionDescription) -> String {
    match option.default.as_ref().map(toml_value) {
        Some(Some(value)) => format!("{} = {value}\n", option.name),
        _ if option.required => format!("# {} = …  (must be given)\n", option.name),
        _ => format!("# {} = …  (absent by default)\n", option.name),
    }
}

/// A JSON value as TOML writes it.
fn toml_value(value: &Value) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}
