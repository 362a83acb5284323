//! Into another network namespace and back, on a thread of one's own (setns(2) moves only the calling thread).

use std::{
    fs::File,
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::PathBuf,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::NetnsIndex;
use crate::proc_dir::{self, MAX_TABLE_BYTES, ProcDir};

/// While it lives the thread is in another network namespace.
pub struct Entered {
    home: File,
}

impl Entered {
    /// Needs CAP_SYS_ADMIN over the user namespaces of both.
    pub fn enter(namespace: &File) -> io::Result<Self> {
        let home = File::open("/proc/thread-self/ns/net").or_else(|_| File::open("/proc/self/ns/net"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(Self { home })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Nothing that a worker reads depends on its own namespace: each reading enters the one it wants.
        if let Err(error) = move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Network)) {
            tracing::warn!(%error, "cannot return to the own network namespace");
        }
    }
}

impl NetnsIndex {
    /// A handle of a namespace, checked by its inode: a pid may have been used again.
    pub fn open(&self, inode: u64) -> io::Result<File> {
        let by_process = self.pids_of(inode).iter().map(|pid| self.proc.path(format!("{pid}/ns/net")));
        let mut error = io::Error::new(io::ErrorKind::NotFound, "no process and no mount keeps it");
        for path in by_process.chain(self.mounted(inode).cloned()) {
            match File::open(&path).and_then(|file| Ok((file.metadata()?.ino(), file))) {
                Ok((found, file)) if found == inode => return Ok(file),
                Ok(_) => {}
                Err(denied) if denied.kind() == io::ErrorKind::PermissionDenied => error = denied,
                Err(_) => {}
            }
        }
        Err(error)
    }

    /// A file of a namespace's /proc/net.
    pub fn read_net(&self, inode: u64, name: &str) -> io::Result<String> {
        if let Some(pid) = self.witness(inode) {
            return self.proc.read_table(format!("{pid}/net/{name}"));
        }
        // No process lives there: read it from within. The text is made at read(2) for the namespace of open(2).
        let _entered = Entered::enter(&self.open(inode)?)?;
        proc_dir::read_bounded(&PathBuf::from("/proc/thread-self/net").join(name), MAX_TABLE_BYTES)
    }
}

/// Network namespaces that are kept by a bind mount (`ip netns add`, CNI plugins), in our mount namespace or init's.
pub fn mounted_namespaces(proc: &ProcDir) -> Vec<(u64, PathBuf)> {
    let mut found = Vec::new();
    for (mounts, root) in [("self/mountinfo", None), ("1/mountinfo", Some(proc.path("1/root")))] {
        let text = proc.read_table(mounts).unwrap_or_default();
        for line in text.lines() {
            // "36 35 0:4 net:[4026532281] /run/netns/a rw shared:1 - nsfs nsfs rw"
            let mut words = line.split(' ').skip(3);
            let (Some(namespace), Some(point)) = (words.next(), words.next()) else { continue };
            let inode = namespace.strip_prefix("net:[").and_then(|rest| rest.strip_suffix(']')?.parse().ok());
            let Some(inode) = inode else { continue };
            let point = PathBuf::from(point);
            found.push(match &root {
                Some(root) => (inode, root.join(point.strip_prefix("/").unwrap_or(&point))),
                None => (inode, point),
            });
        }
    }
    found
}
