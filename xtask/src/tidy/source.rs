//! The committed files, and what a check needs to know of the Rust ones.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::VisitMut;

use crate::command::output;

/// Everything that git tracks or would add.
pub struct Tree {
    pub files: Vec<File>,
    pub rust: Vec<Rust>,
}

/// A text file.
pub struct File {
    /// From the repository's root, with `/`.
    pub path: String,
    pub text: String,
}

/// A Rust file, taken apart.
pub struct Rust {
    pub path: String,
    pub text: String,
    /// Its syntax without tests.
    pub product: syn::File,
    /// The tokens of `product`.
    pub tokens: Vec<Token>,
    /// True for files that hold only tests.
    pub is_test: bool,
    /// Its `#[cfg(test)] mod name;`, as paths without `.rs`.
    test_modules: Vec<String>,
}

/// A leaf of the syntax, groups opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    pub line: usize,
    pub text: String,
}

impl Tree {
    pub fn read(root: &Path) -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let mut files = Vec::new();
        for path in output(&mut git).context("the list of files comes from git")?.lines() {
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            let Ok(text) = String::from_utf8(bytes) else { continue };
            files.push(File { path: path.to_owned(), text });
        }
        Self::of(files)
    }

    pub fn of(files: Vec<File>) -> Result<Self> {
        let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
        let mut rust = rust.map(|file| Rust::parse(&file.path, &file.text)).collect::<Result<Vec<_>>>()?;
        let of_tests: Vec<String> = rust.iter().flat_map(|file| file.test_modules.clone()).collect();
        for file in rust.iter_mut().filter(|file| !file.is_test) {
            let is_below = |module: &String| {
                file.path.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with(['.', '/']))
            };
            if of_tests.iter().any(is_below) {
                file.become_test();
            }
        }
        Ok(Tree { files, rust })
    }

    /// A tree of one file, for the checks' own tests.
    #[cfg(test)]
    pub fn one(path: &str, text: &str) -> Self {
        Self::of(vec![File { path: path.into(), text: text.into() }]).unwrap()
    }

    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl Rust {
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        let mut product = syn::parse_file(text).with_context(|| format!("{path} is no Rust"))?;
        let is_test =
            path.ends_with("/tests.rs") || path.split('/').rev().skip(1).any(|f| f == "tests") && !is_lab(path);
        let test_modules = test_modules(path, &product);
        WithoutTests.visit_file_mut(&mut product);
        let mut tokens = Vec::new();
        flatten(product.to_token_stream(), &mut tokens);
        let mut rust = Rust { path: path.to_owned(), text: text.to_owned(), product, tokens, is_test, test_modules };
        if is_test {
            rust.become_test();
        }
        Ok(rust)
    }

    /// Nothing of it is product.
    fn become_test(&mut self) {
        self.is_test = true;
        self.product.items.clear();
        self.tokens.clear();
    }

    /// Every path of two or more names, `use` groups written out: line and `a::b::c`.
    pub fn paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        paths(self.product.to_token_stream(), "", &mut found);
        found
    }
}

/// The crate `tests` is the lab: its src/ is a product like any other.
fn is_lab(path: &str) -> bool {
    path.starts_with("tests/src/") && !path["tests/src/".len()..].contains("tests/")
}

/// Where the file's own test modules lie: beside lib.rs and main.rs, else in the folder of the file's name.
fn test_modules(path: &str, file: &syn::File) -> Vec<String> {
    let module = path.trim_end_matches(".rs");
    let folder = match module.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder,
        _ => module,
    };
    let modules = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() && marks_test(&module.attrs) => Some(&module.ident),
        _ => None,
    });
    modules.map(|name| format!("{folder}/{name}")).collect()
}

/// Takes out what is compiled for tests only.
struct WithoutTests;

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| !is_for_tests(item));
        syn::visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_for_tests(item));
        }
        syn::visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        item.items.retain(|item| !matches!(item, syn::ImplItem::Fn(function) if marks_test(&function.attrs)));
        syn::visit_mut::visit_item_impl_mut(self, item);
    }
}

