//! `#[strategy]`: a strategy whose options are also the running strategy.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Error, Ident, Item, Result};

use crate::arguments::{Arguments, STRATEGY};
use crate::facade::Facade;
use crate::{options, plugin};

/// The expansion of `#[strategy]`.
pub fn expand(arguments: TokenStream, item: TokenStream, facade: Facade) -> TokenStream {
    whole(arguments, item, facade).unwrap_or_else(Error::into_compile_error)
}

fn whole(arguments: TokenStream, item: TokenStream, facade: Facade) -> Result<TokenStream> {
    let input = structure(item)?;
    let arguments = Arguments::parse(arguments, STRATEGY, &input.ident.to_string())?;
    let (root, name) = (facade.root(), &input.ident);
    let data = arguments.data.clone().unwrap_or_else(|| Ident::new("None", Span::call_site()));
    let piecewise = arguments.piecewise.as_ref().map(|_| {
        quote! {
            fn piecewise(
                &self,
                run: &#root::RunDescription,
            ) -> ::core::option::Option<::std::boxed::Box<dyn #root::Piecewise>> {
                ::core::option::Option::Some(#root::value_by_value(self, run))
            }
        }
    });
    let unlike_networks = arguments.unlike_networks.as_ref().map(|_| {
        quote! {
            fn accepts_unlike_networks(&self) -> bool {
                true
            }
        }
    });
    let flattened: Vec<_> = options::flattened(&input);
    let validate = (!flattened.is_empty()).then(|| {
        quote! {
            fn validate(&self, run: &#root::RunDescription) -> ::core::result::Result<(), #root::StrategyError> {
                #(self.#flattened.validate(run)?;)*
                ::core::result::Result::Ok(())
            }
        }
    });
    let (generics, parameters, bounds) = input.generics.split_for_impl();
    let config = syn::parse2(quote! {
        impl #generics #root::StrategyConfig for #name #parameters #bounds {
            fn data_access(&self) -> #root::DataAccess {
                #root::DataAccess::#data
            }

            fn build(
                &self,
                _run: &#root::RunDescription,
            ) -> ::core::result::Result<::std::boxed::Box<dyn #root::Strategy>, #root::StrategyError> {
                ::core::result::Result::Ok(::std::boxed::Box::new(::core::clone::Clone::clone(self)))
            }

            #validate

            #piecewise

            #unlike_networks
        }
    })?;
    let config = plugin::of_impl(&arguments, &config, facade)?;
    let options = options::of_item(input, facade)?;
    Ok(quote!(#options #config))
}

fn structure(item: TokenStream) -> Result<DeriveInput> {
    let message = "#[strategy(…)] belongs on a struct with named fields: the options of the strategy; an `impl` takes \
                   #[plugin(kind = \"my-kind\")]";
    if let Ok(input) = syn::parse2::<DeriveInput>(item.clone()) {
        return match &input.data {
            Data::Struct(_) => Ok(input),
            Data::Enum(data) => Err(Error::new_spanned(data.enum_token, message)),
            Data::Union(data) => Err(Error::new_spanned(data.union_token, message)),
        };
    }
    match syn::parse2::<Item>(item)? {
        Item::Impl(item) => Err(Error::new_spanned(item.impl_token, message)),
        other => Err(Error::new_spanned(other, message)),
    }
}

#[cfg(test)]
mod tests {
    use syn::File;

    use super::*;

    fn expanded(arguments: TokenStream, item: TokenStream) -> String {
        let tokens = expand(arguments, item, Facade("alluvium_strategy"));
        syn::parse2::<File>(tokens.clone()).expect("items");
        tokens.to_string()
    }

    #[test]
    fn a_struct_gets_options_configuration_and_description() {
        let item = quote! {
            /// Doc.
            pub struct Newest {
                /// How much.
                #[default(1.0)]
                pub weight: f64,
            }
        };
        let text = expanded(
            quote!(kind = "newest", data = CurrentTask, paper = "Of someone", piecewise, unlike_networks),
            item.clone(),
        );
        for part in [
            "pub struct Newest",
            "impl :: core :: default :: Default for Newest",
            "# [typetag :: serde (name = \"newest\")] impl :: alluvium_strategy :: StrategyConfig for Newest",
            ":: alluvium_strategy :: DataAccess :: CurrentTask",
            ":: core :: clone :: Clone :: clone (self)",
            "value_by_value (self , run)",
            "fn accepts_unlike_networks (& self) -> bool { true }",
            "Family :: Strategy , kind : \"newest\" , paper : \"Of someone\"",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("fn validate"), "{text}");
        let least = expanded(quote!(kind = "newest"), item);
        assert!(least.contains("DataAccess :: None") && !least.contains("fn piecewise"), "{least}");
        assert!(!least.contains("unlike"), "{least}");
    }

    #[test]
    fn options_that_are_flattened_are_checked_against_the_run() {
        let item = quote! {
            /// Doc.
            pub struct Newest {
                /// How it learns.
                #[serde(flatten)]
                pub training: TrainingSettings,
            }
        };
        let text = expanded(quote!(kind = "newest"), item);
        assert!(text.contains("fn validate") && text.contains("self . training . validate (run) ?"), "{text}");
    }

    #[test]
    fn other_items_are_told_where_the_attribute_belongs() {
        for item in [
            quote!(
                enum A {}
            ),
            quote!(impl StrategyConfig for A {}),
            quote!(
                fn a() {}
            ),
            quote!(union A { a: u8 }),
        ] {
            let text = expanded(quote!(kind = "a"), item.clone());
            let message =
                "belongs on a struct with named fields: the options of the strategy; an `impl` takes #[plugin(";
            assert!(text.contains(message), "{item}\n{text}");
        }
    }

    #[test]
    fn the_struct_suggests_the_kind_and_needs_a_doc_comment() {
        let text = expanded(
            quote!(),
            quote!(
                struct ExponentialAveraging {}
            ),
        );
        assert!(text.contains("write the kind: #[strategy(kind = \\\"exponential-averaging\\\")]"), "{text}");
        let text = expanded(
            quote!(kind = "a"),
            quote!(
                struct A {}
            ),
        );
        assert!(text.contains("it is what `alluvium show KIND` prints"), "{text}");
    }
}
