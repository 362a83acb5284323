//! Nothing of the machine it was made on: no absolute paths, no package registry but the public one.

use anyhow::Result;

use super::Finding;
use super::source::Tree;

/// Written in two parts, so that this file does not find itself.
const MARKS: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("/var/tmp", "/wt"),
    ("/home", "/"),
    ("/root/.car", "go"),
    ("pkg", ".dev"),
    ("artifact", "registry"),
    ("artifact", "ory"),
];

const PUBLIC_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            let place = || format!("{}:{}", file.path, number + 1);
            let marks = MARKS.iter().map(|(a, b)| format!("{a}{b}")).filter(|mark| line.contains(mark.as_str()));
            findings.extend(
                marks.map(|mark| Finding::new(place(), format!("names `{mark}`, which is of one machine only"))),
            );
            let source = line.strip_prefix("source = ").filter(|_| file.path.ends_with("Cargo.lock"));
            if source.is_some_and(|source| source.trim_matches('"') != PUBLIC_REGISTRY) {
                findings.push(Finding::new(place(), "a package that is not from crates.io"));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_registries_are_found() {
        let path = format!("cd {}{}main", MARKS[0].0, MARKS[0].1);
        assert_eq!(check(&Tree::one("README.md", &path)).unwrap().len(), 1);
        assert_eq!(
            check(&Tree::one("Cargo.lock", "source = \"registry+https://mirror.example/index\"")).unwrap().len(),
            1
        );
        assert_eq!(check(&Tree::one("Cargo.lock", &format!("source = \"{PUBLIC_REGISTRY}\""))).unwrap(), []);
    }
}
