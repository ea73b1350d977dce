//! The usual place of a run directory.

use std::path::{Path, PathBuf};

/// The run directory of an experiment of this name if none is given: `results/NAME`.
pub fn usual_folder(name: &str) -> PathBuf {
    let plain = |character: char| match character {
        '/' | '\\' | ':' | '\0' => '-',
        other => other,
    };
    Path::new("results").join(name.trim_matches('.').chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_the_folder_of_results() {
        assert_eq!(usual_folder("quick start"), Path::new("results/quick start"));
        assert_eq!(usual_folder("../a:b"), Path::new("results/-a-b"));
    }
}
