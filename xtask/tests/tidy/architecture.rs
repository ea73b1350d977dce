//! ARCHITECTURE.md is true: its code map is that of the folders and manifests.

use std::collections::BTreeSet;

use crate::expect_none;
use crate::lock::Lock;
use crate::workspace::{Dependencies, Member, folders, members, read};

/// The crate that may name plugins, and the file where it links them.
const COMMAND_LINE: &str = "crates/cli";
const LINKED: &str = "crates/cli/src/plugins.rs";

/// The "depends on" line of a crate that needs no crate of ours.
const NOTHING: &str = "nothing of ours";
/// Stands for the names of all plugins in that line.
const EVERY_PLUGIN: &str = "every plugin";

/// Crates that must build without burn, whatever ARCHITECTURE.md says.
const WITHOUT_BURN: [&str; 3] = ["crates/registry", "crates/report", "crates/results"];

/// A crate's section of the code map.
struct Section {
    folder: String,
    lines: Vec<String>,
}

impl Section {
    /// The rest of the line `- key: …`.
    fn says(&self, key: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": "))
    }

    fn depends_on(&self) -> BTreeSet<&str> {
        let listed = self.says("depends on").unwrap_or_default().split(", ");
        listed.filter(|name| !name.is_empty() && *name != NOTHING).collect()
    }
}

/// The sections of the code map: each begins with a heading such as "### `crates/model`".
fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = vec![];
    let mut inside = false;
    for line in read("ARCHITECTURE.md").lines() {
        if line.starts_with('#') {
            let folder = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`'));
            let folder = folder.filter(|folder| folder.starts_with("crates/"));
            inside = folder.is_some();
            sections.extend(folder.map(|folder| Section { folder: folder.to_owned(), lines: vec![] }));
        } else if let (true, Some(section)) = (inside, sections.last_mut()) {
            section.lines.push(line.to_owned());
        }
    }
    sections
}

/// The rows of the table of plugin families: folder and trait crate.
fn families() -> Vec<(String, String)> {
    let text = read("ARCHITECTURE.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `plugins/"));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>());
    cells.map(|cells| (format!("plugins/{}", cells[0]), cells[1].to_owned())).collect()
}

/// A member's dependencies on crates of the workspace.
fn ours(member: &Member, which: Dependencies, members: &[Member]) -> BTreeSet<String> {
    let dependencies = member.dependencies(which);
    dependencies.into_iter().filter(|name| members.iter().any(|member| member.name() == name)).collect()
}

fn plugins(members: &[Member]) -> BTreeSet<&str> {
    members.iter().filter(|member| member.is_plugin()).map(Member::name).collect()
}

fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    if names.is_empty() { NOTHING.to_owned() } else { names.join(", ") }
}

#[test]
fn the_code_map_lists_the_crates_that_are_there() {
    let (listed, there): (BTreeSet<_>, BTreeSet<_>) =
        (sections().into_iter().map(|section| section.folder).collect(), folders("crates").into_iter().collect());
    let missing = there.difference(&listed).map(|folder| format!("ARCHITECTURE.md: add a section \"### `{folder}`\""));
    let gone =
        listed.difference(&there).map(|folder| format!("ARCHITECTURE.md: {folder} does not exist; remove its section"));
    expect_none(missing.chain(gone));
}

#[test]
fn every_section_has_its_lines() {
    let lacks = |section: Section| {
        let missing = [
            (section.says("depends on").is_none(), "a line \"- depends on: …\""),
            (
                !section.lines.iter().any(|line| line.contains("**Architecture invariant")),
                "an **Architecture invariant**",
            ),
        ];
        let missing = missing.into_iter().filter(|(missing, _)| *missing);
        missing.map(move |(_, what)| format!("ARCHITECTURE.md: the section of {} lacks {what}", section.folder))
    };
    expect_none(sections().into_iter().flat_map(lacks));
}

#[test]
fn every_crate_depends_on_what_the_code_map_says() {
    let members = members();
    let plugins = plugins(&members);
    let wrong = |section: &Section| {
        let member = members.iter().find(|member| member.folder == section.folder)?;
        let mut real = ours(member, Dependencies::Normal, &members);
        if plugins.iter().all(|name| real.contains(*name)) {
            real.retain(|name| !plugins.contains(name.as_str()));
            real.insert(EVERY_PLUGIN.to_owned());
        }
        let real: BTreeSet<_> = real.iter().map(String::as_str).collect();
        (real != section.depends_on()).then(|| {
            format!(
                "ARCHITECTURE.md: in the section of {}, write \"- depends on: {}\"; or change its Cargo.toml, if the section \
                 says how it should be",
                section.folder,
                joined(real)
            )
        })
    };
    expect_none(sections().iter().filter_map(wrong));
}

