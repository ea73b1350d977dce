//! The page in a browser: everything is drawn, and can be sorted and read, on a desktop and on a phone.

mod browser;
mod sample;

use alluvium_report::{ReportedRun, page};
use browser::Verdict;

/// Asserts the properties of every page.
#[track_caller]
fn assert_good(verdict: &Verdict) {
    assert!(verdict.problems.is_empty(), "{:#?}", verdict.problems);
    assert!(verdict.sorted > 0, "nothing was sorted");
    let [first, second, third] = verdict.themes.as_slice() else { panic!("{:?}", verdict.themes) };
    assert_ne!(first[0], second[0], "the ground follows the theme");
    assert_ne!(first[1], second[1], "the ink of figures follows the theme");
    assert_eq!(first, third, "the switch leads back");
    assert_eq!(verdict.scripts, 1 + 2, "one script of the page, two of the test");
}

#[test]
fn a_usual_run_can_be_read_and_sorted() {
    let Some(browser) = browser::find() else { return };
    let html = page(&[sample::run("glyphs", 10)], None).expect("a page");

    let verdict = browser::open(&browser, &html);
    assert_good(&verdict);
    assert_eq!((verdict.width, verdict.figures, verdict.tables, verdict.images), (1280, 9, 3, 2));
    // Each column of the three parts, both ways: strategy and data, and 4 + 8 + 8 numbers.
    assert_eq!(verdict.sorted, 2 * (3 * 2 + 20));

    let verdict = browser::open_on_phone(&browser, &html);
    assert_good(&verdict);
    assert_eq!((verdict.width, verdict.figures), (375, 9));
}

/// Names that would run as a script, end an attribute or overflow the page; many strategies, and a stream that is too
/// long for markers and numbers.
#[test]
fn extremes_can_be_read_and_sorted() {
    let Some(browser) = browser::find() else { return };
    let html = page(&[hostile(), crowded(), sample::run("one task", 1)], Some("naive")).expect("a page");

    let verdict = browser::open(&browser, &html);
    assert_good(&verdict);
    assert_eq!((verdict.figures, verdict.tables), (27, 9));

    assert_good(&browser::open_on_phone(&browser, &html));
}

fn hostile() -> ReportedRun {
    let script = "<script>window.problems.push('a name ran')</script>";
    let mut run = sample::run(&format!("\"><img src=x onerror=problems.push(1)>{script}"), 3);
    run.results.name = format!("</title></style>{script}");
    run.results.tasks[0].name = script.to_owned();
    run.results.config = serde_json::json!({ "note": format!("</pre>{script}") });
    run.results.environment.insert(script.to_owned(), format!("'\"{script}"));
    run.results.pictures[0].title = format!("\"{script}");
    run.results.rows[1].name = format!("' onclick=problems.push(2) {script}");
    run.results.rows[2].name = format!("\" {script}");
    run
}

/// 25 strategies over 100 tasks, with long names.
fn crowded() -> ReportedRun {
    let mut run = sample::run("crowded", 100);
    let strategies = run.results.rows[..5].to_vec();
    for copy in 2..=5 {
        for row in &strategies {
            let mut row = row.clone();
            row.name = format!("{} with a rather long name, variant {copy}", row.name);
            run.results.rows.push(row);
        }
    }
    run
}
