//! `record`: traces into a file.

use crate::{cli::RecordArgs, exit::Exit, filters::Filter, pipeline::Outlets, recording::Writer};

/// Traces until asked to stop.
pub(super) fn record(args: &RecordArgs) -> anyhow::Result<Exit> {
    super::trace::trace(&args.trace, || {
        let recording = Some(Writer::create(&args.file)?);
        Ok(Outlets { sink: None, filter: Filter::default(), recording })
    })
}
