//! Access to tracefs without leaving a mount behind.

use std::path::{Path, PathBuf};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};

use super::{error::StartError, features};

const PLACE: &str = "/sys/kernel/tracing";

/// Runs `then` with the place where tracefs is mounted. Where it isn't, `then` runs on a thread with a mount namespace
/// of its own, which ends with it.
///
/// # Errors
/// [`StartError::NoTracefs`].
pub(super) fn with<T: Send>(then: impl FnOnce(&Path) -> T + Send) -> Result<T, StartError> {
    if let Some(mounted) = features::tracefs() {
        return Ok(then(&mounted));
    }
    let private = || {
        mount_for_this_thread().map_err(|error| StartError::NoTracefs(error.to_string()))?;
        Ok(then(&PathBuf::from(PLACE)))
    };
    let joined = std::thread::scope(|scope| scope.spawn(private).join());
    joined.unwrap_or_else(|_| Err(StartError::NoTracefs("the mounting thread failed".to_owned())))
}

fn mount_for_this_thread() -> rustix::io::Result<()> {
    // SAFETY: the thread was made for this, and nothing of it depends on the shared file system state.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS)? };
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    mount("tracefs", PLACE, "tracefs", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)
}
