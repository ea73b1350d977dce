//! Which device has which recordings.

use std::collections::BTreeSet;
use std::sync::Arc;

use alluvium_stream::{DataPart, DataSet, Domains, FurtherTest, Samples, Seed, StreamError, TaskStream};
use rand::seq::SliceRandom;

use crate::archive::Part;
use crate::spectrograms::{Spectrograms, Utterances};
use crate::stream::AccentTasks;
use crate::{AccentsConfig, Shift};

/// The accent of recordings that no device has.
const NOBODY: usize = usize::MAX;

/// Deals the recordings to the tasks of a stream.
///
/// # Errors
/// When an option does not fit the others or the recordings.
pub fn deal(config: &AccentsConfig, seed: Seed) -> Result<AccentTasks, StreamError> {
    let spectrograms = Spectrograms::of(&config.spectrogram)?;
    let dealer = Dealer::new(config, &spectrograms, seed)?;
    let [train, test] =
        [Part::Train, Part::Test].map(|part| dealer.utterances(part, |accent| !dealer.is_left_out(accent)));
    let [of_train, of_test] = [&train, &test].map(|part| dealer.domains(part));
    let data = DataSet::new(spectrograms.archive.words.clone(), train, test);
    let (split, order) = (config.split(), dealer.order.clone());
    let domains = Domains { train: &of_train, test: &of_test };
    let tasks = match config.shift {
        Shift::Class => split.by_class(&data, seed)?,
        Shift::Domain => split.by_domain_in_order(&data, domains, order, seed)?,
        Shift::ClassAndDomain => split.by_class_and_domain_in_order(&data, domains, order, seed)?,
    };
    let mut classes = BTreeSet::new();
    for index in 0..tasks.tasks() {
        classes.extend(tasks.outline(index)?.head.classes);
    }
    if let Some(word) = dealer.new_words.iter().find(|word| !classes.contains(word)) {
        let word = &spectrograms.archive.words[*word];
        return Err(StreamError::Option {
            option: "new_words",
            problem: format!("names \"{word}\", which is not one of the words of the stream"),
            accepted: "words among the first `classes_per_task` of `class_order`".to_owned(),
        });
    }
    let further = dealer.further_tests(&classes);
    let names = (config.shift == Shift::Domain).then(|| dealer.task_names());
    Ok(AccentTasks { tasks, names, further })
}

/// The options, checked and by index.
struct Dealer<'a> {
    spectrograms: &'a Arc<Spectrograms>,
    tasks: usize,
    /// The accents, in the order in which devices receive them.
    order: Vec<usize>,
    left_out: Vec<usize>,
    new_words: Vec<usize>,
    /// The index of the device that has them.
    new_words_device: usize,
}

impl<'a> Dealer<'a> {
    fn new(config: &AccentsConfig, spectrograms: &'a Arc<Spectrograms>, seed: Seed) -> Result<Self, StreamError> {
        let archive = &spectrograms.archive;
        let left_out = indices("left_out", &config.left_out, &archive.accents)?;
        let order = match &config.accent_order {
            Some(order) => indices("accent_order", order, &archive.accents)?,
            None => {
                let mut order: Vec<_> =
                    (0..archive.accents.len()).filter(|accent| !left_out.contains(accent)).collect();
                order.shuffle(&mut seed.of("accent order").random());
                order
            }
        };
        if let Some(accent) = order.iter().find(|accent| left_out.contains(accent)) {
            return Err(StreamError::Option {
                option: "accent_order",
                problem: format!("names \"{}\", which `left_out` names, too", archive.accents[*accent]),
                accepted: "accents that are not left out".to_owned(),
            });
        }
        if config.shift != Shift::Class && config.tasks > order.len() {
            return Err(StreamError::Option {
                option: "tasks",
                problem: format!("= {}, but there are {} accents for them", config.tasks, order.len()),
                accepted: format!("1 to {}", order.len()),
            });
        }
        let new_words = indices("new_words", &config.new_words, &archive.words)?;
        if !new_words.is_empty() && config.shift != Shift::Domain {
            return Err(StreamError::Option {
                option: "new_words",
                problem: "is set, but does not apply to this shift".to_owned(),
                accepted: "only with `shift` = \"domain\"".to_owned(),
            });
        }
        if !new_words.is_empty() && !(1..=config.tasks).contains(&config.new_words_device) {
            return Err(StreamError::Option {
                option: "new_words_device",
                problem: format!("= {}, but the stream has {} devices", config.new_words_device, config.tasks),
                accepted: format!("1 to {}", config.tasks),
            });
        }
        let new_words_device = config.new_words_device.saturating_sub(1);
        Ok(Dealer { spectrograms, tasks: config.tasks, order, left_out, new_words, new_words_device })
    }

