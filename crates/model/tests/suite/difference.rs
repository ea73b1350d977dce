//! Experts that are sent as the difference to their parent: what is sent, what is read, and what is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{Digest, Expert, LowRank, Manifest, ModelState, Values, Weights};

use crate::doubles::{Nothing, adapted, difference, expert, head, manifest, one, ones, parent};

/// The metadata and the tensors of a file.
fn parts(bytes: &[u8]) -> (Weights, BTreeMap<String, String>) {
    Weights::from_safetensors(bytes).unwrap()
}

/// Reads what a device sent whose file was changed in its tensors. The manifest states the digest of the changed file.
fn changed(change: impl FnOnce(&mut Weights)) -> Result<Expert, String> {
    rewritten(change, |_| {})
}

fn rewritten(change: impl FnOnce(&mut Weights), restate: impl FnOnce(&mut Manifest)) -> Result<Expert, String> {
    let parent = parent();
    let factors = BTreeMap::from([("backbone.layer.weight".to_owned(), ones(3))]);
    let sent = Expert::difference(&parent, adapted(), factors, manifest(&adapted())).unwrap();
    let (mut weights, mut metadata) = parts(&sent.to_bytes().unwrap());
    change(&mut weights);
    let mut manifest = Manifest { digest: weights.digest(), ..sent.manifest };
    restate(&mut manifest);
    metadata.insert("alluvium.manifest".to_owned(), serde_json::to_string(&manifest).unwrap());
    Expert::received(&weights.to_safetensors(metadata).unwrap(), &parent).map_err(|error| error.to_string())
}

fn without(weights: &Weights, name: &str) -> Weights {
    assert!(weights.get(name).is_some(), "{name}");
    weights.iter().filter(|(own, _)| *own != name).map(|(own, tensor)| (own.to_owned(), tensor.clone())).collect()
}

#[test]
fn only_what_the_parent_lacks_is_sent() {
    let bytes = difference().to_bytes().unwrap();
    let (sent, metadata) = parts(&bytes);
    let names: Vec<_> = sent.iter().map(|(name, _)| name).collect();
    let factors = ["left", "right", "scale"].map(|part| format!("low-rank.backbone.layer.weight.{part}"));
    let expected = [
        "backbone.layer.bias",
        "heads.a.bias",
        &factors[0],
        &factors[1],
        &factors[2],
        "statistics.fisher.backbone.layer.weight",
    ];
    assert_eq!(names, expected);
    assert!(metadata.contains_key("alluvium.difference") && !metadata.contains_key("alluvium"));
    // Values of 4 bytes: 3 of the bias, 2 of the head, 2 + 3 of the factors and 6 of the statistic; and 8 bytes of the scale.
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    assert_eq!(bytes.len() - header, 4 * (3 + 2 + 2 + 3 + 6) + 8);
}

