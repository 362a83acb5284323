//! `run`: traces and shows.

use anyhow::Context;

use crate::{cli::RunArgs, exit::Exit, pipeline::Outlets, sink};

/// Traces until asked to stop.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    super::trace::trace(&args.trace, || {
        let sink = sink::Background::spawn(sink::open(args.output.output, true)?).context("starting the output")?;
        Ok(Outlets { sink: Some(sink), filter: args.filter.clone(), recording: None })
    })
}
