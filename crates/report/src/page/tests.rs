//! The contents of the page for all kinds of results. `tests/page.rs` opens it in a browser.

use alluvium_results::{Clause, PictureLabel, Row, SampleSheet, SoundLabel};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::example;

fn run(name: &str) -> ReportedRun {
    ReportedRun { name: name.to_owned(), results: example::results(), pictures: BTreeMap::new() }
}

fn one(run: ReportedRun) -> String {
    page(&[run], None).expect("a page")
}

/// The contents of every data URI of this kind.
fn embedded(html: &str, kind: &str) -> Vec<String> {
    let start = format!("data:{kind};base64,");
    let uris = html.split(&start).skip(1);
    uris.map(|rest| {
        let base64 = rest.split('"').next().expect("an end");
        String::from_utf8(STANDARD.decode(base64).expect("base64")).expect("text")
    })
    .collect()
}

#[test]
fn numbers_carry_interval_star_and_p_value() {
    // Worked out by hand in `example.rs`.
    let html = one(run("r"));
    let cell = "<span class=\"best\">70.0</span><span class=\"half\"> ± 24.8</span></td>";
    assert!(html.contains(cell), "{html}");
    let cell = "title=\"p = 0.074, paired t-test over 3 seeds\">+20.0<span class=\"half\"> ± 24.8</span>\
        <span class=\"star\"></span></td>";
    assert!(html.contains(cell), "{html}");
    let cell = "title=\"p &lt; 0.001, paired t-test over 3 seeds\">+25.0<span class=\"half\"> ± 0.0</span>\
        <span class=\"star\">*</span></td>";
    assert!(html.contains(cell), "{html}");
}

#[test]
fn every_figure_is_there_with_its_files() {
    let html = one(run("r"));
    let figures = figure::figures(&example::results()).expect("draws");
    for figure in &figures {
        assert!(html.contains(&figure.svg), "{}", figure.name);
        assert!(html.contains(&format!("download=\"{}.csv\"", figure.name)), "{}", figure.name);
    }
    let svg: Vec<String> = figures.iter().map(|figure| figure.svg.clone()).collect();
    assert_eq!(embedded(&html, "image/svg+xml"), svg);
    let csv: Vec<String> = figures.into_iter().map(|figure| figure.csv).collect();
    assert_eq!(embedded(&html, "text/csv"), csv);
    assert!(html.contains("No row measured the latent similarity"), "{html}");
}

#[test]
fn the_page_names_configuration_environment_and_tasks() {
    let html = one(run("r"));
    for text in ["&quot;protocol&quot;: &quot;dcl&quot;", "0.22.1", "flex", "2-3", "current-task"] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn rows_of_different_protocols_say_what_each_was_allowed() {
    let html = one(ReportedRun { results: example::mixed(), ..run("r") });
    assert!(html.contains("<dt>protocol</dt><dd>dcl, federated, centralised</dd>"), "{html}");
    let row = "<tr><th scope=\"row\">fedavg</th><td>federated</td><td>4</td><td>2</td><td>surrogate</td></tr>";
    assert!(html.contains(row), "{html}");
    let row = "<tr><th scope=\"row\">finetune</th><td>centralised</td><td>0</td><td class=\"absent\">–</td><td>current-task</td>";
    assert!(html.contains(row), "{html}");
    // The row of the accuracy table: protocol, data, ACC aware 87.5, ACC agnostic 62.5, 4 contacts, 8 kB.
    let row = html.split("data-text=\"fedavg\"").nth(1).and_then(|rest| rest.split("</tr>").next()).expect("a row");
    let numbers: Vec<&str> = row.split("data-value=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(row.contains("<td data-text=\"federated\">federated</td><td data-text=\"none\">none</td>"), "{row}");
    assert_eq!(numbers, ["0.875", "0.625", "4", "8000"]);

    let html = one(run("r"));
    assert!(!html.contains("What each row was allowed"), "no row ran under a protocol");
}

#[test]
fn tasks_that_hold_under_one_seed_alone_are_said_to() {
    let mut varied = run("r");
    varied.results.tasks_vary = true;
    assert!(one(varied).contains("<summary>Tasks under seed 1; others under each seed</summary>"));
    assert!(one(run("r")).contains("<summary>Tasks</summary>"));
}

#[test]
fn what_users_named_is_text() {
    let script = "<script>alert('&')</script>";
    let mut run = run(script);
    let results = &mut run.results;
    results.name = script.into();
    results.protocol = script.into();
    results.config = serde_json::json!({ script: script });
    results.versions.insert(script.into(), script.into());
    results.environment.insert(script.into(), script.into());
    results.tasks[0].name = script.into();
    results.tasks[0].classes[0] = script.into();
    results.rows[1].name = script.into();
    results.rows[1].kind = script.into();
    results.rows[1].data_access = script.into();
    results.rows[1].protocol = script.into();
    results.rows[1].clauses = vec![Clause { name: script.into(), value: script.into() }];
    results.rows[1].settings = serde_json::json!(script);
    results.baseline = Some(script.into());
    results.pictures = vec![PictureLabel { file: script.into(), title: format!("\" {script}"), sounds: vec![] }];
    let html = page(&[run.clone(), run], None).expect("a page");
    assert_eq!(html.matches("<script").count(), 1, "the page's own");
    for svg in embedded(&html, "image/svg+xml") {
        assert!(!svg.contains("<script"), "{svg}");
    }
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    assert_eq!(one(run("r")), one(run("r")));
}

