//! A root folder that is no mount point: what plain `chroot` into a debootstrap folder gives.
//!
//! There the kernel refuses to change how mounts propagate (fs/namespace.c: do_change_type, EINVAL), which `ip netns`,
//! `unshare` and every private mount need. So the command is run again in the same tree, bound over a mount point.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::command::is_root;

/// Set for the second run.
const MARK: &str = "PROBETRACE_XTASK_BOUND_ROOT";
const BOUND: &str = "/run/probetrace-root";

/// `$0`: where to bind; then the folder to be in and the command. What is mounted goes when the command ends, also by
/// Ctrl-C; a leftover of a kill is used again. Only the top is bound, and made private at once, so that taking it away
/// never reaches the mounts of the outer system.
const SCRIPT: &str = r#"
folder=$1; shift
trap : INT TERM HUP
mkdir -p "$0"
mountpoint -q "$0" || { mount --bind / "$0" && mount --make-private "$0"; } || exit 3
for one in proc sys dev; do
    mountpoint -q "$0/$one" || { mount --rbind "/$one" "$0/$one" && mount --make-rslave "$0/$one"; } || exit 3
done
status=0
chroot "$0" sh -c 'cd "$0" && exec "$@"' "$folder" "$@" || status=$?
umount --recursive --lazy "$0"
rmdir "$0"
exit $status
"#;

/// Returns where root is a mount point, or where we may not change that; else does not return.
pub fn leave() -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if !is_root() || std::env::var_os(MARK).is_some() || mounts.is_empty() || has_root(&mounts) {
        return Ok(());
    }
    eprintln!("this root folder is no mount point (a plain chroot): going on in {BOUND}, bound to it");
    let own = std::env::current_exe()?;
    let folder = std::env::current_dir()?;
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT, BOUND]).arg(folder).arg(own).args(std::env::args_os().skip(1)).env(MARK, "1");
    Err(anyhow!("cannot start sh: {}", shell.exec()))
}

/// Field 5 of a line is the mount point (proc_pid_mountinfo(5)).
fn has_root(mountinfo: &str) -> bool {
    mountinfo.lines().any(|line| line.split(' ').nth(4) == Some("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_told_from_what_is_mounted_in_it() {
        let proc = "36 35 0:5 / /proc rw - proc proc rw";
        assert!(!has_root(proc));
        assert!(has_root(&format!("{proc}\n35 1 8:1 /a / rw - ext4 /dev/a rw")));
    }
}
