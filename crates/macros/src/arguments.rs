//! What stands in the brackets of `#[plugin(…)]` and `#[strategy(…)]`.

use proc_macro2::{Span, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

use crate::kind::{is_kind, suggested};

/// The levels of data access.
const LEVELS: [&str; 4] = ["None", "Surrogate", "CurrentTask", "AllTasks"];

/// An attribute that takes arguments.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
}

/// `#[plugin(…)]`.
pub const PLUGIN: Form = Form { name: "plugin", keys: &["kind", "paper", "default"] };

/// `#[strategy(…)]`.
pub const STRATEGY: Form = Form { name: "strategy", keys: &["kind", "data", "paper", "piecewise", "unlike_networks"] };

/// The arguments of an attribute.
#[derive(Debug)]
pub struct Arguments {
    /// The plugin's name in a configuration.
    pub kind: LitStr,
    /// The publication of the method.
    pub paper: Option<Expr>,
    /// The data that a strategy needs.
    pub data: Option<Ident>,
    /// The word `default`.
    pub default: Option<Ident>,
    /// The word `piecewise`.
    pub piecewise: Option<Ident>,
    /// The word `unlike_networks`.
    pub unlike_networks: Option<Ident>,
}

impl Arguments {
    /// Reads the arguments of an attribute on the type `of`, which suggests a kind.
    ///
    /// # Errors
    /// About an argument that is missing, unknown or wrong.
    pub fn parse(tokens: TokenStream, form: Form, of: &str) -> Result<Self> {
        (|input: ParseStream<'_>| read(input, form, of)).parse2(tokens)
    }
}

fn read(input: ParseStream<'_>, form: Form, of: &str) -> Result<Arguments> {
    let (mut kind, mut paper, mut data) = (None, None, None);
    let (mut default, mut piecewise, mut unlike_networks) = (None, None, None);
    if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        return Err(Error::new(text.span(), write_kind(form, &text.value())));
    }
    while !input.is_empty() {
        let key = input.call(syn::ext::IdentExt::parse_any).map_err(|error| unknown(error.span(), form))?;
        let key: Ident = key;
        let name = key.to_string();
        if !form.keys.contains(&name.as_str()) {
            return Err(unknown(key.span(), form));
        }
        let again = match name.as_str() {
            "kind" => kind.replace(read_kind(input, &key, form, of)?).is_some(),
            "paper" => paper.replace(value(input, &key, "paper = \"Author et al., arXiv 1234.56789\"")?).is_some(),
            "data" => data.replace(read_level(value(input, &key, "data = CurrentTask")?)?).is_some(),
            "default" => default.replace(word(input, &key)?).is_some(),
            "unlike_networks" => unlike_networks.replace(word(input, &key)?).is_some(),
            _ => piecewise.replace(word(input, &key)?).is_some(),
        };
        if again {
            return Err(Error::new(key.span(), format!("`{name}` is given twice; remove one")));
        }
        if !input.is_empty() {
            input
                .parse::<Token![,]>()
                .map_err(|error| Error::new(error.span(), "write a comma before the next key"))?;
        }
    }
    let kind = kind.ok_or_else(|| Error::new(Span::call_site(), write_kind(form, of)))?;
    Ok(Arguments { kind, paper, data, default, piecewise, unlike_networks })
}

fn write_kind(form: Form, name: &str) -> String {
    format!("write the kind: #[{}(kind = \"{}\")]", form.name, suggested(name))
}

fn unknown(span: Span, form: Form) -> Error {
    let keys: Vec<_> = form.keys.iter().map(|key| format!("`{key}`")).collect();
    Error::new(span, format!("unknown key; #[{}(…)] takes {}", form.name, keys.join(", ")))
}

/// The value after a key.
fn value(input: ParseStream<'_>, key: &Ident, example: &str) -> Result<Expr> {
    let lacks = |_| Error::new(key.span(), format!("`{key}` needs a value: {example}"));
    input.parse::<Token![=]>().map_err(lacks)?;
    input.parse().map_err(lacks)
}

/// A key that stands alone.
fn word(input: ParseStream<'_>, key: &Ident) -> Result<Ident> {
    if input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("`{key}` takes no value; write the word alone, or leave it out")));
    }
    Ok(key.clone())
}

