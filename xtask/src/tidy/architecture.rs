//! ARCHITECTURE.md is true: what it names is there, and what is there it names.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Finding;
use super::source::Tree;

const PAGE: &str = "ARCHITECTURE.md";
/// Its lines, so that it stays one page.
const PAGE_LINES: usize = 100;
/// Every module directly in these has to be named.
const CRATES: &[&str] = &["tracer/src/", "tracer-ebpf/src/", "tests/src/", "xtask/src/"];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let Some(page) = tree.file(PAGE) else { return Ok(vec![Finding::new(PAGE, "is not there")]) };
    let mut findings = Vec::new();
    if page.text.lines().count() > PAGE_LINES {
        findings.push(Finding::new(PAGE, format!("is longer than {PAGE_LINES} lines: it is meant to be one page")));
    }
    let named: BTreeSet<String> = page.text.split('`').skip(1).step_by(2).flat_map(written_out).collect();
    for path in named.iter().filter(|name| is_path(name)) {
        let there = tree.files.iter().any(|file| file.path == *path || file.path.starts_with(&format!("{path}/")));
        if !there {
            findings.push(Finding::new(PAGE, format!("`{path}` is not there")));
        }
    }
    for module in modules(tree) {
        if !named.contains(&module) && !named.contains(&format!("{module}.rs")) {
            findings.push(Finding::new(PAGE, format!("does not name `{module}.rs`")));
        }
    }
    Ok(findings)
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`; a slash at the end is dropped.
fn written_out(name: &str) -> Vec<String> {
    let name = name.trim_end_matches('/');
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let Some((middle, after)) = rest.split_once('}') else { return vec![name.to_owned()] };
    middle.split(',').flat_map(|part| written_out(&format!("{before}{part}{after}"))).collect()
}

/// Something that is meant as a file of this repository.
fn is_path(name: &str) -> bool {
    CRATES.iter().any(|folder| name.starts_with(folder))
        || ["deploy/", "tests/", ".ci/"].iter().any(|f| name.starts_with(f))
}

/// `tracer/src/attempt` for tracer/src/attempt.rs.
fn modules(tree: &Tree) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for file in &tree.rust {
        for folder in CRATES {
            let Some(module) = file.path.strip_prefix(folder).and_then(|rest| rest.strip_suffix(".rs")) else {
                continue;
            };
            if !module.contains('/') && !["lib", "main"].contains(&module) {
                modules.insert(format!("{folder}{module}"));
            }
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::File;

    fn findings(page: &str) -> usize {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let files = vec![
            file(PAGE, page),
            file("tracer/src/a.rs", ""),
            file("tracer/src/b.rs", ""),
            file("tracer/src/b/c.rs", ""),
        ];
        check(&Tree::of(files).unwrap()).unwrap().len()
    }

    #[test]
    fn a_missing_and_a_stale_name_are_found() {
        assert_eq!(findings("`tracer/src/{a,b}.rs`"), 0);
        assert_eq!(findings("`tracer/src/a.rs`, `tracer/src/b/`"), 0);
        assert_eq!(findings("`tracer/src/a.rs`"), 1);
        assert_eq!(findings("`tracer/src/{a,b}.rs`, `tracer/src/gone.rs`"), 1);
        assert_eq!(findings(&format!("`tracer/src/{{a,b}}.rs`{}", "\n".repeat(PAGE_LINES + 1))), 1);
    }
}
