//! `probetrace-lab demo`: six targets and a prober, and the tracer live on the terminal until Ctrl-C.

use std::{io::Write, path::PathBuf, sync::Arc, thread, time::Duration};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::{
    lab::{
        tracer,
        world::{Way, World},
    },
    process::spawn_in_group,
    scenario,
    session::Session,
};

/// Options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How the tracer can see the prober.
    #[arg(long, value_enum, default_value_t)]
    way: Way,
    /// The tracer's binary.
    #[arg(long, env = "PROBETRACE_BIN")]
    probetrace: Option<PathBuf>,
    /// Only the prober and its targets: trace them yourself.
    #[arg(long)]
    without_tracer: bool,
    /// Passed on to `probetrace run`.
    #[arg(long)]
    duration: Option<String>,
    /// Further options for `probetrace run`.
    #[arg(last = true)]
    run: Vec<String>,
}

/// Returns the tracer's exit code.
///
/// # Errors
/// No root, no tracer, or the set-up is refused.
pub fn run(options: &Options, session: impl FnOnce() -> Result<Arc<Session>>) -> Result<i32> {
    let binary = if options.without_tracer { None } else { Some(tracer::binary(options.probetrace.as_deref())?) };
    let session = session()?;
    let scenario = scenario::demo();
    let mut world = World::build(&session, &scenario, 1, options.way)?;
    let prober = format!("pid:{}", world.prober_pid());
    let mut out = std::io::stderr();
    writeln!(
        out,
        "No kubelet here: a small prober (pid {}) probes six targets in network namespaces of their own:",
        world.prober_pid()
    )?;
    for (pod, address) in scenario.pods.iter().zip(&world.addresses) {
        writeln!(out, "  {:18} {address}", pod.name)?;
    }
    writeln!(
        out,
        "To trace them yourself: probetrace run --prober {prober} --targets {}",
        world.targets_file.display()
    )?;
    writeln!(out, "Ctrl-C ends it and removes everything.")?;
    let tracer = binary
        .map(|binary| {
            let mut command = tracer::run(&binary, &world, options.way);
            command.args(&options.run);
            if let Some(duration) = &options.duration {
                command.args(["--duration", duration]);
            }
            // It has the terminal, and gets its Ctrl-C; we wait for its end.
            spawn_in_group(&mut command, Signal::TERM)
        })
        .transpose()?;
    world.go()?;
    let log = thread::spawn(move || while let Ok(Some(_)) = world.next_entry(&scenario) {});
    match tracer {
        Some(mut tracer) => tracer.wait(Duration::from_secs(365 * 24 * 3600)),
        None => {
            let _ = log.join();
            Ok(0)
        }
    }
    .context("the demo's tracer")
}
