//! `#[plugin]`: the kind and the description of a plugin.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Ident, Item, ItemImpl, Result, Type};

use crate::arguments::{Arguments, PLUGIN};
use crate::facade::Facade;

/// The families of plugins, each with the trait of its configurations.
const FAMILIES: [(&str, &str); 7] = [
    ("StrategyConfig", "Strategy"),
    ("StreamConfig", "Stream"),
    ("BackboneConfig", "Backbone"),
    ("ClassifierConfig", "Classifier"),
    ("SurrogateConfig", "Surrogate"),
    ("DeviceConfig", "Device"),
    ("BackendConfig", "Backend"),
];

/// The expansion of `#[plugin]`.
pub fn expand(arguments: TokenStream, item: TokenStream, facade: Facade) -> TokenStream {
    implementation(item)
        .and_then(|item| {
            let arguments = Arguments::parse(arguments, PLUGIN, &name_of(&item.self_ty))?;
            of_impl(&arguments, &item, facade)
        })
        .unwrap_or_else(Error::into_compile_error)
}

fn implementation(item: TokenStream) -> Result<ItemImpl> {
    let named: &dyn ToTokens = match &syn::parse2::<Item>(item)? {
        Item::Impl(item) => return Ok(item.clone()),
        Item::Struct(item) => &item.ident.clone(),
        Item::Enum(item) => &item.ident.clone(),
        other => &other.clone(),
    };
    let message = "#[plugin(…)] belongs on the `impl` of a configuration's trait, such as `impl StrategyConfig for …`; a struct \
                   takes #[options], or #[strategy(…)] if it is a whole strategy";
    Err(Error::new_spanned(named, message))
}

/// The implementation under its kind, and the description that is submitted.
///
/// # Errors
/// When the trait is not that of a family.
pub fn of_impl(arguments: &Arguments, item: &ItemImpl, facade: Facade) -> Result<TokenStream> {
    let family = family(item)?;
    if let (Some(default), true) = (&arguments.default, family == "Strategy") {
        return Err(Error::new(default.span(), "a [[strategies]] table always names its kind; remove `default`"));
    }
    let Arguments { kind, paper, .. } = arguments;
    let paper = paper.as_ref().map_or_else(|| quote!(""), ToTokens::into_token_stream);
    let is_default = arguments.default.is_some();
    let (registry, options) = (facade.registry(), &item.self_ty);
    let family = Ident::new(family, proc_macro2::Span::call_site());
    let conditions = item.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    // typetag's own code names `typetag`.
    Ok(quote! {
        #(#conditions)*
        const _: () = {
            use #registry::typetag;

            #[typetag::serde(name = #kind)]
            #item

            #registry::inventory::submit! {
                #registry::Description {
                    family: #registry::Family::#family,
                    kind: #kind,
                    paper: #paper,
                    default: #is_default,
                    schema: #registry::OptionsSchema::Made(
                        || #registry::schemars::SchemaGenerator::default().into_root_schema_for::<#options>()
                    ),
                }
            }
        };
    })
}

/// The family whose trait is implemented.
fn family(item: &ItemImpl) -> Result<&'static str> {
    let path = item.trait_.as_ref().map(|(_, path, _)| path);
    let name = path.and_then(|path| path.segments.last()).map(|segment| &segment.ident);
    let found = FAMILIES.iter().find(|(config, _)| name.is_some_and(|name| name == config));
    found.map(|(_, family)| *family).ok_or_else(|| {
        let traits: Vec<_> = FAMILIES.iter().map(|(config, _)| *config).collect();
        let message = format!("#[plugin(…)] belongs on an `impl` of one of {}", traits.join(", "));
        match path {
            Some(path) => Error::new_spanned(path, message),
            None => Error::new_spanned(&item.self_ty, message),
        }
    })
}

/// The name of a type, from which a kind is suggested.
fn name_of(of: &Type) -> String {
    match of {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use syn::File;

    use super::*;

    fn expanded(arguments: TokenStream, item: TokenStream) -> String {
        let tokens = expand(arguments, item, Facade("alluvium_model"));
        syn::parse2::<File>(tokens.clone()).expect("items");
        tokens.to_string()
    }

    #[test]
    fn an_implementation_gets_its_kind_and_its_description() {
        let item = quote!(impl alluvium_model::BackboneConfig for MlpConfig { fn build(&self) {} });
        let text = expanded(quote!(kind = "mlp", paper = PAPER), item);
        for part in [
            "use :: alluvium_model :: registry :: typetag ;",
            "# [typetag :: serde (name = \"mlp\")] impl alluvium_model :: BackboneConfig for MlpConfig",
            "family : :: alluvium_model :: registry :: Family :: Backbone , kind : \"mlp\" , paper : PAPER , default : false",
            "into_root_schema_for :: < MlpConfig > ()",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn every_family_is_known_by_its_trait() {
        for (config, family) in FAMILIES {
            let config = Ident::new(config, proc_macro2::Span::call_site());
            let text = expanded(quote!(kind = "a"), quote!(impl #config for A {}));
            assert!(text.contains(&format!("Family :: {family} , kind : \"a\" , paper : \"\"")), "{text}");
        }
    }

    #[test]
    fn the_default_of_a_family_is_marked_and_conditions_hold_for_the_description() {
        let item = quote!(
            #[cfg(feature = "gpu")]
            impl DeviceConfig for A {}
        );
        let text = expanded(quote!(kind = "a", default), item);
        assert!(text.contains("default : true"), "{text}");
        assert!(text.starts_with("# [cfg (feature = \"gpu\")] const _"), "{text}");
        let text = expanded(quote!(kind = "a", default), quote!(impl StrategyConfig for A {}));
        assert!(text.contains("a [[strategies]] table always names its kind; remove `default`"), "{text}");
    }

    #[test]
    fn another_trait_gets_the_seven() {
        let message = "belongs on an `impl` of one of StrategyConfig, StreamConfig, BackboneConfig, ClassifierConfig, \
                       SurrogateConfig, DeviceConfig, BackendConfig";
        for item in [quote!(impl Strategy for A {}), quote!(impl A {})] {
            let text = expanded(quote!(kind = "a"), item);
            assert!(text.contains(message), "{text}");
        }
    }

    #[test]
    fn another_item_is_told_its_attribute() {
        for item in [
            quote!(
                struct A {}
            ),
            quote!(
                enum A {}
            ),
            quote!(
                fn a() {}
            ),
        ] {
            let text = expanded(quote!(kind = "a"), item);
            assert!(text.contains("a struct takes #[options], or #[strategy(…)] if it is a whole strategy"), "{text}");
        }
    }

    #[test]
    fn the_type_suggests_the_kind() {
        let text = expanded(quote!(), quote!(impl BackboneConfig for SmallCnnConfig {}));
        assert!(text.contains("write the kind: #[plugin(kind = \\\"small-cnn\\\")]"), "{text}");
    }
}
