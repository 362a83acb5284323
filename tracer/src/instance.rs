//! One tracer per run directory: a second one names the first. The lock is flock(2), which the kernel drops with the
//! process however it ends, so that no lock file is ever stale.

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{clock, input::Clock};

/// Where it is unless `PROBETRACE_RUN_DIR` says otherwise.
const RUN_DIR: &str = "/run/probetrace";
/// The variable that moves it: for a second tracer on purpose (another prober, a test lab).
pub const RUN_DIR_VARIABLE: &str = "PROBETRACE_RUN_DIR";
/// What is read of another instance's description.
const MAX_HOLDER_BYTES: u64 = 16 << 10;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Instance {
    _lock: File,
}

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id in its own pid namespace.
    pub pid: u32,
    /// RFC 3339.
    pub started_at: String,
    /// Its command line.
    pub command: Vec<String>,
}

/// Why this process may not trace.
#[derive(Debug)]
pub enum Error {
    /// Another one does; `None`: it is just starting.
    Taken(PathBuf, Option<Holder>),
    /// The run directory belongs to someone else or others can write to it.
    Unsafe(PathBuf),
    /// The directory or the lock file can't be made.
    Io(PathBuf, std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(dir, Some(holder)) => {
                // A container's own pid namespace may name another process by this number, hence the command line.
                let command: Vec<_> = holder.command.iter().map(|word| word.escape_debug().to_string()).collect();
                write!(
                    f,
                    "another probetrace is at work: pid {}, since {}, `{}` (run directory {}). ",
                    holder.pid,
                    holder.started_at.escape_debug(),
                    command.join(" "),
                    dir.display()
                )?;
                write!(f, "Stop it, or give this one a directory of its own: {RUN_DIR_VARIABLE}={}-2", dir.display())
            }
            Self::Taken(dir, None) => write!(
                f,
                "another probetrace is just starting or ending in {}; try again, or set {RUN_DIR_VARIABLE}",
                dir.display()
            ),
            Self::Unsafe(dir) if !rustix::process::geteuid().is_root() => write!(
                f,
                "the run directory {} belongs to another user, or others can write to it (run as root, or set \
                 {RUN_DIR_VARIABLE} to a directory of yours)",
                dir.display()
            ),
            Self::Unsafe(dir) => write!(
                f,
                "the run directory {} must be a directory that belongs to this user and that only this user can \
                 write to: `chown {} {2}; chmod 700 {2}`, or set {RUN_DIR_VARIABLE}",
                dir.display(),
                rustix::process::geteuid().as_raw(),
                dir.display()
            ),
            Self::Io(path, error) => {
                write!(
                    f,
                    "{}: {error} (run as root, or set {RUN_DIR_VARIABLE} to a directory of yours)",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for Error {}

/// The run directory in force.
pub fn run_dir() -> PathBuf {
    match std::env::var_os(RUN_DIR_VARIABLE) {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(RUN_DIR),
    }
}

impl Instance {
    /// Takes the lock of `dir` ([`run_dir`]); makes the directory (mode 0700) where it is missing.
    pub fn lock(dir: &Path) -> Result<Self, Error> {
        let in_dir = |error| Error::Io(dir.to_owned(), error);
        DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(in_dir)?;
        let status = std::fs::symlink_metadata(dir).map_err(in_dir)?;
        if !status.is_dir() || status.uid() != rustix::process::geteuid().as_raw() || status.mode() & 0o022 != 0 {
            return Err(Error::Unsafe(dir.to_owned()));
        }
        let path = dir.join("lock");
        let in_file = |error| Error::Io(path.clone(), error);
        let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(no_follow);
        let mut lock = options.open(&path).map_err(in_file)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Taken(dir.to_owned(), read_holder(&mut lock))),
            Err(TryLockError::Error(error)) => return Err(in_file(error)),
        }
        write_holder(&mut lock).map_err(in_file)?;
        Ok(Self { _lock: lock })
    }
}

fn read_holder(lock: &mut File) -> Option<Holder> {
    let mut text = String::new();
    lock.take(MAX_HOLDER_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// What a former holder wrote is replaced; the file itself stays, since removing it would race with another's lock.
fn write_holder(lock: &mut File) -> std::io::Result<()> {
    let holder = Holder {
        pid: std::process::id(),
        started_at: clock::rfc3339(Clock::read().wall_ns),
        command: std::env::args_os().take(64).map(|word| word.to_string_lossy().chars().take(128).collect()).collect(),
    };
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(&serde_json::to_vec(&holder)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_second_names_the_first_and_may_follow_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run/probetrace");
        let first = Instance::lock(&dir).unwrap();
        let error = Instance::lock(&dir).unwrap_err();
        let Error::Taken(_, Some(holder)) = &error else { panic!("{error}") };
        assert_eq!(holder.pid, std::process::id());
        let text = error.to_string();
        assert!(text.contains(&format!("pid {}", holder.pid)) && text.contains(RUN_DIR_VARIABLE), "{text}");
        drop(first);
        Instance::lock(&dir).unwrap();
    }

    #[test]
    fn what_a_killed_holder_left_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lock"), r#"{"pid":1,"started_at":"x","command":["a long text"]}xxxx"#)
            .unwrap();
        let _held = Instance::lock(folder.path()).unwrap();
        let Err(Error::Taken(_, Some(holder))) = Instance::lock(folder.path()) else { panic!() };
        assert_eq!(holder.pid, std::process::id());
    }

    #[test]
    fn the_directory_is_private_and_a_foreign_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("d");
        drop(Instance::lock(&dir).unwrap());
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(dir.join("lock")).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Instance::lock(&dir).unwrap_err(), Error::Unsafe(_)));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(matches!(Instance::lock(&link).unwrap_err(), Error::Unsafe(_)));
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "keep").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("lock")).unwrap();
        assert!(matches!(Instance::lock(folder.path()).unwrap_err(), Error::Io(..)));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "keep");
    }
}
