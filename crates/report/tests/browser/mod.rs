//! Opens a page in a browser without a window, and collects what the checks find there.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

const RECORDER: &str = include_str!("recorder.js");
const CHECKS: &str = include_str!("checks.js");

/// The most time that the browser may take. It starts in a second, but a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(90);

/// The findings of the checks in `checks.js`.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    /// All problems, with the errors of scripts.
    pub problems: Vec<String>,
    /// The number of figures.
    pub figures: usize,
    /// The number of parts of comparison tables.
    pub tables: usize,
    /// How often a table was sorted.
    pub sorted: usize,
    /// The background and the colour of text of figures: at first, and after each of two switches of the theme.
    pub themes: Vec<[String; 2]>,
    /// The width of the window.
    pub width: u32,
    /// The number of pictures.
    pub images: usize,
    /// The number of scripts, with the two of the test.
    pub scripts: usize,
}

/// The browser. `None`, with a line that says so, if there is no browser and none is required.
pub fn find() -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = env::split_paths(&paths)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        assert!(env::var_os("ALLUVIUM_REQUIRE_BROWSER").is_none(), "no browser on PATH: looked for {names:?}");
        // Not by `println!`, whose output the harness keeps to itself: `.ci/run` counts such lines.
        let _ =
            writeln!(io::stderr(), "skipped: the report's page, because no browser is on PATH (looked for {names:?})");
    }
    found
}

/// Opens the page in a window of 1280 × 900.
pub fn open(browser: &Path, html: &str) -> Verdict {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let page = dir.path().join("page.html");
    fs::write(&page, with_checks(html)).expect("writes");
    run(browser, dir.path(), &page, "1280,900")
}

/// Opens the page as on a phone of 375 × 800: in a frame, because windows of the browser are at least 500 wide.
pub fn open_on_phone(browser: &Path, html: &str) -> Verdict {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("page.html"), with_checks(html)).expect("writes");
    let frame = dir.path().join("frame.html");
    let wrapper = "<!DOCTYPE html><body><pre id=\"verdict\"></pre>\
        <script>addEventListener(\"message\", (event) => { verdict.textContent = event.data; });</script>\
        <iframe src=\"page.html\" style=\"width: 375px; height: 800px; border: 0\"></iframe></body>";
    fs::write(&frame, wrapper).expect("writes");
    run(browser, dir.path(), &frame, "800,900")
}

/// The page with the recorder before its own script and the checks after it.
fn with_checks(html: &str) -> String {
    let (head, body) = html.split_once("<head>").expect("a head");
    let (body, end) = body.rsplit_once("</body>").expect("a body");
    format!(
        "{head}<head><script>{RECORDER}</script>{body}\
         <pre id=\"verdict\" hidden></pre><script>{CHECKS}</script></body>{end}"
    )
}

fn run(browser: &Path, dir: &Path, page: &Path, window: &str) -> Verdict {
    let (out, err) = (dir.join("stdout"), dir.join("stderr"));
    let file = |path: &Path| Stdio::from(fs::File::create(path).expect("creates"));
    let mut process = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--window-size={window}"))
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(file(&out))
        .stderr(file(&err))
        .spawn()
        .expect("the browser starts");
    let start = Instant::now();
    while process.try_wait().expect("can be waited for").is_none() {
        if start.elapsed() > PATIENCE {
            process.kill().expect("can be stopped");
            panic!("the browser took more than {PATIENCE:?}");
        }
        sleep(Duration::from_millis(50));
    }

    let log = String::from_utf8_lossy(&fs::read(&err).expect("a log")).into_owned();
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "the console says {console:#?}");
    let dom = fs::read_to_string(&out).expect("a page");
    verdict(&dom).unwrap_or_else(|| panic!("the page has no verdict; the browser said:\n{log}"))
}

fn verdict(dom: &str) -> Option<Verdict> {
    let (_, rest) = dom.split_once("<pre id=\"verdict\"")?;
    let text = rest.split_once('>')?.1.split_once("</pre>")?.0;
    let json = STANDARD.decode(text).ok()?;
    serde_json::from_slice(&json).ok()
}
