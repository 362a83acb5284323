//! Puts this process where a pod's processes are: a network namespace and cgroups.

use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

/// Where. Both may be absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// File of a network namespace.
    pub netns: Option<PathBuf>,
    /// `cgroup.procs` files.
    pub cgroup_procs: Vec<PathBuf>,
}

impl Place {
    /// Moves the calling thread's network namespace and the whole process' cgroups: call it before threads exist.
    ///
    /// # Errors
    /// A file is missing, or the kernel refuses.
    pub fn enter(&self) -> Result<()> {
        for file in &self.cgroup_procs {
            fs::write(file, "0").with_context(|| format!("join {}", file.display()))?;
        }
        self.netns.as_deref().map_or(Ok(()), enter_netns)
    }
}

/// Moves the calling thread alone.
///
/// # Errors
/// As [`Place::enter`].
pub fn enter_netns(file: &Path) -> Result<()> {
    let namespace = fs::File::open(file).with_context(|| format!("open {}", file.display()))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("enter {}", file.display()))
}
