//! Reads a machine-readable Debian copyright file (the format called DEP-5).

/// The licence of `Files: *`, if the file is machine-readable.
pub fn licence_of_everything(copyright: &str) -> Option<String> {
    paragraphs(copyright)
        .filter(|paragraph| patterns(paragraph).contains(&"*"))
        .find_map(|paragraph| field(paragraph, "License:"))
        .map(str::to_owned)
}

/// The licences of paragraphs whose file pattern singles out font files.
pub fn licences_of_font_patterns(copyright: &str) -> Vec<String> {
    let of_fonts = |pattern: &&str| {
        let pattern = pattern.to_lowercase();
        let parts = [".ttf", ".otf", "fonts/"];
        parts.iter().any(|part| pattern.contains(part))
    };
    paragraphs(copyright)
        .filter(|paragraph| patterns(paragraph).iter().any(of_fonts))
        .filter_map(|paragraph| field(paragraph, "License:"))
        .map(str::to_owned)
        .collect()
}

fn paragraphs(copyright: &str) -> impl Iterator<Item = &str> {
    copyright.split("\n\n")
}

/// The first line of a field.
fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    let line = paragraph.lines().find_map(|line| line.strip_prefix(name));
    line.map(str::trim)
}

/// The file patterns of a paragraph, which may go on over indented lines.
fn patterns(paragraph: &str) -> Vec<&str> {
    let from_field = paragraph.lines().skip_while(|line| !line.starts_with("Files:"));
    let of_field = from_field.enumerate().take_while(|(at, line)| *at == 0 || line.starts_with([' ', '\t']));
    let words = of_field.flat_map(|(_, line)| line.split_whitespace());
    words.filter(|word| *word != "Files:").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_licence_of_everything() {
        let text = "Format: x\n\nFiles: debian/*\nLicense: GPL-2+\n\nFiles: *\nLicense: OFL-1.1\n";
        assert_eq!(licence_of_everything(text).as_deref(), Some("OFL-1.1"));
        assert!(licences_of_font_patterns(text).is_empty());
    }

    #[test]
    fn patterns_go_on_over_lines() {
        let text = "Files:\n a/*\n b.ttf\nCopyright: c.ttf\nLicense: MIT\n";
        assert_eq!(patterns(text), ["a/*", "b.ttf"]);
        assert_eq!(licences_of_font_patterns(text), ["MIT"]);
    }
}
