use super::*;
use crate::attempt::testkit::{self, Lab, MS, empty_answer, kubelet};
use crate::{
    input::Input,
    observation::{SocketState, TargetState},
};

fn told(attempt: &Attempt) -> Vec<(String, u64, u64)> {
    let (stages, unaccounted_ns) = stages(attempt);
    let covered: u64 = stages.iter().map(|stage| stage.duration_ns).sum();
    assert_eq!(covered + unaccounted_ns, attempt.ended_ns - attempt.began_ns);
    stages.into_iter().map(|stage| (stage.name, stage.start_ns / MS, stage.duration_ns / MS)).collect()
}

fn of(names: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    names.iter().map(|(name, start, length)| ((*name).to_owned(), *start, *length)).collect()
}

#[test]
fn stages_of_http_follow_each_other() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/")]);
    let sock = lab.connect(1_000);
    lab.established(sock, 1_005).get(sock, 1_007, "/").status(sock, 1_100, 200).close(sock, 1_101);
    let closed = lab.finish(1_200);
    let wanted = of(&[("connect", 0, 5), ("request", 5, 2), ("response_wait", 7, 93), ("response", 100, 1)]);
    assert_eq!(told(&closed[0]), wanted);
}

#[test]
fn a_stage_that_did_not_happen_is_absent() {
    let mut lab = Lab::new(kubelet(), vec![testkit::http("/")]);
    lab.connect(1_000);
    assert_eq!(told(&lab.finish(7_000)[0]), of(&[("connect", 0, 1_000)]));
}

#[test]
fn a_connection_that_nobody_accepted_waits_for_accept() {
    for (inode, name) in [(0, "accept_wait"), (7, "response_wait")] {
        let mut lab = Lab::new(kubelet(), vec![testkit::http("/")]);
        let sock = lab.connect(1_000);
        lab.established(sock, 1_000).get(sock, 1_001, "/").advance(1_900);
        let (local, remote) = lab.asked().last().unwrap().connection.unwrap();
        let child = SocketState {
            state: 1,
            local: remote,
            remote: local,
            unread_bytes: 5,
            unacked_bytes: 0,
            retransmits: 0,
            inode,
            bytes_received: None,
            bytes_sent: None,
            last_received_ms: None,
        };
        let mut answer = empty_answer(lab.asked().last().unwrap().look, 1_901 * MS);
        answer.target = Some(TargetState { child: Some(child), ..TargetState::default() });
        lab.feed(Input::Observation(answer));
        lab.close(sock, 2_000);
        assert_eq!(told(&lab.finish(7_000)[0]), of(&[("request", 0, 1), (name, 1, 999)]));
    }
}

#[test]
fn stages_of_exec_are_runtime_and_run_with_parts_that_add_up() {
    let mut lab = Lab::new(kubelet(), vec![testkit::exec("/bin/check")]);
    lab.runc(1_000, 50, "/bin/check").command_exit(1_100, 50, 1_000, 0);
    let closed = lab.finish(1_200);
    assert_eq!(told(&closed[0]), of(&[("runtime", 0, 20), ("run", 20, 80)]));
    let run = &stages(&closed[0]).0[1];
    assert_eq!(run.parts.iter().map(|part| part.duration_ns).sum::<u64>(), run.duration_ns);
    assert_eq!(run.parts[0].name, "on_cpu");
}

#[test]
fn tries_follow_each_other() {
    let mut spec = testkit::grpc();
    spec.timeout_ns = 3_000 * MS;
    let mut lab = Lab::new(kubelet(), vec![spec]);
    for at in [1_000, 2_000] {
        let sock = lab.connect(at);
        lab.fail(sock, at + 3, 111);
    }
    let closed = lab.finish(9_000);
    assert_eq!(told(&closed[0])[0], ("connect".to_owned(), 0, 3));
    assert_eq!(told(&closed[0])[1].1, 1_000);
}
