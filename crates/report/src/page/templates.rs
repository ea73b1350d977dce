//! The templates of the page. They escape everything that is not marked as safe.

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

/// The section of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    /// The anchor.
    pub(crate) id: String,
    /// Its name in the table of contents.
    pub(crate) heading: String,
    /// The section itself.
    pub(crate) html: Value,
}

/// The page with these sections.
pub(crate) fn page(title: &str, runs: &[Section]) -> Result<String, ReportError> {
    let page = Page { title, style: safe(STYLE.to_owned()), script: safe(SCRIPT.to_owned()), runs };
    let mut html = environment()?.render_named_str("page.html", PAGE, Serde(page))?;
    html.push('\n');
    Ok(html)
}

/// The section of a run, from the values for the template.
pub(crate) fn run(context: impl Serialize) -> Result<Value, ReportError> {
    Ok(safe(environment()?.render_named_str("run.html", RUN, Serde(context))?))
}

/// Text that is already HTML. This crate made it, and escaped all words of users.
pub(crate) fn safe(html: String) -> Value {
    Value::from_safe_string(html)
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // A name that the context lacks is an error in the template.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A line with only a block leaves no empty line.
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
