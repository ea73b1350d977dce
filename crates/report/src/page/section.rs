//! The section of the page on one run.

use std::collections::BTreeMap;
use std::io::Cursor;

use alluvium_results::{PictureLabel, Results, RowRole, SoundLabel, TaskLabel};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Value;
use serde::Serialize;

use super::comparison::{self, ComparisonPart};
use super::templates::{self, Section};
use crate::allowed::{self, Allowances};
use crate::error::ReportError;
use crate::figure::{Figure, Outcome};
use crate::label::one_line;
use crate::table::Table;

/// The smallest scale at which a figure is shown. Below that it scrolls, so that its text stays legible.
const LEAST_SCALE: f64 = 0.75;

/// The largest scale at which a figure is shown.
const MOST_SCALE: f64 = 1.3;

/// A figure that is wider than this, in pixels, has its own line of the page.
const WIDE: f64 = 700.0;

/// The size of a pixel of a picture, in pixels of the page.
const PICTURE_SCALE: u32 = 3;

/// The media types of the sounds that browsers play.
const SOUND_TYPES: [&str; 2] = ["audio/flac", "audio/wav"];

/// The position of a run in the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunPosition<'a> {
    /// The index of the run.
    pub(crate) index: usize,
    /// The number of runs.
    pub(crate) runs: usize,
    /// The name of the run, which is that of its folder.
    pub(crate) name: &'a str,
}

/// The values for the template.
#[derive(Debug, Serialize)]
struct Context {
    id: String,
    heading: String,
    several: bool,
    first: bool,
    /// The elements for headings of parts and below. They are a level deeper if each run has a heading.
    part_tag: &'static str,
    sub_tag: &'static str,
    facts: Vec<Fact>,
    parts: Vec<ComparisonPart>,
    notes: Vec<String>,
    allowed_title: &'static str,
    allowed: Allowances,
    figures: Vec<ShownFigure>,
    pictures: Vec<Picture>,
    machine: Vec<Group>,
    /// The title of the list of tasks.
    tasks_title: String,
    tasks: Vec<Task>,
    rows: Vec<Settings>,
    config: String,
}

