//! A real kubelet's probes: each attempt by its own log, and its counters, against the tracer's records. Outside the
//! kit's namespaces with the kubelet where it is and in a cgroup v2 folder of its own, and once inside.

use super::{common, demo};

mod kit;
mod log;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use kit::Kit;
use probetrace_tests::{
    cgroup,
    lab::tracer::{Attempt, Seen},
    session::Session,
};
use rustix::process::Signal;

/// Pods of the kit, and the causes that are right for what fails in them.
const PODS: [(&str, &[&str]); 12] = [
    ("ok-http", &[]),
    ("ok-tcp", &[]),
    ("ok-exec", &[]),
    ("slow-http", &["application_slow"]),
    ("no-answer", &["accepted_never_read", "application_slow"]),
    ("refused", &REFUSED),
    ("refused-tcp", &REFUSED),
    ("rst", &["reset_by_application"]),
    ("http-500", &["http_status"]),
    ("fail-exec", &["exit_code"]),
    ("slow-exec", &["probe_slow"]),
    ("no-exec", &["command_not_found"]),
];
/// Containers there live for seconds only.
const REFUSED: [&str; 3] = ["not_listening", "not_listening_yet", "stopped_listening"];
/// How long each tracer looks.
const WINDOW: Duration = Duration::from_secs(25);
/// Attempts of the kit take 1 s at most (an exec error's three tries too).
const EDGE: SignedDuration = SignedDuration::from_millis(2500);

#[test]
fn each_attempt_of_a_real_kubelet_is_told() {
    let test = "kubelet::each_attempt_of_a_real_kubelet_is_told";
    let Some(_machine) = common::root(test) else { return };
    let Some(script) = kit::find() else { return common::skipped(test, "kubernetes kit") };
    let session = Session::begin().expect("session");
    let kit = Kit::up(script);
    let names = PODS.map(|(name, _)| name);
    names.iter().for_each(|name| kit.add_pod(name));
    kit.wait_probed(&names);
    let kubelet = kit.kubelet_pid();
    let mut wrong = Vec::new();

    wrong.extend(outside(&kit, "as it is"));
    let unified: Vec<_> = session.hierarchies.iter().filter(|hierarchy| hierarchy.unified).cloned().collect();
    if let Some(root) = unified.first() {
        let path = PathBuf::from(&session.name).join("kubelet");
        let files = session.make(|| cgroup::create(&unified, &path)).expect("cgroup");
        fs::write(&files[0], kubelet.to_string()).expect("move the kubelet");
        wrong.extend(outside(&kit, "in a cgroup of its own"));
        fs::write(root.mount.join("cgroup.procs"), kubelet.to_string()).expect("move the kubelet back");
    } else {
        common::skipped(&format!("{test} (own cgroup)"), "cgroup v2");
    }
    wrong.extend(inside(&kit));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn outside(kit: &Kit, how: &str) -> Vec<String> {
    let mut command = Command::new(demo::probetrace());
    command.args(["run", "-o", "json", "--prober", &format!("pid:{}", kit.kubelet_pid())]);
    watch(kit, how, command)
}

/// In the kit's pid, mount, network and cgroup namespaces; the kubelet is found by its name.
fn inside(kit: &Kit) -> Vec<String> {
    let mut command = kit.command(&["in"]);
    command.arg(demo::probetrace()).args(["run", "-o", "json"]);
    watch(kit, "from inside its namespaces", command)
}

/// Traces for [`WINDOW`] and compares; returns what was wrong.
fn watch(kit: &Kit, how: &str, mut command: Command) -> Vec<String> {
    let folder = demo::folder(&format!("kubelet-{}", how.replace(' ', "-")));
    command.env("PROBETRACE_RUN_DIR", folder.join("run"));
    let mut tracer = demo::start_ready(&mut command, &folder);
    let ready = Timestamp::now();
    let before = kit.probe_totals();
    thread::sleep(WINDOW);
    let after = kit.probe_totals();
    let end = Timestamp::now();
    // `k8s.sh in` passes no signal on: the tracer is its only child with a signal mask of its own.
    demo::send(deepest_child(tracer.id()), Signal::INT);
    let status = tracer.wait().expect("wait");
    let messages = fs::read_to_string(folder.join("stderr")).expect("stderr");
    assert!(status.success(), "{how}: {status}: {messages}");
    let seen = Seen::parse(&fs::read_to_string(folder.join("stdout")).expect("lines")).expect("records");
    let lines = log::parse(&kit.log());
    let mut wrong = attempts(how, &lines, &seen, ready, end);
    wrong.extend(totals(how, &seen, &before, &after));
    if wrong.is_empty() {
        fs::remove_dir_all(folder).expect("remove");
    } else {
        wrong.push(format!("{how}: the tracer's lines are in {}; it said: {messages}", folder.display()));
    }
    wrong
}

fn deepest_child(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().next().and_then(|child| child.parse().ok()).map_or(pid, deepest_child)
}

/// Each line of the log well inside the window has its attempt: same probe, same outcome, a right cause.
fn attempts(how: &str, lines: &[log::Line], seen: &Seen, ready: Timestamp, end: Timestamp) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used = vec![false; seen.attempts.len()];
    let inside = lines.iter().filter(|line| line.at > ready + EDGE && line.at < end - SignedDuration::from_millis(200));
    let (mut made, mut errors) = (0, Vec::new());
    for line in inside {
        made += 1;
        let of_probe =
            seen.attempts.iter().enumerate().filter(|(number, attempt)| !used[*number] && attempt.may_be(&line.key));
        let nearest = of_probe.map(|(number, attempt)| (apart_ms(attempt, line.at), number)).min();
        let Some((apart, number)) = nearest.filter(|(apart, _)| *apart < 700) else {
            wrong.push(format!("{how}: not seen: {} {} at {}", line.key, line.outcome, line.at));
            continue;
        };
        used[number] = true;
        errors.push(apart);
        wrong.extend(judge(line, &seen.attempts[number]).map(|what| format!("{how}: {what} at {}", line.at)));
    }
    if made < 60 {
        wrong.push(format!("{how}: the kubelet made only {made} attempts"));
    }
    errors.sort_unstable();
    eprintln!("{how}: {made} attempts by the log, ends apart (ms) median {:?}", errors.get(errors.len() / 2));
    wrong
}