fn is_for_tests(item: &syn::Item) -> bool {
    use syn::Item::{Const, Enum, Fn, Impl, Macro, Mod, Static, Struct, Trait, Type, Use};
    match item {
        Const(syn::ItemConst { attrs, .. })
        | Enum(syn::ItemEnum { attrs, .. })
        | Fn(syn::ItemFn { attrs, .. })
        | Impl(syn::ItemImpl { attrs, .. })
        | Macro(syn::ItemMacro { attrs, .. })
        | Mod(syn::ItemMod { attrs, .. })
        | Static(syn::ItemStatic { attrs, .. })
        | Struct(syn::ItemStruct { attrs, .. })
        | Trait(syn::ItemTrait { attrs, .. })
        | Type(syn::ItemType { attrs, .. })
        | Use(syn::ItemUse { attrs, .. }) => marks_test(attrs),
        _ => false,
    }
}

/// `#[test]`, `#[cfg(test)]`, `#[tokio::test]`.
fn marks_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let names_test = attribute.path().segments.last().is_some_and(|segment| segment.ident == "test");
        let text = attribute.meta.to_token_stream().to_string();
        names_test || text == "cfg (test)" || text.starts_with("cfg (all (test ,")
    })
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let TokenTree::Group(group) = tree else {
            tokens.push(Token { line, text: tree.to_string() });
            continue;
        };
        let (open, close) = match group.delimiter() {
            proc_macro2::Delimiter::Brace => ("{", "}"),
            proc_macro2::Delimiter::Bracket => ("[", "]"),
            proc_macro2::Delimiter::Parenthesis => ("(", ")"),
            proc_macro2::Delimiter::None => ("", ""),
        };
        tokens.push(Token { line, text: open.to_owned() });
        flatten(group.stream(), tokens);
        tokens.push(Token { line: group.span_close().start().line, text: close.to_owned() });
    }
}

/// Collects `prefix::…` chains; a group after `::` is a `use` group.
fn paths(stream: TokenStream, prefix: &str, found: &mut Vec<(usize, String)>) {
    let mut path = prefix.to_owned();
    let mut line = 0;
    let mut colons = 0;
    let mut done = |path: &mut String, line: usize| {
        let path = std::mem::replace(path, prefix.to_owned());
        if path.contains("::") && !path.ends_with("::") {
            found.push((line, path));
        }
    };
    let mut groups = Vec::new();
    for tree in stream {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons += 1;
                continue;
            }
            TokenTree::Ident(name) if colons == 2 || path == prefix => {
                if colons == 2 && path != prefix {
                    path += "::";
                }
                line = name.span().start().line;
                path += &name.to_string();
            }
            TokenTree::Ident(name) => {
                done(&mut path, line);
                line = name.span().start().line;
                path += &name.to_string();
            }
            TokenTree::Group(group) if colons == 2 => {
                groups.push((group.stream(), format!("{path}::")));
                path = prefix.to_owned();
            }
            TokenTree::Group(group) => {
                done(&mut path, line);
                groups.push((group.stream(), String::new()));
            }
            _ => done(&mut path, line),
        }
        colons = 0;
    }
    done(&mut path, line);
    for (stream, prefix) in groups {
        paths(stream, &prefix, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_groups_are_written_out_and_tests_left_out() {
        let text = "use std::{fs, time::{Duration, Instant}};\nfn f() { g(tokio::spawn(x)); }\n\
                    #[cfg(test)] mod tests { use std::net::TcpStream; }";
        let rust = Rust::parse("a.rs", text).unwrap();
        let paths: Vec<_> = rust.paths().into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["std::fs", "std::time::Duration", "std::time::Instant", "tokio::spawn"]);
    }

    #[test]
    fn a_module_that_is_declared_for_tests_is_one() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files =
            vec![file("a/src/b.rs", "#[cfg(test)] mod kit; mod c;"), file("a/src/b/kit.rs", "fn f() { x.unwrap() }")];
        let tree = Tree::of(
            vec![files, vec![file("a/src/b/c.rs", ""), file("a/src/b/kit/more.rs", "")]]
                .into_iter()
                .flatten()
                .collect(),
        );
        let tests: Vec<_> = tree.unwrap().rust.iter().map(|file| file.is_test).collect();
        assert_eq!(tests, [false, true, false, true]);
    }

    #[test]
    fn test_folders_are_tests_but_the_lab_is_not() {
        assert!(Rust::parse("tests/tests/lab.rs", "").unwrap().is_test);
        assert!(Rust::parse("tracer/src/attempt/tests.rs", "").unwrap().is_test);
        assert!(!Rust::parse("tests/src/load.rs", "").unwrap().is_test);
    }
}
