//! Decides whether a font may be used, and on what evidence.
//!
//! A font is taken only if its distributor (the Debian copyright file, or the
//! TeX Live list of licences) states a permissive licence for it *and* the
//! font itself says nothing to the contrary. Anything that mentions the GPL
//! is refused, even as one of two choices or with a font exception: the set
//! has to be clean without a lawyer.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;

use super::debian::Installed;
use super::dep5;
use super::names::Names;

const TEX_PACKAGE: &str = "texlive-fonts-extra";
const TEX_LICENCES: &str = "/usr/share/doc/texlive-fonts-extra/Licenses.gz";
const TEX_ROOT: &str = "/usr/share/texlive/";

/// The licence of a font and the places that state it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub licence: String,
    pub evidence: String,
}

/// The licence statements of the distributors.
pub struct Licences {
    tex: Vec<TexEntry>,
}

/// The licences of one TeX Live package, and the folders it installs.
struct TexEntry {
    package: String,
    licences: Vec<String>,
    folders: Vec<String>,
}

impl Licences {
    /// Reads the TeX Live list; Debian copyright files are read on demand.
    pub fn read() -> Result<Self> {
        let packed = match fs::read(TEX_LICENCES) {
            Ok(packed) => packed,
            Err(_) => return Ok(Self { tex: Vec::new() }),
        };
        let mut text = String::new();
        GzDecoder::new(packed.as_slice())
            .read_to_string(&mut text)
            .with_context(|| format!("reading {TEX_LICENCES}"))?;
        Ok(Self { tex: parse_tex(&text) })
    }

    /// The licence of a font, or nothing if it is not clearly permissive.
    pub fn decide(&self, font: &Installed, names: &Names) -> Option<Decision> {
        if objects(names) {
            return None;
        }
        match font.package.as_str() {
            TEX_PACKAGE => self.decide_tex(font, names),
            package => decide_debian(package, names),
        }
    }

    /// TeX Live names one list of licences for fonts and macros alike, so a
    /// mixed list needs the font's own word on which of them is the font's.
    fn decide_tex(&self, font: &Installed, names: &Names) -> Option<Decision> {
        let inside = font.file.strip_prefix(TEX_ROOT)?;
        let holds = |entry: &&TexEntry| entry.folders.iter().any(|f| inside.starts_with(f));
        let entry = self.tex.iter().find(holds)?;
        let listed: Vec<&str> = entry.licences.iter().filter_map(|l| permissive(l)).collect();
        if entry.licences.iter().any(|licence| licence.contains("gpl")) {
            return None;
        }
        let list = format!("TeX Live Licenses.gz: {}: {}", entry.package, entry.licences.join(" "));
        match own_licence(names) {
            Some((licence, place)) if listed.contains(&licence) => {
                Some(Decision { licence: licence.to_owned(), evidence: format!("{list}; {place}") })
            }
            None if listed.len() == 1 && entry.licences.len() == 1 => {
                Some(Decision { licence: listed[0].to_owned(), evidence: list })
            }
            _ => None,
        }
    }
}

/// A Debian package: the licence of its `Files: *`, or, in an older prose
/// copyright file, the standard sentence of the SIL licence.
fn decide_debian(package: &str, names: &Names) -> Option<Decision> {
    let path = Path::new("/usr/share/doc").join(package).join("copyright");
    let copyright = fs::read(&path).ok()?;
    let copyright = String::from_utf8_lossy(&copyright);
    let (licence, stated) = match dep5::licence_of_everything(&copyright) {
        Some(expression) => {
            let others = dep5::licences_of_font_patterns(&copyright);
            if others.iter().any(|other| permissive(other).is_none()) {
                return None;
            }
            let licence = permissive(&expression)?;
            (licence, format!("Files: * License: {expression}"))
        }
        None => (prose_licence(&copyright)?, "SIL OFL text".to_owned()),
    };
    let place = match own_licence(names) {
        // Two permissive statements that differ are still not "no question".
        Some((own, _)) if own != licence && !licence.contains(own) => return None,
        Some((_, place)) => format!("; {place}"),
        None => String::new(),
    };
    Some(Decision { licence: licence.to_owned(), evidence: format!("{}: {stated}{place}", path.display()) })
}

/// The licence of a copyright file written as prose.
fn prose_licence(copyright: &str) -> Option<&'static str> {
    let text = copyright.split_whitespace().collect::<Vec<_>>().join(" ");
    let sil = text.contains("This Font Software is licensed under the SIL Open Font License");
    let gpl = text.contains("GPL") || text.contains("General Public");
    (sil && !gpl).then_some("OFL")
}

