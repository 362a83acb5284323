//! `record`: traces into a file.

use crate::{
    cli::RecordArgs,
    exit::{Exit, Usage},
    filters::Filter,
    pipeline::Outlets,
    recording::{Error, Writer},
};

/// Traces until asked to stop.
pub(super) fn record(args: &RecordArgs) -> anyhow::Result<Exit> {
    super::trace::trace(&args.trace, || {
        let recording = Some(Writer::create(&args.file).map_err(|error| match error {
            Error::Exists(_) => Usage(error.to_string()).into(),
            other => anyhow::Error::from(other),
        })?);
        Ok(Outlets { sink: None, filter: Filter::default(), recording })
    })
}