fn read_kind(input: ParseStream<'_>, key: &Ident, form: Form, of: &str) -> Result<LitStr> {
    let value = value(input, key, &format!("kind = \"{}\"", suggested(of)))?;
    let Expr::Lit(ExprLit { lit: Lit::Str(kind), .. }) = value else {
        return Err(Error::new_spanned(value, write_kind(form, of)));
    };
    if is_kind(&kind.value()) {
        return Ok(kind);
    }
    let suggestion = suggested(&kind.value());
    let message = format!("a kind is lower case, with hyphens between words: kind = \"{suggestion}\"");
    Err(Error::new(kind.span(), message))
}

fn read_level(value: Expr) -> Result<Ident> {
    let path = match &value {
        Expr::Path(path) => Some(&path.path),
        _ => None,
    };
    let level = path.and_then(|path: &Path| path.segments.last()).map(|segment| segment.ident.clone());
    let level = level.filter(|level| LEVELS.iter().any(|known| level == known));
    level.ok_or_else(|| {
        let message = format!(
            "unknown data access; write one of {}. If it depends on the options, use #[options] on the struct and \
             #[plugin(kind = \"…\")] on an `impl StrategyConfig`",
            LEVELS.join(", ")
        );
        Error::new_spanned(&value, message)
    })
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;

    fn refused(form: Form, tokens: TokenStream) -> String {
        Arguments::parse(tokens, form, "MyStrategyConfig").unwrap_err().to_string()
    }

    #[test]
    fn every_key_is_read() {
        let tokens = quote!(kind = "a-b", data = DataAccess::CurrentTask, paper = PAPER, piecewise, unlike_networks);
        let read = Arguments::parse(tokens, STRATEGY, "A").unwrap();
        assert_eq!((read.kind.value().as_str(), read.data.unwrap().to_string().as_str()), ("a-b", "CurrentTask"));
        assert_eq!(read.paper.to_token_stream().to_string(), "PAPER");
        assert!(read.piecewise.is_some() && read.unlike_networks.is_some());
        let read = Arguments::parse(quote!(default, kind = "c"), PLUGIN, "A").unwrap();
        assert!(read.default.is_some() && read.data.is_none() && read.paper.is_none());
    }

    #[test]
    fn a_missing_kind_is_suggested() {
        let expected = "write the kind: #[strategy(kind = \"my-strategy\")]";
        for tokens in [quote!(), quote!(piecewise), quote!(kind = MyStrategy), quote!("my strategy")] {
            assert_eq!(refused(STRATEGY, tokens.clone()), expected, "{tokens}");
        }
        assert_eq!(refused(PLUGIN, quote!()), "write the kind: #[plugin(kind = \"my-strategy\")]");
        assert_eq!(refused(PLUGIN, quote!(kind)), "`kind` needs a value: kind = \"my-strategy\"");
    }

    #[test]
    fn a_kind_that_is_none_gets_its_right_form() {
        let expected = "a kind is lower case, with hyphens between words: kind = \"my-kind\"";
        for kind in ["MyKind", "my_kind", "my-kind-", "My kind"] {
            assert_eq!(refused(PLUGIN, quote!(kind = #kind)), expected, "{kind}");
        }
    }

    #[test]
    fn an_unknown_key_gets_the_known_ones() {
        let expected = "unknown key; #[strategy(…)] takes `kind`, `data`, `paper`, `piecewise`, `unlike_networks`";
        for tokens in [quote!(kind = "a", name = "b"), quote!(default, kind = "a"), quote!(kind = "a", 3)] {
            assert_eq!(refused(STRATEGY, tokens.clone()), expected, "{tokens}");
        }
        let expected = "unknown key; #[plugin(…)] takes `kind`, `paper`, `default`";
        assert_eq!(refused(PLUGIN, quote!(kind = "a", data = Surrogate)), expected);
    }

    #[test]
    fn keys_come_once_with_commas_and_words_take_no_value() {
        assert_eq!(refused(PLUGIN, quote!(kind = "a", kind = "b")), "`kind` is given twice; remove one");
        assert_eq!(refused(PLUGIN, quote!(default default)), "write a comma before the next key");
        let expected = "`piecewise` takes no value; write the word alone, or leave it out";
        assert_eq!(refused(STRATEGY, quote!(piecewise = true)), expected);
        assert!(refused(PLUGIN, quote!(kind = "a", paper)).starts_with("`paper` needs a value: paper = \"Author"));
    }

    #[test]
    fn an_unknown_data_access_gets_the_known_ones() {
        for tokens in [quote!(kind = "a", data = Everything), quote!(kind = "a", data = self.access())] {
            let message = refused(STRATEGY, tokens);
            assert!(message.contains("write one of None, Surrogate, CurrentTask, AllTasks."), "{message}");
        }
    }
}
