//! bpf-linker: makes a BPF object out of rustc's bitcode. Its LLVM must be that of the rustc.

use std::path::{Path, PathBuf};

use super::{Mode, State, apt};
use crate::command::{cargo, cargo_bin, is_executable, run, which};
use crate::workspace::root;

/// Newest release that this workspace was built with.
const VERSION: &str = "0.13.0";

/// Finds one for this LLVM, or builds it.
pub fn for_llvm(llvm: u32, mode: Mode) -> (State, Option<PathBuf>) {
    if let Some(found) = find(llvm) {
        return (State::Present(format!("{} (LLVM {llvm})", found.display())), Some(found));
    }
    let why = match which("bpf-linker") {
        Some(other) => format!("{} has not the LLVM {llvm} of the compiler", other.display()),
        None => format!("there is none with LLVM {llvm}"),
    };
    let failed = match mode {
        Mode::Check => (why, "cargo xtask setup".to_owned()),
        Mode::Install => match install(llvm) {
            Ok(found) => return (State::Installed(format!("{} (LLVM {llvm})", found.display())), Some(found)),
            Err(failed) => failed,
        },
    };
    (State::Missing { why: failed.0, fix: failed.1 }, None)
}

/// On PATH, where cargo installs, or in a folder of our own beside one with another LLVM.
pub fn find(llvm: u32) -> Option<PathBuf> {
    let places =
        [which("bpf-linker"), cargo_bin().map(|bin| bin.join("bpf-linker")), Some(own(llvm).join("bin/bpf-linker"))];
    places.into_iter().flatten().find(|file| is_executable(file) && linked_llvm(file) == Some(llvm))
}

/// A folder for a linker that must not replace the user's.
fn own(llvm: u32) -> PathBuf {
    root().join(format!("target/kernel-tools/llvm-{llvm}"))
}

fn install(llvm: u32) -> Result<PathBuf, (String, String)> {
    let package = format!("llvm-{llvm}-dev");
    let prefix = match prefix(llvm) {
        Some(prefix) => prefix,
        None => {
            eprintln!("    LLVM {llvm}: from the distribution");
            let fix = |apt: String| format!("{apt}; or `cargo binstall bpf-linker` where its release has LLVM {llvm}");
            apt::install(&[&package]).map_err(|(why, apt)| (why, fix(apt)))?;
            prefix(llvm)
                .ok_or_else(|| (format!("{package} has no /usr/lib/llvm-{llvm}"), "set LLVM_PREFIX".to_owned()))?
        }
    };
    eprintln!("    bpf-linker: about a minute to build");
    let feature = format!("llvm-{llvm}");
    let mut install = cargo();
    install.args(["install", "bpf-linker", "--locked", "--version", VERSION, "--no-default-features", "--features"]);
    install.arg(&feature).env("LLVM_PREFIX", &prefix).env("PATH", path_with(&prefix.join("bin")));
    if which("bpf-linker").is_some() {
        install.arg("--root").arg(own(llvm));
    }
    let by_hand = format!(
        "LLVM_PREFIX={0} PATH={0}/bin:$PATH cargo install bpf-linker --locked --no-default-features --features {feature}",
        prefix.display()
    );
    run(&mut install).map_err(|error| (format!("{error:#}"), by_hand.clone()))?;
    find(llvm).ok_or_else(|| (format!("cargo installed bpf-linker, but none with LLVM {llvm} is found"), by_hand))
}

/// The installation of this LLVM with its headers' `llvm-config`.
fn prefix(llvm: u32) -> Option<PathBuf> {
    let set = std::env::var_os("LLVM_PREFIX").map(PathBuf::from);
    let usual =
        [format!("/usr/lib/llvm-{llvm}"), format!("/usr/lib/llvm/{llvm}"), format!("/opt/homebrew/opt/llvm@{llvm}")];
    set.into_iter().chain(usual.map(PathBuf::from)).find(|p| is_executable(&p.join("bin/llvm-config")))
}

fn path_with(first: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(first.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or(path)
}

/// The LLVM major that a linker has: of the shared library it needs, or of the release that is linked in.
fn linked_llvm(file: &Path) -> Option<u32> {
    let bytes = std::fs::read(file).ok()?;
    // Debian's library is libLLVM.so.22.1 (libLLVM-22.so.1 before 18); LLVM's own version string is LLVM22.1.8.
    ["libLLVM.so.", "libLLVM-", "LLVM"].iter().find_map(|prefix| number_after(&bytes, prefix.as_bytes()))
}

/// The first `prefix` in `bytes` with a two-digit number and a dot behind.
fn number_after(bytes: &[u8], prefix: &[u8]) -> Option<u32> {
    let starts = bytes.windows(prefix.len() + 3).filter(|window| window.starts_with(prefix));
    starts.map(|window| &window[prefix.len()..]).find_map(|tail| match tail {
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9', b'.'] => Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_of_a_linker_is_read_from_its_file() {
        let number = |text: &str| {
            let file = std::env::temp_dir().join(format!("xtask-linker-{}-{}", std::process::id(), text.len()));
            std::fs::write(&file, text).unwrap();
            let found = linked_llvm(&file);
            std::fs::remove_file(file).unwrap();
            found
        };
        assert_eq!(number("\0libLLVM.so.22.1\0"), Some(22));
        assert_eq!(number("\0libLLVM-17.so.1\0more"), Some(17));
        assert_eq!(number("xx LLVM IR LLVM23.1.4 static one"), Some(23));
        assert_eq!(number("none here"), None);
    }
}
