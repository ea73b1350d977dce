//! One list of classes for several models that name theirs, and the heads that they have in common.

use std::collections::{HashMap, HashSet};

use alluvium_checkpoint::shown;
use alluvium_model::HeadSpec;

use crate::manifest::NamedHead;

/// The heads of a consolidation: those of the previous model, then those that experts add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrangement {
    /// All classes by name; a class's number is its place here.
    pub classes: Vec<String>,
    /// The heads of the model that comes out, in the order of its rows. The first ones are the previous model's.
    pub heads: Vec<HeadSpec>,
    /// How many of them the previous model has.
    pub previous: usize,
    /// Where each expert's rows go, in the order of the experts.
    pub experts: Vec<ExpertRows>,
}

/// Where an expert's rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpertRows {
    /// The place of its head among [`Arrangement::heads`].
    pub head: usize,
    /// For each class of that head, the place of its row in the expert's classifier.
    pub rows: Vec<usize>,
    /// Whether the head was there before: the previous model or an earlier expert has exactly the same classes.
    pub returns: bool,
    /// The classes that heads before it have, too, where it is a head of its own all the same: it has others beside them.
    /// Each of these has a row in each of its heads.
    pub shared: Vec<String>,
}

impl Arrangement {
    /// Arranges the heads of a previous model and the classes of each expert, in the order of its rows.
    ///
    /// An expert whose classes are those of a head that is there has that head. Any other expert has a head of its own, as a
    /// device of a stream with shared classes has.
    ///
    /// # Errors
    /// When an expert has two rows for a class; the error begins with the expert's place, from 0.
    pub fn new(previous: &[NamedHead], experts: &[Vec<String>]) -> Result<Self, (usize, String)> {
        let (mut all, mut heads, mut placed) = (Numbers::default(), vec![], vec![]);
        for head in previous {
            heads.push(HeadSpec { name: head.name.clone(), classes: all.of(&head.classes) });
        }
        for (place, classes) in experts.iter().enumerate() {
            let numbers = all.of(classes);
            let mut rows = HashMap::new();
            for (row, number) in numbers.iter().enumerate() {
                if rows.insert(*number, row).is_some() {
                    let class = shown(&classes[row]);
                    let problem = format!("has two rows for the class {class}; accepted of an expert: one row a class");
                    return Err((place, problem));
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

/// Finds the head of an expert whose rows are of the classes `numbers`, or adds it; `rows` are the places of the classes.
fn place_rows(heads: &mut Vec<HeadSpec>, numbers: &[usize], rows: &HashMap<usize, usize>, names: &[String]) -> ExpertRows {
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
    // Of one more name than there are heads, one is free.
    let mut names = (heads.len() + 1..).map(|number| format!("head-{number}"));
    names.find(free).unwrap_or_default()
}

/// The number of each class that was named so far.
#[derive(Default)]
struct Numbers {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Numbers {
    /// The numbers of some classes; those that are new are added.
    fn of(&mut self, classes: &[String]) -> Vec<usize> {
        let number = |class: &String| {
            *self.places.entry(class.clone()).or_insert_with(|| {
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
        // Of the head's cat, dog, fox the expert has rows 1, 2 and 0.
        assert_eq!(found.experts[0], ExpertRows { head: 0, rows: vec![1, 2, 0], returns: true, shared: vec![] });
        assert_eq!((found.experts[1].returns, found.experts[2].returns, found.experts[2].head), (false, true, 1));
        assert_eq!(found.heads.len(), 2);
    }

    #[test]
    fn classes_that_overlap_in_part_make_a_head_of_their_own() {
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
    fn two_rows_for_a_class_are_no_expert() {
        let (place, problem) = arranged(&[], &["a b", "c d c"]).unwrap_err();
        assert!(place == 1 && problem.contains("two rows for the class `c`"), "{problem}");
    }
}
