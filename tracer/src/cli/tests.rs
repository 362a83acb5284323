use std::time::Duration;

use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn run_of(line: &str) -> RunArgs {
    match parse(words(line)).unwrap().command {
        Command::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

fn error_of(line: &str) -> clap::Error {
    parse(words(line)).unwrap_err().downcast().unwrap()
}

#[test]
fn the_command_is_well_formed() {
    command().debug_assert();
}

#[test]
fn flags_of_run() {
    let run = run_of(
        "probetrace run --targets p.yaml --prober curl --prober pid:7 --duration 90s --way node -o json -n a --failures",
    );
    assert_eq!(run.trace.targets, Some("p.yaml".into()));
    assert_eq!(run.trace.prober, ["curl", "pid:7"]);
    assert_eq!(run.trace.duration, Some(Duration::from_secs(90)));
    assert_eq!((run.trace.way, run.trace.ring_bytes), (Way::Node, 4 << 20));
    assert!(run.filter.failures && run.filter.namespace == ["a"]);
    assert_eq!(run.output.output, Some(crate::sink::Format::Json));
}

#[test]
fn a_file_gives_defaults_and_flags_win() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let text = "targets = 'file.yaml'\nprober = ['a', 'b']\nway = 'cgroup'\nfailures = true\nlog_level = 'debug'\n";
    std::fs::write(&path, text).unwrap();
    let line = format!("probetrace run --config {} --way node", path.display());
    let run = run_of(&line);
    assert_eq!(run.trace.targets, Some("file.yaml".into()));
    assert_eq!(run.trace.prober, ["a", "b"]);
    assert_eq!(run.trace.way, Way::Node, "the flag wins");
    assert!(run.filter.failures);
    assert_eq!(parse(words(&line)).unwrap().log_level, "debug");
    let before = format!("probetrace --config={} run", path.display());
    assert_eq!(run_of(&before).trace.way, Way::Cgroup, "a global flag stands anywhere");
}

#[test]
fn every_flag_has_a_variable() {
    fn check(command: &clap::Command) {
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long)) else { continue };
            let variable = arg.get_env().unwrap_or_else(|| panic!("--{long} has no variable")).to_str().unwrap();
            assert_eq!(variable, format!("PROBETRACE_{}", long.to_uppercase().replace('-', "_")));
        }
        command.get_subcommands().for_each(check);
    }
    check(&command());
}

#[test]
fn bad_lines_are_usage_errors_and_help_is_none() {
    for line in [
        "probetrace frobnicate",
        "probetrace run --kubelet-client-certificate c.pem",
        "probetrace run --prober /bin/x",
        "probetrace run --duration never",
        "probetrace record",
        "probetrace run --kind sometimes",
    ] {
        assert_eq!(error_of(line).exit_code(), 2, "{line}");
    }
    for line in ["probetrace --help", "probetrace run --help", "probetrace --version"] {
        assert_eq!(error_of(line).exit_code(), 0, "{line}");
    }
}

#[test]
fn help_teaches_with_three_examples_each() {
    for below in command().get_subcommands().filter(|below| below.get_name() != "help") {
        let text = below.get_long_about().unwrap().to_string();
        let examples = text.split("Examples:\n").nth(1).unwrap_or("").lines().take_while(|line| line.starts_with("  "));
        assert!(examples.count() >= 3, "{}", below.get_name());
    }
}
