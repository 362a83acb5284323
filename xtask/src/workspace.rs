//! Where things are in this repository.

use std::path::{Path, PathBuf};

/// The folder of the workspace's Cargo.toml.
pub fn root() -> &'static Path {
    // xtask/ lies directly in it.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// What `setup` found, for tracer/build.rs: `{"cargo","rustc","linker","bootstrap"}`.
pub fn kernel_toolchain_file() -> PathBuf {
    root().join("target/kernel-toolchain.json")
}

/// A binary that `build` made.
pub fn binary(name: &str, release: bool) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join(if release { "release" } else { "debug" }).join(name)
}
