//! Each `unsafe` says why it is sound, also in kernel programs, which clippy does not see.

use anyhow::Result;

use super::Finding;
use super::source::{Rust, Tree};

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    Ok(tree.rust.iter().flat_map(in_file).collect())
}

fn in_file(file: &Rust) -> Vec<Finding> {
    let lines: Vec<_> = file.text.lines().collect();
    let unsafes =
        file.tokens.windows(2).filter(|pair| pair[0].text == "unsafe" && matches!(pair[1].text.as_str(), "{" | "impl"));
    let silent = unsafes.map(|pair| pair[0].line).filter(|line| !is_explained(&lines, *line));
    silent.map(|line| Finding::new(format!("{}:{line}", file.path), "no `// SAFETY:` above this `unsafe`")).collect()
}

/// A SAFETY comment on the line, or in the comment above the statement that it is in.
fn is_explained(lines: &[&str], line: usize) -> bool {
    let mut above = lines[..line.min(lines.len())].iter().rev();
    if above.next().is_some_and(|own| own.contains("SAFETY:")) {
        return true;
    }
    // The statement may have begun some lines above the block; what ended with `;` or a brace is another one.
    for text in above {
        let text = text.trim();
        if text.contains("SAFETY:") {
            return true;
        }
        if !text.starts_with("//") && (text.ends_with([';', '}']) || text.is_empty()) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_block_is_found() {
        let count = |text| check(&Tree::one("a.rs", text)).unwrap().len();
        assert_eq!(count("fn f() {\n    g();\n    unsafe { h() };\n}"), 1);
        assert_eq!(count("// SAFETY: of the other\nfn e() {}\nunsafe impl Send for A {}"), 1);
        assert_eq!(
            count("fn f() {\n    // SAFETY: h has no\n    // preconditions\n    let a =\n        unsafe { h() };\n}"),
            0
        );
    }
}
