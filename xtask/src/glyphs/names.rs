//! Reads the strings of a font's `name` table.

use anyhow::{Context, Result};
use ttf_parser::{Face, PlatformId, name_id};

/// What a font says about itself; absent strings are empty.
#[derive(Debug, Default)]
pub struct Names {
    pub family: String,
    pub style: String,
    pub full: String,
    pub copyright: String,
    pub licence: String,
    pub licence_url: String,
}

/// Reads the names of a font file.
pub fn read(font_file: &[u8]) -> Result<Names> {
    let face = Face::parse(font_file, 0).context("not a readable TrueType or OpenType")?;
    let name = |id| first_name(&face, id);
    let or = |preferred: String, other: u16| if preferred.is_empty() { name(other) } else { preferred };
    Ok(Names {
        family: or(name(name_id::TYPOGRAPHIC_FAMILY), name_id::FAMILY),
        style: or(name(name_id::TYPOGRAPHIC_SUBFAMILY), name_id::SUBFAMILY),
        full: name(name_id::FULL_NAME),
        copyright: name(name_id::COPYRIGHT_NOTICE),
        licence: name(name_id::LICENSE),
        licence_url: name(name_id::LICENSE_URL),
    })
}

/// The English string of that id if there is one, else any, in one line.
fn first_name(face: &Face<'_>, id: u16) -> String {
    const ENGLISH: [u16; 2] = [0x0409, 0];
    let mut found = String::new();
    for name in face.names().into_iter().filter(|name| name.name_id == id) {
        let text = match name.platform_id {
            // Mac Roman agrees with ASCII, which is all that is looked at.
            PlatformId::Macintosh => name.name.iter().map(|&byte| char::from(byte)).collect(),
            _ => name.to_string().unwrap_or_default(),
        };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if found.is_empty() || (ENGLISH.contains(&name.language_id) && !text.is_empty()) {
            found = text;
        }
    }
    found
}
