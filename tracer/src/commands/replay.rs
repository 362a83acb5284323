//! `replay`: the records of a recording again, from nothing but the recording.

use crate::{
    attempt::Limits,
    cli::ReplayArgs,
    exit::Exit,
    middle::{Middle, Output},
    recording::Reader,
    sink,
};

/// Feeds the recording through the same middle.
pub(super) fn replay(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let mut reader = Reader::open(&args.file)?;
    let mut sink = sink::open(args.output.output, false)?;
    let mut middle = Middle::new(Limits::default());
    let mut outputs = Vec::new();
    while let Some(input) = reader.next_input()? {
        middle.feed(&input, &mut outputs);
        for output in outputs.drain(..) {
            if let Output::Record(record) = output
                && args.filter.keeps(&record)
            {
                sink.record(&record)?;
            }
        }
    }
    sink.finish()?;
    if reader.torn_bytes() > 0 {
        tracing::warn!(
            "the recording's end is torn: {} bytes after frame {} were cut; what began there is missing",
            reader.torn_bytes(),
            reader.frames()
        );
    }
    Ok(Exit::Ok)
}
