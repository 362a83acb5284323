//! No panics on runtime paths. Clippy sees what is compiled for this machine; this sees kernel programs and macros too.

use anyhow::Result;

use super::Finding;
use super::source::{Rust, Token, Tree};

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    Ok(tree.rust.iter().flat_map(in_file).collect())
}

fn in_file(file: &Rust) -> Vec<Finding> {
    let text = |token: Option<&Token>| token.map_or("", |t| t.text.as_str()).to_owned();
    let mut findings = Vec::new();
    for (at, token) in file.tokens.iter().enumerate() {
        let (before, after) = (text(at.checked_sub(1).and_then(|i| file.tokens.get(i))), text(file.tokens.get(at + 1)));
        let bad = match token.text.as_str() {
            "unwrap" | "expect" | "unwrap_err" | "expect_err" => before == "." && after == "(",
            "panic" | "todo" | "unimplemented" | "dbg" => after == "!",
            _ => false,
        };
        // The panic handler that every `no_std` program must have is `fn panic`, which is not `panic!`.
        if bad {
            let place = format!("{}:{}", file.path, token.line);
            findings.push(Finding::new(place, format!("`{}`: return an error that names the fix", token.text)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwrap_is_found_also_in_macros_but_not_in_tests() {
        let count = |text| check(&Tree::one("a.rs", text)).unwrap().len();
        assert_eq!(count("fn f() { x.unwrap(); }"), 1);
        assert_eq!(count("fn f() { select! { _ = x.expect(\"y\") => panic!() } }"), 2);
        assert_eq!(count("#[cfg(test)] mod t { fn f() { x.unwrap(); } }"), 0);
        assert_eq!(count("#[expect(lint, reason = \"r\")] fn f() { x.unwrap_or(1); }"), 0);
    }
}
