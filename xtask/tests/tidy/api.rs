//! The public interface of the trait crates is what its snapshot says, so that a change of it is seen, and meant.
//!
//! A snapshot lists every public item of a crate's sources, each in a line: what others can name, call or implement. After a change
//! that is meant, `ALLUVIUM_WRITE_API=1 cargo test --package xtask api` writes it again; CONTRIBUTING.md says what such a change means for
//! the version.

use std::collections::BTreeSet;
use std::fs;

use quote::ToTokens;
use syn::{Fields, ImplItem, Item, TraitItem, Visibility};

use crate::circles::is_for_tests;
use crate::expect_none;
use crate::workspace::{files, read, root};

/// The crates that plugins depend on.
const CRATES: [&str; 7] = ["backend", "device", "model", "registry", "results", "strategy", "stream"];

#[test]
fn public_interfaces_are_those_of_their_snapshots() {
    let write = std::env::var_os("ALLUVIUM_WRITE_API").is_some();
    expect_none(CRATES.iter().flat_map(|name| {
        let found = interface(&format!("crates/{name}/src"));
        let path = format!("crates/{name}/api.txt");
        if write {
            let text: String = found.iter().map(|line| format!("{line}\n")).collect();
            fs::write(root().join(&path), text).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        let known: BTreeSet<String> = read(&path).lines().map(str::to_owned).collect();
        let added = found.difference(&known).map(|line| format!("{path} lacks: {line}"));
        let gone = known.difference(&found).map(|line| format!("{path} has, and the crate has not: {line}"));
        added.chain(gone).collect::<Vec<_>>()
    }));
}

/// The public items in a folder of sources, one a line.
fn interface(folder: &str) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for path in files(folder, |name| name.ends_with(".rs")).into_iter().filter(|path| !path.contains("/conformance")) {
        let file = syn::parse_file(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        collect(&file.items, &mut lines);
    }
    lines
}

fn collect(items: &[Item], lines: &mut BTreeSet<String>) {
    for item in items {
        match item {
            Item::Fn(function) if is_public(&function.vis) => lines.extend([text(&function.sig)]),
            Item::Const(one) if is_public(&one.vis) => {
                lines.extend([format!("const {}: {}", one.ident, text(&one.ty))])
            }
            Item::Type(one) if is_public(&one.vis) => lines.extend([format!("type {} = {}", one.ident, text(&one.ty))]),
            Item::Struct(one) if is_public(&one.vis) => {
                let name = format!("struct {}{}", one.ident, text(&one.generics));
                lines.insert(name.clone());
                if let Fields::Named(fields) = &one.fields {
                    for field in fields.named.iter().filter(|field| is_public(&field.vis)) {
                        let own = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
                        lines.insert(format!("{name} {{ {own}: {} }}", text(&field.ty)));
                    }
                }
            }
            Item::Enum(one) if is_public(&one.vis) => {
                for variant in &one.variants {
                    lines.insert(format!("enum {} {{ {}{} }}", one.ident, variant.ident, of_fields(&variant.fields)));
                }
            }
            Item::Trait(one) if is_public(&one.vis) => {
                lines.insert(format!("trait {}{}: {}", one.ident, text(&one.generics), text(&one.supertraits)));
                for inner in &one.items {
                    if let TraitItem::Fn(function) = inner {
                        let kind = if function.default.is_some() { "provided" } else { "required" };
                        lines.insert(format!("trait {} {kind} {}", one.ident, text(&function.sig)));
                    }
                }
            }
            Item::Impl(one) => {
                let owner = text(&one.self_ty);
                match &one.trait_ {
                    Some((_, path, _)) => {
                        lines.insert(format!("impl {} for {owner}", text(path)));
                    }
                    None => {
                        let public = one.items.iter().filter_map(|inner| match inner {
                            ImplItem::Fn(function) if is_public(&function.vis) => Some(text(&function.sig)),
                            ImplItem::Const(one) if is_public(&one.vis) => {
                                Some(format!("const {}: {}", one.ident, text(&one.ty)))
                            }
                            _ => None,
                        });
                        lines.extend(public.map(|inner| format!("{owner}::{inner}")));
                    }
                }
            }
            Item::Use(one) if is_public(&one.vis) => lines.extend([format!("use {}", text(&one.tree))]),
            Item::Mod(one) if !is_for_tests(&one.attrs) => {
                if let Some((_, inner)) = &one.content {
                    collect(inner, lines);
                }
            }
            _ => {}
        }
    }
}

fn of_fields(fields: &Fields) -> String {
    let own = fields.iter().map(|field| {
        let name = field.ident.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        format!("{name}{}", text(&field.ty))
    });
    let own: Vec<_> = own.collect();
    if own.is_empty() { String::new() } else { format!("({})", own.join(", ")) }
}

/// Tokens as text, without the spaces between them that mean nothing.
fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, plain) in [
        (" :: ", "::"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" , ", ", "),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" :", ":"),
    ] {
        text = text.replace(spaced, plain);
    }
    text
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
