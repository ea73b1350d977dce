//! Renders the data file again from the recipe.

use std::fs;
use std::path::{Path, PathBuf};

use alluvium_primitives::Digest;
use anyhow::{Context, Result, bail, ensure};

use super::alphabet::ALPHABET;
use super::recipe::Row;
use super::{idx, recipe, render};

/// File name of the images in the data folder.
const IMAGES: &str = "glyphs.idx.gz";

/// Rebuilds both files and writes them.
pub fn write(roots: &[PathBuf], folder: &Path) -> Result<()> {
    let rows = recipe::read(folder)?;
    for (name, bytes) in build(roots, &rows)? {
        let path = folder.join(name);
        fs::write(&path, &bytes).with_context(|| format!("writing {}", path.display()))?;
        println!("{} ({} bytes)", path.display(), bytes.len());
    }
    Ok(())
}

/// Rebuilds both files in memory and compares them with those on disk.
pub fn check(roots: &[PathBuf], folder: &Path) -> Result<()> {
    let rows = recipe::read(folder)?;
    for (name, rebuilt) in build(roots, &rows)? {
        let path = folder.join(name);
        let stored = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        if stored != rebuilt {
            bail!("{}: {}", path.display(), difference(&stored, &rebuilt));
        }
        println!("{} is up to date ({} bytes)", path.display(), stored.len());
    }
    Ok(())
}

/// Both data files, as file name and bytes.
fn build(roots: &[PathBuf], rows: &[Row]) -> Result<[(&'static str, Vec<u8>); 2]> {
    let mut pixels = Vec::with_capacity(rows.len() * render::FONT);
    for row in rows {
        let font = font_file(roots, row)?;
        let images = render::render(&font).with_context(|| format!("rendering {}", row.file))?;
        pixels.extend_from_slice(&images);
    }
    let fonts = u32::try_from(rows.len()).context("too many fonts for an IDX file")?;
    let images = idx::gzip(&idx::encode(fonts, ALPHABET.len() as u32, &pixels))?;
    Ok([(IMAGES, images), (recipe::FILE, recipe::encode(rows)?)])
}

/// The bytes of a font of the recipe, from the first root that has the file.
fn font_file(roots: &[PathBuf], row: &Row) -> Result<Vec<u8>> {
    let inside = row.file.trim_start_matches('/');
    let found = roots.iter().map(|root| root.join(inside)).find(|path| path.is_file());
    let Some(path) = found else {
        bail!("font file {} is missing; Debian package {} version {} provides it", row.file, row.package, row.version);
    };
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let digest = digest(&bytes);
    ensure!(
        digest == row.sha256,
        "font file {} has another SHA-256 ({digest}) than the recipe says ({}); \
         the recipe was made with Debian package {} version {}",
        path.display(),
        row.sha256,
        row.package,
        row.version
    );
    Ok(bytes)
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// Says in one sentence how two versions of a file differ.
fn difference(stored: &[u8], rebuilt: &[u8]) -> String {
    // Same pixels in other bytes point at the compressor, not at the fonts.
    let same_pixels = match (idx::gunzip(stored), idx::gunzip(rebuilt)) {
        (Ok(old), Ok(new)) => old == new,
        _ => false,
    };
    if same_pixels {
        return "holds the same images, but compressed to other bytes; \
                the version of the compression crate has changed"
            .to_owned();
    }
    let first = stored.iter().zip(rebuilt).position(|(old, new)| old != new);
    format!(
        "differs from the rebuilt file at byte {} ({} bytes stored, {} rebuilt)",
        first.unwrap_or(stored.len().min(rebuilt.len())),
        stored.len(),
        rebuilt.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(file: &str) -> Row {
        Row {
            index: 0,
            split: "train".into(),
            family: "Example".into(),
            font: "Example".into(),
            file: file.into(),
            package: "fonts-example".into(),
            version: "1.0-2".into(),
            licence: "OFL-1.1".into(),
            licence_evidence: "none".into(),
            sha256: "00".into(),
        }
    }

    #[test]
    fn missing_font_names_file_package_and_version() {
        let error = font_file(&[PathBuf::from("/")], &row("/nowhere/example.ttf"));
        let message = error.map(|_| ()).unwrap_err().to_string();
        for part in ["/nowhere/example.ttf", "fonts-example", "1.0-2"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn difference_names_the_first_byte() {
        assert!(difference(b"abc", b"abd").contains("byte 2"));
        assert!(difference(b"abc", b"abcd").contains("byte 3"));
    }
}
