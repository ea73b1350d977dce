//! Domain shift: the same classes for every device, each device with font families of its own.

use alluvium_stream::{DataSet, DomainSplit, Seed, StreamError, Tasks};

use crate::SplitGlyphsConfig;
use crate::glyphs::{Font, Glyphs};

/// Splits the glyphs by family, whatever part they have under class shift.
pub fn split(config: &SplitGlyphsConfig, glyphs: &Glyphs, seed: Seed) -> Result<Tasks, StreamError> {
    let Dealt { domains, is_test } = deal(&glyphs.fonts);
    let (data, [train, test]) = glyphs.data(|font| is_test[font]);
    // The order of classes is that of class shift, cut after the first task.
    let classes = config.class_split(1).split(&data, seed)?.tasks.remove(0).head.classes;
    let of = |fonts: Vec<usize>| fonts.into_iter().map(|font| domains[font]).collect::<Vec<_>>();
    let split = DomainSplit { tasks: config.tasks, classes };
    let mut tasks = split.split(&data, &of(train), &of(test), seed)?;
    if config.train_samples_per_class.is_some() {
        limit(config, &data, &mut tasks, seed)?;
    }
    Ok(tasks)
}

/// Cuts every device's training samples, each by a seed of its own.
fn limit(config: &SplitGlyphsConfig, data: &DataSet, tasks: &mut Tasks, seed: Seed) -> Result<(), StreamError> {
    for task in &mut tasks.tasks {
        // A split into one task of the same classes: all that it does is to cut.
        let names = task.head.classes.iter().map(|class| data.class_names[*class].clone());
        let mut split = config.class_split(1);
        split.class_order = Some(names.collect());
        let own = DataSet { class_names: data.class_names.clone(), train: task.train.clone(), test: task.test.clone() };
        task.train = split.split(&own, seed.at("samples of domain", task.index))?.tasks.remove(0).train;
    }
    Ok(())
}

/// What each font is for.
struct Dealt {
    /// Its domain: fonts of one domain go to one device.
    domains: Vec<usize>,
    /// Whether it is for testing.
    is_test: Vec<bool>,
}

/// Makes a domain of each family; its last font is for testing.
///
/// A family of one font has nothing to spare for testing. It joins a larger family's domain, one after another, so that
/// its font is trained on as well.
fn deal(fonts: &[Font]) -> Dealt {
    let mut names: Vec<_> = fonts.iter().map(|font| font.family.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let members = |name: &str| (0..fonts.len()).filter(|font| fonts[*font].family == name).collect::<Vec<_>>();
    let (large, single): (Vec<_>, Vec<_>) = names.into_iter().map(members).partition(|fonts| fonts.len() > 1);
    let mut dealt = Dealt { domains: vec![0; fonts.len()], is_test: vec![false; fonts.len()] };
    for (domain, members) in large.iter().enumerate() {
        members.iter().for_each(|font| dealt.domains[*font] = domain);
        members.last().into_iter().for_each(|font| dealt.is_test[*font] = true);
    }
    for (place, font) in single.iter().flatten().enumerate() {
        dealt.domains[*font] = place % large.len().max(1);
    }
    dealt
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use alluvium_stream::{Task, TaskStream};

    use super::*;
    use crate::Shift;
    use crate::glyphs::Part;

    fn fonts(families: &[&str]) -> Vec<Font> {
        let font = |(index, family): (usize, &&str)| Font {
            index,
            split: Part::Train,
            family: (*family).to_owned(),
            font: index.to_string(),
        };
        families.iter().enumerate().map(font).collect()
    }

    #[test]
    fn the_last_font_of_a_family_is_for_testing_and_single_fonts_join_another() {
        let dealt = deal(&fonts(&["Sans", "Serif", "Sans", "Alone", "Serif", "Serif"]));
        assert_eq!(dealt.is_test, [false, false, true, false, false, true]);
        assert_eq!(dealt.domains, [0, 1, 0, 0, 1, 1]);
        assert_eq!(deal(&fonts(&["Alone", "Lone"])).is_test, [false, false]);
    }

    fn config() -> SplitGlyphsConfig {
        SplitGlyphsConfig { shift: Shift::Domain, ..Default::default() }
    }

    fn tasks(config: &SplitGlyphsConfig, seed: u64) -> Vec<Task> {
        split(config, &Glyphs::embedded().unwrap(), Seed::new(seed)).unwrap().tasks
    }

    #[test]
    fn every_font_goes_to_one_device_with_its_family() {
        let glyphs = Glyphs::embedded().unwrap();
        let tasks = tasks(&config(), 0);
        assert_eq!(tasks.len(), 10);
        let classes = &tasks[0].head.classes;
        assert_eq!(classes.len(), 6);
        // Fonts are told by their images of one class; some fonts draw it alike, those say nothing.
        let class = classes[0];
        let (all, [places, _]) = glyphs.data(|_| false);
        let mut drawn = BTreeMap::<&[u8], Vec<&Font>>::new();
        for place in (0..all.train.len()).filter(|place| all.train.labels()[*place] == class) {
            drawn.entry(all.train.image(place)).or_default().push(&glyphs.fonts[places[place]]);
        }
        let mut devices = BTreeMap::<&str, BTreeSet<usize>>::new();
        let mut samples = 0;
        for task in &tasks {
            assert_eq!(&task.head.classes, classes);
            for part in [&task.train, &task.test] {
                for place in (0..part.len()).filter(|place| part.labels()[*place] == class) {
                    samples += 1;
                    if let [font] = drawn[part.image(place)][..] {
                        devices.entry(&font.family).or_default().insert(task.index);
                    }
                }
            }
        }
        assert_eq!(samples, glyphs.fonts.len(), "every font's image of the class is dealt");
        assert!(devices.len() > 50 && devices.values().all(|devices| devices.len() == 1), "{devices:?}");
    }

    #[test]
    fn every_device_has_test_samples_of_every_class() {
        for task in tasks(&config(), 3) {
            for part in [&task.train, &task.test] {
                let classes: BTreeSet<_> = part.labels().iter().collect();
                assert_eq!(classes, task.head.classes.iter().collect(), "task {}", task.index);
            }
        }
    }

    #[test]
    fn the_seed_decides_and_samples_are_limited() {
        let limited = SplitGlyphsConfig { train_samples_per_class: Some(2), ..config() };
        let (one, other) = (tasks(&limited, 1), tasks(&limited, 1));
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one.train.len(), 12);
            assert_eq!(one.train.labels(), other.train.labels());
            assert!((0..12).all(|place| one.train.image(place) == other.train.image(place)));
        }
        let sizes = |seed| tasks(&config(), seed).iter().map(|task| task.train.len()).collect::<Vec<_>>();
        assert_ne!(sizes(1), sizes(2));
    }

    #[test]
    fn more_devices_than_families_are_refused() {
        let many = SplitGlyphsConfig { tasks: 1000, ..config() };
        let error = split(&many, &Glyphs::embedded().unwrap(), Seed::new(0)).unwrap_err().to_string();
        assert!(error.contains("`tasks` = 1000"), "{error}");
        // One task is a stream all the same.
        let one =
            split(&SplitGlyphsConfig { tasks: 1, ..config() }, &Glyphs::embedded().unwrap(), Seed::new(0)).unwrap();
        assert_eq!(one.tasks(), 1);
    }
}
