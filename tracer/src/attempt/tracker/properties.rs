//! Whatever happens to the events, each attempt is given out once, and whole.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    attempt::{
        facts::Try,
        stages::stages,
        testkit::{self, Lab, MS, kubelet, other_prober},
        unseen::unseen,
        words::error_text,
    },
    attribution::spec::ProbeKind,
    event::What,
};

/// One step of a scenario.
#[derive(Clone, Debug)]
enum Step {
    Pass,
    Refused,
    Silent,
    Status(u16),
    StalledBody,
    Tcp,
    Exec { code: u32 },
    ExecFails,
    Unknown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Pass),
        Just(Step::Refused),
        Just(Step::Silent),
        prop_oneof![Just(200), Just(302), Just(404), Just(500)].prop_map(Step::Status),
        Just(Step::StalledBody),
        Just(Step::Tcp),
        (0u32..3).prop_map(|code| Step::Exec { code }),
        Just(Step::ExecFails),
        Just(Step::Unknown),
    ]
}

/// Every input of a scenario in which attempts follow each other and overlap.
fn scenario(steps: &[(Step, u64)], is_kubelet: bool) -> Vec<Input> {
    let ready = testkit::as_kind(&testkit::http("/healthz"), ProbeKind::Readiness);
    let specs =
        vec![testkit::http("/healthz"), ready, testkit::http("/slow"), testkit::tcp(), testkit::exec("/bin/check")];
    let mut lab = Lab::new(if is_kubelet { kubelet() } else { other_prober() }, specs);
    let mut at = 1_000;
    for (index, (step, gap)) in steps.iter().enumerate() {
        let pid = 100 + 10 * index as u32;
        match step {
            Step::Pass => {
                lab.pass(at, "/healthz");
            }
            Step::Refused => {
                let sock = lab.connect(at);
                lab.fail(sock, at, 111);
            }
            Step::Silent => {
                lab.connect(at);
            }
            Step::Status(status) => {
                let sock = lab.connect(at);
                lab.established(sock, at).get(sock, at, "/slow").status(sock, at + 1, *status).close(sock, at + 1);
            }
            Step::StalledBody => {
                let sock = lab.connect(at);
                lab.established(sock, at).get(sock, at, "/slow").response(sock, at + 1, b"HTTP/1.1 200 OK\r\n\r\nx");
                lab.close(sock, at + 1_000);
                at += 1_000;
            }
            Step::Tcp => {
                let sock = lab.connect(at);
                lab.established(sock, at).close(sock, at + 1);
            }
            Step::Exec { code } => {
                lab.runc(at, pid, "/bin/check").command_exit(at + 30, pid, at, code << 8);
                at += 30;
            }
            Step::ExecFails => {
                lab.runc_fails(at, pid);
                at += 10;
            }
            Step::Unknown => {
                lab.connect_to(at, "10.9.9.9:443".parse().unwrap());
            }
        }
        at += 1 + gap;
    }
    lab.finish(at + 6_000);
    lab.feed(Input::Stop { now_ns: (at + 6_000) * MS });
    lab.inputs
}

fn run(inputs: &[Input]) -> (Vec<Output>, Counters) {
    let (mut tracker, mut out) = (Tracker::new(Limits::default()), Vec::new());
    for input in inputs {
        tracker.feed(input, &mut out);
    }
    (out, tracker.counters())
}

