//! Container ids in the folder names of cgroups.
//!
//! cgroupfs driver: `<id>`. systemd driver: `cri-containerd-<id>.scope`, `crio-<id>.scope`, `docker-<id>.scope` (facts of
//! containerd's and CRI-O's cgroup managers). crun makes a folder `container` below it. `crio-conmon-<id>.scope` is the
//! monitor, not the container.

/// Hex digits of a container's id, the same for containerd, CRI-O and Docker.
const ID_LEN: usize = 64;

/// The last token of 64 hex digits in `text`, bounded by other characters.
pub fn hex_id(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_hexdigit()).rfind(|token| token.len() == ID_LEN)
}

/// The first such token.
pub fn first_hex_id(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_hexdigit()).find(|token| token.len() == ID_LEN)
}

/// The container's id in a cgroup's folder name or else its parent's; `None` for a monitor's cgroup and all others.
pub fn container_id<'a>(folder: &'a str, parent: &'a str) -> Option<&'a str> {
    let of = |name: &'a str| if name.contains("conmon-") { None } else { hex_id(name) };
    of(folder).or_else(|| of(parent))
}

/// Whether a cgroup (or one right below it) is that of the container `id`; also for ids of another length than usual.
pub fn is_of(folder: &str, parent: &str, id: &str) -> bool {
    let same = |name: &str| {
        let bare = name.strip_suffix(".scope").unwrap_or(name);
        bare == id || (!bare.contains("conmon-") && bare.strip_suffix(id).is_some_and(|prefix| prefix.ends_with('-')))
    };
    !id.is_empty() && (same(folder) || same(parent))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn names_of_each_runtime_and_driver() {
        for name in [
            ID.to_owned(),
            format!("cri-containerd-{ID}.scope"),
            format!("crio-{ID}.scope"),
            format!("docker-{ID}.scope"),
        ] {
            assert_eq!(container_id(&name, "pod1"), Some(ID), "{name}");
            assert!(is_of(&name, "pod1", ID), "{name}");
            assert_eq!(container_id("container", &name), Some(ID), "crun's folder below {name}");
            assert!(is_of("container", &name, ID));
        }
    }

    #[test]
    fn a_monitors_cgroup_is_not_its_container() {
        let name = format!("crio-conmon-{ID}.scope");
        assert_eq!(container_id(&name, ""), None);
        assert!(!is_of(&name, "", ID));
    }

    #[test]
    fn other_cgroups_are_no_containers() {
        assert_eq!(container_id("kubelet.service", "system.slice"), None);
        assert_eq!(container_id(&ID[..63], ""), None);
        assert!(!is_of("", "", ""));
    }

    #[test]
    fn ids_of_another_length_match_as_a_whole() {
        assert!(is_of("lab-abc.scope", "", "abc"));
        assert!(!is_of("lab-xabc.scope", "", "abc"));
    }

    proptest! {
        #[test]
        fn any_name_is_borne(folder in ".{0,100}", parent in ".{0,100}", id in ".{0,70}") {
            let _ = container_id(&folder, &parent);
            let _ = is_of(&folder, &parent, &id);
        }
    }
}