    fn is_left_out(&self, accent: usize) -> bool {
        self.left_out.contains(&accent)
    }

    /// The recordings of a part in some accents.
    fn utterances(&self, part: Part, accents: impl Fn(usize) -> bool) -> Utterances {
        let all = self.spectrograms.archive.utterances.iter().enumerate();
        let own = all.filter(|(_, utterance)| utterance.part == part && accents(utterance.accent));
        Utterances::new(self.spectrograms, own.map(|(index, _)| index).collect())
    }

    /// The domain of each recording: its accent. New words in an accent of another device belong to nobody.
    fn domains(&self, part: &Utterances) -> Vec<usize> {
        let domain = |(accent, word): (usize, &usize)| {
            let is_new = self.new_words.contains(word);
            if is_new && self.device(accent) != Some(self.new_words_device) { NOBODY } else { accent }
        };
        part.accents().into_iter().zip(part.labels()).map(domain).collect()
    }

    /// The device that has an accent.
    fn device(&self, accent: usize) -> Option<usize> {
        Some(self.order.iter().position(|other| *other == accent)? % self.tasks)
    }

    /// The accents of each task.
    fn task_names(&self) -> Vec<String> {
        let of_task = |task: usize| {
            let own = self.order.iter().skip(task).step_by(self.tasks);
            own.map(|accent| self.spectrograms.archive.accents[*accent].as_str()).collect::<Vec<_>>().join(", ")
        };
        (0..self.tasks).map(of_task).collect()
    }

    /// The test sets that no task has: each accent that is left out, without new words, and the new words in all other accents.
    fn further_tests(&self, classes: &BTreeSet<usize>) -> Vec<FurtherTest> {
        let samples = |accents: &dyn Fn(usize) -> bool, words: &dyn Fn(usize) -> bool| -> Samples {
            let all = self.utterances(Part::Test, accents).all();
            let own: Vec<_> = (0..all.len()).filter(|index| words(all.labels()[*index])).collect();
            all.select(own)
        };
        let known = |word: usize| classes.contains(&word) && !self.new_words.contains(&word);
        let mut tests = vec![];
        for accent in &self.left_out {
            let name = format!("unseen {}", self.spectrograms.archive.accents[*accent]);
            tests.push(FurtherTest { name, test: samples(&|other| other == *accent, &known) });
        }
        if !self.new_words.is_empty() {
            let test = samples(&|accent| self.order.contains(&accent), &|word| self.new_words.contains(&word));
            tests.push(FurtherTest { name: "new words".to_owned(), test });
        }
        tests
    }
}

/// The index of each name among those that there are.
fn indices(option: &'static str, names: &[String], all: &[String]) -> Result<Vec<usize>, StreamError> {
    let wrong = |problem: String| StreamError::Option { option, problem, accepted: all.join(", ") };
    let mut found = vec![];
    for name in names {
        let index = all.iter().position(|other| other == name).ok_or_else(|| wrong(format!("names \"{name}\"")))?;
        if found.contains(&index) {
            return Err(wrong(format!("names \"{name}\" twice")));
        }
        found.push(index);
    }
    Ok(found)
}
