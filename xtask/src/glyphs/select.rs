//! Makes the recipe from the fonts that are installed.
//!
//! The rules, in order: the licence is clearly permissive; all 62 glyphs are
//! there and sound; the family name is not one of [`UNFIT`]; the glyphs can be
//! recognised from other families; no font nearly repeats an earlier one; at
//! most [`PER_FAMILY`] fonts of a family. Every step works on a sorted list,
//! so the same installed packages always give the same recipe.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::debian::{self, Installed};
use super::licence::{Decision, Licences};
use super::names::{self, Names};
use super::recipe::{self, Row};
use super::{distance, family, legible, rebuild, render, split};

/// Most fonts taken from one family, so that none dominates.
const PER_FAMILY: usize = 3;
/// Below this mean difference of grey levels a font repeats another.
const REPEAT: f64 = 9.0;
/// Least share of glyphs recognised from other families.
const LEGIBLE: f64 = 0.60;
/// Family names refused by eye, for what the rules above cannot see.
const UNFIT: &[&str] = &[
    // Capitals drawn as large small letters (M as m, N as n).
    "Berenika",
    "Jessen",
    "Klaudia",
    "Montserrat Alternates",
    // Small capitals that differ enough from capitals to pass.
    "Go Smallcaps",
    // A repackaged DejaVu Sans Mono under another licence.
    "Logix",
    "Logix Mono",
    // Built from sources under several statements of licence.
    "OCR B",
    // A struck-through D.
    "Ricty Diminished Discord",
];

/// A font that may be used, with its rendering.
struct Candidate {
    installed: Installed,
    decision: Decision,
    family: String,
    font: String,
    rank: u8,
    sha256: String,
    pixels: Vec<u8>,
    small: Vec<u8>,
}

/// Selects the fonts and writes the recipe into the data folder.
pub fn run(folder: &Path) -> Result<()> {
    let candidates = keep_legible(candidates()?);
    let chosen = cap(drop_repeats(candidates));
    let rows = rows(&chosen);
    let path = folder.join(recipe::FILE);
    fs::write(&path, recipe::encode(&rows)?).with_context(|| format!("writing {}", path.display()))?;
    report(&rows);
    Ok(())
}

/// Every installed font that is permitted and sound, sorted by family, with
/// the plainest cut of each family first.
fn candidates() -> Result<Vec<Candidate>> {
    let licences = Licences::read()?;
    let mut found = Vec::new();
    for installed in debian::font_files()? {
        found.extend(candidate(&licences, installed)?);
    }
    found.sort_by(|a, b| key(a).cmp(&key(b)));
    Ok(found)
}

fn key(candidate: &Candidate) -> (&str, u8, &str, &str) {
    let Candidate { family, rank, font, installed, .. } = candidate;
    (family, *rank, font, &installed.file)
}

/// One font file as a candidate, or nothing if a rule refuses it.
fn candidate(licences: &Licences, installed: Installed) -> Result<Option<Candidate>> {
    let file = &installed.file;
    let bytes = fs::read(file).with_context(|| format!("reading {file}"))?;
    // Skips files that are not fonts, or not Latin ones.
    let Ok(names) = names::read(&bytes) else {
        return Ok(None);
    };
    let Some(decision) = licences.decide(&installed, &names) else {
        return Ok(None);
    };
    let family = family::of(&names.family);
    let Ok(pixels) = render::render(&bytes) else {
        return Ok(None);
    };
    let refused = family.is_empty() || UNFIT.contains(&names.family.as_str());
    if refused || !legible::is_sound(&pixels) {
        return Ok(None);
    }
    Ok(Some(Candidate {
        decision,
        family,
        font: font_name(&names),
        rank: rank(&names),
        sha256: rebuild::digest(&bytes),
        small: legible::shrink(&pixels),
        pixels,
        installed,
    }))
}

fn font_name(names: &Names) -> String {
    if names.full.is_empty() { format!("{} {}", names.family, names.style) } else { names.full.clone() }
}

/// Plain, bold, slanted, bold slanted, and then all other cuts.
fn rank(names: &Names) -> u8 {
    match names.style.to_lowercase().as_str() {
        "regular" | "roman" | "book" | "normal" => 0,
        "bold" => 1,
        "italic" | "oblique" | "regular italic" => 2,
        "bold italic" | "bolditalic" | "bold oblique" | "boldoblique" => 3,
        _ => 4,
    }
}

/// Drops fonts that cannot be read by comparison with one font of each of
/// the other families.
fn keep_legible(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut plain: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for candidate in &candidates {
        plain.entry(&candidate.family).or_insert(&candidate.small);
    }
    let readable: Vec<bool> = candidates
        .iter()
        .map(|candidate| {
            let others = plain.iter().filter(|(family, _)| **family != candidate.family);
            let others: Vec<&[u8]> = others.map(|(_, small)| *small).collect();
            let score = legible::score(&candidate.small, &others);
            if score < LEGIBLE {
                println!("illegible ({score:.2}): {}", candidate.font);
            }
            score >= LEGIBLE
        })
        .collect();
    let pairs = candidates.into_iter().zip(readable);
    pairs.filter_map(|(candidate, readable)| readable.then_some(candidate)).collect()
}

/// Drops every font that nearly repeats an earlier one.
fn drop_repeats(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let repeats = |other: &Candidate| distance::between(&candidate.pixels, &other.pixels) < REPEAT;
        if !kept.iter().any(repeats) {
            kept.push(candidate);
        }
    }
    kept
}

/// Keeps the first fonts of each family.
fn cap(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut under_cap = |candidate: &Candidate| {
        let count = taken.entry(candidate.family.clone()).or_default();
        *count += 1;
        *count <= PER_FAMILY
    };
    candidates.into_iter().filter(|candidate| under_cap(candidate)).collect()
}

/// The rows of the recipe, in the order of the candidates.
fn rows(chosen: &[Candidate]) -> Vec<Row> {
    let fonts: Vec<(&str, &[u8])> =
        chosen.iter().map(|candidate| (candidate.family.as_str(), candidate.pixels.as_slice())).collect();
    let parts = split::assign(&fonts);
    let numbered = chosen.iter().zip(parts).enumerate();
    numbered.map(|(index, (candidate, part))| row(index, part, candidate)).collect()
}

fn row(index: usize, part: &str, candidate: &Candidate) -> Row {
    Row {
        index,
        split: part.to_owned(),
        family: candidate.family.clone(),
        font: candidate.font.clone(),
        file: candidate.installed.file.clone(),
        package: candidate.installed.package.clone(),
        version: candidate.installed.version.clone(),
        licence: candidate.decision.licence.clone(),
        licence_evidence: candidate.decision.evidence.clone(),
        sha256: candidate.sha256.clone(),
    }
}

/// Prints the numbers that the README of the data set states.
fn report(rows: &[Row]) {
    for part in ["train", "test"] {
        let of_part = rows.iter().filter(|row| row.split == part);
        let families = count(of_part.clone().map(|row| row.family.as_str()));
        println!("{part}: {} fonts of {} families", of_part.count(), families.len());
    }
    for (licence, fonts) in count(rows.iter().map(|row| row.licence.as_str())) {
        println!("{licence}: {fonts} fonts");
    }
    for (package, fonts) in count(rows.iter().map(|row| row.package.as_str())) {
        println!("{package}: {fonts} fonts");
    }
}

fn count<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}
