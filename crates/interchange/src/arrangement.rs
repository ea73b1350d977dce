//! One list of classes for several models with named classes, and the heads that they share.

use std::collections::{HashMap, HashSet};

use alluvium_checkpoint::shown;
use alluvium_model::HeadSpec;

use crate::manifest::NamedHead;

/// The heads of a consolidation: those of the previous model, then those that experts add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrangement {
    /// The names of all classes. The index of a class is its index in this list.
    pub classes: Vec<String>,
    /// The heads of the new model, in the order of its rows. The first ones are the previous model's.
    pub heads: Vec<HeadSpec>,
    /// How many of these heads the previous model has.
    pub previous: usize,
    /// The head and rows of each expert, in the order of the experts.
    pub experts: Vec<ExpertRows>,
}

/// The head that an expert's rows belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpertRows {
    /// The index of its head in [`Arrangement::heads`].
    pub head: usize,
    /// For each class of that head, the index of its row in the expert's classifier.
    pub rows: Vec<usize>,
    /// Whether the previous model or an earlier expert already has a head with exactly these classes.
    pub returns: bool,
    /// The classes that earlier heads have, too, when the expert still gets a new head because it has other classes as
    /// well. Each shared class has a row in each of its heads.
    pub shared: Vec<String>,
}

impl Arrangement {
    /// Arranges the heads of a previous model and the classes of each expert. Classes are listed in the order of the
    /// rows.
    ///
    /// An expert whose classes are those of an existing head uses that head. Any other expert gets a new head, like a
    /// device of a stream with shared classes.
    ///
    /// # Errors
    /// When an expert has two rows for a class. The error contains the index of the expert, from 0.
    pub fn new(previous: &[NamedHead], experts: &[Vec<String>]) -> Result<Self, (usize, String)> {
        let (mut all, mut heads, mut placed) = (Numbers::default(), vec![], vec![]);
        for head in previous {
            heads.push(HeadSpec { name: head.name.clone(), classes: all.of(&head.classes) });
        }
        for (index, classes) in experts.iter().enumerate() {
            let numbers = all.of(classes);
            let mut rows = HashMap::new();
            for (row, number) in numbers.iter().enumerate() {
                if rows.insert(*number, row).is_some() {
                    let class = shown(&classes[row]);
                    let problem =
                        format!("has two rows for the class {class}; accepted for an expert: one row for each class");
                    return Err((index, problem));
                }
            }
            placed.push(place_rows(&mut heads, &numbers, &rows, &all.names));
        }
        Ok(Arrangement { classes: all.names, heads, previous: previous.len(), experts: placed })
    }

    /// The heads with the names of their classes.
    pub fn named_heads(&self) -> Vec<NamedHead> {
        let named = |head: &HeadSpec| NamedHead {
            name: head.name.clone(),
            classes: head.classes.iter().map(|class| self.classes[*class].clone()).collect(),
        };
        self.heads.iter().map(named).collect()
    }
}

/// Finds or adds the head of an expert whose rows have the classes `numbers`. `rows` maps each class to its row.
fn place_rows(
    heads: &mut Vec<HeadSpec>,
    numbers: &[usize],
    rows: &HashMap<usize, usize>,
    names: &[String],
) -> ExpertRows {
    let same = |head: &HeadSpec| {
        head.classes.len() == numbers.len() && head.classes.iter().all(|class| rows.contains_key(class))
    };
    if let Some(head) = heads.iter().position(same) {
        let rows = heads[head].classes.iter().filter_map(|class| rows.get(class).copied()).collect();
        return ExpertRows { head, rows, returns: true, shared: vec![] };
    }
    let known: HashSet<_> = heads.iter().flat_map(|head| &head.classes).copied().collect();
    let shared = numbers.iter().filter(|class| known.contains(class)).map(|class| names[*class].clone()).collect();
    heads.push(HeadSpec { name: free_name(heads), classes: numbers.to_vec() });
    ExpertRows { head: heads.len() - 1, rows: (0..numbers.len()).collect(), returns: false, shared }
}

/// The name of a new head.
fn free_name(heads: &[HeadSpec]) -> String {
    let free = |name: &String| heads.iter().all(|head| head.name != *name);
    // There is one more name than heads, so one is free.
    let mut names = (heads.len() + 1..).map(|number| format!("head-{number}"));
    names.find(free).unwrap_or_default()
}

/// The index of each class that was named so far.
#[derive(Default)]
struct Numbers {
    names: Vec<String>,
    indices: HashMap<String, usize>,
}

impl Numbers {
    /// The indices of some classes. New classes are added.
    fn of(&mut self, classes: &[String]) -> Vec<usize> {
        let number = |class: &String| {
            *self.indices.entry(class.clone()).or_insert_with(|| {
                self.names.push(class.clone());
                self.names.len() - 1
            })
        };
        classes.iter().map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn arranged(previous: &[(&str, &str)], experts: &[&str]) -> Result<Arrangement, (usize, String)> {
        let head = |(name, classes): &(&str, &str)| NamedHead { name: (*name).to_owned(), classes: words(classes) };
        let experts: Vec<_> = experts.iter().map(|classes| words(classes)).collect();
        Arrangement::new(&previous.iter().map(head).collect::<Vec<_>>(), &experts)
    }

    #[test]
    fn disjoint_classes_are_new_heads() {
        let found = arranged(&[("head-1", "cat dog")], &["car", "tree bush"]).unwrap();
        assert_eq!(found.classes, words("cat dog car tree bush"));
        let names: Vec<_> = found.heads.iter().map(|head| (head.name.as_str(), head.classes.as_slice())).collect();
        assert_eq!(names, [("head-1", &[0, 1][..]), ("head-2", &[2]), ("head-3", &[3, 4])]);
        assert_eq!(found.named_heads()[2], NamedHead { name: "head-3".to_owned(), classes: words("tree bush") });
        assert!(found.experts.iter().all(|placed| !placed.returns && placed.shared.is_empty()));
    }

    #[test]
    fn the_same_classes_in_another_order_are_the_same_head() {
        let found = arranged(&[("x", "cat dog fox")], &["fox cat dog", "cow", "cow"]).unwrap();
        // The head's cat, dog and fox are rows 1, 2 and 0 of the expert.
        assert_eq!(found.experts[0], ExpertRows { head: 0, rows: vec![1, 2, 0], returns: true, shared: vec![] });
        assert_eq!((found.experts[1].returns, found.experts[2].returns, found.experts[2].head), (false, true, 1));
        assert_eq!(found.heads.len(), 2);
    }

    #[test]
    fn classes_that_overlap_partly_make_a_new_head() {
        let found = arranged(&[("head-1", "cat dog")], &["dog cow"]).unwrap();
        assert_eq!(found.heads[1].classes, [1, 2]);
        assert_eq!(found.experts[0].shared, words("dog"));
    }

    #[test]
    fn a_name_that_is_taken_is_not_given_again() {
        let found = arranged(&[("head-2", "cat")], &["dog"]).unwrap();
        assert_eq!(found.heads[1].name, "head-3");
        assert_eq!(arranged(&[], &["dog"]).unwrap().heads[0].name, "head-1");
    }

    #[test]
    fn an_expert_with_two_rows_for_a_class_is_refused() {
        let (index, problem) = arranged(&[], &["a b", "c d c"]).unwrap_err();
        assert!(index == 1 && problem.contains("two rows for the class `c`"), "{problem}");
    }
}
