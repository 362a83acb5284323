//! One run of the lab: everything that it makes in the system carries its name, `pt-lab-PID`, and goes with it. What a
//! killed run left is removed by the next one.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};

use crate::{
    cgroup::{self, Hierarchy},
    netns,
};

const PREFIX: &str = "pt-lab-";
const RUN: &str = "/run";

/// Names and hierarchies of this run.
#[derive(Debug)]
pub struct Session {
    /// `pt-lab-PID`.
    pub name: String,
    /// Folder for plans, logs and `bin`.
    pub folder: PathBuf,
    /// Where pods' cgroups are made.
    pub hierarchies: Vec<Hierarchy>,
    /// Set once removal has begun: nothing may be made after it.
    ended: Mutex<bool>,
}

impl Session {
    /// Removes what dead runs left, and begins.
    ///
    /// # Errors
    /// Not root, or the folder can't be made.
    pub fn begin() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("the lab makes network namespaces and cgroups: run it as root");
        }
        clean_leftovers()?;
        let name = format!("{PREFIX}{}", std::process::id());
        let folder = Path::new(RUN).join(&name);
        let bin = folder.join("bin");
        fs::create_dir_all(&bin).with_context(|| format!("make {}", bin.display()))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        // Whole or not there: another lab that cleans up meanwhile would take an empty one for a dead run's.
        let draft = folder.join("owner.draft");
        fs::write(&draft, start_time(std::process::id()).unwrap_or_default())?;
        fs::rename(&draft, folder.join("owner"))?;
        let own = std::env::current_exe()?;
        for program in ["runc", "burn", "kubelet"] {
            std::os::unix::fs::symlink(&own, bin.join(program)).with_context(|| format!("link {program}"))?;
        }
        Ok(Self { name, folder, hierarchies: cgroup::hierarchies()?, ended: Mutex::new(false) })
    }

    /// Makes something in the system, unless the end has begun.
    ///
    /// # Errors
    /// Those of `make`, or the run is ending.
    pub fn make<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            bail!("the lab is ending");
        }
        make()
    }

    /// Removes everything. The second call does nothing.
    ///
    /// # Errors
    /// Something could not be removed; the rest is.
    pub fn end(&self) -> Result<()> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *ended, true) {
            return Ok(());
        }
        remove(&self.name, &self.hierarchies)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Everything of one run: its processes first, since they hold the rest.
fn remove(name: &str, hierarchies: &[Hierarchy]) -> Result<()> {
    let mut results = Vec::new();
    for hierarchy in hierarchies {
        results.push(cgroup::remove(&hierarchy.mount.join(name)));
    }
    results.push(netns::remove_all(&format!("{name}-")));
    let folder = Path::new(RUN).join(name);
    let removed = fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()));
    results.push(if folder.exists() { removed } else { Ok(()) });
    results.into_iter().collect()
}

/// Removes what runs left whose process is gone.
///
/// # Errors
/// As [`Session::end`].
pub fn clean_leftovers() -> Result<()> {
    let hierarchies = cgroup::hierarchies()?;
    let mut pids: Vec<u32> = Vec::new();
    let folders = hierarchies.iter().map(|hierarchy| hierarchy.mount.clone());
    for folder in folders.chain([PathBuf::from(RUN), PathBuf::from(netns::FOLDER)]) {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        pids.extend(names.filter_map(|entry| owner(entry.file_name().to_str()?)));
    }
    pids.sort_unstable();
    pids.dedup();
    for pid in pids.into_iter().filter(|pid| !is_alive(*pid)) {
        remove(&format!("{PREFIX}{pid}"), &hierarchies)?;
    }
    Ok(())
}

/// The pid in `pt-lab-PID…`.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// Whether it is still the process that made the folder: pids are used again.
fn is_alive(pid: u32) -> bool {
    let Some(now) = start_time(pid) else { return false };
    match fs::read_to_string(Path::new(RUN).join(format!("{PREFIX}{pid}/owner"))) {
        Ok(then) => then == now,
        Err(_) => fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.starts_with("probetrace")),
    }
}

/// Field 22 of /proc/PID/stat; `None` for a process that is gone or a zombie.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    (!rest.starts_with('Z')).then(|| rest.split(' ').nth(19).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_owner_in_a_name() {
        assert_eq!(owner("pt-lab-12-s1-node"), Some(12));
        assert_eq!(owner("pt-lab-12"), Some(12));
        assert_eq!(owner("pt-labx"), None);
        assert_eq!(owner("kubepods"), None);
    }

    #[test]
    fn knows_itself() {
        let pid = std::process::id();
        assert!(start_time(pid).is_some_and(|time| time.parse::<u64>().is_ok()));
        assert!(!is_alive(u32::MAX));
    }
}
