//! `probetrace doctor` as users run it: with and without root, and `--live`.

#![cfg(test)]

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const PROBETRACE: &str = env!("CARGO_BIN_EXE_probetrace");
/// nobody, on every distribution that we know of.
const NOBODY: u32 = 65_534;

fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED {test}: root");
    }
    root
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROBETRACE).args(arguments).output().expect("probetrace runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Each line, once it is valid by the schema.
fn valid_lines(output: &Output) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/schema/record.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).expect("the schema")).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let lines = text(&output.stdout);
    lines
        .lines()
        .map(|line| {
            let value = serde_json::from_str(line).expect(line);
            let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} in {line}");
            value
        })
        .collect()
}

/// (outcome, cause) of each attempt.
fn causes(records: &[Value]) -> Vec<(&str, &str)> {
    fn of<'a>(record: &'a Value, path: &str) -> &'a str {
        record.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }
    assert!(records.iter().all(|record| of(record, "/type") == "attempt"));
    records.iter().map(|record| (of(record, "/outcome"), of(record, "/verdict/cause"))).collect()
}

#[test]
fn live_names_a_passing_and_a_refused_probe_by_each_way() {
    if !is_root("live_names_a_passing_and_a_refused_probe_by_each_way") {
        return;
    }
    for way in ["auto", "node", "cgroup"] {
        let output = run(&["doctor", "--live", "-o", "json", "--way", way]);
        let records = valid_lines(&output);
        let expected = [("success", "none"), ("failure", "not_listening")];
        assert_eq!(causes(&records), expected, "{way}: {}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{way}");
    }
    let output = run(&["doctor", "--live", "-o", "text"]);
    let lines = text(&output.stdout);
    assert!(lines.contains("passing probe: success") && lines.contains(": none ("), "{lines}");
    assert!(lines.contains("refused probe: failure") && lines.contains(": not_listening ("), "{lines}");
}

/// The test's own process stands for a prober, so that there is one on any machine.
#[test]
fn every_row_is_valid_and_the_exit_code_follows_them() {
    let prober = format!("pid:{}", std::process::id());
    let output = run(&["doctor", "-o", "json", "--prober", &prober]);
    let rows = valid_lines(&output);
    let is = |row: &Value, name: &str, value: &str| row.get(name).and_then(Value::as_str) == Some(value);
    let fatal = rows.iter().any(|row| is(row, "state", "missing") && is(row, "need", "required"));
    let wanting =
        |row: &Value| (is(row, "state", "missing") || is(row, "state", "degraded")) && !is(row, "need", "optional");
    let expected = match () {
        () if fatal => 3,
        () if rows.iter().any(wanting) => 1,
        () => 0,
    };
    assert_eq!(output.status.code(), Some(expected), "{}", text(&output.stderr));
    for name in ["capabilities", "prober", "ring buffer", "specs", "kernel programs"] {
        assert!(rows.iter().any(|row| is(row, "name", name)), "{name}: {rows:?}");
    }
    if is_root("every_row_is_valid_and_the_exit_code_follows_them") {
        assert!(!fatal && rows.iter().any(|row| is(row, "rung", "tracepoint")), "{rows:?}");
    }
}

#[test]
fn without_root_it_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("folder");
    let program = folder.path().join("probetrace");
    let mut command = if rustix::process::geteuid().is_root() {
        // Folders above the build's may be closed to others.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        fs::copy(PROBETRACE, &program).expect("a copy");
        let mut command = Command::new(&program);
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        command
    } else {
        Command::new(PROBETRACE)
    };
    let output = command.args(["doctor", "-o", "text"]).output().expect("it runs");
    let lines = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{lines}{}", text(&output.stderr));
    for words in ["CAP_BPF", "run as root", "could not be told", "can't be started"] {
        assert!(lines.contains(words), "{words}: {lines}");
    }
    let output = command.arg("--live").output().expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("run as root"), "{}", text(&output.stderr));
}
