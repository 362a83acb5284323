//! The prober against every target, without the tracer: each fault happens as its scenario says, by the kubelet's rules.

use super::common;

use std::{collections::BTreeMap, thread};

use probetrace_tests::{
    plan::{Entry, Outcome},
    scenario::{self, Scenario},
};

/// Every scenario has namespaces of its own, and most of the time of an attempt is waiting.
const AT_ONCE: usize = 4;

#[test]
fn every_fault_happens() {
    let Some(_machine) = common::root("prober::every_fault_happens") else { return };
    let mut scenarios = scenario::all();
    let mut wrong: Vec<String> = Vec::new();
    while !scenarios.is_empty() {
        let batch: Vec<Scenario> = scenarios.drain(..AT_ONCE.min(scenarios.len())).collect();
        let running: Vec<_> = batch.into_iter().map(|scenario| thread::spawn(move || check(&scenario))).collect();
        wrong.extend(running.into_iter().flat_map(|one| one.join().expect("thread")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn check(scenario: &Scenario) -> Vec<String> {
    let output = common::lab(&["lab", "--without-tracer", scenario.name]);
    assert!(output.status.success(), "{}: {}", scenario.name, String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    if text.contains("\"skipped\":\"") {
        common::skipped(&format!("prober::{}", scenario.name), "a facility of this scenario");
        return Vec::new();
    }
    let entries: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).expect("log line")).collect();
    let faulty: BTreeMap<String, bool> = scenario
        .pods
        .iter()
        .flat_map(|pod| pod.containers.iter().map(move |container| (pod, container)))
        .flat_map(|(pod, container)| {
            container.probes.iter().map(|row| (format!("{}/{}/{}", pod.name, container.name, row.kind), row.faulty))
        })
        .collect();
    let mut wrong = Vec::new();
    let mut happened = scenario.fails_as.is_none();
    for entry in &entries {
        let failed = entry.outcome != Outcome::Success;
        happened |= failed && Some(entry.outcome) == scenario.fails_as;
        if failed && (!faulty[&entry.probe] || Some(entry.outcome) != scenario.fails_as) {
            wrong.push(format!("{}: {entry:?}", scenario.name));
        }
        if (entry.tries == 3) != (entry.outcome == Outcome::Error) {
            wrong.push(format!("{}: only an error is tried three times: {entry:?}", scenario.name));
        }
    }
    if !happened {
        wrong.push(format!("{}: the fault did not happen", scenario.name));
    }
    wrong
}
