//! Running other programs: shown before they run, and said by name when they fail.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The cargo that runs us, also where `cargo` is a proxy of rustup.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(crate::workspace::root());
    cargo
}

/// Runs it in the foreground with our stdout and stderr.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("    $ {}", shown(command));
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs it in silence; its stdout without surrounding white space, or its stderr as the error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", shown(command), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Arguments as a person would type them.
pub fn shown(command: &Command) -> String {
    let environment = command.get_envs().filter_map(|(k, v)| Some((k.to_str()?, v?.to_str()?)));
    let environment = environment.map(|(k, v)| format!("{k}={v}"));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy().into_owned());
    let quoted = environment.chain(words).map(|w| if w.contains(' ') { format!("'{w}'") } else { w });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The first executable of this name on PATH, in the folder where cargo installs, or in the system's own folders.
pub fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(cargo_bin());
    folders.chain(["/usr/sbin".into(), "/sbin".into()]).map(|f| f.join(name)).find(|file| is_executable(file))
}

/// Where `cargo install` puts binaries.
pub fn cargo_bin() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).map(|home| home.join("bin"))
}

/// A regular file that somebody may execute.
pub fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The user id that file accesses are made with.
pub fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    uids.split_whitespace().nth(1) == Some("0")
}

/// An error that says how to run this as root, unless we are.
pub fn require_root(what: &str) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    bail!(
        "`cargo xtask {what}` loads kernel programs and makes network namespaces: it needs root.\n  Run: sudo -E env PATH=\"$PATH\" cargo xtask {what}"
    )
}

/// A line of results on stdout; a closed pipe is the reader's choice and no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_with_its_environment_and_quotes() {
        let mut command = Command::new("cargo");
        command.env("A", "1").args(["build", "a b"]);
        assert_eq!(shown(&command), "A=1 cargo build 'a b'");
    }

    #[test]
    fn failure_names_the_command_and_its_stderr() {
        let error = output(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("broken") && error.contains('3'), "{error}");
    }

    #[test]
    fn which_finds_only_executables() {
        assert!(which("sh").is_some());
        assert!(which("no-such-program-here").is_none());
    }
}
