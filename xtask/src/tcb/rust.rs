//! Counts one Rust source, from the tokens that a parser gives.
//!
//! 1. `proc-macro2` cuts the text into tokens: what stands in a comment or a string is no token of its own.
//! 2. `syn` finds the tests among its items: `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]`, `#[tokio::test]`, `#[bench]`.
//! 3. A line is counted if a token stands on it that is neither a test's nor documentation's.
//! 4. Each `unsafe` among those tokens is counted by what follows it, in the bodies of macros too.
//!
//! Limits: an item that another `#[cfg]` leaves out is counted, so both figures are an upper bound of what is compiled;
//! `unsafe` in a macro's body is counted once, not once for each use; the type `unsafe fn(…)` is no use.

use std::collections::BTreeSet;
use std::iter::Sum;
use std::ops::{Add, Range};

use proc_macro2::{Delimiter, LineColumn, Spacing, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, Stmt, Token, TraitItem};

/// `unsafe`, by what it stands before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unsafe {
    pub(crate) blocks: usize,
    pub(crate) functions: usize,
    /// Implementations and traits.
    pub(crate) impls: usize,
    /// Extern blocks, attributes, and in macros what cannot be told.
    pub(crate) others: usize,
}

impl Unsafe {
    /// All of them.
    pub(crate) fn total(self) -> usize {
        self.blocks + self.functions + self.impls + self.others
    }
}

impl Add for Unsafe {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            blocks: self.blocks + other.blocks,
            functions: self.functions + other.functions,
            impls: self.impls + other.impls,
            others: self.others + other.others,
        }
    }
}

impl Sum for Unsafe {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// What stands in a source.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) lines: usize,
    pub(crate) uses: Unsafe,
    /// Modules in files of their own that only tests have, by name.
    pub(crate) test_modules: Vec<String>,
}

/// Counts a text; the error is where it is no Rust.
pub(crate) fn count(text: &str) -> Result<Source, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A script's first line, but no inner attribute.
    let text =
        if text.starts_with("#!") && !text.starts_with("#![") { text.trim_start_matches(|c| c != '\n') } else { text };
    let tokens: TokenStream =
        text.parse().map_err(|error: proc_macro2::LexError| format!("line {}: no Rust", error.span().start().line))?;
    let mut tests = Tests::default();
    // A text that another includes may be an expression: then there is no item that could be a test.
    if let Ok(file) = syn::parse2::<syn::File>(tokens.clone()) {
        if file.attrs.iter().any(is_test) {
            return Ok(Source::default());
        }
        tests.visit_file(&file);
    }
    let mut counter = Counter { tests: &tests.ranges, lines: BTreeSet::new(), uses: Unsafe::default() };
    counter.walk(tokens);
    Ok(Source { lines: counter.lines.len(), uses: counter.uses, test_modules: tests.modules })
}

/// Where the tests of a file are.
#[derive(Default)]
struct Tests {
    ranges: Vec<Range<LineColumn>>,
    modules: Vec<String>,
}

impl Tests {
    /// Notes a node if it is a test.
    fn take(&mut self, attributes: &[Attribute], node: &impl Spanned) -> bool {
        let test = attributes.iter().any(is_test);
        if test {
            let span = node.span();
            self.ranges.push(span.start()..span.end());
        }
        test
    }
}

impl<'ast> Visit<'ast> for Tests {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.take(item_attributes(item), item) {
            if let Item::Mod(module) = item
                && module.content.is_none()
            {
                self.modules.push(module.ident.to_string());
            }
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !self.take(attributes, item) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes: &[Attribute] = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !self.take(attributes, item) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes: &[Attribute] = match statement {
            Stmt::Local(local) => &local.attrs,
            Stmt::Macro(called) => &called.attrs,
            // An item is looked at by `visit_item`.
            _ => &[],
        };
        if !self.take(attributes, statement) {
            visit::visit_stmt(self, statement);
        }
    }
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether what carries this attribute exists in tests only.
fn is_test(attribute: &Attribute) -> bool {
    if attribute.path().is_ident("cfg") {
        return attribute.parse_args::<Meta>().is_ok_and(|predicate| needs_test(&predicate));
    }
    attribute.path().segments.last().is_some_and(|last| last.ident == "test" || last.ident == "bench")
}

fn needs_test(predicate: &Meta) -> bool {
    let parts = |list: &syn::MetaList| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    match predicate {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).is_ok_and(|all| all.iter().any(needs_test)),
        Meta::List(list) if list.path.is_ident("any") => {
            parts(list).is_ok_and(|any| !any.is_empty() && any.iter().all(needs_test))
        }
        _ => false,
    }
}

struct Counter<'a> {
    tests: &'a [Range<LineColumn>],
    lines: BTreeSet<usize>,
    uses: Unsafe,
}

