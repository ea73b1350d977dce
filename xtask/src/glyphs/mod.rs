//! The chore that makes the Split Glyphs data set.
//!
//! Two jobs live here. *Rebuilding* reads the recipe (`fonts.csv`), checks the
//! digest of every font file it names and renders the data file again, byte
//! for byte. *Selecting* made that recipe from the fonts installed on a Debian
//! machine, and is kept so that the choice can be explained and made again.

mod alphabet;
mod debian;
mod dep5;
mod distance;
mod family;
mod idx;
mod legible;
mod licence;
mod names;
mod rebuild;
mod recipe;
mod render;
mod select;
mod split;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Arguments of `cargo xtask glyphs`.
#[derive(Args)]
pub struct GlyphsArgs {
    /// Folders under which the font files of the recipe are looked up, in
    /// order: a recipe path `/usr/share/x.ttf` is read at `DIR/usr/share/x.ttf`.
    #[arg(long = "fonts-root", value_name = "DIR", num_args = 1.., default_value = "/")]
    fonts_roots: Vec<PathBuf>,
    /// Write nothing; fail if the data files would change by one byte.
    #[arg(long)]
    check: bool,
    /// Folder of the data files.
    #[arg(long, value_name = "DIR", global = true)]
    out: Option<PathBuf>,
    #[command(subcommand)]
    job: Option<Job>,
}

/// The secondary job of the chore.
#[derive(Subcommand)]
enum Job {
    /// Choose the fonts again from those installed, and write a new recipe.
    Select,
}

/// Runs the chore.
pub fn run(args: &GlyphsArgs) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(default_out);
    match (&args.job, args.check) {
        (Some(Job::Select), _) => select::run(&out),
        (None, true) => rebuild::check(&args.fonts_roots, &out),
        (None, false) => rebuild::write(&args.fonts_roots, &out),
    }
}

/// The data folder of the plugin.
fn default_out() -> PathBuf {
    crate::repository().join("plugins/streams/split-glyphs/data")
}
