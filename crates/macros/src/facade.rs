//! The trait crate that re-exports an attribute, by which the generated code names everything else.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The name of a trait crate, in code.
#[derive(Debug, Clone, Copy)]
pub struct Facade(pub &'static str);

impl Facade {
    /// The path of the trait crate.
    pub fn root(self) -> TokenStream {
        let name = Ident::new(self.0, Span::call_site());
        quote!(::#name)
    }

    /// The path of the registry, with what the derives need.
    pub fn registry(self) -> TokenStream {
        let root = self.root();
        quote!(#root::registry)
    }

    /// The path of a crate that the registry re-exports, as the derives take it.
    pub fn path_of(self, name: &str) -> String {
        format!("::{}::registry::{name}", self.0)
    }
}