impl Counter<'_> {
    fn walk(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let documentation = documentation(&tokens[at..]);
            if documentation > 0 {
                at += documentation;
                continue;
            }
            at += 1;
            if self.tests.iter().any(|test| test.contains(&token.span().start())) {
                continue;
            }
            if let TokenTree::Group(group) = token {
                if group.delimiter() != Delimiter::None {
                    self.lines.insert(group.span_open().start().line);
                    self.lines.insert(group.span_close().end().line);
                }
                self.walk(group.stream());
                continue;
            }
            self.lines.extend(token.span().start().line..=token.span().end().line);
            if is(token, "unsafe") {
                self.note(&tokens[at..]);
            }
        }
    }

    /// Counts an `unsafe` by what follows it.
    fn note(&mut self, after: &[TokenTree]) {
        let after = match after {
            [word, TokenTree::Literal(_), rest @ ..] | [word, rest @ ..] if is(word, "extern") => {
                if matches!(rest.first(), Some(token) if is(token, "fn")) { rest } else { after }
            }
            _ => after,
        };
        match after {
            [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => self.uses.blocks += 1,
            // A type, not a function.
            [word, TokenTree::Group(_), ..] if is(word, "fn") => {}
            [word, ..] if is(word, "fn") => self.uses.functions += 1,
            [word, ..] if is(word, "impl") || is(word, "trait") => self.uses.impls += 1,
            _ => self.uses.others += 1,
        }
    }
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(name) if name == word)
}

/// How many tokens at the beginning are a comment of documentation, or `#[doc = …]`.
fn documentation(tokens: &[TokenTree]) -> usize {
    let punctuation =
        |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == sign);
    let before = if !punctuation(0, '#') {
        return 0;
    } else if punctuation(1, '!') {
        2
    } else {
        1
    };
    let Some(TokenTree::Group(group)) = tokens.get(before) else { return 0 };
    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
    let is_doc = matches!(&inner[..], [name, TokenTree::Punct(sign), TokenTree::Literal(_)]
        if is(name, "doc") && sign.as_char() == '=' && sign.spacing() == Spacing::Alone);
    if group.delimiter() == Delimiter::Bracket && is_doc { before + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn counted(text: &str) -> (usize, Unsafe) {
        let source = count(text).unwrap();
        (source.lines, source.uses)
    }

    #[test]
    fn comments_documentation_and_blank_lines_are_no_code() {
        let text = "//! unsafe { }\n\n/* a /* nested unsafe */ still\n a comment */\n/// Documentation.\n#[doc = \"unsafe\"]\n\
                    fn f() {\n    // unsafe\n    let a = 1; /* unsafe */\n\n}\n";
        assert_eq!(counted(text), (3, Unsafe::default()));
    }

    #[test]
    fn strings_are_code_and_their_words_are_not() {
        let text = "const A: &str = \"unsafe { // }\n\nunsafe fn\";\nconst B: &str = r#\"/* unsafe \"#;\nconst C: char = '\"';\n";
        assert_eq!(counted(text), (5, Unsafe::default()));
    }

    #[test]
    fn every_unsafe_is_counted_by_what_it_stands_before() {
        let text = "unsafe fn f() { unsafe { g() } }\nunsafe extern \"C\" fn h() {}\nunsafe impl Send for A {}\nunsafe trait T {}\n\
                    unsafe extern \"C\" { fn k(); }\n#[unsafe(no_mangle)]\nfn l(f: unsafe fn(u8), g: unsafe extern \"C\" fn()) {}\n\
                    macro_rules! m { ($n:ident) => { unsafe fn $n() { unsafe {} } } }\nfn r#unsafe() {}\n";
        let expected = Unsafe { blocks: 2, functions: 3, impls: 2, others: 2 };
        assert_eq!(counted(text), (9, expected));
        assert_eq!(expected.total(), 9);
    }

    #[test]
    fn tests_are_left_out_wherever_they_stand() {
        let text = "fn f() {\n    #[cfg(test)]\n    let a = unsafe { 1 };\n}\n#[cfg(test)]\nmod tests {\n    fn g() { unsafe {} }\n}\n\
                    #[cfg(all(unix, test))]\nmod more;\n#[tokio::test]\nasync fn h() {}\nimpl A {\n    #[cfg(test)]\n    fn i() {}\n}\n";
        let source = count(text).unwrap();
        assert_eq!((source.lines, source.uses.total()), (4, 0));
        assert_eq!(source.test_modules, ["more"]);
        assert_eq!(counted("#![cfg(test)]\nfn f() {}\n").0, 0);
    }

    #[test]
    fn what_only_sounds_like_a_test_stays() {
        let text = "#[cfg(not(test))]\nfn f() {}\n#[cfg(any(test, unix))]\nfn g() { unsafe {} }\n#[cfg(feature = \"test\")]\nfn h() {}\n";
        assert_eq!((counted(text).0, counted(text).1.blocks), (6, 1));
    }

    #[test]
    fn a_part_that_is_no_file_of_its_own_is_counted_and_what_is_no_rust_is_not() {
        assert_eq!(counted("[1,\n 2,\n]\n").0, 3);
        assert_eq!(counted("#!/usr/bin/env run\nfn f() {}\n").0, 1);
        assert_eq!(count("fn f() {}\n)\n"), Err("line 2: no Rust".into()));
    }
}
