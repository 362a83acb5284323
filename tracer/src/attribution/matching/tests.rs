use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    attempt::testkit::{self, WALL_NS, as_kind, with_container},
    attribution::spec::{ProbeSpec, SpecSource},
    record::Outcome,
};

fn candidates(specs: &[ProbeSpec]) -> Vec<Candidate> {
    specs.iter().map(|spec| Candidate { spec: Arc::new(spec.clone()), source: SpecSource::File }).collect()
}

fn narrowed(specs: &[ProbeSpec], began_wall_ns: i64, histories: &Histories) -> (Vec<ProbeSpec>, &'static str) {
    let context = Context { began_wall_ns, traced_since_wall_ns: WALL_NS, is_kubelet: true, histories };
    let narrowed = narrow(Narrowed { kept: candidates(specs), chosen_by: "" }, &context);
    (narrowed.kept.iter().map(|candidate| (*candidate.spec).clone()).collect(), narrowed.chosen_by)
}

#[test]
fn a_path_may_lack_its_slash_and_has_no_query_here() {
    assert!(same_path("/healthz", false, "healthz"));
    assert!(same_path("/healthz", false, "/healthz?verbose=1#x"));
    assert!(same_path("/a%20b", false, "/a b"));
    assert!(same_path("/", false, ""));
    assert!(!same_path("/healthz", false, "/health"));
    assert!(same_path("/very/lo", true, "/very/long"));
    assert!(!same_path("/very/lo", false, "/very/long"));
}

#[test]
fn a_pod_that_is_deleted_is_only_asked_for_readiness() {
    let live = with_container(&testkit::http("/"), |container| container.deleting = true);
    let ready = as_kind(&live, ProbeKind::Readiness);
    assert_eq!(narrowed(&[live, ready.clone()], WALL_NS, &Histories::new(8)), (vec![ready], "pod is being deleted"));
}

#[test]
fn no_attempt_comes_before_the_initial_delay() {
    let ready = as_kind(
        &with_container(&testkit::http("/"), |container| container.started_at_wall_ns = WALL_NS),
        ProbeKind::Readiness,
    );
    let mut live = as_kind(&ready, ProbeKind::Liveness);
    live.initial_delay_ns = 30_000_000_000;
    let both = [live, ready.clone()];
    let histories = Histories::new(8);
    assert_eq!(narrowed(&both, WALL_NS + 29_000_000_000, &histories), (vec![ready], "initial delay"));
    assert_eq!(narrowed(&both, WALL_NS + 30_000_000_000, &histories).0.len(), 2);
}

#[test]
fn while_a_startup_probe_has_not_succeeded_the_others_are_skipped() {
    let live = with_container(&testkit::http("/"), |container| container.started_at_wall_ns = WALL_NS + 1);
    let startup = as_kind(&live, ProbeKind::Startup);
    let both = [live.clone(), startup.clone()];
    let mut histories = Histories::new(8);
    assert_eq!(narrowed(&both, WALL_NS + 5, &histories), (vec![startup.clone()], "startup gate"));
    histories.note_passed(&startup, Outcome::Success, true, 1);
    assert_eq!(narrowed(&both, WALL_NS + 6, &histories), (vec![live], "startup gate"));
}

#[test]
fn of_a_container_older_than_tracing_the_gate_is_unknown() {
    let live = testkit::http("/");
    let both = [live.clone(), as_kind(&live, ProbeKind::Startup)];
    assert_eq!(narrowed(&both, WALL_NS, &Histories::new(8)).0.len(), 2);
}

#[test]
fn a_reused_address_belongs_to_the_newer_pod_unless_it_is_the_nodes() {
    let old = testkit::http("/");
    let new = with_container(&old, |container| {
        container.pod_uid = "uid-2".into();
        container.started_at_wall_ns += 1;
    });
    let histories = Histories::new(8);
    assert_eq!(narrowed(&[old.clone(), new.clone()], WALL_NS, &histories).0, vec![new.clone()]);
    let on_host = |spec: &ProbeSpec| with_container(spec, |container| container.host_network = true);
    assert_eq!(narrowed(&[on_host(&old), on_host(&new)], WALL_NS, &histories).0.len(), 2);
}

proptest! {
    #[test]
    fn any_path_is_borne(seen in ".{0,40}", wanted in ".{0,40}", truncated: bool) {
        let _ = same_path(&seen, truncated, &wanted);
    }

    #[test]
    fn a_path_is_itself(path in "[^ ?#]{0,40}") {
        prop_assert!(same_path(&path, false, &path));
    }
}
