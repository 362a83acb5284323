//! What is built in: how many packages, under which licences, with which known faults.

mod advisories;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Finding;
use super::source::Tree;
use crate::command::{cargo, output};

const MOST: usize = 400;

/// Any one of these will do; each can be linked into a static binary under Apache-2.0 OR MIT.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
pub struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `None`: of this workspace.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

pub fn check(_: &Tree) -> Result<Vec<Finding>> {
    let text = output(cargo().args(["metadata", "--locked", "--format-version", "1"]))?;
    let metadata: Metadata = serde_json::from_str(&text).context("cargo metadata is no JSON of the known shape")?;
    let mut findings = judge(&metadata.packages);
    findings.extend(advisories::check(&metadata.packages));
    Ok(findings)
}

fn judge(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if packages.len() > MOST {
        findings.push(Finding::new("Cargo.lock", format!("{} packages, more than {MOST}", packages.len())));
    }
    for package in packages {
        let licence = package.license.as_deref().unwrap_or("none stated");
        if !is_allowed(licence) {
            let what = format!("licence `{licence}` is not in the list of xtask/src/tidy/packages.rs");
            findings.push(Finding::new(format!("{} {}", package.name, package.version), what));
        }
    }
    let ours: BTreeSet<&str> =
        packages.iter().filter(|p| p.source.is_none()).flat_map(|p| &p.dependencies).map(|d| d.name.as_str()).collect();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages.iter().filter(|package| ours.contains(package.name.as_str())) {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    for (name, several) in versions.into_iter().filter(|(_, several)| several.len() > 1) {
        if !DOUBLE.iter().any(|(known, _)| *known == name) {
            let what = format!("versions {}: use the one that the others use", several.join(" and "));
            findings.push(Finding::new(name, what));
        }
    }
    findings
}

/// Direct dependencies that are there twice, and why.
const DOUBLE: &[(&str, &str)] = &[("syn", "derive macros are between 2 and 3; only build tools are concerned")];

/// An SPDX expression of `OR`, `AND` and brackets (and `/`, which old packages use for OR).
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some((left, right)) = split_outside(expression, " OR ") {
        return is_allowed(left) || is_allowed(right);
    }
    if let Some((left, right)) = split_outside(expression, " AND ") {
        return is_allowed(left) && is_allowed(right);
    }
    if let Some(inner) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return is_allowed(inner);
    }
    LICENCES.contains(&expression)
}

/// At the first `operator` that is in no brackets.
fn split_outside<'a>(expression: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let outside = |at: usize| {
        let before = &expression[..at];
        before.matches('(').count() == before.matches(')').count()
    };
    let (at, _) = expression.match_indices(operator).find(|(at, _)| outside(*at))?;
    Some((&expression[..at], &expression[at + operator.len()..]))
}

#[cfg(test)]
pub fn package(name: &str, version: &str, license: &str) -> Package {
    let (name, version, license) = (name.into(), version.into(), Some(license.into()));
    Package { name, version, license, source: Some("registry".into()), dependencies: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions() {
        for good in
            ["MIT", "MIT OR GPL-2.0-only", "(MIT OR Apache-2.0) AND Unicode-3.0", "MIT/Apache-2.0", "Unlicense OR MIT"]
        {
            assert!(is_allowed(good), "{good}");
        }
        for bad in ["LGPL-2.1-or-later", "MIT AND GPL-3.0", "(GPL-2.0-only OR MPL-2.0) AND MIT", "none stated"] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }

    #[test]
    fn a_copyleft_package_and_a_double_one_are_found() {
        let mut own = package("probetrace", "0.1.0", "MIT");
        own.source = None;
        own.dependencies.push(Dependency { name: "nix".into() });
        assert_eq!(judge(&[package("btf-rs", "2.0.0", "LGPL-2.1-or-later")]).len(), 1);
        assert_eq!(judge(&[own, package("nix", "0.29.0", "MIT"), package("nix", "0.31.0", "MIT")]).len(), 1);
    }

    #[test]
    fn too_many_packages_are_found() {
        let many: Vec<_> = (0..=MOST).map(|n| package(&n.to_string(), "1.0.0", "MIT")).collect();
        assert_eq!(judge(&many).len(), 1);
    }
}