/// The name of a permissive licence, or nothing. Both versions of the SIL Open
/// Font License are called `OFL`: they differ in nothing that matters here, and
/// most fonts do not say which one they mean.
fn permissive(expression: &str) -> Option<&'static str> {
    let key = expression.to_lowercase().replace(['_', ' '], "-");
    match key.as_str() {
        "ofl"
        | "ofl-1.0"
        | "ofl-1.1"
        | "ofl-1.1-rfn"
        | "sil-ofl-1.1"
        | "sil-1.1"
        | "sil-open-font-license"
        | "sil-open-font-license-1.1"
        | "open-font-license-1.0" => Some("OFL"),
        "mit" | "expat" | "x11" => Some("MIT"),
        "apache2" | "apache-2" | "apache-2.0" => Some("Apache-2.0"),
        "bsd2" | "bsd-2-clause" => Some("BSD-2-Clause"),
        "bsd3" | "bsd-3-clause" => Some("BSD-3-Clause"),
        "cc0" | "cc0-1.0" => Some("CC0-1.0"),
        "pd" | "public-domain" | "public-domain." | "unlicense" => Some("public-domain"),
        "bitstream-vera" => Some("Bitstream-Vera"),
        "expat-and-bitstreamvera" => Some("MIT and Bitstream-Vera"),
        _ => None,
    }
}

/// The licence that the font's own `name` table states, and where.
fn own_licence(names: &Names) -> Option<(&'static str, String)> {
    let strings = [(13, &names.licence), (14, &names.licence_url), (0, &names.copyright)];
    strings.iter().find_map(|(id, text)| {
        let text = text.to_lowercase();
        let says = |part: &str| text.contains(part);
        let licence = match () {
            () if says("open font licen") || says("scripts.sil.org/ofl") => "OFL",
            () if says("apache.org/licenses") || says("apache license") => "Apache-2.0",
            () if says("licenses/mit") || says("mit license") => "MIT",
            () if says("public domain") && !says("bitstream") => "public-domain",
            () => return None,
        };
        Some((licence, format!("font name table id {id}")))
    })
}

/// Whether the font itself names terms that are not permissive.
fn objects(names: &Names) -> bool {
    let terms = [&names.licence, &names.licence_url, &names.copyright];
    let text = terms.map(|text| text.to_lowercase()).join(" ");
    let refused = [
        "gpl",
        "general public",
        "gust",
        "lppl",
        "project public license",
        "commercial",
        "creativecommons.org/licenses/by",
        "personal use",
        "shareware",
    ];
    // The SIL text forbids selling the font by itself, which is acceptable.
    let sil = text.contains("open font licen");
    refused.iter().any(|term| text.contains(term) && !(sil && *term == "commercial"))
}

/// Reads `package: licence licence` lines, each followed by its paths.
fn parse_tex(text: &str) -> Vec<TexEntry> {
    let mut entries: Vec<TexEntry> = Vec::new();
    for line in text.lines() {
        if let Some((package, licences)) = line.split_once(": ") {
            entries.push(TexEntry {
                package: package.to_owned(),
                licences: licences.split_whitespace().map(str::to_owned).collect(),
                folders: Vec::new(),
            });
        } else if let (Some(entry), Some(folder)) = (entries.last_mut(), line.strip_suffix('*')) {
            entry.folders.push(folder.to_owned());
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permissive_licences_pass() {
        assert_eq!(permissive("SIL-OFL-1.1"), Some("OFL"));
        assert_eq!(permissive("Expat"), Some("MIT"));
        for refused in ["GPL-2+", "OFL-1.1 or GPL-2+", "lppl1.3c", "CC-BY-SA-3.0", ""] {
            assert_eq!(permissive(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_font_that_names_the_gpl_is_refused() {
        let names =
            Names { licence: "GPL- General Public License AND OFL-Open Font License".into(), ..Names::default() };
        assert!(objects(&names));
    }

    #[test]
    fn tex_list_is_read() {
        let list = parse_tex("head\n\nfbb: ofl lppl1.3\ntexmf-dist/fonts/opentype/public/fbb/*\n");
        assert_eq!(list[0].licences, ["ofl", "lppl1.3"]);
        assert_eq!(list[0].folders, ["texmf-dist/fonts/opentype/public/fbb/"]);
    }
}
