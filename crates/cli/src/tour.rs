//! The tour: the built-in comparison of `alluvium compare` without a file.

use std::path::Path;

use alluvium_config::ConfigSource;

/// The tour's configuration.
pub(crate) const CONFIG: ConfigSource<'static> =
    ConfigSource::BuiltIn { name: "the tour's configuration", text: include_str!("tour.toml") };

/// The text before the tour.
pub(crate) const BEFORE: &str = "\
No configuration was given, so this is the tour: four devices, each with six characters of its own, adapt a small network one\n\
after another, and four strategies consolidate their models. See `compare --help` for more.\n\n";

/// The text after the tour: how to read the table, and what to do next. `program` is the name by which the user called it.
pub(crate) fn after(program: &str, folder: &Path) -> String {
    let folder = folder.display();
    let next = [
        (format!("{program} report {folder} --open"), "the same as a page with charts"),
        (format!("{program} compare examples/quickstart.toml"), "ten devices and three seeds, with intervals"),
        (format!("{program} init my.toml"), "a commented configuration of your own"),
        (format!("{program} list"), "every strategy, stream, backbone, surrogate and backend"),
    ];
    let widest = next.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines: String = next.iter().map(|(command, what)| format!("  {command:widest$}  {what}\n")).collect();
    format!(
        "\nACC is the mean accuracy on all four tasks after the last device: task-aware where the task of a sample is known, \
         task-agnostic\nwhere it is not. `devices-alone` is what each device reaches for itself, `joint` one model trained on all \
         data.\n\nNext:\n{lines}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tour_is_a_configuration_with_one_seed() {
        let variants = alluvium_config::read_all(CONFIG, None, None).unwrap();
        assert_eq!((variants.len(), variants[0].devices), (1, 4));
        assert_eq!(variants[0].experiment.seeds.len(), 1);
    }

    #[test]
    fn what_comes_next_names_the_program_as_it_was_called() {
        let text = after("target/release/alluvium", Path::new("results/tour"));
        assert!(text.contains("\n  target/release/alluvium report results/tour --open  "), "{text}");
        assert!(text.contains("alluvium init my.toml"), "{text}");
    }
}
