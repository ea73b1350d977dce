//! Tests of splits on data whose images say which sample they are.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{DataPart, Samples, Task, TaskStream};

/// Data of some classes, with `train` training and `test` test samples of each. The two pixels of an image are its
/// number.
fn data(classes: usize, train: usize, test: usize) -> DataSet {
    let part = |each: usize| {
        let mut samples = Samples::new([1, 1, 2].into());
        // Classes in turn, as in most data sets.
        (0..each * classes).for_each(|n| samples.push(&[(n / 256) as u8, (n % 256) as u8], n % classes));
        samples
    };
    let name = |class: usize| char::from(b'a' + class as u8).to_string();
    DataSet::new((0..classes).map(name).collect(), part(train), part(test))
}

/// All samples of a part of a data set.
fn all(images: &dyn DataPart) -> Samples {
    images.read(&(0..images.labels().len()).collect::<Vec<_>>()).unwrap()
}

/// All tasks of a stream, with their samples.
fn read(stream: &SplitTasks) -> Vec<Task> {
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

/// The number of each sample.
fn numbers(samples: &Samples) -> Vec<usize> {
    (0..samples.len())
        .map(|index| 256 * usize::from(samples.image(index)[0]) + usize::from(samples.image(index)[1]))
        .collect()
}

fn split(tasks: usize, classes_per_task: usize) -> Split {
    let settings = SplitSettings::default();
    Split { tasks, classes_per_task, class_order: None, train_samples_per_class: None, settings }
}

fn with(split: Split, change: impl FnOnce(&mut SplitSettings)) -> Split {
    let mut split = split;
    change(&mut split.settings);
    split
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Splits by one of the four shifts. The domain of a sample is its number within its class, modulo 7.
fn tasks(shift: usize, split: &Split, data: &DataSet, seed: u64) -> Result<Vec<Task>, StreamError> {
    let classes = data.class_names.len();
    let of =
        |images: &dyn DataPart| numbers(&all(images)).iter().map(|number| number / classes % 7).collect::<Vec<_>>();
    let (train, test) = (of(&*data.train), of(&*data.test));
    let (domains, seed) = (Domains { train: &train, test: &test }, Seed::new(seed));
    let tasks = match shift {
        0 => split.by_class(data, seed),
        1 => split.by_domain(data, domains, seed),
        2 => split.by_class_and_domain(data, domains, seed),
        _ => split.by_label(data, seed),
    };
    Ok(read(&tasks?))
}

/// Splits of all shifts with every combination of some options.
fn splits() -> Vec<(usize, Split)> {
    let mut splits = vec![];
    for (shift, shared, rounds) in [(0, 0, 1), (0, 1, 1), (0, 2, 2), (0, 0, 3), (1, 0, 1), (1, 0, 2), (2, 0, 1)]
        .into_iter()
        .chain([(2, 1, 2), (3, 0, 1), (3, 0, 2)])
    {
        for (ratio, noise, limit, concentration) in
            [(1.0, 0.0, None, None), (0.3, 0.0, Some(9), Some(100.0)), (0.5, 0.25, None, Some(0.05))]
        {
            let split = with(Split { train_samples_per_class: limit, ..split(3, 2) }, |settings| {
                settings.shared_classes = shared;
                settings.rounds = rounds;
                settings.size_ratio = ratio;
                settings.label_noise = noise;
                settings.concentration = concentration.filter(|_| shift == 3);
            });
            splits.push((shift, split));
        }
    }
    splits
}

#[test]
fn no_training_sample_is_on_two_devices_and_labels_are_right_except_for_noise() {
    let data = data(6, 42, 14);
    for (shift, split) in splits() {
        for seed in 0..3 {
            let case = format!("shift {shift}, seed {seed}, {split:?}");
            let tasks = tasks(shift, &split, &data, seed).unwrap();
            assert_eq!(tasks.len(), 3 * split.settings.rounds, "{case}");
            let mut seen = BTreeSet::new();
            for (index, task) in tasks.iter().enumerate() {
                assert_eq!(task.index, index);
                let numbers = numbers(&task.train);
                assert!(numbers.iter().all(|number| seen.insert(*number)), "a sample is dealt twice: {case}");
                let wrong = numbers.iter().zip(task.train.labels()).filter(|(number, label)| *number % 6 != **label);
                let expected = (split.settings.label_noise * numbers.len() as f64).round() as usize;
                assert_eq!(wrong.count(), expected, "{case}");
                assert!(task.train.labels().iter().all(|label| task.head.classes.contains(label)), "{case}");
                let tests = self::numbers(&task.test);
                assert!(tests.iter().zip(task.test.labels()).all(|(number, label)| number % 6 == *label), "{case}");
                let repeated = &tasks[index % 3];
                assert_eq!(tests, self::numbers(&repeated.test), "{case}");
                assert_eq!(task.head, repeated.head, "{case}");
            }
        }
    }
}

#[test]
fn the_seed_decides_and_nothing_else() {
    let data = data(6, 42, 14);
    let all = |shift, split: &Split, seed| -> Vec<_> {
        let tasks = tasks(shift, split, &data, seed).unwrap().into_iter();
        tasks.map(|task| (task.head, task.name, numbers(&task.train), task.train.labels().to_vec())).collect()
    };
    for (shift, split) in splits() {
        assert_eq!(all(shift, &split, 5), all(shift, &split, 5), "shift {shift}, {split:?}");
        assert_ne!(all(shift, &split, 5), all(shift, &split, 6), "shift {shift}, {split:?}");
    }
}

#[test]
fn every_class_goes_to_one_task() {
    let stream = split(2, 2).by_class(&data(4, 5, 1), Seed::new(3)).unwrap();
    let tasks = read(&stream);
    let mut classes: Vec<_> = tasks.iter().flat_map(|task| task.head.classes.clone()).collect();
    classes.sort_unstable();
    assert_eq!(classes, [0, 1, 2, 3]);
    for task in &tasks {
        assert_eq!((task.train.len(), task.test.len()), (10, 2));
        assert!(task.train.labels().iter().all(|label| task.head.classes.contains(label)));
    }
}

#[test]
fn the_order_is_the_seeds_or_the_given_one() {
    let names_of = |split: &Split, seed| {
        let tasks = tasks(0, split, &data(4, 5, 1), seed).unwrap();
        tasks.into_iter().map(|task| task.name).collect::<Vec<_>>()
    };
    assert!((2..20).any(|seed| names_of(&split(4, 1), seed) != names_of(&split(4, 1), 1)));
    let given = Split { class_order: names(&["d", "b"]), ..split(2, 1) };
    assert_eq!(names_of(&given, 0), ["d", "b"]);
}

#[test]
fn training_samples_are_limited_by_class() {
    let limited = Split { train_samples_per_class: Some(2), ..split(2, 2) };
    let tasks = tasks(0, &limited, &data(4, 5, 1), 0).unwrap();
    assert!(tasks.iter().all(|task| task.train.len() == 4));
}

#[test]
fn shared_classes_are_the_last_ones_of_the_device_before_and_dealt_between_both() {
    let data = data(6, 9, 2);
    let split = Split { class_order: names(&["a", "b", "c", "d", "e", "f"]), ..split(3, 2) };
    let tasks = tasks(0, &with(split, |settings| settings.shared_classes = 1), &data, 0).unwrap();
    let classes: Vec<_> = tasks.iter().map(|task| task.head.classes.clone()).collect();
    assert_eq!(classes, [vec![0, 1], vec![2, 3, 1], vec![4, 5, 3]]);
    assert_eq!(tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["a b", "c d b", "e f d"]);
    let count = |task: &Task, class| task.train.labels().iter().filter(|label| **label == class).count();
    // Nine samples of `b` and of `d`: five and four.
    assert_eq!((count(&tasks[0], 1), count(&tasks[1], 1)), (5, 4));
    assert_eq!((count(&tasks[1], 3), count(&tasks[2], 3)), (5, 4));
    assert_eq!((count(&tasks[0], 0), count(&tasks[2], 5)), (9, 9));
    assert_eq!(tasks.iter().map(|task| task.test.len()).collect::<Vec<_>>(), [4, 6, 6]);
}

#[test]
fn devices_that_come_back_share_the_samples_of_their_task() {
    let data = data(4, 10, 2);
    let tasks = tasks(0, &with(split(2, 2), |settings| settings.rounds = 3), &data, 0).unwrap();
    let dealt: BTreeSet<_> = tasks.iter().flat_map(|task| numbers(&task.train)).collect();
    assert_eq!(dealt.len(), 40, "every sample is dealt");
    for task in &tasks {
        // 20 samples in three parts: 7, 7 and 6; ten of a class: 4, 3 and 3.
        assert!([6, 7].contains(&task.train.len()));
        let class = task.head.classes[0];
        assert!([3, 4].contains(&task.train.labels().iter().filter(|label| **label == class).count()));
    }
    assert_eq!(tasks[3].name, format!("{} (round 2)", tasks[1].name));
}

#[test]
fn domains_stay_whole() {
    let data = data(4, 5, 1);
    let train: Vec<_> = (0..data.train.labels().len()).map(|index| index / 4).collect();
    let test = [0, 1, 2, 3];
    let stream = split(2, 4).by_domain(&data, Domains { train: &train, test: &test }, Seed::new(0)).unwrap();
    assert_eq!(stream.tasks(), 2);
    // Four of the five domains have test samples, two go to each device: 2 domains × 4 classes.
    assert!(read(&stream).iter().all(|task| task.train.len() == 8 && task.head.name == "shared"));
}

#[test]
fn test_samples_of_other_domains_are_divided_equally() {
    let data = data(4, 6, 5);
    // Three domains: the samples 0 to 7, 8 to 15 and 16 to 23.
    let domains: Vec<_> = (0..24).map(|index| index / 8).collect();
    let split = split(3, 4);
    let given = read(&split.by_training_domain(&data, &domains, Some(&[2, 0, 1]), Seed::new(0)).unwrap());
    let trained: Vec<_> = given.iter().map(|task| numbers(&task.train)).collect();
    assert_eq!(trained, [(16..24).collect::<Vec<_>>(), (0..8).collect(), (8..16).collect()]);
    // 20 test samples, five of a class: 7, 7 and 6, one or two of each class.
    let tests: Vec<_> = given.iter().map(|task| numbers(&task.test)).collect();
    assert_eq!(tests.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
    assert_eq!(tests.concat().into_iter().collect::<BTreeSet<_>>(), (0..20).collect());
    assert!(counts_of_tests(&given).concat().iter().all(|count| [1, 2].contains(count)));
    let first =
        |seed| numbers(&read(&split.by_training_domain(&data, &domains, None, Seed::new(seed)).unwrap())[0].train);
    assert!((1..20).any(|seed| first(seed) != first(0)), "without an order the seed decides");
    let error = Split { tasks: 4, ..split }.by_training_domain(&data, &domains, None, Seed::new(0)).unwrap_err();
    assert!(error.to_string().contains("`tasks` = 4, but the data have 3 domains; accepted: 1 to 3"), "{error}");
}

/// How many test samples each device has of each of four classes.
fn counts_of_tests(tasks: &[Task]) -> Vec<Vec<usize>> {
    let count = |task: &Task, class| task.test.labels().iter().filter(|label| **label == class).count();
    tasks.iter().map(|task| (0..4).map(|class| count(task, class)).collect()).collect()
}

#[test]
fn the_first_device_may_have_another_number_of_classes() {
    let data = data(9, 4, 2);
    let order = names(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
    let split = with(Split { class_order: order, ..split(3, 2) }, |settings| settings.first_classes = Some(4));
    let classes = |split: &Split| -> Vec<_> {
        tasks(0, split, &data, 0).unwrap().into_iter().map(|task| task.head.classes).collect()
    };
    assert_eq!(classes(&split), [vec![0, 1, 2, 3], vec![4, 5], vec![6, 7]]);
    let shared = with(split.clone(), |settings| settings.shared_classes = 2);
    assert_eq!(classes(&shared), [vec![0, 1, 2, 3], vec![4, 5, 2, 3], vec![6, 7, 4, 5]]);
    let few = with(split, |settings| settings.first_classes = Some(1));
    assert_eq!(classes(&few), [vec![0], vec![1, 2], vec![3, 4]]);
}

#[test]
fn classes_and_domains_differ_at_once() {
    let data = data(6, 42, 14);
    let tasks = tasks(2, &split(3, 2), &data, 1).unwrap();
    let mut owners = BTreeMap::new();
    for task in &tasks {
        let domains: BTreeSet<_> = numbers(&task.train).iter().map(|number| number / 6 % 7).collect();
        assert_eq!(domains, numbers(&task.test).iter().map(|number| number / 6 % 7).collect());
        assert!([2, 3].contains(&domains.len()), "seven domains over three devices");
        // Each domain has 42 / 7 = 6 training samples of each class.
        assert_eq!(task.train.len(), 2 * 6 * domains.len());
        domains.iter().for_each(|domain| assert!(owners.insert(*domain, task.index).is_none()));
        task.head.classes.iter().for_each(|class| assert!(owners.insert(100 + class, task.index).is_none()));
    }
    assert_eq!(owners.len(), 7 + 6);
}

/// How many training samples each device has of each class.
fn counts(tasks: &[Task], classes: usize) -> Vec<Vec<usize>> {
    let count = |task: &Task, class| task.train.labels().iter().filter(|label| **label == class).count();
    tasks.iter().map(|task| (0..classes).map(|class| count(task, class)).collect()).collect()
}

#[test]
fn without_a_concentration_every_class_is_divided_equally() {
    let data = data(4, 102, 50);
    let tasks = tasks(3, &split(10, 4), &data, 2).unwrap();
    assert!(counts(&tasks, 4).concat().iter().all(|count| [10, 11].contains(count)));
    let tests: BTreeSet<_> = tasks.iter().flat_map(|task| numbers(&task.test)).collect();
    assert_eq!(tests.len(), 200, "every test sample is on one device");
    assert!(tasks.iter().all(|task| task.test.len() == 20 && task.head == tasks[0].head));
}

#[test]
fn a_large_concentration_is_nearly_equal() {
    let data = data(4, 1000, 10);
    let split = with(split(10, 4), |settings| settings.concentration = Some(1e4));
    // A fraction has the variance (n − 1) / (n²(nα + 1)): for α = 10⁴ a standard deviation of 0.00095, one sample of
    // 1000.
    let equal = counts(&tasks(3, &split, &data, 3).unwrap(), 4);
    assert!(equal.concat().iter().all(|count| count.abs_diff(100) <= 6), "{equal:?}");
    assert!(
        (0..4).all(|class| equal.iter().map(|device| device[class]).sum::<usize>() == 1000),
        "every sample is dealt"
    );
}

#[test]
fn a_small_concentration_leaves_most_of_a_class_on_one_device() {
    let data = data(4, 1000, 10);
    let split = with(split(10, 4), |settings| settings.concentration = Some(0.01));
    // The sum of the squares of a class's fractions, over the classes of some seeds.
    let mut squares = vec![];
    for seed in 0..25 {
        let counts = counts(&tasks(3, &split, &data, seed).unwrap(), 4);
        assert_eq!(counts.concat().iter().sum::<usize>(), 4000, "every sample is dealt");
        assert!(counts.iter().all(|device| device.iter().sum::<usize>() > 0), "every device has something");
        let fraction = |device: &Vec<usize>, class| device[class] as f64 / 1000.0;
        squares.extend((0..4).map(|class| counts.iter().map(|device| fraction(device, class).powi(2)).sum::<f64>()));
    }
    // It is (α + 1) / (nα + 1) = 1.01 / 1.1 = 0.918 in the mean; for equal parts it would be 0.1. With values in [0.1, 1]
    // and that mean, the variance is at most (1 − 0.918)(0.918 − 0.1) = 0.067, so five standard errors of 100 values are 0.13.
    let mean = squares.iter().sum::<f64>() / squares.len() as f64;
    assert!((mean - 0.918).abs() < 0.13, "{mean}");
}

#[test]
fn labels_are_wrong_where_they_should_be() {
    let data = data(6, 40, 5);
    let noisy = with(split(3, 2), |settings| {
        settings.label_noise = 0.3;
        settings.noisy_devices = Some(vec![1, 3]);
    });
    let tasks = tasks(0, &noisy, &data, 0).unwrap();
    let wrong =
        |task: &Task| numbers(&task.train).iter().zip(task.train.labels()).filter(|(n, l)| *n % 6 != **l).count();
    // 0.3·80 = 24
    assert_eq!(tasks.iter().map(wrong).collect::<Vec<_>>(), [24, 0, 24]);
}

#[test]
fn devices_have_unequal_sizes() {
    let data = data(6, 40, 5);
    let tasks = tasks(0, &with(split(3, 2), |settings| settings.size_ratio = 0.25), &data, 0).unwrap();
    let mut sizes: Vec<_> = tasks.iter().map(|task| task.train.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [20, 40, 80]);
}

/// The third of four devices as it could differ: new classes, those of one other, those of several, wrong labels.
fn one_that_differs() -> [Split; 5] {
    let plain = || Split { train_samples_per_class: Some(9), ..split(4, 2) };
    let sharing = |shared_with| with(plain(), |s| (s.sharing_devices, s.shared_with) = (Some(vec![3]), shared_with));
    let noisy = |fraction| with(plain(), |s| (s.noisy_devices, s.label_noise) = (Some(vec![3]), fraction));
    [plain(), sharing(Some(vec![2])), sharing(None), noisy(0.1), noisy(0.5)]
}

#[test]
fn where_one_device_differs_all_others_are_the_same_to_the_sample() {
    let data = data(8, 42, 14);
    // By class, and by class and domain.
    for (shift, seed) in [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)] {
        let variants = one_that_differs().map(|split| tasks(shift, &split, &data, seed).unwrap());
        let digests =
            variants.each_ref().map(|tasks| tasks.iter().map(|task| task.digest().unwrap()).collect::<Vec<_>>());
        for (number, digests_of) in digests.iter().enumerate() {
            for other in [0, 1, 3] {
                assert_eq!(digests_of[other], digests[0][other], "shift {shift}, variant {number}, device {other}");
            }
            assert!(digests[..number].iter().all(|before| before[2] != digests_of[2]), "variant {number}");
            let mut seen = BTreeSet::new();
            for task in &variants[number] {
                assert!(numbers(&task.train).iter().all(|sample| seen.insert(*sample)), "variant {number}");
            }
        }
    }
}

#[test]
fn a_device_that_shares_has_classes_of_others_and_samples_that_they_leave() {
    let data = data(8, 20, 5);
    let [_, one, several, ..] = one_that_differs().map(|mut split| {
        split.class_order = names(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        tasks(0, &split, &data, 0).unwrap()
    });
    let classes = |tasks: &[Task]| tasks.iter().map(|task| task.head.classes.clone()).collect::<Vec<_>>();
    assert_eq!(classes(&one), [[0, 1], [2, 3], [2, 3], [6, 7]]);
    // The first class of the first device and of the second. Its own classes, 4 and 5, remain unused.
    assert_eq!(classes(&several), [[0, 1], [2, 3], [0, 2], [6, 7]]);
    for tasks in [&one, &several] {
        // Nine of each class, as on all devices: an owner leaves 11 of 20.
        assert!(tasks.iter().all(|task| task.train.len() == 18 && task.test.len() == 10));
        assert!(tasks[2].train.labels().iter().all(|label| tasks[2].head.classes.contains(label)));
        assert_eq!(tasks[2].head.name, "task-3");
    }
    // Two that share the same class have the 11 between them.
    let two = with(one_that_differs()[1].clone(), |s| s.sharing_devices = Some(vec![3, 4]));
    let sizes: Vec<_> = tasks(0, &two, &data, 0).unwrap().iter().map(|task| task.train.len()).collect();
    assert_eq!(sizes, [18, 18, 12, 10]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let data = data(4, 5, 1);
    let refused = |shift, split: Split, expected: &[&str]| {
        let error = tasks(shift, &split, &data, 0).unwrap_err().to_string();
        expected.iter().for_each(|text| assert!(error.contains(text), "{error}"));
    };
    refused(0, split(3, 2), &["6 classes, but the data have 4"]);
    refused(0, Split { class_order: names(&["d", "d"]), ..split(2, 1) }, &["\"d\" twice"]);
    refused(3, split(5, 4), &["`tasks` = 5", "20 training and 4 test samples", "1 to 4"]);
    refused(3, with(split(4, 4), |s| s.rounds = 6), &["`tasks` = 4", "in each of 6 rounds", "1 to 3"]);
    let set_first = |first, shift| with(split(3, 1), |s| (s.first_classes, s.shared_classes) = (Some(first), shift));
    refused(0, set_first(3, 0), &["`first_classes` = 3 and 2 of the other tasks are 5 classes, but the data have 4"]);
    refused(0, set_first(0, 0), &["`first_classes` = 0"]);
    refused(3, set_first(2, 0), &["`first_classes` = 2, but all devices have the same classes"]);
    refused(0, set_first(2, 2), &["`shared_classes` = 2, but a device has 1 classes of its own"]);
    refused(1, split(2, 4), &["`tasks` = 2, but the data have 1 domains with test samples"]);
    let set = |change: fn(&mut SplitSettings)| with(split(2, 2), change);
    refused(0, set(|s| s.shared_classes = 3), &["`shared_classes` = 3", "2 classes of its own", "0 to 2"]);
    refused(3, set(|s| s.shared_classes = 1), &["`shared_classes` = 1", "same classes"]);
    refused(0, set(|s| s.concentration = Some(1.0)), &["`concentration`", "\"label-skew\""]);
    refused(3, set(|s| s.concentration = Some(f64::NAN)), &["`concentration` = NaN", "above 0"]);
    refused(0, set(|s| s.rounds = 0), &["`rounds` = 0"]);
    refused(0, set(|s| s.size_ratio = 0.0), &["`size_ratio` = 0"]);
    refused(0, set(|s| s.label_noise = 1.5), &["`label_noise` = 1.5"]);
    let share = |sharing: usize, with: Option<Vec<usize>>| {
        self::with(Split { train_samples_per_class: Some(2), ..split(2, 2) }, |s| {
            (s.sharing_devices, s.shared_with) = (Some(vec![sharing]), with);
        })
    };
    refused(0, share(3, None), &["`sharing_devices` names the device 3", "1 to 2"]);
    refused(0, share(2, Some(vec![0])), &["`shared_with` names the device 0"]);
    refused(0, share(2, Some(vec![2])), &["`shared_with` names the device 2, which has no classes"]);
    refused(3, share(2, None), &["`sharing_devices`", "same classes"]);
    refused(0, self::with(share(2, None), |s| s.rounds = 2), &["`sharing_devices`", "`rounds` = 1"]);
    refused(0, self::with(share(2, None), |s| s.shared_classes = 1), &["`sharing_devices`", "`shared_classes` = 0"]);
    refused(0, set(|s| s.shared_with = Some(vec![1])), &["`shared_with` is set, but `sharing_devices` is not"]);
    let few = Split { tasks: 2, classes_per_task: 1, ..share(1, None) };
    let few = self::with(few, |s| s.first_classes = Some(2));
    refused(0, few, &["`shared_with` names devices with 1 classes together, but the device 1 has 2"]);
    let all_kept = Split { train_samples_per_class: None, ..share(2, None) };
    refused(
        0,
        all_kept,
        &["`sharing_devices` learn the class", "5 training samples other devices leave 0", "at most 4"],
    );
    let set_noisy =
        |fraction, device| with(split(2, 2), |s| (s.label_noise, s.noisy_devices) = (fraction, Some(vec![device])));
    refused(0, set_noisy(0.1, 3), &["`noisy_devices` names the device 3", "1 to 2"]);
    refused(0, set_noisy(0.0, 1), &["`noisy_devices` is set, but `label_noise` is 0", "`label_noise` above 0"]);
    refused(0, with(split(2, 1), |s| s.label_noise = 0.5), &["`label_noise` = 0.5", "only one class"]);
    refused(0, set(|s| s.rounds = 11), &["no training samples"]);
    let mut without_test = data.clone();
    without_test.test = std::sync::Arc::new(Samples::new([1, 1, 2].into()));
    let error = split(2, 2).by_class(&without_test, Seed::new(0)).unwrap_err().to_string();
    assert!(error.contains("no test samples"), "{error}");
}