fn apart_ms(attempt: &Attempt, at: Timestamp) -> i64 {
    let end = attempt.started_wall_ns() + i64::try_from(attempt.latency_ns).unwrap_or(0);
    (i64::try_from(at.as_nanosecond()).unwrap_or(0) - end).abs() / 1_000_000
}

fn judge(line: &log::Line, attempt: &Attempt) -> Option<String> {
    let verdict = &attempt.verdict;
    if attempt.outcome != line.outcome {
        return Some(format!("{}: {} ({}) is called {}", line.key, line.outcome, line.text, attempt.outcome));
    }
    let pod = line.key.split("-node").next().unwrap_or_default();
    let right = PODS.iter().find(|(name, _)| *name == pod).map_or(&[][..], |(_, causes)| *causes);
    let cause = verdict.cause.as_str();
    let fits = match line.outcome {
        "success" => ["none", "slow_but_passed"].contains(&cause),
        // A container that is just being restarted refuses, whatever it does later; one that ends closes or resets.
        _ if line.text.contains("connection refused") => REFUSED.contains(&cause),
        _ if line.text.contains("EOF") => cause == "closed_early",
        _ => right.contains(&cause),
    };
    (!fits).then(|| format!("{}: {} ({}) is called {cause}: {}", line.key, line.outcome, line.text, verdict.summary))
}

type Totals = BTreeMap<(String, String, String), u64>;

/// Counters have no times: at each edge an attempt may lie on the other side of a reading. Probes that the records call
/// ambiguous between each other are summed up.
fn totals(how: &str, seen: &Seen, before: &Totals, after: &Totals) -> Vec<String> {
    let ambiguous: BTreeSet<String> = seen
        .attempts
        .iter()
        .filter(|attempt| !attempt.ambiguous.is_empty())
        .filter_map(|attempt| Some(attempt.kubernetes.as_ref()?.pod.clone()))
        .collect();
    let name = |pod: &str, kind: &str| if ambiguous.contains(pod) { pod.to_owned() } else { format!("{pod} {kind}") };
    let mut told: BTreeMap<(String, &str), i64> = BTreeMap::new();
    for attempt in &seen.attempts {
        let result = match attempt.outcome.as_str() {
            "success" => "successful",
            "failure" | "timeout" => "failed",
            _ => continue,
        };
        if let (Some(kubernetes), Some(probe)) = (&attempt.kubernetes, &attempt.probe) {
            *told.entry((name(&kubernetes.pod, &probe.kind), result)).or_default() += 1;
        }
    }
    let mut made: BTreeMap<(String, &str), i64> = BTreeMap::new();
    for (series, total) in after {
        let grown = total.saturating_sub(before.get(series).copied().unwrap_or(0));
        *made.entry((name(&series.0, &series.1), series.2.as_str())).or_default() += i64::try_from(grown).unwrap_or(0);
    }
    let differ = made.iter().filter_map(|(series, made)| {
        let told = told.get(series).copied().unwrap_or(0);
        let (probe, result) = series;
        ((made - told).abs() > 4)
            .then(|| format!("{how}: prober_probe_total of {probe} {result} grew by {made}, told were {told}"))
    });
    differ.collect()
}
