//! Modules of a crate use each other in one direction: no circle of files.
//!
//! A file uses another where it names something that stands there, in a `use` or in a path that begins with `crate`, `super`
//! or `self`. A name that a module re-exports leads to the file that it comes from, so a module that only re-exports its files does
//! not make a circle. Uses in tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

use crate::expect_none;
use crate::workspace::{self, files, members};

/// A module by its names from the crate's root on.
type Module = Vec<String>;

#[test]
fn no_crate_has_a_circle_of_modules() {
    expect_none(members().into_iter().flat_map(|member| {
        let modules = read(&member.folder);
        circles(&uses(&modules)).into_iter().map(move |circle| {
            let names: Vec<_> = circle.iter().map(named).collect();
            format!("{}: the modules {} use each other in a circle", member.folder, names.join(", "))
        })
    }));
}

fn named(module: &Module) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("::") }
}

/// The names of other files that a file uses.
#[derive(Debug, Default)]
struct Source {
    /// Paths that it names, in full where they begin at the crate's root.
    paths: BTreeSet<Module>,
    /// Names that it re-exports, and the path of each.
    exports: BTreeMap<String, Module>,
}

/// All modules of a crate.
fn read(folder: &str) -> BTreeMap<Module, Source> {
    let src = format!("{folder}/src/");
    let mut modules: BTreeMap<Module, Source> = BTreeMap::new();
    for file in files(&src, |name| name.ends_with(".rs")) {
        let own = module(&file[src.len()..]);
        let parsed = syn::parse_file(&workspace::read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut reader = Reader { module: own.clone(), source: Source::default() };
        reader.visit_file(&parsed);
        // A library and a binary of one crate share their root.
        let known = modules.entry(own).or_default();
        known.paths.extend(reader.source.paths);
        known.exports.extend(reader.source.exports);
    }
    modules
}

/// The module that a file holds, by the file's path from `src` on.
fn module(file: &str) -> Module {
    let mut names: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        names.pop();
    }
    names
}

/// Collects the paths of one file.
struct Reader {
    module: Module,
    source: Source,
}

impl Reader {
    /// The path from the crate's root; one that begins with the name of another crate leads nowhere in this one.
    fn absolute(&self, names: &[String]) -> Module {
        let (first, rest) = match names.split_first() {
            Some((first, rest)) => (first.as_str(), rest),
            None => return vec![],
        };
        let mut base = match first {
            "crate" => vec![],
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().saturating_sub(1)].to_vec(),
            _ => return [&self.module[..], names].concat(),
        };
        let further = rest.iter().take_while(|name| *name == "super").count();
        base.truncate(base.len().saturating_sub(further));
        [&base[..], &rest[further..]].concat()
    }

    fn add(&mut self, tree: &UseTree, before: &[String], exported: bool) {
        match tree {
            UseTree::Path(path) => self.add(&path.tree, &[before, &[path.ident.to_string()]].concat(), exported),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.add(item, before, exported)),
            UseTree::Glob(_) => {
                self.source.paths.insert(self.absolute(before));
            }
            UseTree::Name(name) => self.name(&name.ident.to_string(), &name.ident.to_string(), before, exported),
            UseTree::Rename(rename) => {
                self.name(&rename.ident.to_string(), &rename.rename.to_string(), before, exported);
            }
        }
    }

    fn name(&mut self, name: &str, known_as: &str, before: &[String], exported: bool) {
        let path = self.absolute(&if name == "self" { before.to_vec() } else { [before, &[name.to_owned()]].concat() });
        if exported {
            self.source.exports.insert(known_as.to_owned(), path);
        } else {
            self.source.paths.insert(path);
        }
    }
}

/// Whether an item is built for tests only: `cfg(test)`, `cfg(all(test, …))`.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let Ok(list) = attribute.meta.require_list() else { return false };
        let condition = list.tokens.to_string().replace(' ', "");
        condition == "test" || condition.starts_with("all(test,")
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        self.add(&item.tree, &[], exported);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Module = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 && ["crate", "self", "super"].contains(&names[0].as_str()) {
            self.source.paths.insert(self.absolute(&names));
        }
        visit::visit_path(self, path);
    }
}

/// Which modules each module uses.
fn uses(modules: &BTreeMap<Module, Source>) -> BTreeMap<Module, BTreeSet<Module>> {
    let of = |(module, source): (&Module, &Source)| {
        let targets = source.paths.iter().map(|path| leads_to(modules, path, 0)).filter(|target| target != module);
        (module.clone(), targets.collect())
    };
    modules.iter().map(of).collect()
}

/// The module that a path leads to: the innermost existing one, after following re-exports.
fn leads_to(modules: &BTreeMap<Module, Source>, path: &[String], depth: usize) -> Module {
    let mut at: Module = vec![];
    for (index, name) in path.iter().enumerate() {
        let deeper = [&at[..], std::slice::from_ref(name)].concat();
        if modules.contains_key(&deeper) {
            at = deeper;
            continue;
        }
        let exported = modules.get(&at).and_then(|source| source.exports.get(name));
        return match exported.filter(|_| depth < 16) {
            Some(target) => leads_to(modules, &[target, &path[index + 1..]].concat(), depth + 1),
            None => at,
        };
    }
    at
}

/// Modules that reach each other, together.
fn circles(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reached = |from: &Module| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<_> = uses[from].iter().collect();
        while let Some(module) = open.pop() {
            if reached.insert(module.clone()) {
                open.extend(uses.get(module).into_iter().flatten());
            }
        }
        reached
    };
    let all: BTreeMap<_, _> = uses.keys().map(|module| (module.clone(), reached(module))).collect();
    let mut circles: BTreeSet<Vec<Module>> = BTreeSet::new();
    for (module, reached) in &all {
        if reached.contains(module) {
            let with = reached.iter().filter(|other| all.get(*other).is_some_and(|back| back.contains(module)));
            circles.insert(with.cloned().collect());
        }
    }
    circles.into_iter().collect()
}

#[test]
fn circles_are_found_and_re_exports_are_none() {
    let source = |paths: &[&str], exports: &[(&str, &str)]| Source {
        paths: paths.iter().map(|path| words(path)).collect(),
        exports: exports.iter().map(|(name, path)| ((*name).to_owned(), words(path))).collect(),
    };
    let modules = BTreeMap::from([
        (words(""), source(&[], &[("Door", "room door Door")])),
        (words("room"), source(&[], &[("Table", "room table Table")])),
        (words("room door"), source(&["room Table"], &[])),
        (words("room table"), source(&["other Thing"], &[])),
        (words("other"), source(&["std fmt"], &[])),
    ]);
    assert!(circles(&uses(&modules)).is_empty());
    let mut round = modules;
    round.insert(words("other"), source(&["Door"], &[]));
    assert_eq!(circles(&uses(&round)), [[words("other"), words("room door"), words("room table")]]);
}

fn words(path: &str) -> Module {
    path.split_whitespace().map(str::to_owned).collect()
}
