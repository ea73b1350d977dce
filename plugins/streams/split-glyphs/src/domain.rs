//! Font families as domains: groups the fonts, and says which are for testing.

use alluvium_stream::{DataSet, Domains, SplitTasks, StreamError};

use crate::glyphs::{Font, FontImages};

/// Splits images of the fonts by family, regardless of their part under class shift. `split` receives the data and the domain of
/// each sample.
pub fn split(
    images: &impl FontImages,
    split: impl FnOnce(&DataSet, Domains<'_>) -> Result<SplitTasks, StreamError>,
) -> Result<SplitTasks, StreamError> {
    let FontRoles { domains, is_test } = deal(images.fonts());
    let (data, fonts) = images.data(|font| is_test[font]);
    let [train, test] = fonts.map(|fonts| fonts.into_iter().map(|font| domains[font]).collect::<Vec<_>>());
    split(&data, Domains { train: &train, test: &test })
}

/// The use of each font.
struct FontRoles {
    /// The domain of each font. Fonts of one domain go to one device.
    domains: Vec<usize>,
    /// Whether each font is for testing.
    is_test: Vec<bool>,
}

/// Makes each family a domain. Its last font is for testing.
///
/// A family of one font does not have a font for testing. Such families join the domains of larger families in turn, so
/// that their fonts are used for training as well.
fn deal(fonts: &[Font]) -> FontRoles {
    let mut names: Vec<_> = fonts.iter().map(|font| font.family.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let members = |name: &str| (0..fonts.len()).filter(|font| fonts[*font].family == name).collect::<Vec<_>>();
    let (large, single): (Vec<_>, Vec<_>) = names.into_iter().map(members).partition(|fonts| fonts.len() > 1);
    let mut dealt = FontRoles { domains: vec![0; fonts.len()], is_test: vec![false; fonts.len()] };
    for (domain, members) in large.iter().enumerate() {
        members.iter().for_each(|font| dealt.domains[*font] = domain);
        members.last().into_iter().for_each(|font| dealt.is_test[*font] = true);
    }
    for (index, font) in single.iter().flatten().enumerate() {
        dealt.domains[*font] = index % large.len().max(1);
    }
    dealt
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use alluvium_stream::{Seed, StreamConfig, Task};

    use super::*;
    use crate::glyphs::{Glyphs, SampleSet};
    use crate::{Shift, SplitGlyphsConfig};

    fn fonts(families: &[&str]) -> Vec<Font> {
        let font = |(index, family): (usize, &&str)| Font {
            index,
            split: SampleSet::Train,
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
        let stream = config.build(Seed::new(seed)).unwrap();
        (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
    }

    #[test]
    fn every_font_goes_to_one_device_with_its_family() {
        let glyphs = Glyphs::embedded().unwrap();
        let tasks = tasks(&config(), 0);
        assert_eq!(tasks.len(), 10);
        let classes = &tasks[0].head.classes;
        assert_eq!(classes.len(), 6);
        // A font is recognised by its image of one class. Fonts with the same image are ignored.
        let class = classes[0];
        let (all, [font_indices, _]) = glyphs.data(|_| false);
        let mut drawn = BTreeMap::<&[u8], Vec<&Font>>::new();
        let of_class: Vec<_> = (0..font_indices.len()).filter(|index| all.train.labels()[*index] == class).collect();
        let images = all.train.read(&of_class).unwrap();
        for (at, index) in of_class.into_iter().enumerate() {
            drawn.entry(images.image(at)).or_default().push(&glyphs.fonts[font_indices[index]]);
        }
        let mut devices = BTreeMap::<&str, BTreeSet<usize>>::new();
        let mut samples = 0;
        for task in &tasks {
            assert_eq!(&task.head.classes, classes);
            for part in [&task.train, &task.test] {
                for index in (0..part.len()).filter(|index| part.labels()[*index] == class) {
                    samples += 1;
                    if let [font] = drawn[part.image(index)][..] {
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
    fn the_seed_decides_and_the_number_of_samples_is_limited() {
        let limited = SplitGlyphsConfig { train_samples_per_class: Some(2), ..config() };
        let (one, other) = (tasks(&limited, 1), tasks(&limited, 1));
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one.train.len(), 12);
            assert_eq!(one.train.labels(), other.train.labels());
            assert!((0..12).all(|index| one.train.image(index) == other.train.image(index)));
        }
        let sizes = |seed| tasks(&config(), seed).iter().map(|task| task.train.len()).collect::<Vec<_>>();
        assert_ne!(sizes(1), sizes(2));
    }

    #[test]
    fn more_devices_than_families_are_refused() {
        let many = SplitGlyphsConfig { tasks: 1000, ..config() };
        let error = many.build(Seed::new(0)).unwrap_err().to_string();
        assert!(error.contains("`tasks` = 1000"), "{error}");
        // One task is a valid stream.
        assert_eq!(tasks(&SplitGlyphsConfig { tasks: 1, ..config() }, 0).len(), 1);
    }

    #[test]
    fn classes_and_families_differ_at_once() {
        let both = SplitGlyphsConfig { shift: Shift::ClassAndDomain, ..config() };
        let (tasks, domain) = (tasks(&both, 1), tasks(&config(), 1));
        let classes: BTreeSet<_> = tasks.iter().flat_map(|task| &task.head.classes).collect();
        assert_eq!((tasks.len(), classes.len()), (10, 60));
        for (task, domain) in tasks.iter().zip(&domain) {
            // The families are those of the domain shift of the same seed, with six other classes.
            assert_eq!((task.train.len(), task.test.len()), (domain.train.len(), domain.test.len()));
            let classes: BTreeSet<_> = task.test.labels().iter().collect();
            assert_eq!(classes, task.head.classes.iter().collect());
        }
    }
}
