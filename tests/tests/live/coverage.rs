//! A short run of `probetrace-lab coverage`; the 20 000 attempts take three minutes more.

use super::common;

#[test]
fn every_attempt_is_seen_under_noise() {
    let Some(_machine) = common::root_alone("coverage::every_attempt_is_seen_under_noise") else { return };
    let output = common::lab(&["coverage", "--attempts", "2500"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}{errors}"));
    // How far the clocks differ is a figure of the command (its `passed`), no assertion here: this machine may be busy.
    for must_be_none in ["outcomes_wrong", "surplus"] {
        assert_eq!(line[must_be_none], 0, "{line:#}\n{errors}");
    }
    assert!(line["coverage_percent"].as_f64().is_some_and(|percent| percent >= 99.9), "{line:#}\n{errors}");
}
