//! A short run of `probetrace-lab coverage`; the 20 000 attempts take three minutes more.

#![cfg(test)]

#[path = "common/lab.rs"]
mod common;

#[test]
fn every_attempt_is_seen_under_noise() {
    if !common::root("coverage::every_attempt_is_seen_under_noise") {
        return;
    }
    let output = common::lab(&["coverage", "--attempts", "2500"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}{errors}"));
    assert_eq!(line["passed"], true, "{line:#}\n{errors}");
}