/// What holds of every stream of outputs after Stop.
fn check(inputs: &[Input]) -> Result<(), TestCaseError> {
    let (out, counters) = run(inputs);
    let closed: Vec<&Attempt> = out
        .iter()
        .filter_map(|output| if let Output::Closed(attempt) = output { Some(&**attempt) } else { None })
        .collect();
    prop_assert_eq!(counters.open, 0);
    prop_assert_eq!(counters.closed, closed.len() as u64);
    let numbers: Vec<u64> = closed.iter().map(|attempt| attempt.number).collect();
    prop_assert_eq!(numbers, (1..=closed.len() as u64).collect::<Vec<_>>());
    let (mut socks, mut spawns) = (BTreeSet::new(), BTreeSet::new());
    for attempt in closed {
        prop_assert!(attempt.began_ns <= attempt.ended_ns && attempt.ended_ns <= attempt.closed_ns);
        prop_assert!((1..=3).contains(&attempt.tries.len()));
        prop_assert!(attempt.probe.is_some());
        for one in &attempt.tries {
            match one {
                Try::Net(connections) => {
                    prop_assert!(connections.iter().all(|connection| socks.insert(connection.sock_id)));
                }
                Try::Exec(run) => prop_assert!(
                    run.helper.as_ref().is_none_or(|helper| spawns.insert((helper.kpid, helper.start_boot_ns)))
                ),
            }
        }
        let (stages, unaccounted_ns) = stages(attempt);
        let ends = stages.iter().map(|stage| stage.start_ns + stage.duration_ns);
        prop_assert!(stages.iter().skip(1).zip(ends).all(|(next, end)| next.start_ns >= end));
        let covered: u64 = stages.iter().map(|stage| stage.duration_ns).sum();
        prop_assert_eq!(covered + unaccounted_ns, attempt.ended_ns - attempt.began_ns);
        let _ = (error_text(attempt), unseen(attempt));
    }
    Ok(())
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    proptest::collection::vec((step(), 0u64..1_500), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_whole_stream_gives_each_attempt_once_and_the_same_again(steps in steps(), is_kubelet: bool) {
        let inputs = scenario(&steps, is_kubelet);
        check(&inputs)?;
        prop_assert_eq!(run(&inputs).0, run(&inputs).0);
    }

    #[test]
    fn lost_doubled_and_swapped_events_still_give_each_attempt_once(
        steps in steps(),
        is_kubelet: bool,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4, any::<prop::sample::Index>()), 0..20),
    ) {
        let mut inputs = scenario(&steps, is_kubelet);
        for (index, change, other) in changes {
            // Start stays first and Stop last.
            let (first, last) = (1, inputs.len() - 1);
            if last <= first + 1 { break; }
            let (at, to) = (first + index.index(last - first), first + other.index(last - first));
            match change {
                0 => { inputs.remove(at); }
                1 => { let copy = inputs[at].clone(); inputs.insert(to, copy); }
                2 => inputs.swap(at, to),
                _ if at + 1 < last => inputs.swap(at, at + 1),
                _ => {}
            }
        }
        check(&inputs)?;
    }

    #[test]
    fn tight_bounds_hold(steps in steps()) {
        let inputs = scenario(&steps, true);
        let limits = Limits { open: 2, pending_sockets: 1, pending_events: 2, connections: 2, trees: 1, processes: 1,
            other_exits: 1, recent: 4, probes: 1, specs: 3, looks: 1 };
        let (mut tracker, mut out) = (Tracker::new(limits), Vec::new());
        for input in &inputs {
            tracker.feed(input, &mut out);
            prop_assert!(tracker.counters().open <= 2);
        }
        prop_assert_eq!(tracker.counters().open, 0);
    }

    #[test]
    fn garbage_is_borne(
        steps in steps(),
        junk in proptest::collection::vec((any::<prop::sample::Index>(), any::<u64>(), any::<u64>(), any::<u8>(), any::<u8>()), 1..20),
    ) {
        let mut inputs = scenario(&steps, true);
        for (index, number, time, from, to) in junk {
            let at = index.index(inputs.len());
            if let Input::Event(event) = &mut inputs[at] {
                event.at_ns = time;
                match &mut event.what {
                    What::Sock(sock) => {
                        sock.change = crate::event::SockChange::State { from, to };
                        (sock.born_ns, sock.bytes.first_rx_ns, sock.bytes.last_tx_ns) = (number, time, number);
                        sock.bytes.fin_rx_ns = number;
                    }
                    What::Exit(exit) => (exit.status, exit.on_cpu_ns) = (number as u32, time),
                    What::Fork(fork) => (fork.kppid, fork.start_boot_ns) = (number as u32, time),
                    What::Exec(exec) => exec.start_boot_ns = number,
                    _ => {}
                }
            }
        }
        check(&inputs)?;
    }
}
