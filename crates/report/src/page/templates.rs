//! The page's templates, in which everything is escaped that is not marked as safe.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use crate::error::ReportError;

const PAGE: &str = include_str!("../../templates/page.html");
const RUN: &str = include_str!("../../templates/run.html");
const STYLE: &str = concat!(include_str!("../../templates/style.css"), include_str!("../../templates/figure.css"));
const SCRIPT: &str = include_str!("../../templates/page.js");

/// The whole page.
#[derive(Debug, Serialize)]
struct Page<'a> {
    title: &'a str,
    style: Value,
    script: Value,
    runs: &'a [Section],
}

/// One run's part of the page.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    /// The anchor.
    pub(crate) id: String,
    /// What the table of contents calls it.
    pub(crate) heading: String,
    /// The part itself.
    pub(crate) html: Value,
}

/// The page with these parts.
pub(crate) fn page(title: &str, runs: &[Section]) -> Result<String, ReportError> {
    let page = Page { title, style: safe(STYLE.to_owned()), script: safe(SCRIPT.to_owned()), runs };
    let mut html = environment()?.render_named_str("page.html", PAGE, Serde(page))?;
    html.push('\n');
    Ok(html)
}

/// The part of a run, from what the template needs to know of it.
pub(crate) fn run(context: impl Serialize) -> Result<Value, ReportError> {
    Ok(safe(environment()?.render_named_str("run.html", RUN, Serde(context))?))
}

/// Text that is HTML already: made by this crate, and without a word of the user's that is not escaped.
pub(crate) fn safe(html: String) -> Value {
    Value::from_safe_string(html)
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // A name that the context lacks is a slip of the pen, not something to leave out.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A line that holds a block alone leaves no empty line.
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).build()?);
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_html_is_not() {
        let sections = [Section { id: "run-1".into(), heading: "<b>".into(), html: safe("<p>text</p>".into()) }];
        let html = page("<script>alert('&')</script>", &sections).expect("renders");
        assert!(!html.contains("<script>alert"), "{html}");
        assert!(html.contains("<title>&lt;script&gt;"), "{html}");
        assert!(html.contains("<p>text</p>"), "{html}");
    }

    #[test]
    fn nothing_is_fetched() {
        let html = page("t", &[]).expect("renders");
        for address in ["http:", "https:", "//cdn", "@import", "url("] {
            assert!(!html.contains(address), "{address}");
        }
    }
}
