//! Known faults of packages: the RustSec database through cargo-deny where it is installed, else this short list.

use std::process::Command;

use super::{Finding, Package};
use crate::command::{output, which};
use crate::workspace::root;

/// Package, first good version (`None`: there is none), advisory and what it is about.
const DENIED: &[(&str, Option<&str>, &str)] = &[
    ("atty", None, "RUSTSEC-2021-0145: unmaintained; std has IsTerminal"),
    ("derivative", None, "RUSTSEC-2024-0388: unmaintained"),
    ("idna", Some("1.0.0"), "RUSTSEC-2024-0421: accepts Punycode that decodes to nothing"),
    ("instant", None, "RUSTSEC-2024-0384: unmaintained"),
    ("proc-macro-error", None, "RUSTSEC-2024-0370: unmaintained"),
    ("protobuf", Some("3.7.2"), "RUSTSEC-2024-0437: crash by recursion"),
    ("regex", Some("1.5.5"), "RUSTSEC-2022-0013: small patterns that cost much"),
    ("ring", Some("0.17.12"), "RUSTSEC-2025-0009: panic on overflow"),
    ("rustls", Some("0.23.5"), "RUSTSEC-2024-0336: endless loop on a close_notify"),
    ("time", Some("0.2.23"), "RUSTSEC-2020-0071: segfault with setenv"),
    ("tokio", Some("1.44.2"), "RUSTSEC-2025-0023: broadcast clones without Sync"),
    ("tracing-subscriber", Some("0.3.20"), "RUSTSEC-2025-0055: passes escape sequences to the terminal"),
    ("yaml-rust", None, "RUSTSEC-2024-0320: unmaintained"),
];

pub fn check(packages: &[Package]) -> Vec<Finding> {
    match database() {
        Ok(()) => {}
        Err(Database::Faults(text)) => return vec![Finding::new("Cargo.lock", text)],
        Err(Database::Unreachable(why)) => eprintln!("       advisories: only the list in this repository ({why})"),
    }
    listed(packages)
}

/// What kept the database from saying «none».
enum Database {
    Faults(String),
    Unreachable(String),
}

fn database() -> Result<(), Database> {
    if which("cargo-deny").is_none() {
        return Err(Database::Unreachable("cargo-deny is not installed".into()));
    }
    let mut deny = Command::new("cargo-deny");
    let answer = output(deny.current_dir(root()).args(["--offline", "check", "advisories"]));
    answer.map(drop).map_err(|error| match format!("{error:#}") {
        text if text.contains("RUSTSEC-") => Database::Faults(text),
        text => Database::Unreachable(text.lines().next().unwrap_or_default().to_owned()),
    })
}

fn listed(packages: &[Package]) -> Vec<Finding> {
    let faulty = packages.iter().flat_map(|package| {
        let entries = DENIED.iter().filter(|(name, _, _)| *name == package.name);
        entries
            .filter(|(_, good, _)| good.is_none_or(|good| numbers(&package.version) < numbers(good)))
            .map(move |e| (package, e))
    });
    let finding = |(package, entry): (&Package, &(_, _, &str))| {
        Finding::new(format!("{} {}", package.name, package.version), entry.2)
    };
    faulty.map(finding).collect()
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::package;
    use super::*;

    #[test]
    fn a_listed_fault_is_found_below_its_good_version_only() {
        assert_eq!(listed(&[package("tokio", "1.9.0", "MIT"), package("atty", "0.2.14", "MIT")]).len(), 2);
        assert_eq!(listed(&[package("tokio", "1.54.1", "MIT"), package("time", "0.3.0", "MIT")]), []);
    }
}
