//! Rows of classifiers: put together, matched, and consolidated where several models have them.

use alluvium_checkpoint::{Dtype, Values};
use alluvium_merge::{Classifier, HeadRows, MergeModel};
use alluvium_strategy::StrategyConfig;
use alluvium_strategy_slerp::SlerpConfig;
use alluvium_strategy_weight_averaging::WeightAveraging;

use crate::files::{Files, floats};

fn classifier(heads: &[(&str, &[usize])]) -> Classifier {
    let head = |(name, rows): &(&str, &[usize])| HeadRows { name: (*name).to_owned(), rows: rows.to_vec() };
    let heads = heads.iter().map(head).collect();
    Classifier { weight: "fc.weight".to_owned(), bias: Some("fc.bias".to_owned()), heads }
}

/// Models of one weight and a classifier of two features. These numbers are its rows and biases.
fn files(rows: &[&[f32]]) -> Files {
    let model = |rows: &&[f32]| {
        let features: Vec<_> = rows.iter().flat_map(|row| [*row, 10.0 * row]).collect();
        let count = rows.len();
        vec![
            floats("w", &[1], &[rows[0]]),
            floats("fc.weight", &[count, 2], &features),
            floats("fc.bias", &[count], rows),
        ]
    };
    Files::new(&rows.iter().map(model).collect::<Vec<_>>())
}

/// The models, each with the heads of its classifier.
fn with_heads<'a>(files: &'a Files, heads: &[&[(&str, &[usize])]]) -> Vec<MergeModel<'a>> {
    let mut models = files.models();
    for (model, heads) in models.iter_mut().zip(heads) {
        model.classifier = (!heads.is_empty()).then(|| classifier(heads));
    }
    models
}

/// The bias of the result, after a look at its weights.
fn rows(files: &Files) -> Vec<f32> {
    let (bias, weight) = (files.values("fc.bias"), files.values("fc.weight"));
    assert_eq!(files.merged().tensor("fc.weight").unwrap().shape, [bias.len(), 2]);
    let expected: Vec<_> = bias.iter().flat_map(|row| [*row, 10.0 * row]).collect();
    assert!(weight.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4), "{weight:?} for {bias:?}");
    bias
}

#[test]
fn heads_of_one_model_are_put_together() {
    let files = files(&[&[1.0, 2.0], &[3.0], &[4.0, 5.0]]);
    let models = with_heads(&files, &[&[("a", &[0, 1])], &[("b", &[0])], &[("c", &[1, 0])]]);
    let merged = files.merge_models(models, &WeightAveraging::default(), |_| {}).unwrap();
    assert_eq!(merged.heads, ["a", "b", "c"]);
    // Rows have the order in which the head lists them.
    assert_eq!(rows(&files), [1.0, 2.0, 3.0, 5.0, 4.0]);
    // The backbone: the mean of the experts, 3 and 4, or of all three.
    assert_eq!(files.values("w"), [3.5]);
    let models = with_heads(&files, &[&[("a", &[0, 1])], &[("b", &[0])], &[("c", &[1, 0])]]);
    files.merge_models(models, &WeightAveraging::default(), |request| request.previous_counts = true).unwrap();
    assert!((files.values("w")[0] - 8.0 / 3.0).abs() < 1e-6, "(1 + 3 + 4) / 3");
    assert_eq!(rows(&files), [1.0, 2.0, 3.0, 5.0, 4.0]);
}

#[test]
fn a_head_that_comes_back_is_consolidated_row_by_row() {
    let files = files(&[&[1.0, 2.0, 7.0], &[4.0, 3.0]]);
    // The expert has the rows of `a` in the other order.
    let models = || with_heads(&files, &[&[("a", &[0, 1]), ("b", &[2])], &[("a", &[1, 0])]]);
    files.merge_models(models(), &WeightAveraging::default(), |request| request.previous_counts = true).unwrap();
    assert_eq!(rows(&files), [2.0, 3.0, 7.0], "(1 + 3) / 2, (2 + 4) / 2, and what is the previous model's alone");
    // At t = 0 the result is the start of the arc: the previous model, because it has a classifier.
    files.merge_models(models(), &SlerpConfig { expert_weight: 0.0 }, |_| {}).unwrap();
    assert_eq!(rows(&files), [1.0, 2.0, 7.0]);
    assert_eq!(files.values("w"), [1.0]);
}

#[test]
fn the_angle_is_that_of_the_whole_head() {
    // One feature, two rows that lie apart in the previous model: p = (3, 0), q = (0, 3), between them a right angle. At t = 1/2
    // both have sin 45° / sin 90° · 3 = 2.12132. Row by row there would be no angle, and the mean, 1.5.
    let one = |rows: &[f32]| vec![floats("w", &[1], &[1.0]), floats("fc.weight", &[rows.len(), 1], rows)];
    let files = Files::new(&[one(&[3.0, 9.0, 0.0]), one(&[0.0, 3.0])]);
    let mut models = with_heads(&files, &[&[("a", &[0, 2]), ("b", &[1])], &[("a", &[0, 1])]]);
    models.iter_mut().flat_map(|model| &mut model.classifier).for_each(|classifier| classifier.bias = None);
    files.merge_models(models, &SlerpConfig::default(), |_| {}).unwrap();
    let rows = files.values("fc.weight");
    assert!(rows.iter().zip([2.12132, 2.12132, 9.0]).all(|(a, b)| (a - b).abs() < 1e-5), "{rows:?}");
}

