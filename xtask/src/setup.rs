//! `cargo xtask setup`: what a fresh machine lacks for building kernel programs and for running the tests.
//!
//! Each part is looked for first and installed only where it is missing, so that running it twice changes nothing.

mod apt;
mod linker;
mod rust;
pub mod toolchain;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::kernel_toolchain_file;

/// What became of one part.
pub enum State {
    /// Was there: what and where.
    Present(String),
    /// Is there now.
    Installed(String),
    /// Is not there, and this is why and what to run.
    Missing { why: String, fix: String },
    /// As `Missing`, but only some tests want it; they are skipped by name.
    Optional { why: String, fix: String },
}

/// Whether missing parts are installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Check,
    Install,
}

/// The parts, as they are reported.
struct Report {
    missing: usize,
    quiet: bool,
}

impl Report {
    fn add(&mut self, part: &str, state: &State) {
        match state {
            State::Present(what) if !self.quiet => eprintln!("  {part:<18} {what}"),
            State::Installed(what) => eprintln!("  {part:<18} installed: {what}"),
            State::Missing { why, fix } => {
                self.missing += 1;
                eprintln!("  {part:<18} MISSING: {why}\n  {:<18} run: {fix}", "");
            }
            State::Optional { why, fix } if !self.quiet => {
                eprintln!("  {part:<18} not here (optional): {why}\n  {:<18} run: {fix}", "");
            }
            State::Present(_) | State::Optional { .. } => {}
        }
    }
}

/// `cargo xtask setup [--check]`.
pub fn command(check: bool) -> Result<ExitCode> {
    let mode = if check { Mode::Check } else { Mode::Install };
    eprintln!("set-up{}", if check { " (only looking)" } else { "" });
    let mut report = Report { missing: 0, quiet: false };
    kernel(mode, &mut report)?;
    tools::all(mode, &mut |part, state| report.add(part, state));
    if report.missing > 0 {
        eprintln!(
            "{} missing. {}",
            report.missing,
            if check { "`cargo xtask setup` installs what it can." } else { "" }
        );
        return Ok(ExitCode::FAILURE);
    }
    eprintln!("set-up complete");
    Ok(ExitCode::SUCCESS)
}

/// For the commands that build: installs what kernel programs need, says only what it had to do.
pub fn for_build() -> Result<()> {
    let mut report = Report { missing: 0, quiet: true };
    kernel(Mode::Install, &mut report)?;
    if report.missing > 0 {
        bail!(
            "the kernel programs cannot be built before this is installed; `cargo xtask setup --check` shows it again"
        );
    }
    Ok(())
}

/// For the commands that test and show: as [`for_build`], and the programs that those use.
pub fn for_test() -> Result<()> {
    for_build()?;
    let mut report = Report { missing: 0, quiet: true };
    tools::all(Mode::Install, &mut |part, state| report.add(part, state));
    if report.missing > 0 {
        bail!("the tests cannot run before this is installed; `cargo xtask setup --check` shows it again");
    }
    Ok(())
}

/// The kernel toolchain: a compiler with `core`'s source and a linker of the same LLVM.
fn kernel(mode: Mode, report: &mut Report) -> Result<()> {
    let (state, compiler) = rust::with_source(mode);
    report.add("rustc, core source", &state);
    let Some(compiler) = compiler else { return Ok(()) };
    let (state, linker) = linker::for_llvm(compiler.llvm, mode);
    report.add("bpf-linker", &state);
    let Some(linker) = linker else { return Ok(()) };
    let found = toolchain::KernelToolchain {
        bootstrap: !compiler.is_nightly,
        cargo: compiler.cargo,
        rustc: compiler.rustc,
        linker,
    };
    let file = kernel_toolchain_file();
    if mode == Mode::Install {
        found.write(&file)?;
    }
    let written = toolchain::KernelToolchain::read(&file);
    report.add(
        "toolchain file",
        &match written {
            Ok(same) if same == found => State::Present("target/kernel-toolchain.json".to_owned()),
            Ok(_) => State::Missing {
                why: "target/kernel-toolchain.json is out of date".into(),
                fix: "cargo xtask setup".into(),
            },
            Err(error) => State::Missing { why: format!("{error:#}"), fix: "cargo xtask setup".into() },
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_required_parts_count_as_missing() {
        let mut report = Report { missing: 0, quiet: true };
        report.add("a", &State::Present(String::new()));
        report.add("b", &State::Optional { why: String::new(), fix: String::new() });
        assert_eq!(report.missing, 0);
        report.add("c", &State::Missing { why: String::new(), fix: String::new() });
        assert_eq!(report.missing, 1);
    }
}
