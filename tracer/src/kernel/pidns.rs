//! The tracer's pid namespace: event pids are numbers in it.

use std::fs;

/// include/linux/proc_ns.h: PROC_PID_INIT_INO.
const INITIAL_INUM: u32 = 0xEFFF_FFFC;

/// Inode of our pid namespace for the programs, 0 where it is the initial one (they then need no translation).
pub fn own_inum() -> u32 {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    match parse(&link.to_string_lossy()) {
        Some(INITIAL_INUM) | None => 0,
        Some(inum) => inum,
    }
}

/// `pid:[4026531836]`
fn parse(link: &str) -> Option<u32> {
    link.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_namespace_is_known_by_its_inode() {
        assert_eq!(parse("pid:[4026531836]"), Some(INITIAL_INUM));
        assert_eq!(parse("net:[1]"), None);
    }
}
