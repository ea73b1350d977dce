//! `alluvium consolidate`: consolidates expert files into a previous model, and writes a new file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use alluvium_backend::BackendConfig;
use alluvium_checkpoint::{Checkpoint, Writer};
use alluvium_interchange::{
    Arrangement, Consolidation, Destination, ExpertRows, ForeignModel, Plan, Reading, Tensorwise, carry_out, printable,
};
use alluvium_registry::Family;
use alluvium_strategy::StrategyConfig;

use crate::given::{ModelStatements, part, surrogate};
use crate::model_arguments::ConsolidateOptions;
use crate::steps::Steps;
use crate::{Refusal, interrupt, print};

/// The most names of classes that a line of the plan shows.
const CLASSES_SHOWN: usize = 12;

const DRY_RUN: &str = "Nothing was written: this was a dry run.\n";

pub(crate) fn consolidate(options: &ConsolidateOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    check_destination(&options.out, options.overwrite)?;
    let (_, backend) = part::<dyn BackendConfig>(Family::Backend, "--backend", &options.backend)?;
    let (kind, strategy) = part::<dyn StrategyConfig>(Family::Strategy, "--strategy", &options.strategy)?;
    let surrogate = options.surrogate.as_deref().map(surrogate).transpose()?;
    if options.tensorwise {
        return tensorwise(options, (&kind, strategy.as_ref()), backend.as_ref(), out);
    }
    let compute = backend.open()?;

    let files: Vec<_> = [&options.previous].into_iter().chain(&options.expert).map(PathBuf::as_path).collect();
    let said = ModelStatements::of(&options.models, &files)?;
    let of_previous = Reading { backbone_only: options.initial_only, ..said.of_file(&options.previous) };
    let previous = ForeignModel::open(&options.previous, &of_previous, &compute)?;
    let expert = |file: &PathBuf| {
        let reading = Reading { fallback: previous.fallback(), ..said.of_file(file) };
        ForeignModel::open(file, &reading, &compute)
    };
    let experts = options.expert.iter().map(expert).collect::<Result<Vec<_>, _>>()?;
    said.check_taken([&previous].into_iter().chain(&experts).map(|model| key_of(model.checkpoint())))?;
    let classes: Vec<_> = experts.iter().map(ForeignModel::classes).collect();
    let arrangement = Arrangement::new(previous.heads(), &classes)
        .map_err(|(index, problem)| Refusal(format!("{}: {problem}", options.expert[index].display())))?;

    let consolidation = Consolidation {
        previous: &previous,
        experts: &experts,
        arrangement: &arrangement,
        strategy: (&kind, strategy.as_ref()),
        surrogate: surrogate.as_deref(),
        seed: options.seed,
    };
    consolidation.check()?;
    let plan = Plan::of(&consolidation);
    let models = [&previous].into_iter().chain(&experts);
    let to = destination(options, models.flat_map(|model| model.checkpoint().files()).collect(), plan.bytes())?;
    interrupt::watch_output();
    print(out, &describe(&consolidation, &plan, &to))?;
    if options.dry_run {
        return print(out, DRY_RUN);
    }
    let steps = Steps::new(&kind);
    let origin = (env!("CARGO_PKG_VERSION"), serde_json::to_value(&backend)?);
    let written = carry_out(&consolidation, &to, origin, &compute, &steps);
    steps.finish();
    print_written(&written?, out)
}

