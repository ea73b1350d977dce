//! Which family a font belongs to.
//!
//! A family here is a *design*, wider than the family name in the font file:
//! the sans, serif and monospaced branches of a superfamily, renamed releases
//! and revivals that share outlines all count as one. The cap per family and
//! the split into training and test parts rest on it.

/// Designs that appear under several names: a family name that starts with
/// the left side belongs to the family on the right.
const DESIGNS: &[(&str, &str)] = &[
    // Core fonts by one designer: Droid, then Open Sans, then Noto.
    ("Droid", "Noto"),
    ("Noto", "Noto"),
    ("Open Sans", "Noto"),
    // Metric-compatible core fonts, released under two sets of names.
    ("Arimo", "Liberation"),
    ("Cousine", "Liberation"),
    ("Liberation", "Liberation"),
    ("Tinos", "Liberation"),
    // Utopia and its descendants.
    ("Erewhon", "Utopia"),
    ("Heuristica", "Utopia"),
    ("Linguistics Pro", "Utopia"),
    ("erewhon", "Utopia"),
    // Times and its Unicode extensions.
    ("STEP", "STIX"),
    ("STIX", "STIX"),
    ("XITS", "STIX"),
    // Branches and renamed releases of one design each.
    ("Alegreya", "Alegreya"),
    ("Anonymous", "Anonymous Pro"),
    ("Archiv", "Archivo"),
    ("Averia", "Averia"),
    ("Baskervill", "Baskerville"),
    ("CMU", "Computer Modern"),
    ("Cabin", "Cabin"),
    ("Carlito", "Lato"),
    ("Cascadia", "Cascadia Code"),
    ("Coelacanth", "Coelacanth"),
    ("Comic Neue", "Comic Neue"),
    ("Cormorant", "Cormorant"),
    ("Courier Prime", "Courier Prime"),
    ("Crimson", "Crimson"),
    ("DejaVu", "DejaVu"),
    ("Elstob", "Elstob"),
    ("Fira", "Fira"),
    ("Foulis Greek", "Cardo"),
    ("Frm", "Forum"),
    ("Go Mono", "Go"),
    ("Hack", "DejaVu"),
    ("IBM Plex", "IBM Plex"),
    ("Inconsolata", "Inconsolata"),
    ("Josefin", "Josefin"),
    ("Junicode", "Junicode"),
    ("Klee", "Klee"),
    ("Kp", "Kp"),
    ("LXGW", "Klee"),
    ("Lato", "Lato"),
    ("Lexend", "Lexend"),
    ("Libertinus", "Libertinus"),
    ("Libre Baskerville", "Baskerville"),
    ("Libre Bskvl", "Baskerville"),
    ("Libre Caslon", "Libre Caslon"),
    ("Libre Csln", "Libre Caslon"),
    ("M PLUS", "M PLUS"),
    ("Merriweather", "Merriweather"),
    ("Montserrat", "Montserrat"),
    ("Mplus", "M PLUS"),
    ("Nanum", "Nanum"),
    ("Quattro", "Quattrocento"),
    ("Rasa", "Yrsa"),
    ("Ricty", "Inconsolata"),
    ("Roadgeek", "Roadgeek"),
    ("Roboto", "Roboto"),
    ("Source", "Source"),
    ("Spleen", "Spleen"),
    ("Theano", "Theano"),
    ("UM Typewriter", "Computer Modern"),
    ("UMTypewriter", "Computer Modern"),
    ("eurofurence", "Eurofurence"),
    ("kiloji", "Kiloji"),
    ("monofur", "Eurofurence"),
    ("unifur", "Eurofurence"),
];

/// Words that name a cut of a family, not the family.
const CUTS: &[&str] = &[
    "basic",
    "black",
    "bold",
    "book",
    "caption",
    "compact",
    "cond",
    "condensed",
    "demi",
    "display",
    "extra",
    "extralight",
    "half",
    "heavy",
    "italic",
    "light",
    "math",
    "medium",
    "narrow",
    "no2",
    "no3",
    "oblique",
    "plus",
    "pro",
    "regular",
    "semi",
    "semibold",
    "semicondensed",
    "std",
    "text",
    "thin",
    "tt",
    "ultra",
    "wide",
];

/// The family of a font, from the family name in its file.
pub fn of(name: &str) -> String {
    let design = DESIGNS.iter().find(|(start, _)| name.starts_with(start));
    match design {
        Some((_, family)) => (*family).to_owned(),
        None => without_cuts(name),
    }
}

/// The name without the words that name a cut: `Gentium Book Basic` is
/// `Gentium`.
fn without_cuts(name: &str) -> String {
    let is_cut = |word: &&str| CUTS.contains(&word.to_lowercase().as_str());
    let words = name.split([' ', '-', '_']).filter(|word| !word.is_empty());
    let kept: Vec<&str> = words.filter(|word| !is_cut(word)).collect();
    if kept.is_empty() { name.to_owned() } else { kept.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_dropped_and_branches_merged() {
        assert_eq!(of("Gentium Book Basic"), "Gentium");
        assert_eq!(of("Quicksand-Medium"), "Quicksand");
        assert_eq!(of("Open Sans Condensed"), "Noto");
        assert_eq!(of("Go Mono"), "Go");
        assert_eq!(of("Goudy Bookletter 1911"), "Goudy Bookletter 1911");
        assert_eq!(of("Display"), "Display");
    }
}
