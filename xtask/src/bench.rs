//! `cargo xtask bench events`: builds the empty programs, and hands over to the lab.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::command::{require_root, run};
use crate::setup::toolchain::KernelToolchain;
use crate::{build, lab, setup, workspace};

/// Does not return where the lab could be started.
pub fn events(rest: &[String]) -> Result<ExitCode> {
    require_root("bench events")?;
    setup::for_test()?;
    build::everything(true)?;
    let object = empty_programs()?;
    let arguments = ["events", "--empty-object"].map(str::to_owned).into_iter().chain([object.display().to_string()]);
    Err(lab::exec("bench", true, &arguments.chain(rest.iter().cloned()).collect::<Vec<_>>()))
}

/// As tracer/build.rs has it: `core` is then built already.
const PROFILE: [(&str, &str); 7] = [
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "2"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
];

/// As tracer/build.rs builds the tracer's own.
fn empty_programs() -> Result<PathBuf> {
    let toolchain = KernelToolchain::read(&workspace::kernel_toolchain_file())?;
    let folder = workspace::root().join("target/bpf");
    let mut cargo = Command::new(&toolchain.cargo);
    // Cargo's own settings of this very process would reach the other compiler.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_") || name.starts_with("RUSTUP_TOOLCHAIN"))
            && name != "CARGO_HOME"
        {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(workspace::root()).env("RUSTC", &toolchain.rustc);
    cargo.env("RUSTFLAGS", format!("-C linker={} -C link-arg=--btf -C debuginfo=2", toolchain.linker.display()));
    cargo.envs(PROFILE);
    if toolchain.bootstrap {
        cargo.env("RUSTC_BOOTSTRAP", "1");
    }
    cargo.args(["build", "--locked", "--release", "-Z", "build-std=core", "--target", "bpfel-unknown-none"]);
    cargo.args(["--package", "tracer-ebpf", "--features", "programs", "--bin", "tracer-ebpf-empty", "--target-dir"]);
    run(cargo.arg(&folder))?;
    Ok(folder.join("bpfel-unknown-none/release/tracer-ebpf-empty"))
}
