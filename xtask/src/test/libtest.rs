//! Runs `cargo test` and reads its words.
//!
//! cargo-nextest would be faster, but is not everywhere: one runner means that a test behaves the same for all.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result};

use super::skips::Skip;
use super::summary::Counts;
use crate::command::{cargo, say, shown};

/// All tests of the workspace whose name contains `filter`; their output is passed on but for what passing tests print.
pub fn run(filter: Option<&str>) -> Result<Counts> {
    let mut cargo = cargo();
    cargo.args(["test", "--locked", "--workspace", "--no-fail-fast", "--"]).args(filter);
    // The output of passing tests is where skipped ones say so.
    cargo.args(["--show-output", "--color=never"]).stdin(Stdio::null()).stdout(Stdio::piped());
    eprintln!("    $ {}", shown(&cargo));
    let mut child = cargo.spawn().context("cannot start cargo test")?;
    let mut reader = Reader::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8_lossy(&line.context("reading the tests' output")?).into_owned();
            if reader.read(&line) {
                say(&line);
            }
        }
    }
    let status = child.wait().context("waiting for cargo test")?;
    Ok(reader.finish(status.success()))
}

/// Sums up libtest's text output.
#[derive(Default)]
struct Reader {
    counts: Counts,
    /// Skipped tests that libtest counts as passed.
    returned_early: u64,
    in_successes: bool,
}

impl Reader {
    /// Takes one line; true if a person wants to see it.
    fn read(&mut self, line: &str) -> bool {
        if let Some(skip) = Skip::parse(line) {
            self.returned_early += 1;
            self.counts.skipped.push(skip);
            return true;
        }
        match line.trim_end() {
            "successes:" => self.in_successes = true,
            "failures:" => self.in_successes = false,
            text if text.starts_with("test result: ") => {
                self.in_successes = false;
                self.counts.passed += number_before(text, "passed");
            }
            text if text.starts_with("test ") => self.one(text),
            _ => {}
        }
        !self.in_successes
    }

    /// `test NAME ... ok|FAILED|ignored, REASON`
    fn one(&mut self, text: &str) {
        let Some((name, result)) = text.trim_start_matches("test ").rsplit_once(" ... ") else { return };
        if result.starts_with("FAILED") {
            self.counts.failed.push(name.to_owned());
        } else if let Some(reason) = result.strip_prefix("ignored") {
            let facility = reason.trim_start_matches([',', ' ']).to_owned();
            self.counts.skipped.push(Skip { test: name.to_owned(), facility });
        }
    }

    fn finish(mut self, success: bool) -> Counts {
        self.counts.passed = self.counts.passed.saturating_sub(self.returned_early);
        if !success && self.counts.failed.is_empty() {
            self.counts.failed.push("cargo test ended with an error that is no failed test (see above)".to_owned());
        }
        self.counts
    }
}

/// The number of `12 passed;`.
fn number_before(text: &str, word: &str) -> u64 {
    let words: Vec<_> = text.split([' ', ';']).collect();
    let at = words.iter().position(|w| *w == word).unwrap_or(0);
    at.checked_sub(1).and_then(|before| words[before].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, success: bool) -> (Counts, Vec<&str>) {
        let mut reader = Reader::default();
        let shown = text.lines().filter(|line| reader.read(line)).collect();
        (reader.finish(success), shown)
    }

    #[test]
    fn counts_of_several_binaries_add_up_and_a_skip_is_not_passed() {
        let text = "running 2 tests\ntest a ... ok\ntest b ... ok\n\nsuccesses:\n\n---- b stdout ----\nnoise\n\
                    SKIPPED b: kubernetes kit\n\nsuccesses:\n    a\n    b\n\n\
                    test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test c ... ignored, slow\n\
                    test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let (counts, shown) = read(text, true);
        assert_eq!((counts.passed, counts.failed.len(), counts.skipped.len()), (4, 0, 2));
        assert_eq!(counts.skipped[0].facility, "kubernetes kit");
        assert!(!shown.contains(&"noise"));
    }

    #[test]
    fn failed_tests_are_named_and_their_output_is_shown() {
        let text = "test a ... FAILED\nsuccesses:\n    b\n\nfailures:\n\n---- a stdout ----\nboom\n\
                    test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        let (counts, shown) = read(text, false);
        assert_eq!(counts.failed, ["a"]);
        assert!(shown.contains(&"boom"));
    }

    #[test]
    fn a_crash_without_result_is_a_failure() {
        assert_eq!(read("test a ... ", false).0.failed.len(), 1);
    }
}
