//! The workspace's lints hold everywhere.

use anyhow::Result;

use super::Finding;
use super::source::Tree;

/// That Cargo.toml has to deny.
const DENIED: &[&str] = &[
    "unsafe_op_in_unsafe_fn",
    "undocumented_unsafe_blocks",
    "unwrap_used",
    "expect_used",
    "panic",
    "allow_attributes",
    "allow_attributes_without_reason",
];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for manifest in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        // A fuzz crate is a workspace of its own: cargo-fuzz wants it so.
        if manifest.path == "Cargo.toml" {
            let missing = DENIED.iter().filter(|lint| !manifest.text.contains(&format!("\n{lint} = \"deny\"")));
            findings.extend(missing.map(|lint| Finding::new("Cargo.toml", format!("does not deny {lint}"))));
        } else if !manifest.text.contains("[lints]\nworkspace = true") && !manifest.text.contains("[workspace]") {
            findings
                .push(Finding::new(&manifest.path, "does not take the workspace's lints: [lints] workspace = true"));
        }
    }
    for file in &tree.rust {
        if file.path.ends_with("/mod.rs") {
            findings.push(Finding::new(&file.path, "name it after the module, beside its folder"));
        }
        for (number, line) in file.text.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("#[allow(") || line.starts_with("#![allow(") {
                let place = format!("{}:{}", file.path, number + 1);
                findings
                    .push(Finding::new(place, "use #[expect(lint, reason = \"…\")]: it fails once it is not needed"));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_files_are_found() {
        for (path, text) in [
            ("a/Cargo.toml", "[package]\nname = \"a\""),
            ("Cargo.toml", "[workspace]"),
            ("a/mod.rs", ""),
            ("a.rs", "#[allow(dead_code)]\nfn f() {}"),
        ] {
            assert!(!check(&Tree::one(path, text)).unwrap().is_empty(), "{path}");
        }
    }

    #[test]
    fn good_files_pass() {
        for (path, text) in
            [("a/Cargo.toml", "[lints]\nworkspace = true\n"), ("a.rs", "// #[allow(x)] is banned\nfn f() {}")]
        {
            assert!(check(&Tree::one(path, text)).unwrap().is_empty(), "{path}");
        }
    }
}