#[test]
fn a_model_may_have_no_classifier() {
    let without = vec![floats("w", &[1], &[5.0])];
    let with =
        vec![floats("w", &[1], &[7.0]), floats("fc.weight", &[1, 2], &[3.0, 30.0]), floats("fc.bias", &[1], &[3.0])];
    let files = Files::new(&[without, with]);
    let models = with_heads(&files, &[&[], &[("a", &[0])]]);
    let merged = files.merge_models(models, &WeightAveraging::default(), |_| {}).unwrap();
    assert_eq!((merged.heads, rows(&files)), (vec!["a".to_owned()], vec![3.0]));
}

#[test]
fn a_classifier_that_is_left_behind_gives_its_names_and_nothing_else() {
    // Its values are not read: even an infinite one does not matter.
    let previous = vec![
        ("w", Dtype::F32, vec![1], Values::Floats(vec![1.0])),
        ("fc.weight", Dtype::F16, vec![2, 2], Values::Floats(vec![f32::NAN; 4])),
        ("fc.bias", Dtype::F16, vec![2], Values::Floats(vec![f32::INFINITY; 2])),
    ];
    let expert = |row: f32| {
        vec![
            floats("w", &[1], &[row]),
            floats("fc.weight", &[1, 2], &[row, 10.0 * row]),
            floats("fc.bias", &[1], &[row]),
        ]
    };
    let files = Files::new(&[previous, expert(3.0), expert(5.0)]);
    for (strategy, expected) in
        [(&WeightAveraging::default() as &dyn StrategyConfig, 4.0), (&SlerpConfig { expert_weight: 0.0 }, 3.0)]
    {
        let mut models = with_heads(&files, &[&[], &[("a", &[0])], &[("b", &[0])]]);
        models[0].classifier = Some(classifier(&[]));
        let merged = files.merge_models(models, strategy, |_| {}).unwrap();
        assert_eq!((merged.heads, rows(&files)), (vec!["a".to_owned(), "b".to_owned()], vec![3.0, 5.0]));
        // The mean of the experts. At t = 0 the arc begins at the first expert, because the previous model had no
        // classes.
        assert_eq!(files.values("w"), [expected]);
        let bias = files.merged().tensor("fc.bias").unwrap().dtype;
        assert_eq!(bias, Dtype::F16, "as the previous model has it");
    }
    let mut models = with_heads(&files, &[&[], &[], &[]]);
    models.iter_mut().for_each(|model| model.classifier = Some(classifier(&[])));
    files.merge_models(models, &WeightAveraging::default(), |_| {}).unwrap();
    let names: Vec<_> = files.merged().tensors().map(|info| info.name.clone()).collect();
    assert_eq!(names, ["w"], "all of them left behind");
}

#[test]
fn what_does_not_fit_is_said() {
    let files = files(&[&[1.0, 2.0], &[4.0, 3.0]]);
    type Heads<'a> = &'a [(&'a str, &'a [usize])];
    let a: Heads<'_> = &[("a", &[0, 1])];
    let cases: [(Heads<'_>, &str); 6] = [
        (&[("a", &[0, 1]), ("b", &[])], "model 1: has a head without rows"),
        (&[("a", &[0, 0])], "model 1: has a classifier with a row that belongs to two heads, or to none"),
        (&[("a", &[0, 2])], "belongs to two heads, or to none"),
        (&[("b", &[0]), ("b", &[1])], "model 1: has the head \"b\" twice"),
        (&[("a", &[0]), ("b", &[1])], "model 1: has 1 rows for the head \"a\", but another model has 2"),
        (
            &[("b", &[0, 1, 2])],
            "model 1: the tensor `fc.bias` has the shape [2]; accepted: [3], because the heads have 3 rows",
        ),
    ];
    for (heads, expected) in cases {
        let error = files.error(with_heads(&files, &[a, heads]), &WeightAveraging::default());
        assert!(error.contains(expected), "{error}");
    }
    let changed = |change: fn(&mut Classifier)| {
        let mut models = with_heads(&files, &[a, a]);
        models[1].classifier.as_mut().map(change);
        files.error(models, &WeightAveraging::default())
    };
    let error = changed(|classifier| classifier.weight = "head".to_owned());
    assert!(error.contains("`head` of the classifier is missing"), "{error}");
    let error = changed(|classifier| classifier.weight = "fc.bias".to_owned());
    assert!(error.contains("`fc.bias` has the shape [2]; accepted for a classifier: [classes, features]"), "{error}");
    let error = changed(|classifier| classifier.bias = None);
    assert!(error.contains("`fc.bias` is not in model 0"), "then it is one of the backbone's: {error}");
}
