//! `#[options]`: derives and defaults of options.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DataEnum, DataStruct, DeriveInput, Error, Expr, Field, Fields, Meta, Path, Result, Token,
    punctuated::Punctuated,
};

use crate::facade::Facade;

/// What the attribute derives on every item.
const DERIVED: [&str; 5] = ["Debug", "Clone", "Serialize", "Deserialize", "JsonSchema"];

/// Also on an enum of plain variants.
const DERIVED_ON_WORDS: [&str; 3] = ["Copy", "PartialEq", "Eq"];

/// The expansion of `#[options]`.
pub fn expand(arguments: TokenStream, item: TokenStream, facade: Facade) -> TokenStream {
    let expanded = no_arguments(arguments).and_then(|()| {
        let input = syn::parse2::<DeriveInput>(item).map_err(|error| {
            Error::new(
                error.span(),
                "#[options] belongs on a struct with named fields, or on an enum of plain variants; an `impl` takes \
                 #[plugin(kind = \"my-kind\")]",
            )
        })?;
        of_item(input, facade)
    });
    expanded.unwrap_or_else(Error::into_compile_error)
}

fn no_arguments(arguments: TokenStream) -> Result<()> {
    if arguments.is_empty() {
        return Ok(());
    }
    let message =
        "#[options] takes nothing in brackets; the kind is written in #[plugin(kind = \"my-kind\")] on the `impl`";
    Err(Error::new_spanned(arguments, message))
}

