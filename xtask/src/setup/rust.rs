//! A Rust compiler that has the source of `core`, which no distribution ships compiled for BPF.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Mode, State, apt, linker};
use crate::command::{output, run, which};

/// Oldest compiler that builds this workspace (Cargo.toml, `rust-version`).
const OLDEST: (u32, u32) = (1, 90);

/// A compiler and the cargo that belongs to it.
#[derive(Clone, Debug)]
pub struct Compiler {
    pub cargo: PathBuf,
    pub rustc: PathBuf,
    /// Major version of its LLVM: the linker has to have the same, or it refuses the bitcode («Invalid record»).
    pub llvm: u32,
    pub is_nightly: bool,
    release: String,
    has_source: bool,
}

/// Finds one, or installs the source for one: rustup's component, else Debian's packages.
pub fn with_source(mode: Mode) -> (State, Option<Compiler>) {
    if let Some(found) = best(candidates()) {
        return (State::Present(shown(&found)), Some(found));
    }
    let fix = match which("rustup") {
        Some(_) => "rustup component add rust-src",
        None => {
            "apt-get install cargo-web rustc-web rust-web-src (Debian), or install rustup, then rustup component add rust-src"
        }
    };
    let mut why = "no Rust ≥ 1.90 here has the source of `core` (rust-src)".to_owned();
    if mode == Mode::Install {
        why = install();
        if let Some(found) = best(candidates()) {
            return (State::Installed(shown(&found)), Some(found));
        }
    }
    (State::Missing { why, fix: fix.into() }, None)
}

/// Tries the usual ways in turn; why the last one failed.
fn install() -> String {
    let mut why = Vec::new();
    if which("rustup").is_some() {
        eprintln!("    the source of `core`: from rustup");
        let component = ["component", "add", "rust-src"].as_slice();
        let nightly = ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"].as_slice();
        for arguments in [component, nightly] {
            // Of a compiler without rustup, `cargo xtask` inherits no toolchain to add to.
            match run(Command::new("rustup").args(arguments).env("RUSTUP_MAX_RETRIES", "1")) {
                Ok(()) if best(candidates()).is_some() => return String::new(),
                Ok(()) => {}
                Err(error) => why.push(format!("{error:#}")),
            }
        }
    }
    eprintln!("    the source of `core`: from the distribution");
    if let Err((error, _)) = apt::install(&["rustc-web", "cargo-web", "rust-web-src"]) {
        why.push(error);
    }
    why.join("; ")
}

/// With source; one whose linker is here already goes first, then the order they were found in.
fn best(candidates: Vec<Compiler>) -> Option<Compiler> {
    let usable: Vec<_> = candidates.into_iter().filter(|c| c.has_source && version(&c.release) >= OLDEST).collect();
    usable.iter().find(|c| linker::find(c.llvm).is_some()).or(usable.first()).cloned()
}

/// Every compiler of this machine: the active one, the system's, rustup's nightly.
fn candidates() -> Vec<Compiler> {
    let mut pairs = Vec::new();
    if which("rustup").is_some() {
        pairs.push(rustup_which(&[]));
    }
    pairs.push(which("rustc").zip(which("cargo")));
    pairs.push(Some(("/usr/bin/rustc".into(), "/usr/bin/cargo".into())));
    if which("rustup").is_some() {
        pairs.push(rustup_which(&["--toolchain", "nightly"]));
    }
    let found = pairs.into_iter().flatten().filter_map(|(rustc, cargo)| compiler(rustc, cargo));
    found.collect()
}

/// The real files behind rustup's proxies.
fn rustup_which(toolchain: &[&str]) -> Option<(PathBuf, PathBuf)> {
    let ask = |tool: &str| {
        let mut rustup = Command::new("rustup");
        // Asking must not download a toolchain that is not there.
        let answer = output(rustup.env("RUSTUP_AUTO_INSTALL", "0").arg("which").args(toolchain).arg(tool));
        answer.ok().map(PathBuf::from)
    };
    ask("rustc").zip(ask("cargo"))
}

fn compiler(rustc: PathBuf, cargo: PathBuf) -> Option<Compiler> {
    let ask = |argument: &[&str]| output(Command::new(&rustc).args(argument).env_remove("RUSTUP_TOOLCHAIN")).ok();
    let (release, llvm) = parse_version(&ask(&["-vV"])?)?;
    let sysroot = ask(&["--print", "sysroot"])?;
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if !cargo.exists() {
        return None;
    }
    Some(Compiler { cargo, llvm, is_nightly: release.contains("nightly"), release, has_source: source.exists(), rustc })
}

/// `release` and the major of `LLVM version` out of `rustc -vV`.
fn parse_version(text: &str) -> Option<(String, u32)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
    Some((field("release:")?.to_owned(), llvm))
}

fn version(release: &str) -> (u32, u32) {
    let mut parts = release.split('.').map_while(|part| part.parse().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn shown(compiler: &Compiler) -> String {
    format!("{} (rustc {}, LLVM {})", compiler.rustc.display(), compiler.release, compiler.llvm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustc_tells_its_release_and_llvm() {
        let text = "rustc 1.95.0 (5 2026-04-14)\nbinary: rustc\nhost: x\nrelease: 1.95.0\nLLVM version: 22.1.2";
        assert_eq!(parse_version(text), Some(("1.95.0".into(), 22)));
        assert_eq!(parse_version("rustc 1.95.0"), None);
    }

    #[test]
    fn releases_compare_by_number() {
        assert!(version("1.100.0-nightly") > OLDEST);
        assert!(version("1.89.0") < OLDEST);
    }

    #[test]
    fn a_compiler_without_source_or_too_old_is_not_taken() {
        let compiler = |release: &str, has_source| Compiler {
            cargo: "/c".into(),
            rustc: "/r".into(),
            llvm: 1,
            is_nightly: false,
            release: release.into(),
            has_source,
        };
        assert!(best(vec![compiler("1.95.0", false), compiler("1.66.0", true)]).is_none());
        assert!(best(vec![compiler("1.66.0", true), compiler("1.95.0", true)]).is_some());
    }
}
