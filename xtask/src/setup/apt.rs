//! Debian's and Ubuntu's packages.

use std::process::Command;
use std::sync::Once;

use crate::command::{is_root, output, run, which};

/// Installs them, or says why not and what to run instead: `(why, fix)`.
pub fn install(packages: &[&str]) -> Result<(), (String, String)> {
    let by_hand = format!("{}apt-get install {}", if is_root() { "" } else { "sudo " }, packages.join(" "));
    if which("apt-get").is_none() {
        let fix = format!("your package manager for what Debian calls {}", packages.join(" "));
        return Err(("there is no apt-get on this machine".into(), fix));
    }
    if !is_root() {
        return Err(("installing a package needs root".into(), by_hand));
    }
    refresh_if_unknown(packages);
    if let Some(unknown) = packages.iter().find(|package| !is_known(package)) {
        let fix = format!("add a package source that has {unknown}, then: {by_hand}");
        return Err((format!("no package source of this machine has {unknown}"), fix));
    }
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(packages);
    run(&mut apt).map_err(|error| (format!("{error:#}"), by_hand))
}

/// True where a package source of this machine has it.
fn is_known(package: &str) -> bool {
    let policy = output(Command::new("apt-cache").args(["policy", package])).unwrap_or_default();
    policy.lines().any(|line| line.trim().strip_prefix("Candidate:").is_some_and(|v| v.trim() != "(none)"))
}

/// A fresh machine has no package lists yet.
fn refresh_if_unknown(packages: &[&str]) {
    static ONCE: Once = Once::new();
    if packages.iter().all(|package| is_known(package)) {
        return;
    }
    ONCE.call_once(|| {
        if let Err(error) = run(Command::new("apt-get").args(["update", "-q"])) {
            eprintln!("    {error:#}; going on with the package lists that are here");
        }
    });
}