/// The item with its derives and its defaults.
///
/// # Errors
/// When the item cannot be options.
pub fn of_item(mut input: DeriveInput, facade: Facade) -> Result<TokenStream> {
    documented(&input)?;
    let name = input.ident.clone();
    match &mut input.data {
        Data::Struct(data) => {
            let fields = named(data, &name)?;
            let values = fields.iter_mut().map(default_of).collect::<Result<Vec<_>>>()?;
            let flattened = fields.iter().any(|field| field.attrs.iter().any(is_flatten));
            not_derived_twice(&input.attrs, &[&DERIVED[..], &["Default"]].concat())?;
            let default = default(&input, &values);
            let serde = (!has(&input.attrs, "serde")).then(|| {
                // serde cannot refuse unknown keys where a field is flattened.
                if flattened { quote!(#[serde(default)]) } else { quote!(#[serde(default, deny_unknown_fields)]) }
            });
            let derives = derives(facade, &DERIVED);
            Ok(quote!(#derives #serde #input #default))
        }
        Data::Enum(data) => {
            plain(data)?;
            let derived = [&DERIVED[..], &DERIVED_ON_WORDS[..]].concat();
            not_derived_twice(&input.attrs, &derived)?;
            let serde = (!has(&input.attrs, "serde")).then(|| quote!(#[serde(rename_all = "kebab-case")]));
            let schemars = (!has(&input.attrs, "schemars")).then(|| quote!(#[schemars(inline)]));
            let derives = derives(facade, &derived);
            Ok(quote!(#derives #serde #schemars #input))
        }
        Data::Union(data) => Err(Error::new_spanned(data.union_token, "write a struct with named fields, not a union")),
    }
}

/// The fields that are flattened.
pub fn flattened(input: &DeriveInput) -> Vec<&syn::Ident> {
    let Data::Struct(data) = &input.data else { return vec![] };
    let flattened = data.fields.iter().filter(|field| field.attrs.iter().any(is_flatten));
    flattened.filter_map(|field| field.ident.as_ref()).collect()
}

fn documented(input: &DeriveInput) -> Result<()> {
    if has(&input.attrs, "doc") {
        return Ok(());
    }
    let message = "write a doc comment (`/// …`) above it: it is what `alluvium show KIND` prints";
    Err(Error::new_spanned(&input.ident, message))
}

fn named<'a>(data: &'a mut DataStruct, name: &syn::Ident) -> Result<&'a mut Punctuated<Field, Token![,]>> {
    match &mut data.fields {
        Fields::Named(fields) => Ok(&mut fields.named),
        Fields::Unit => {
            Err(Error::new_spanned(name, format!("options have named fields; without any, write `struct {name} {{}}`")))
        }
        Fields::Unnamed(fields) => Err(Error::new_spanned(
            fields,
            "options have names: write `{ name: Type, … }`, with a doc comment on each field",
        )),
    }
}

/// Takes `#[default(…)]` and `#[state]` off a field, and gives its default.
fn default_of(field: &mut Field) -> Result<TokenStream> {
    let mut given: Option<Expr> = None;
    let mut is_state = false;
    let mut kept = vec![];
    for attribute in std::mem::take(&mut field.attrs) {
        if attribute.path().is_ident("default") {
            let value = attribute.parse_args().map_err(|_| {
                Error::new_spanned(&attribute, "write the default in brackets, as an expression: #[default(0.5)]")
            })?;
            if given.replace(value).is_some() {
                return Err(Error::new_spanned(&attribute, "a field has one default; remove this one"));
            }
        } else if attribute.path().is_ident("state") {
            attribute.meta.require_path_only().map_err(|_| {
                Error::new_spanned(&attribute, "write #[state] alone: a state begins with the default of its type")
            })?;
            is_state = true;
            kept.push(syn::parse_quote!(#[serde(skip)]));
        } else {
            kept.push(attribute);
        }
    }
    field.attrs = kept;
    if let (true, Some(given)) = (is_state, &given) {
        return Err(Error::new_spanned(given, "a state begins with the default of its type; remove #[default(…)]"));
    }
    Ok(given.map_or_else(|| quote!(::core::default::Default::default()), ToTokens::into_token_stream))
}

fn default(input: &DeriveInput, values: &[TokenStream]) -> TokenStream {
    let Data::Struct(data) = &input.data else { return TokenStream::new() };
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let fields = data.fields.iter().filter_map(|field| field.ident.as_ref());
    quote! {
        #[automatically_derived]
        impl #generics ::core::default::Default for #name #arguments #bounds {
            fn default() -> Self {
                #name { #(#fields: #values),* }
            }
        }
    }
}

/// The derives, by paths that the trait crate has.
fn derives(facade: Facade, names: &[&str]) -> TokenStream {
    let registry = facade.registry();
    let (serde, schemars) = (facade.path_of("serde"), facade.path_of("schemars"));
    let paths = names.iter().map(|name| {
        let ident = syn::Ident::new(name, Span::call_site());
        match *name {
            "Debug" => quote!(::core::fmt::Debug),
            "Clone" => quote!(::core::clone::Clone),
            "Copy" => quote!(::core::marker::Copy),
            "Serialize" | "Deserialize" => quote!(#registry::serde::#ident),
            "JsonSchema" => quote!(#registry::schemars::#ident),
            _ => quote!(::core::cmp::#ident),
        }
    });
    quote! {
        #[derive(#(#paths),*)]
        #[serde(crate = #serde)]
        #[schemars(crate = #schemars)]
    }
}

fn plain(data: &DataEnum) -> Result<()> {
    match data.variants.iter().find(|variant| !matches!(variant.fields, Fields::Unit)) {
        None => Ok(()),
        Some(variant) => Err(Error::new_spanned(
            variant,
            "#[options] takes an enum of plain variants; derive Serialize, Deserialize and JsonSchema on any other",
        )),
    }
}

fn not_derived_twice(attributes: &[Attribute], derived: &[&str]) -> Result<()> {
    let lists = attributes.iter().filter(|attribute| attribute.path().is_ident("derive"));
    for list in lists {
        for path in list.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)? {
            let name = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            if derived.contains(&name.as_str()) {
                return Err(Error::new_spanned(path, format!("the attribute gives `{name}` already; remove it here")));
            }
        }
    }
    Ok(())
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}

fn is_flatten(attribute: &Attribute) -> bool {
    let metas = |attribute: &Attribute| attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok();
    attribute.path().is_ident("serde")
        && metas(attribute).is_some_and(|metas| metas.iter().any(|meta| meta.path().is_ident("flatten")))
}

#[cfg(test)]
mod tests {
    use syn::{File, Item};

    use super::*;

    const FACADE: Facade = Facade("alluvium_strategy");

    fn expanded(item: TokenStream) -> String {
        let tokens = expand(quote!(), item, FACADE);
        syn::parse2::<File>(tokens.clone()).expect("items");
        tokens.to_string()
    }

    fn refused(item: TokenStream) -> String {
        let input = syn::parse2(item).unwrap();
        of_item(input, FACADE).unwrap_err().to_string()
    }

    #[test]
    fn a_struct_gets_derives_and_defaults() {
        let text = expanded(quote! {
            /// Doc.
            #[derive(PartialEq)]
            pub struct Options {
                /// A number.
                #[default(0.5)]
                #[schemars(range(min = 0.0))]
                pub number: f64,
                /// Another.
                pub other: Option<u32>,
                /// What it keeps.
                #[state]
                seen: u32,
            }
        });
        for part in [
            "# [derive (:: core :: fmt :: Debug , :: core :: clone :: Clone , :: alluvium_strategy :: registry :: serde :: Serialize ,",
            "# [serde (crate = \"::alluvium_strategy::registry::serde\")]",
            "# [schemars (crate = \"::alluvium_strategy::registry::schemars\")]",
            "# [serde (default , deny_unknown_fields)] # [doc = r\" Doc.\"] # [derive (PartialEq)] pub struct Options",
            "# [schemars (range (min = 0.0))] pub number : f64",
            "# [serde (skip)] seen : u32",
            "Options { number : 0.5 , other : :: core :: default :: Default :: default () , seen : :: core",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("# [default (") && !text.contains("# [state]"), "{text}");
    }

    #[test]
    fn an_item_with_a_state_is_a_struct_and_its_default() {
        let tokens = expand(
            quote!(),
            quote!(
                /** Doc. */
                struct Options {
                    /** Seen. */
                    #[state]
                    seen: u32,
                }
            ),
            FACADE,
        );
        let items = syn::parse2::<File>(tokens).unwrap().items;
        assert!(matches!(&items[..], [Item::Struct(_), Item::Impl(_)]));
    }

    #[test]
    fn flattened_fields_and_attributes_of_one_s_own_change_what_serde_is_told() {
        let flattened = expanded(quote!(
            /** Doc. */
            struct Options {
                #[serde(flatten)]
                rest: Rest,
            }
        ));
        assert!(flattened.contains("# [serde (default)]"), "{flattened}");
        let own = expanded(quote!(
            /** Doc. */
            #[serde(transparent)]
            struct Options {
                rest: Rest,
            }
        ));
        assert!(!own.contains("serde (default") && own.contains("# [serde (transparent)]"), "{own}");
    }

    #[test]
    fn an_enum_is_the_words_of_an_option() {
        let text = expanded(quote!(
            /** Doc. */
            pub enum Order {
                /** One. */
                First,
                /** Two. */
                Last,
            }
        ));
        for part in ["Copy", "PartialEq", "Eq", "# [serde (rename_all = \"kebab-case\")]", "# [schemars (inline)]"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let own = expanded(quote!(
            /** Doc. */
            #[serde(rename_all = "lowercase")]
            enum Order {
                First,
            }
        ));
        assert!(!own.contains("kebab-case"), "{own}");
        assert!(
            refused(quote!(
                /** Doc. */
                enum Order {
                    First(u32),
                }
            ))
            .contains("an enum of plain variants")
        );
    }

    #[test]
    fn what_cannot_be_options_is_refused_in_words() {
        let cases = [
            (
                quote!(
                    struct Options {}
                ),
                "write a doc comment (`/// …`) above it: it is what `alluvium show KIND` prints",
            ),
            (
                quote!(
                    /** D. */
                    struct Options;
                ),
                "options have named fields; without any, write `struct Options {}`",
            ),
            (
                quote!(
                    /** D. */
                    struct Options(u32);
                ),
                "options have names: write `{ name: Type, … }`, with a doc comment on each field",
            ),
            (
                quote!(
                    /** D. */
                    union Options {
                        a: u32,
                    }
                ),
                "write a struct with named fields, not a union",
            ),
            (
                quote!(
                    /** D. */
                    struct Options {
                        #[default]
                        a: u32,
                    }
                ),
                "write the default in brackets, as an expression: #[default(0.5)]",
            ),
            (
                quote!(
                    /** D. */
                    struct Options {
                        #[default = 3]
                        a: u32,
                    }
                ),
                "write the default in brackets, as an expression: #[default(0.5)]",
            ),
            (
                quote!(
                    /** D. */
                    struct Options {
                        #[default(1)]
                        #[default(2)]
                        a: u32,
                    }
                ),
                "a field has one default; remove this one",
            ),
            (
                quote!(
                    /** D. */
                    struct Options {
                        #[default(1)]
                        #[state]
                        a: u32,
                    }
                ),
                "a state begins with the default of its type; remove #[default(…)]",
            ),
            (
                quote!(
                    /** D. */
                    struct Options {
                        #[state(1)]
                        a: u32,
                    }
                ),
                "write #[state] alone: a state begins with the default of its type",
            ),
            (
                quote!(
                    /** D. */
                    #[derive(PartialEq, Clone)]
                    struct Options {}
                ),
                "the attribute gives `Clone` already; remove it here",
            ),
            (
                quote!(
                    /** D. */
                    #[derive(Default)]
                    struct Options {}
                ),
                "the attribute gives `Default` already; remove it here",
            ),
        ];
        for (item, message) in cases {
            assert_eq!(refused(item.clone()), message, "{item}");
        }
    }

    #[test]
    fn brackets_and_other_items_are_refused_in_words() {
        let text = expand(
            quote!(kind = "a"),
            quote!(
                /** D. */
                struct Options {}
            ),
            FACADE,
        )
        .to_string();
        assert!(text.contains("#[options] takes nothing in brackets"), "{text}");
        let text = expand(quote!(), quote!(impl StrategyConfig for Options {}), FACADE).to_string();
        assert!(text.contains("an `impl` takes #[plugin(kind ="), "{text}");
    }
}