#[derive(Debug, Serialize)]
struct Fact {
    name: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct Group {
    title: &'static str,
    facts: Vec<Fact>,
}

#[derive(Debug, Default, Serialize)]
struct ShownFigure {
    title: String,
    /// Why it is missing; `None` if it is not.
    missing: Option<String>,
    name: String,
    caption: String,
    wide: bool,
    least_width: u32,
    most_width: u32,
    svg: Value,
    svg_uri: Value,
    csv_uri: Value,
}

#[derive(Debug, Serialize)]
struct Picture {
    title: String,
    file: String,
    /// The picture itself; `None` if its file was not found.
    uri: Option<Value>,
    /// The width at which it is shown, in pixels; `None` if the file does not state its width.
    width: Option<u32>,
    /// The sounds of its samples.
    sounds: Vec<Sound>,
}

#[derive(Debug, Serialize)]
struct Sound {
    title: String,
    uri: Value,
}

#[derive(Debug, Serialize)]
struct Task {
    device: usize,
    name: String,
    classes: String,
    train_samples: String,
    test_samples: usize,
}

#[derive(Debug, Serialize)]
struct Settings {
    name: String,
    kind: String,
    settings: String,
}

/// The section of a run.
pub(crate) fn section(
    position: RunPosition<'_>,
    results: &Results,
    figures: &[Outcome],
    pictures: &BTreeMap<String, Vec<u8>>,
) -> Result<Section, ReportError> {
    let table = Table::new(results);
    let id = format!("run-{}", position.index + 1);
    let heading = heading(position, results);
    let (part_tag, sub_tag) = if position.runs > 1 { ("h3", "h4") } else { ("h2", "h3") };
    let context = Context {
        id: id.clone(),
        heading: heading.clone(),
        several: position.runs > 1,
        first: position.index == 0,
        part_tag,
        sub_tag,
        facts: facts(position, &table, results),
        parts: comparison::parts(&table),
        notes: comparison::notes(&table),
        allowed_title: allowed::TITLE,
        allowed: table.allowed.clone(),
        figures: figures.iter().map(|outcome| shown_figure(outcome, position)).collect(),
        pictures: results.pictures.iter().map(|label| picture(label, pictures)).collect(),
        machine: machine(results),
        tasks_title: tasks_title(results),
        tasks: results.tasks.iter().enumerate().map(|(index, label)| task(results.device(index), label)).collect(),
        rows: results
            .rows
            .iter()
            .map(|row| Settings {
                name: one_line(&row.name),
                kind: one_line(&row.kind),
                settings: pretty(&row.settings),
            })
            .collect(),
        config: pretty(&results.config),
    };
    Ok(Section { id, heading, html: templates::run(context)? })
}

/// The heading: the name of the comparison. With several runs, the name of the run follows, which distinguishes runs of one
/// comparison, unless it begins with the name of the comparison.
fn heading(position: RunPosition<'_>, results: &Results) -> String {
    let (title, run) = (one_line(&results.name), one_line(position.name));
    match position.runs {
        1 => title,
        _ if run.starts_with(&title) => run,
        _ => format!("{title} ({run})"),
    }
}

fn facts(position: RunPosition<'_>, table: &Table, results: &Results) -> Vec<Fact> {
    let seeds: Vec<String> = results.seeds.iter().map(u64::to_string).collect();
    let rows = |role| results.rows.iter().filter(|row| row.role == role).count().to_string();
    let facts = [
        ("run", one_line(position.name)),
        ("protocol", table.run.protocol.clone()),
        ("tasks", results.tasks.len().to_string()),
        ("strategies", rows(RowRole::Strategy)),
        ("references", rows(RowRole::Reference)),
        ("seeds", seeds.join(", ")),
        ("baseline", table.run.baseline.clone().unwrap_or_else(|| "none".to_owned())),
    ];
    facts.into_iter().map(|(name, value)| Fact { name: name.to_owned(), value }).collect()
}

fn shown_figure(outcome: &Outcome, position: RunPosition<'_>) -> ShownFigure {
    match outcome {
        Outcome::Missing { title, reason } => {
            ShownFigure { title: title.clone(), missing: Some(reason.clone()), ..ShownFigure::default() }
        }
        Outcome::Drawn(figure) => {
            let width = width(figure);
            ShownFigure {
                title: figure.title.clone(),
                missing: None,
                // Downloads of several runs end up in one folder.
                name: if position.runs > 1 {
                    format!("run-{}-{}", position.index + 1, figure.name)
                } else {
                    figure.name.clone()
                },
                caption: figure.caption.clone(),
                wide: width > WIDE,
                least_width: (width * LEAST_SCALE) as u32,
                most_width: (width * MOST_SCALE) as u32,
                svg: templates::safe(figure.svg.clone()),
                svg_uri: data_uri("image/svg+xml", figure.svg.as_bytes()),
                csv_uri: data_uri("text/csv", figure.csv.as_bytes()),
            }
        }
    }
}

/// The width of the figure in pixels.
fn width(figure: &Figure) -> f64 {
    let width = figure.svg.split_once(" width=\"").and_then(|(_, rest)| rest.split_once('"')?.0.parse().ok());
    width.unwrap_or(WIDE)
}

fn picture(label: &PictureLabel, pictures: &BTreeMap<String, Vec<u8>>) -> Picture {
    let bytes = pictures.get(&label.file);
    Picture {
        title: one_line(&label.title),
        file: one_line(&label.file),
        uri: bytes.map(|bytes| data_uri("image/png", bytes)),
        width: bytes.and_then(|bytes| picture_width(bytes)).map(|width| width.saturating_mul(PICTURE_SCALE)),
        sounds: label.sounds.iter().filter_map(|sound| self::sound(sound, pictures)).collect(),
    }
}

/// A sound, if its file was found. Types that are not those of sounds are not played.
fn sound(label: &SoundLabel, files: &BTreeMap<String, Vec<u8>>) -> Option<Sound> {
    let kind = SOUND_TYPES.into_iter().find(|kind| label.media_type == *kind)?;
    Some(Sound { title: one_line(&label.title), uri: data_uri(kind, files.get(&label.file)?) })
}

/// The width of the PNG in pixels; `None` if it cannot be read.
fn picture_width(png: &[u8]) -> Option<u32> {
    let reader = image::ImageReader::with_format(Cursor::new(png), image::ImageFormat::Png);
    Some(reader.into_dimensions().ok()?.0)
}

/// The bytes as a data URI. Base64 has no characters with a meaning in HTML.
fn data_uri(kind: &str, bytes: &[u8]) -> Value {
    templates::safe(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
}

fn machine(results: &Results) -> Vec<Group> {
    let facts = |facts: &BTreeMap<String, String>| {
        facts.iter().map(|(name, value)| Fact { name: one_line(name), value: one_line(value) }).collect()
    };
    let groups = [
        Group { title: "Environment", facts: facts(&results.environment) },
        Group { title: "Versions", facts: facts(&results.versions) },
    ];
    groups.into_iter().filter(|group| !group.facts.is_empty()).collect()
}

/// The first seed, if tasks depend on the seed: the listed tasks are those of this seed.
fn tasks_title(results: &Results) -> String {
    match results.seeds.first().filter(|_| results.tasks_vary) {
        Some(seed) => format!("Tasks under seed {seed}; others under each seed"),
        None => "Tasks".to_owned(),
    }
}

fn task(device: usize, label: &TaskLabel) -> Task {
    Task {
        device,
        name: one_line(&label.name),
        classes: one_line(&label.classes.join(", ")),
        train_samples: label.train_samples.map_or_else(|| "–".to_owned(), |samples| samples.to_string()),
        test_samples: label.test_samples,
    }
}

/// JSON in a form for people.
fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}
