//! Which Debian packages are installed, and which font files they own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const STATUS: &str = "/var/lib/dpkg/status";
const LISTS: &str = "/var/lib/dpkg/info";

/// A font file and the package that owns it.
#[derive(Clone, Debug)]
pub struct Installed {
    pub file: String,
    pub package: String,
    pub version: String,
}

/// Every TrueType and OpenType file of the font packages, sorted by path.
pub fn font_files() -> Result<Vec<Installed>> {
    let mut found = Vec::new();
    for (package, version) in font_packages()? {
        let list = Path::new(LISTS).join(format!("{package}.list"));
        let list = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
        for file in list.lines().filter(|file| is_font(file)) {
            found.push(Installed { file: file.to_owned(), package: package.clone(), version: version.clone() });
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// Installed packages that ship fonts, with their versions.
fn font_packages() -> Result<BTreeMap<String, String>> {
    let status = fs::read_to_string(STATUS).with_context(|| format!("reading {STATUS}"))?;
    let mut packages = BTreeMap::new();
    for record in status.split("\n\n") {
        let field = |name: &str| {
            let line = record.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim)
        };
        let (Some(package), Some(version)) = (field("Package:"), field("Version:")) else {
            continue;
        };
        let installed = field("Status:") == Some("install ok installed");
        let of_fonts = package.starts_with("fonts-") || package == "texlive-fonts-extra";
        if installed && of_fonts {
            packages.insert(package.to_owned(), version.to_owned());
        }
    }
    Ok(packages)
}

/// A real font file: links into another package would name the wrong owner.
fn is_font(file: &str) -> bool {
    let lower = file.to_lowercase();
    let named = lower.ends_with(".ttf") || lower.ends_with(".otf");
    named && fs::symlink_metadata(file).is_ok_and(|meta| meta.is_file())
}