#[test]
fn the_receiver_has_the_model_of_the_device() {
    let (parent, sent) = (parent(), difference());
    // [[-0.5, 0.5, 1.5], [2.5, 3.5, 4.5]] + 0.5 · [1, 1]ᵀ · [1, 1, 1].
    let weight = sent.model.weights.get("backbone.layer.weight").unwrap();
    assert_eq!(*weight, Values::new(vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    let own = |name: &str| (sent.model.weights.get(name).cloned(), parent.weights.get(name).cloned());
    let (kept, given) = own("backbone.conv.weight");
    assert_eq!(kept, given);
    assert!(sent.is_difference() && sent.model.heads == [head("a")]);
    assert_eq!(sent.manifest.parent, parent.digest());
    assert_ne!(sent.manifest.digest, sent.model.digest(), "it is the digest of what is sent");

    let back = Expert::received(&sent.to_bytes().unwrap(), &parent).unwrap();
    assert!(back.is_difference());
    assert_eq!(back.model.weights, sent.model.weights);
    assert_eq!(back.statistic("fisher").unwrap(), sent.statistic("fisher").unwrap());
    assert_eq!(back.manifest, sent.manifest);
    assert_eq!(parts(&back.to_bytes().unwrap()), parts(&sent.to_bytes().unwrap()), "it can be stored and read again");
    back.check(&parent).unwrap();
}

#[test]
fn whole_experts_are_received_as_before() {
    let whole = expert();
    let bytes = whole.to_bytes().unwrap();
    for back in [Expert::from_bytes(&bytes).unwrap(), Expert::received(&bytes, &parent()).unwrap()] {
        assert!(!back.is_difference());
        assert_eq!((back.model.weights, back.manifest), (whole.model.weights.clone(), whole.manifest.clone()));
    }
}

#[test]
fn a_convolution_and_a_head_may_have_factors() {
    let mut parent = parent();
    parent.set_head(head("a"), one("weight", &[2, 2]));
    let model = parent.with_heads(|head| head.name == "a");
    let names = ["backbone.conv.weight", "heads.a.weight"];
    let factors = names.map(|name| (name.to_owned(), ones(2))).into();
    let expert = Expert::difference(&parent, model, factors, manifest(&parent)).unwrap();
    let back = Expert::received(&expert.to_bytes().unwrap(), &parent).unwrap();
    // Each value is half larger: 0.5 · 1 · 1.
    let expected = vec![0.0, 1.0, 2.0, 3.0];
    assert_eq!(*back.model.weights.get(names[0]).unwrap(), Values::new(vec![2, 1, 1, 2], expected.clone()));
    assert_eq!(*back.model.weights.get(names[1]).unwrap(), Values::new(vec![2, 2], expected));
    let sent = parts(&expert.to_bytes().unwrap()).0;
    assert!(sent.iter().all(|(name, _)| name.starts_with("low-rank.")), "nothing is sent as it is");
}

#[test]
fn values_that_are_equal_but_differ_in_bits_are_sent() {
    let mut parent = parent();
    parent.weights.insert("backbone.layer.bias", Values::new(vec![3], vec![0.0; 3]));
    let mut model = adapted();
    model.weights.insert("backbone.layer.bias", Values::new(vec![3], vec![-0.0; 3]));
    let expert = Expert::difference(&parent, model.clone(), BTreeMap::new(), manifest(&model)).unwrap();
    let back = Expert::received(&expert.to_bytes().unwrap(), &parent).unwrap();
    assert_eq!(back.model.digest(), model.digest());
}

/// What [`Expert::difference`] says about a model and factors.
fn refused(model: ModelState, factors: &[(&str, LowRank)]) -> String {
    let factors = factors.iter().map(|(name, factors)| ((*name).to_owned(), factors.clone())).collect();
    Expert::difference(&parent(), model, factors, manifest(&adapted())).unwrap_err().to_string()
}

fn says(error: &str, texts: &[&str]) {
    assert!(texts.iter().all(|text| error.contains(text)), "{error}");
}

#[test]
fn a_difference_that_cannot_be_made_is_refused() {
    let mut two = adapted();
    two.set_head(head("b"), one("bias", &[2]));
    says(&refused(two, &[]), &["one head", "2"]);
    let mut lacks = adapted();
    lacks.weights = without(&lacks.weights, "backbone.conv.weight");
    says(&refused(lacks.clone(), &[]), &["lack the tensor `backbone.conv.weight`", "[2, 1, 1, 2]"]);
    let replaced = Expert::difference(
        &parent(),
        lacks,
        BTreeMap::from([("backbone.conv.weight".to_owned(), ones(2))]),
        manifest(&adapted()),
    );
    assert!(replaced.is_ok(), "factors give the tensor");
    let mut other = adapted();
    other.weights.insert("backbone.layer.bias", Values::new(vec![4], vec![1.0; 4]));
    says(&refused(other, &[]), &["`backbone.layer.bias`", "[4]", "[3]"]);
    let mut more = adapted();
    more.weights.insert("backbone.extra", Values::new(vec![1], vec![1.0]));
    says(&refused(more, &[]), &["`backbone.extra`"]);
    let mut infinite = adapted();
    infinite.weights.insert("backbone.layer.bias", Values::new(vec![3], vec![1.0, f32::NAN, 0.0]));
    says(&refused(infinite, &[]), &["`backbone.layer.bias`", "NaN"]);
    says(
        &refused(adapted(), &[("backbone.layer.weight", ones(2))]),
        &["`backbone.layer.weight`", "[1, 2]", "[rank, 3]"],
    );
    says(&refused(adapted(), &[("backbone.none", ones(2))]), &["`backbone.none`", "its parent lacks"]);
    says(&refused(adapted(), &[("heads.a.bias", ones(2))]), &["`heads.a.bias`", "its parent lacks"]);
    says(&refused(adapted(), &[("heads.other.bias", ones(2))]), &["`heads.other.bias`", "its parent lacks"]);
    let wide = ModelState { backbone: Arc::new(Nothing { width: 3 }), ..adapted() };
    says(&refused(wide, &[]), &["backbone", "\"width\":3", "that of its parent", "\"width\":2"]);
    says(&refused(ModelState { input: [1, 1, 1].into(), ..adapted() }, &[]), &["input", "1×1×1", "1×2×3"]);
}

#[test]
fn a_difference_to_another_model_is_refused() {
    let bytes = difference().to_bytes().unwrap();
    let mut other = parent();
    other.weights.insert("backbone.layer.bias", Values::new(vec![3], vec![9.0; 3]));
    let error = Expert::received(&bytes, &other).unwrap_err().to_string();
    says(&error, &[parent().digest().as_str(), other.digest().as_str()]);
    let error = Expert::from_bytes(&bytes).unwrap_err().to_string();
    says(&error, &["only what changed", parent().digest().as_str()]);
    let error = ModelState::from_bytes(&bytes).unwrap_err().to_string();
    says(&error, &["the difference of an expert", "a whole model"]);
}

#[test]
fn a_file_that_contradicts_itself_or_its_parent_is_refused() {
    let factor = |part: &str| format!("low-rank.backbone.layer.weight.{part}");
    let says = |read: Result<Expert, String>, texts: &[&str]| says(&read.unwrap_err(), texts);
    assert!(changed(|_| {}).is_ok());
    says(rewritten(|_| {}, |manifest| manifest.digest = Digest::of(b"other")), &["\"a\"", "another digest"]);
    says(rewritten(|_| {}, |manifest| manifest.parent = Digest::of(b"other")), &["parent at hand"]);
    let whole = |sent: &mut Weights| sent.extend_below("backbone", one("layer.weight", &[2, 3]));
    says(changed(whole), &["`backbone.layer.weight`", "as it is and as factors"]);
    for part in ["left", "right", "scale"] {
        says(changed(|sent| *sent = without(sent, &factor(part))), &["lacks", &factor(part)]);
    }
    says(
        changed(|sent| sent.extend_below("low-rank.backbone", one("x.middle", &[1]))),
        &["low-rank.backbone.x.middle"],
    );
    says(changed(|sent| sent.extend_below("low-rank", one("left", &[1]))), &["`low-rank.left`"]);
    says(changed(|sent| sent.insert(factor("scale"), Values::new(vec![], vec![0.5]))), &[&factor("scale"), "64 bits"]);
    says(changed(|sent| sent.insert(factor("scale"), Values::of(vec![1], vec![0.5]))), &[&factor("scale"), "[1]"]);
    says(changed(|sent| sent.insert(factor("scale"), Values::of(vec![], vec![f64::NAN]))), &[&factor("scale"), "NaN"]);
    let infinite = Values::new(vec![2, 1], vec![f32::INFINITY, 0.0]);
    says(changed(|sent| sent.insert(factor("left"), infinite)), &[&factor("left"), "inf"]);
    let overflow = Values::of(vec![], vec![1e39]);
    says(changed(|sent| sent.insert(factor("scale"), overflow)), &["`backbone.layer.weight`", "inf"]);
    let no_rank = |sent: &mut Weights| {
        sent.insert(factor("left"), Values::new(vec![2, 0], vec![]));
        sent.insert(factor("right"), Values::new(vec![0, 3], vec![]));
    };
    says(changed(no_rank), &["`backbone.layer.weight`", "at least 1"]);
    says(changed(|sent| sent.insert(factor("left"), Values::new(vec![3, 1], vec![1.0; 3]))), &["[3, 1]"]);
    says(changed(|sent| sent.extend_below("backbone", one("none", &[1]))), &["`backbone.none`"]);
    says(changed(|sent| sent.extend_below("heads.other", one("bias", &[2]))), &["`heads.other.bias`"]);
    says(changed(|sent| sent.extend_below("backbone", one("layer.bias", &[2]))), &["`backbone.layer.bias`", "[2]"]);
    says(changed(|sent| *sent = without(sent, "heads.a.bias")), &["no tensors of the head `heads.a`"]);
    says(changed(|sent| sent.insert("heads.a.bias", Values::new(vec![2], vec![f32::NAN; 2]))), &["`heads.a.bias`"]);
}

#[test]
fn an_expert_that_was_changed_after_it_was_made_is_found() {
    let parent = parent();
    let mut expert = difference();
    expert.model.weights.insert("backbone.layer.weight", Values::new(vec![2, 3], vec![7.0; 6]));
    says(&expert.check(&parent).unwrap_err().to_string(), &["\"a\"", "another model than its difference gives"]);
    let mut expert = difference();
    expert.model.weights.insert("backbone.layer.bias", Values::new(vec![3], vec![7.0; 3]));
    says(&expert.check(&parent).unwrap_err().to_string(), &["another digest"]);
    says(&difference().check(&adapted()).unwrap_err().to_string(), &["another parent"]);
}
