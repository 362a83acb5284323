//! Whether a command exists in a container, as its execve(2) would find it. The container's files are hostile: every
//! path is resolved inside its root (openat2 RESOLVE_IN_ROOT, Linux 5.6), and nothing but a regular file is read.

use std::{
    fs::File,
    io::{self, Read as _},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};

use crate::{observation::CommandState, proc_dir::ProcDir};

/// The kernel's own default where PATH is not set is the runtime's: runc's and crun's look-up then uses this one.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MAX_PATH_ENTRIES: usize = 64;
/// BINPRM_BUF_SIZE (include/uapi/linux/binfmts.h): what the kernel reads of a `#!` line.
const SHEBANG_BYTES: u64 = 256;

/// Looks for argv[0] `name` in the root of the container's process `pid`. An error: it could not be looked for.
pub fn look_for(proc: &ProcDir, pid: u32, name: &str) -> io::Result<CommandState> {
    let root = File::open(proc.path(format!("{pid}/root")))?;
    let environment = proc.read(format!("{pid}/environ")).unwrap_or_default();
    let path = environment.split('\0').find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut state = CommandState { name: name.to_owned(), ..Default::default() };
    for candidate in candidates(name, path) {
        let Some(file) = open_in_root(&root, &candidate)? else { continue };
        let meta = file.metadata()?;
        let executable = meta.is_file() && meta.mode() & 0o111 != 0;
        // A name on PATH that is not executable is passed over, as execvp does; a path with a slash is what it is.
        if state.path.is_none() || executable {
            state.missing_interpreter = if executable { missing_interpreter(&root, &file)? } else { None };
            state.path = Some(candidate);
            state.executable = executable;
        }
        if executable {
            break;
        }
    }
    Ok(state)
}

fn candidates(name: &str, path: &str) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    path.split(':')
        .filter(|folder| folder.starts_with('/'))
        .take(MAX_PATH_ENTRIES)
        .map(|folder| format!("{folder}/{name}"))
        .collect()
}

/// A handle that can be asked what it is, not read: opening so disturbs neither devices nor pipes. `None`: it does not
/// exist there.
fn open_in_root(root: &File, path: &str) -> io::Result<Option<File>> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(Errno::NOSYS) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "openat2 (Linux 5.6) is missing: a container's files cannot be looked at safely",
        )),
        Err(error) => Err(error.into()),
    }
}

/// The interpreter of a script, where it does not exist: the kernel then answers ENOENT for the script itself
/// (fs/binfmt_script.c). `file` is known to be a regular one.
fn missing_interpreter(root: &File, file: &File) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let readable = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    readable.take(SHEBANG_BYTES).read_to_end(&mut head)?;
    let Some(rest) = head.strip_prefix(b"#!") else { return Ok(None) };
    let line = String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let Some(interpreter) = line.split_ascii_whitespace().next() else { return Ok(None) };
    Ok(if open_in_root(root, interpreter)?.is_none() { Some(interpreter.to_owned()) } else { None })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::PathBuf,
    };

    use super::*;

    fn tree() -> PathBuf {
        let root = std::env::temp_dir().join(format!("probetrace-command-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let file = |path: &str, text: &str, mode: u32| {
            let path = root.join("7/root").join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(&path, text).expect("file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        };
        file("bin/check", "\x7fELF", 0o755);
        file("sbin/check", "", 0o644);
        file("bin/script", "#!/bin/nowhere -e\n", 0o755);
        file("bin/good", "#! /bin/check\n", 0o755);
        fs::create_dir_all(root.join("7/root/bin/folder")).expect("folder");
        fs::write(root.join("7/environ"), "A=1\0PATH=/sbin:relative:/bin\0").expect("environ");
        symlink("/bin/check", root.join("7/root/inside")).expect("link");
        symlink("../../../../../../../../etc/passwd", root.join("7/root/outside")).expect("link");
        symlink("/proc/self/exe", root.join("7/root/magic")).expect("link");
        root
    }

    #[test]
    fn as_execve_would_find_it() {
        let root = tree();
        let proc = ProcDir::new(&root);
        for (name, path, executable, interpreter) in [
            ("check", Some("/bin/check"), true, None),
            ("/sbin/check", Some("/sbin/check"), false, None),
            ("/bin/folder", Some("/bin/folder"), false, None),
            ("script", Some("/bin/script"), true, Some("/bin/nowhere")),
            ("good", Some("/bin/good"), true, None),
            ("/inside", Some("/inside"), true, None),
            ("/outside", None, false, None),
            ("/magic", None, false, None),
            ("curl", None, false, None),
            ("/bin/check/x", None, false, None),
        ] {
            let state = look_for(&proc, 7, name).expect("look");
            assert_eq!(state.path.as_deref(), path, "{name}");
            assert_eq!((state.executable, state.missing_interpreter.as_deref()), (executable, interpreter), "{name}");
        }
        assert!(look_for(&proc, 8, "check").is_err(), "no such process");
        fs::remove_dir_all(root).expect("clean");
    }
}