/// Consolidates experts of a network that Alluvium does not know, tensor by tensor.
fn tensorwise(
    options: &ConsolidateOptions,
    strategy: (&str, &dyn StrategyConfig),
    backend: &dyn BackendConfig,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let compute = backend.open()?;
    let files: Vec<_> = [&options.previous].into_iter().chain(&options.expert).map(PathBuf::as_path).collect();
    let said = ModelStatements::of(&options.models, &files)?;
    let wanted = |file: &Path| said.state_dict(file);
    let models = Tensorwise::open_state_dicts(&options.previous, options.initial_only, &options.expert, &wanted)?;
    said.check_taken(models.checkpoints().map(key_of))?;
    let tensors = models.plan(strategy, &compute)?;
    let bytes = tensors.iter().map(|tensor| tensor.bytes()).sum();
    let to = destination(options, models.files(), bytes)?;
    interrupt::watch_output();
    let role = if options.initial_only { "what the experts started from" } else { "counts as a first expert" };
    let mut lines = vec![("previous", format!("{}: {role}", options.previous.display()))];
    lines.extend(options.expert.iter().map(|file| ("expert", file.display().to_string())));
    lines.extend(models.notes().into_iter().map(|note| ("", note)));
    lines.push(("strategy", models.strategy_table(strategy.1).to_string()));
    lines.push(("seed", options.seed.to_string()));
    lines.push(("out", format!("{}: {} tensors, {:.1} MB", to.path.display(), tensors.len(), bytes as f64 / 1e6)));
    print(out, &lines.iter().map(|(key, value)| line(key, value)).collect::<String>())?;
    if options.dry_run {
        return print(out, DRY_RUN);
    }
    let steps = Steps::new(strategy.0);
    let origin = (env!("CARGO_PKG_VERSION"), serde_json::to_value(backend)?);
    let written = models.carry_out(strategy, options.seed, &to, origin, &compute, &steps);
    steps.finish();
    print_written(&written?, out)
}

fn print_written(files: &[PathBuf], out: &mut dyn Write) -> anyhow::Result<()> {
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    print(out, &format!("Written: {}\n", files.join(", ")))
}

/// Checks that the new file can be written without overwriting another one.
fn check_destination(out: &Path, overwrite: bool) -> Result<(), Refusal> {
    if out.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(not_written(out, "has another ending", "a file whose name ends in .safetensors"));
    }
    if !folder_of(out).is_dir() {
        return Err(not_written(out, "the folder does not exist", "a file in an existing folder"));
    }
    check_free(out, overwrite)
}

/// Checks that writing this file does not overwrite another one.
fn check_free(file: &Path, overwrite: bool) -> Result<(), Refusal> {
    // Look at the link itself, not at its target.
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(not_written(file, &format!("cannot be examined ({error})"), "a new file")),
        Ok(data) if data.is_symlink() => {
            Err(not_written(file, "is a symbolic link, which would be replaced", "a plain file"))
        }
        Ok(data) if !data.is_file() => Err(not_written(file, "exists and is not a file", "a new file")),
        Ok(_) if !overwrite => Err(not_written(file, "exists already", "a new file, or --overwrite")),
        Ok(_) => Ok(()),
    }
}

