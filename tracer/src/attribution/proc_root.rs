//! Files as another process sees them: through /proc/PID/root, symbolic links included.
//!
//! The kernel resolves an absolute link against *our* root even below /proc/PID/root (`kubelet-client-current.pem` is
//! such a link), so links are walked here. openat2's RESOLVE_IN_ROOT would do it, but only from Linux 5.6 on.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

/// As in the kernel (MAXSYMLINKS).
const MAX_LINKS: u32 = 40;

/// The root directory of a process; our own without one.
pub fn root_of(pid: Option<u32>) -> PathBuf {
    pid.map_or_else(|| PathBuf::from("/"), |pid| PathBuf::from(format!("/proc/{pid}/root")))
}

/// A path of a process's own view, as a path that opens the same file here. What doesn't exist is no error.
pub fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut todo: VecDeque<OsString> = parts(path).collect();
    let mut done: Vec<OsString> = Vec::new();
    let mut links = 0;
    while let Some(part) = todo.pop_front() {
        if part == ".." {
            done.pop();
            continue;
        }
        let here: PathBuf = std::iter::once(root.as_os_str()).chain(done.iter().map(OsString::as_os_str)).collect();
        let Ok(target) = std::fs::read_link(here.join(&part)) else {
            done.push(part);
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links"));
        }
        if target.is_absolute() {
            done.clear();
        }
        parts(&target).rev().for_each(|part| todo.push_front(part));
    }
    Ok(std::iter::once(root.as_os_str()).chain(done.iter().map(OsString::as_os_str)).collect())
}

/// Reads at most `max_bytes` of a regular file of the process's view; a larger one is an error.
pub fn read(root: &Path, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let path = resolve(root, path)?;
    if !std::fs::metadata(&path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max_bytes} bytes")));
    }
    Ok(bytes)
}

/// The names in a path, and its `..`.
fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_below_the_root() {
        let root = std::env::temp_dir().join(format!("probetrace-{}-root", std::process::id()));
        std::fs::create_dir_all(root.join("etc/pki")).unwrap();
        std::fs::write(root.join("etc/pki/real"), "key").unwrap();
        symlink("/etc/pki/real", root.join("etc/absolute")).unwrap();
        symlink("pki/../absolute", root.join("etc/relative")).unwrap();
        symlink("../../../../etc/passwd", root.join("etc/escape")).unwrap();
        symlink("loop", root.join("etc/loop")).unwrap();
        for path in ["/etc/absolute", "/etc/relative", "etc/./pki/real", "/../../etc/pki/real"] {
            assert_eq!(read(&root, Path::new(path), 10).unwrap(), b"key", "{path}");
        }
        assert_eq!(resolve(&root, Path::new("/etc/escape")).unwrap(), root.join("etc/passwd"));
        assert!(resolve(&root, Path::new("/etc/loop")).is_err());
        assert_eq!(resolve(&root, Path::new("/not/there")).unwrap(), root.join("not/there"));
        assert_eq!(read(&root, Path::new("/etc/absolute"), 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::remove_dir_all(root).unwrap();
    }
}
