//! The committed recordings: `tests/recordings/NAME.ptrec`, made by `probetrace-lab lab NAME --record tests/recordings
//! --attempts 3`, each with the records that it must give in `NAME.jsonl`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use probetrace::{
    attempt::{Counters, Limits},
    input::Input,
    middle::{Middle, Output},
    record::{AttemptRecord, Record},
    recording::Reader,
};

/// A recording in memory.
pub struct Recording {
    /// Of the scenario.
    pub name: String,
    /// What it must give.
    pub expected: PathBuf,
    /// In order.
    pub inputs: Vec<Input>,
}

/// All of them, by name.
pub fn all() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let entries = fs::read_dir(&folder).expect("tests/recordings").map(|entry| entry.expect("entry").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "ptrec")).collect();
    files.sort_unstable();
    assert!(files.len() >= 8, "recordings are missing: {files:?}");
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Recording {
    let bytes = fs::metadata(file).expect("metadata").len();
    assert!(bytes < 100 << 10, "{} has {bytes} bytes: record fewer attempts", file.display());
    let mut reader = Reader::open(file).expect("recording");
    let mut inputs = Vec::new();
    while let Some(input) = reader.next_input().expect("input") {
        inputs.push(input);
    }
    assert_eq!(reader.torn_bytes(), 0, "{}", file.display());
    let name = file.file_stem().expect("name").to_string_lossy().into_owned();
    Recording { name, expected: file.with_extension("jsonl"), inputs }
}

/// The records of these inputs, and the counters at the end.
pub fn replay(inputs: &[Input]) -> (Vec<Record>, Counters) {
    let mut middle = Middle::new(Limits::default());
    let mut outputs = Vec::new();
    inputs.iter().for_each(|input| middle.feed(input, &mut outputs));
    let record = |output| if let Output::Record(record) = output { Some(record) } else { None };
    (outputs.into_iter().filter_map(record).collect(), middle.counters())
}

/// Only the attempts.
pub fn attempts(records: Vec<Record>) -> Vec<AttemptRecord> {
    let attempt = |record| if let Record::Attempt(attempt) = record { Some(*attempt) } else { None };
    records.into_iter().filter_map(attempt).collect()
}