#[test]
fn the_code_map_goes_from_the_bottom_up() {
    let members = members();
    let mut above = BTreeSet::new();
    let mut problems = vec![];
    for section in sections() {
        let early = section.depends_on();
        let early = early.difference(&above).filter(|name| **name != EVERY_PLUGIN);
        problems
            .extend(early.map(|name| format!("ARCHITECTURE.md: move {name} above {}, which uses it", section.folder)));
        above.extend(members.iter().filter(|member| member.folder == section.folder).map(Member::name));
    }
    expect_none(problems);
}

#[test]
fn only_the_command_line_names_plugins() {
    let members = members();
    let plugins = plugins(&members);
    let crates = members.iter().filter(|member| member.folder.starts_with("crates/") && member.folder != COMMAND_LINE);
    let problems = crates.flat_map(|member| {
        let named = ours(member, Dependencies::Normal, &members);
        let named: Vec<_> = named.into_iter().filter(|name| plugins.contains(name.as_str())).collect();
        named.into_iter().map(|name| {
            format!("{}/Cargo.toml: takes the plugin {name}; only {COMMAND_LINE} may, and tests", member.folder)
        })
    });
    expect_none(problems);
}

#[test]
fn every_plugin_is_linked_into_the_command_line() {
    let linked = read(LINKED);
    let members = members();
    let not_linked = plugins(&members).into_iter().filter_map(|name| {
        let line = format!("use {} as _;", name.replace('-', "_"));
        let missing = !linked.lines().any(|own| own == line);
        missing.then(|| format!("{LINKED}: write `{line}`; a crate that is never named is not linked"))
    });
    expect_none(not_linked);
}

#[test]
fn plugins_do_not_know_each_other() {
    let members = members();
    let plugins = plugins(&members);
    let problems = members.iter().filter(|member| member.is_plugin()).flat_map(|member| {
        let named = ours(member, Dependencies::All, &members);
        let named: Vec<_> = named.into_iter().filter(|name| plugins.contains(name.as_str())).collect();
        named.into_iter().map(|name| {
            format!(
                "{}/Cargo.toml: depends on the plugin {name}; put what both need into their trait crate",
                member.folder
            )
        })
    });
    expect_none(problems);
}

#[test]
fn every_plugin_depends_on_the_trait_crate_of_its_family() {
    let families = families();
    let listed: BTreeSet<_> = families.iter().map(|(folder, _)| folder.trim_end_matches('/').to_owned()).collect();
    let there: BTreeSet<_> = folders("plugins").into_iter().collect();
    let wrong_list = (listed != there).then(|| {
        format!("ARCHITECTURE.md: the table of plugin families lists {listed:?}, but the folders are {there:?}")
    });
    let members = members();
    let strangers = members.iter().filter_map(|member| {
        let (folder, trait_crate) = families.iter().find(|(folder, _)| member.folder.starts_with(folder.as_str()))?;
        let known = member.dependencies(Dependencies::Normal).contains(trait_crate);
        (!known).then(|| format!("{}/Cargo.toml: a plugin under {folder} depends on {trait_crate}", member.folder))
    });
    expect_none(wrong_list.into_iter().chain(strangers));
}

#[test]
fn crates_that_build_without_burn_do() {
    let sections = sections();
    let states = |section: &&Section| section.says("builds without") == Some("burn");
    let stated: BTreeSet<_> = sections.iter().filter(states).map(|section| section.folder.as_str()).collect();
    let silent = WITHOUT_BURN.iter().filter(|folder| !stated.contains(**folder));
    let silent =
        silent.map(|folder| format!("ARCHITECTURE.md: the section of {folder} lacks \"- builds without: burn\""));

    let lock = Lock::read("Cargo.lock");
    let members = members();
    let stated = members.iter().filter(|member| stated.contains(member.folder.as_str()));
    let heavy = stated.filter_map(|member| {
        let built = lock.built_for(member.name());
        let burn = built.iter().find(|name| *name == "burn" || name.starts_with("burn-"))?;
        Some(format!("{}/Cargo.toml: {burn} is built for it; `cargo tree -i {burn}` says by which way", member.folder))
    });
    expect_none(silent.chain(heavy));
}
