//! Ids are derived, not random: the same recording gives the same ids.

use crate::input::Start;

/// FNV-1a, 128 bits: offset basis and prime of draft-eastlake-fnv.
const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// 32 hexadecimal digits from node, boot id, the run's begin (numbers start anew with each run) and the number.
pub fn of(start: &Start, number: u64) -> String {
    let run = start.clock.mono_ns.to_le_bytes();
    let number = number.to_le_bytes();
    let parts: [&[u8]; 4] = [start.node.as_bytes(), start.boot_id.as_bytes(), &run, &number];
    let mut hash = OFFSET;
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        for byte in part.iter().copied().chain(part.len().to_le_bytes()) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:032x}")
}
