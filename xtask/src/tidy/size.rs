//! Small files that each do one thing, small functions.

use anyhow::Result;
use syn::spanned::Spanned;
use syn::visit::Visit;

use super::Finding;
use super::source::{Rust, Tree};

/// A longer file needs a reason in [`LONG_FILES`].
const FILE_LINES: usize = 350;
const FUNCTION_LINES: usize = 70;

/// Path and why it is one file.
const LONG_FILES: &[(&str, &str)] = &[
    ("tracer-ebpf/src/abi.rs", "one layout with one version, and the assertions on it: both sides read it as a whole"),
    ("tracer/src/attempt/testkit.rs", "one vocabulary for the tests of attempts"),
    ("tracer/src/verdict/testing.rs", "one vocabulary for the tests of rules"),
];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in &tree.rust {
        let lines = file.text.lines().count();
        let excused = LONG_FILES.iter().any(|(path, _)| *path == file.path);
        if lines > FILE_LINES && !excused {
            let what = format!("{lines} lines: split it, or give the reason in xtask/src/tidy/size.rs");
            findings.push(Finding::new(&file.path, what));
        }
        if lines <= FILE_LINES && excused {
            findings.push(Finding::new(&file.path, "is short enough: take it out of LONG_FILES"));
        }
        let mut functions = Functions { file, findings: &mut findings };
        functions.visit_file(&file.product);
    }
    Ok(findings)
}

/// One line about all files.
pub fn figures(tree: &Tree) -> String {
    let mut lengths: Vec<_> = tree.rust.iter().map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let all: usize = lengths.iter().sum();
    let product: usize = tree.rust.iter().map(product_lines).sum();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let longest = lengths.last().copied().unwrap_or(0);
    format!(
        "       {} Rust files, median {median} lines, longest {longest}; {product} lines of code, {} of tests",
        lengths.len(),
        all - product
    )
}

/// Lines up to the first test module; none in a test file.
fn product_lines(file: &Rust) -> usize {
    if file.is_test {
        return 0;
    }
    let all = file.text.lines().count();
    file.text.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(all)
}

struct Functions<'a> {
    file: &'a Rust,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (first, last) = (signature.span().start().line, body.span().end().line);
        let lines = (last + 1).saturating_sub(first);
        if lines > FUNCTION_LINES {
            let what = format!("fn {} has {lines} lines, more than {FUNCTION_LINES}", signature.ident);
            self.findings.push(Finding::new(format!("{}:{first}", self.file.path), what));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_functions_are_found() {
        let long = format!("impl A {{ fn f() {{\n{}}} }}", "g();\n".repeat(FUNCTION_LINES));
        assert_eq!(check(&Tree::one("a.rs", &long)).unwrap().len(), 1);
        assert_eq!(check(&Tree::one("a.rs", &"//\n".repeat(FILE_LINES + 1))).unwrap().len(), 1);
        assert_eq!(check(&Tree::one("a.rs", "fn f() {}")).unwrap(), []);
    }
}
