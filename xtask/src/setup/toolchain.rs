//! The file that tells tracer/build.rs which compiler and linker make the kernel programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// `target/kernel-toolchain.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelToolchain {
    /// That builds the programs (with `RUSTC` set to the next one).
    pub cargo: PathBuf,
    /// That has `core`'s source in its sysroot.
    pub rustc: PathBuf,
    /// bpf-linker with the LLVM of that rustc.
    pub linker: PathBuf,
    /// rustc is a stable release: `RUSTC_BOOTSTRAP=1` lets it build `core`.
    pub bootstrap: bool,
}

impl KernelToolchain {
    /// Reads what the last set-up wrote.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} is not there", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not readable", file.display()))
    }

    /// Writes it, but leaves an equal file untouched: its time stamp makes cargo build the programs again.
    pub fn write(&self, file: &Path) -> Result<()> {
        if Self::read(file).is_ok_and(|old| old == *self) {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_the_same_twice_keeps_the_time_stamp() {
        let folder = std::env::temp_dir().join(format!("xtask-toolchain-{}", std::process::id()));
        let file = folder.join("kernel-toolchain.json");
        let toolchain =
            KernelToolchain { cargo: "/c".into(), rustc: "/r".into(), linker: "/l".into(), bootstrap: true };
        toolchain.write(&file).unwrap();
        let first = file.metadata().unwrap().modified().unwrap();
        toolchain.write(&file).unwrap();
        assert_eq!(file.metadata().unwrap().modified().unwrap(), first);
        assert_eq!(KernelToolchain::read(&file).unwrap(), toolchain);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