#[test]
fn another_baseline_changes_the_differences_and_an_unknown_one_is_refused() {
    // 50 − 90: naive minus joint.
    let html = page(&[run("r")], Some("joint")).expect("a page");
    assert!(html.contains("-40.0"), "{html}");
    assert!(html.contains("<dt>baseline</dt><dd>joint</dd>"), "{html}");
    let message = page(&[run("r")], Some("nobody")).expect_err("unknown").to_string();
    assert!(message.contains("`naive`, `pld`"), "{message}");
}

#[test]
fn a_run_without_the_baseline_keeps_its_own() {
    let mut other = run("other");
    other.results.rows.remove(1);
    let html = page(&[run("r"), other], Some("pld")).expect("a page");
    assert!(html.contains("<dt>baseline</dt><dd>pld</dd>"), "{html}");
    assert!(html.contains("<dt>baseline</dt><dd>naive</dd>"), "{html}");
}

#[test]
fn several_runs_have_contents_and_anchors_of_their_own() {
    let html = page(&[run("first"), run("second")], None).expect("a page");
    assert!(html.contains("<a href=\"#run-2\">two glyphs (second)</a>"), "{html}");
    let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
}

#[test]
fn a_run_that_is_called_after_its_comparison_is_named_once() {
    let html = page(&[run("two glyphs (a/b)"), run("two glyphs")], None).expect("a page");
    assert!(html.contains("<a href=\"#run-1\">two glyphs (a&#x2f;b)</a>"), "{html}");
    assert!(html.contains("<a href=\"#run-2\">two glyphs</a>"), "{html}");
}

#[test]
fn a_picture_is_shown_and_a_missing_one_is_said_to_be() {
    let mut run = run("r");
    let label = |file: &str| PictureLabel { file: file.into(), title: format!("title of {file}"), sounds: vec![] };
    run.results.pictures = vec![label("a.png"), label("b.png")];
    let sheet = SampleSheet {
        title: "a".into(),
        channels: 1,
        height: 2,
        width: 5,
        samples: vec![vec![0; 10], vec![9; 10]],
        sounds: vec![],
    };
    run.pictures.insert("a.png".into(), crate::contact_sheet(&sheet).expect("makes"));
    let html = one(run);
    // Two samples of 5 and a gap of 1, three times as wide.
    assert!(html.contains("alt=\"title of a.png\" width=\"33\">"), "{html}");
    assert!(html.contains("The file b.png was not found"), "{html}");
}

#[test]
fn sounds_follow_their_picture_and_only_sounds_are_played() {
    let mut run = run("r");
    let sound = |file: &str, media_type: &str| SoundLabel {
        file: file.into(),
        title: format!("<{file}>"),
        media_type: media_type.into(),
    };
    let sounds = [sound("a.flac", "audio/flac"), sound("gone.flac", "audio/flac"), sound("b.html", "text/html")];
    run.results.pictures = vec![PictureLabel { file: "a.png".into(), title: "t".into(), sounds: sounds.into() }];
    let sheet =
        SampleSheet { title: "a".into(), channels: 1, height: 2, width: 5, samples: vec![vec![0; 10]], sounds: vec![] };
    run.pictures.insert("a.png".into(), crate::contact_sheet(&sheet).expect("makes"));
    run.pictures.insert("a.flac".into(), b"fLaC".to_vec());
    run.pictures.insert("b.html".into(), b"<script>".to_vec());
    let html = one(run);
    // "ZkxhQw==" is "fLaC" in base64.
    assert!(
        html.contains(
            "<span>&lt;a.flac&gt;</span><audio controls preload=\"none\" src=\"data:audio/flac;base64,ZkxhQw=="
        )
    );
    assert_eq!(html.matches("<audio").count(), 1);
}

#[test]
fn odd_results_make_a_page() {
    let mut one_seed = run("one seed");
    one_seed.results.seeds.truncate(1);
    one_seed.results.rows.iter_mut().for_each(|row| row.cells.truncate(1));

    let mut empty_rows = run("empty rows");
    empty_rows.results.rows.iter_mut().for_each(|row| row.cells.clear());

    let mut no_rows = run("no rows");
    no_rows.results.rows.clear();
    no_rows.results.baseline = None;
    no_rows.results.tasks.clear();

    let mut references = run("references");
    references.results.rows.drain(..2);
    references.results.baseline = None;

    let mut unfinished = run("unfinished");
    unfinished.results.rows[1].cells.pop();
    unfinished.results.rows.push(Row { name: "later".into(), cells: vec![], ..unfinished.results.rows[1].clone() });

    let html = page(&[one_seed, empty_rows, no_rows, references, unfinished], None).expect("a page");
    for text in ["One seed, so no intervals", "No row has a result yet", "pld (2 of 3 seeds)", "later (0 of 3 seeds)"] {
        assert!(html.contains(text), "{text}");
    }
    assert!(page(&[], None).is_ok());
}

#[test]
fn contradictions_are_refused_with_the_run_that_has_them() {
    let mut run = run("broken");
    run.results.baseline = Some("nobody".into());
    let message = page(&[run], None).expect_err("invalid").to_string();
    assert!(message.contains("`broken`") && message.contains("`nobody`"), "{message}");
}
