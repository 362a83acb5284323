//! Socket inode → processes that hold it, by their open files.

use std::collections::{BTreeMap, BTreeSet};

use crate::proc_dir::ProcDir;

/// Links read in one search; a search that ends here says so.
const MAX_LINKS: usize = 16_384;
/// Holders kept of one socket.
const MAX_HOLDERS: usize = 8;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// Inode → processes, in the order of the search.
    pub by_inode: BTreeMap<u64, Vec<u32>>,
    /// The search was cut: absence means nothing.
    pub cut: bool,
}

/// Searches these processes in order. `all` of them where pre-forked servers may share the socket, else until each
/// inode has one holder.
pub fn find_holders(proc: &ProcDir, inodes: &BTreeSet<u64>, pids: &[u32], all: bool) -> Holders {
    let mut holders = Holders::default();
    let mut links = 0;
    for pid in pids {
        if !all && holders.by_inode.len() == inodes.len() {
            break;
        }
        let Ok(entries) = std::fs::read_dir(proc.path(format!("{pid}/fd"))) else { continue };
        for entry in entries.flatten() {
            links += 1;
            if links > MAX_LINKS {
                holders.cut = true;
                return holders;
            }
            let Some(inode) = socket_inode(&entry.path()).filter(|inode| inodes.contains(inode)) else { continue };
            let pids = holders.by_inode.entry(inode).or_default();
            if !pids.contains(pid) && pids.len() < MAX_HOLDERS {
                pids.push(*pid);
            }
        }
    }
    holders
}

/// `socket:[12345]`
fn socket_inode(link: &std::path::Path) -> Option<u64> {
    let target = std::fs::read_link(link).ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn finds_all_holders_or_the_first() {
        let root = std::env::temp_dir().join(format!("probetrace-holders-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (pid, fd, target) in [
            (1, 3, "socket:[7]"),
            (2, 4, "socket:[7]"),
            (2, 5, "socket:[8]"),
            (3, 0, "pipe:[7]"),
            (3, 1, "/etc/passwd"),
        ] {
            fs::create_dir_all(root.join(format!("{pid}/fd"))).expect("folder");
            symlink(target, root.join(format!("{pid}/fd/{fd}"))).expect("link");
        }
        let proc = ProcDir::new(&root);
        let all = find_holders(&proc, &BTreeSet::from([7, 8]), &[1, 2, 3, 99], true);
        assert_eq!(all.by_inode, BTreeMap::from([(7, vec![1, 2]), (8, vec![2])]));
        let first = find_holders(&proc, &BTreeSet::from([7]), &[1, 2], false);
        assert_eq!((first.by_inode, first.cut), (BTreeMap::from([(7, vec![1])]), false));
        fs::remove_dir_all(root).expect("clean");
    }
}