fn not_written(file: &Path, problem: &str, accepted: &str) -> Refusal {
    Refusal(format!("--out {}: {problem}; accepted: {accepted}", file.display()))
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The destination of a model of `bytes` bytes. It must not be one of the inputs, nor an existing file without `--overwrite`.
fn destination(options: &ConsolidateOptions, inputs: Vec<PathBuf>, bytes: u64) -> Result<Destination, Refusal> {
    let shard_bytes = options.shard_size.map(|size| (size * 1e9) as u64);
    let in_several = shard_bytes.is_some_and(|most| bytes > most);
    let unreadable = |error| not_written(&options.out, &format!("cannot be examined ({error})"), "another folder");
    // Also the files that are removed because they belong to an older model of that name.
    let mut files = Writer::replaces(&options.out).map_err(unreadable)?;
    files.push(options.out.clone());
    if in_several {
        let mut index = options.out.clone().into_os_string();
        index.push(".index.json");
        files.push(index.into());
    }
    let read: Vec<_> = inputs.iter().filter_map(|file| fs::canonicalize(file).ok()).collect();
    for file in &files {
        if fs::canonicalize(file).is_ok_and(|file| read.contains(&file)) {
            return Err(not_written(file, "is one of the models that are consolidated", "another file"));
        }
        check_free(file, options.overwrite)?;
    }
    Ok(Destination { path: options.out.clone(), shard_bytes, inputs })
}

/// The key of the state dict that was taken from a file.
fn key_of(checkpoint: &Checkpoint) -> Option<String> {
    checkpoint.state_dict().map(|dict| dict.key.clone())
}

/// The plan in words.
fn describe(consolidation: &Consolidation<'_>, plan: &Plan<'_>, to: &Destination) -> String {
    let Consolidation { previous, experts, arrangement, surrogate, seed, .. } = *consolidation;
    let mut lines = vec![];
    let mut line = |key: &str, value: String| lines.push(line(key, &value));
    let input = previous.input();
    line("backbone", format!("{}, inputs of {input}, names of {}", previous.backbone_in_words(), previous.names()));
    let mut assumed: Vec<_> = [previous].into_iter().chain(experts).flat_map(ForeignModel::assumed).collect();
    assumed.dedup();
    for assumed in assumed {
        line("", assumed.clone());
    }
    [previous].into_iter().chain(experts).filter_map(ForeignModel::taken).for_each(|taken| line("", taken));
    let role = match previous.heads() {
        [] => "no classes: what the experts started from".to_owned(),
        heads => format!("{}, counts as a first expert", shown_classes(heads.iter().flat_map(|head| &head.classes))),
    };
    line("previous", format!("{}: {role}", previous.path().display()));
    for (expert, placed) in experts.iter().zip(&arrangement.experts) {
        let classes = expert.classes();
        let (path, classes, head) =
            (expert.path().display(), shown_classes(&classes), destination_in_words(arrangement, placed));
        line("expert", format!("{path}: {classes}, {head}"));
    }
    line("strategy", consolidation.strategy_table().to_string());
    if let Some(surrogate) = surrogate {
        line("surrogate", serde_json::to_value(surrogate).unwrap_or_default().to_string());
    }
    line("seed", seed.to_string());
    let (tensors, megabytes) = (plan.tensors().len(), plan.bytes() as f64 / 1e6);
    let (path, rows) = (to.path.display(), plan.rows());
    line("out", format!("{path}: {tensors} tensors, {megabytes:.1} MB, a classifier of {rows} rows"));
    lines.concat()
}

/// A line of the plan. Control characters are escaped, because values may come from files.
fn line(key: &str, value: &str) -> String {
    format!("{key:10} {}\n", printable(value))
}

/// Where the rows of an expert go, in words.
fn destination_in_words(arrangement: &Arrangement, placed: &ExpertRows) -> String {
    let name = &arrangement.heads[placed.head].name;
    match (placed.returns, placed.shared.as_slice()) {
        (true, _) => format!("the same as {name}"),
        (false, []) => format!("new as {name}"),
        (false, shared) => {
            let shared = shown_classes(shared);
            format!("new as {name}; other heads have {shared}, too, so each of these gets one more row")
        }
    }
}

fn shown_classes<'a>(classes: impl IntoIterator<Item = &'a String>) -> String {
    let classes: Vec<_> = classes.into_iter().map(String::as_str).collect();
    let (all, more) = (classes.len(), classes.len().saturating_sub(CLASSES_SHOWN));
    let names = classes[..all - more].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{all} class{} ({names}{more})", if all == 1 { "" } else { "es" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_new_file_in_a_folder_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("there.safetensors"), "").unwrap();
        fs::create_dir(at("folder.safetensors")).unwrap();
        let cases = [
            ("new.pt", true, "ends in .safetensors"),
            ("no/new.safetensors", true, "folder does not exist"),
            ("there.safetensors", false, "--overwrite"),
            ("folder.safetensors", true, "not a file"),
        ];
        for (name, overwrite, expected) in cases {
            let error = check_destination(&at(name), overwrite).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
        check_destination(&at("there.safetensors"), true).unwrap();
        check_destination(&at("new.safetensors"), false).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_not_replaced_wherever_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        for (name, target) in [("dangling.safetensors", "nowhere"), ("to-folder.safetensors", ".")] {
            let link = folder.path().join(name);
            std::os::unix::fs::symlink(target, &link).unwrap();
            let error = check_destination(&link, true).unwrap_err().to_string();
            assert!(error.contains("symbolic link"), "{error}");
        }
    }

    #[test]
    fn many_classes_are_not_all_shown() {
        let classes: Vec<_> = (0..15).map(|number| number.to_string()).collect();
        assert_eq!(shown_classes(&classes[..1]), "1 class (0)");
        assert!(shown_classes(&classes).ends_with("10, 11 and 3 more)"), "{}", shown_classes(&classes));
    }
}
