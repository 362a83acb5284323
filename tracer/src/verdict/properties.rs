//! Removing evidence never creates a `proven`: attempts are made from a random but consistent truth (what server, cgroup,
//! network and prober did, and when), their evidence is derived from it, and then any part of the evidence is taken away.

use proptest::{prelude::*, sample::select};

use crate::{
    attempt::facts::{Attempt, Connection, Try},
    event::{Bytes, tcp_state},
    observation::Observation,
    record::{Confidence, Outcome},
    verdict::{testing::*, *},
};

/// What happened. Times in ms from the begin; past the end: never.
#[derive(Clone, Debug)]
struct Truth {
    refused: Option<bool>,
    listens: bool,
    elsewhere: bool,
    full: bool,
    accepted: u64,
    read: u64,
    answered: u64,
    prober_read: u64,
    status: u16,
    then: Ending,
    stopped: (u64, u64),
    frozen: (u64, u64),
    throttled: (u64, u64),
    blocked: (u64, u64),
    fds_used_up: bool,
    watched: bool,
    age_ms: u64,
    attempts: u64,
    earlier_success: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Nothing,
    Fin(u64),
    Reset(u64, bool),
}

fn instant() -> impl Strategy<Value = u64> {
    prop_oneof![2 => 0u64..1000, 1 => Just(9999)]
}

fn spell() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![2 => Just((9999, 9999)), 1 => (0u64..400, 400u64..2000), 1 => (0u64..1000, 0u64..1000)]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        2 => Just(Ending::Nothing),
        1 => (1u64..990).prop_map(Ending::Fin),
        1 => (1u64..990, any::<bool>()).prop_map(|(ms, application)| Ending::Reset(ms, application)),
    ]
}

prop_compose! {
    fn truth()(
        refused in prop_oneof![3 => Just(None), 1 => any::<bool>().prop_map(Some)],
        (listens, elsewhere, full) in (any::<bool>(), any::<bool>(), any::<bool>()),
        (a, b, c, d) in (instant(), instant(), instant(), instant()),
        status in select(vec![200u16, 302, 404, 500]),
        then in ending(),
        (stopped, frozen, throttled, blocked) in (spell(), spell(), spell(), spell()),
        (fds_used_up, watched) in (prop::bool::weighted(0.2), prop::bool::weighted(0.8)),
        age_ms in select(vec![4_000u64, 60_000, 3_600_000]),
        attempts in select(vec![0u64, 6, 400]),
        earlier_success in prop::bool::weighted(0.3),
    ) -> Truth {
        let mut order = [a, b, c, d];
        order.sort_unstable();
        let [accepted, read, mut answered, mut prober_read] = order;
        // Who has closed or reset answers no more; who has answered first is read first.
        let then = match then {
            Ending::Fin(ms) | Ending::Reset(ms, _) if ms < answered => {
                (answered, prober_read) = (9999, 9999);
                then
            }
            _ => Ending::Nothing,
        };
        let earlier_success = earlier_success && attempts > 0;
        Truth { refused, listens, elsewhere, full, accepted, read, answered, prober_read, status, then, stopped, frozen,
            throttled, blocked, fds_used_up, watched, age_ms, attempts, earlier_success }
    }
}

impl Truth {
    fn is(&self, spell: (u64, u64), ms: u64) -> bool {
        (spell.0..spell.1).contains(&ms)
    }

    fn look(&self, ms: u64) -> Observation {
        let inode = if self.accepted <= ms { 9 } else { 0 };
        let unread = if self.read <= ms { 0 } else { u32::try_from(REQUEST).unwrap() };
        let mut seen = look_child(ms, inode, unread);
        let state = match ms {
            _ if self.is(self.stopped, ms) => 'T',
            _ if self.is(self.blocked, ms) => 'D',
            _ if self.is(self.throttled, ms) => 'R',
            _ => 'S',
        };
        let side = seen.target.as_mut().unwrap();
        let mut owner = process(71, &[state, state]);
        owner.fds = Some(if self.fds_used_up { (1024, 1024) } else { (10, 1024) });
        side.owner = Some(owner);
        if self.full {
            side.child = None;
            side.listeners[0].queue_len = 129;
        }
        if let Some(no_socket) = self.refused {
            side.child = None;
            if no_socket || !self.listens {
                (side.listeners, side.owner) = (vec![], None);
            }
            if self.elsewhere {
                side.other_listeners = vec![listener("127.0.0.1:8080".parse().unwrap())];
            }
        }
        let cgroup = seen.cgroup.as_mut().unwrap();
        cgroup.frozen = Some(self.is(self.frozen, ms));
        let throttled = ms.min(self.throttled.1).saturating_sub(self.throttled.0);
        (cgroup.nr_throttled, cgroup.throttled_ns) = (Some(throttled / 50), Some(throttled * MS));
        let socket = seen.prober_socket.as_mut().unwrap();
        socket.unread_bytes = if self.answered <= ms && ms < self.prober_read { 17 } else { 0 };
        seen
    }

    /// The prober's outcome and its instant by the kubelet's rules.
    fn outcome(&self) -> (Outcome, u64) {
        let answer = (self.prober_read < 1000).then_some(self.prober_read);
        match (self.refused, self.full, self.then, answer) {
            (Some(_), ..) => (Outcome::Failure, 1),
            (None, true, ..) => (Outcome::Timeout, 1000),
            (_, _, Ending::Fin(ms) | Ending::Reset(ms, _), _) => (Outcome::Failure, ms + 1),
            (.., Some(at)) if self.status < 400 => (Outcome::Success, at),
            (.., Some(at)) => (Outcome::Failure, at),
            _ => (Outcome::Timeout, 1000),
        }
    }

    fn connection(&self, ended: u64) -> Connection {
        if let Some(no_socket) = self.refused {
            return refused(no_socket);
        }
        if self.full {
            return unanswered();
        }
        let mut one = connected();
        if self.answered <= ended {
            let line = format!("HTTP/1.1 {}\r\n\r\n", self.status);
            one = answered(&line, self.answered);
        }
        match self.then {
            Ending::Fin(ms) if ms < ended => {
                one.bytes.fin_rx_ns = at(ms);
                one.closed_from = tcp_state::CLOSE_WAIT;
            }
            Ending::Reset(ms, application) if ms < ended => {
                (one.reset_ns, one.reset_in) = (at(ms), tcp_state::ESTABLISHED);
                let reason = if application { "TCP_ABORT_ON_CLOSE" } else { "NO_SOCKET" };
                let (local, remote) = (target(), prober());
                let peer = crate::event::Peer { local, remote, reason: reason.into(), has_socket: application };
                one.resets_sent = vec![(at(ms), peer)];
            }
            _ => {}
        }
        if !self.watched {
            (one.bytes_watched, one.bytes, one.request) = (false, Bytes::default(), None);
        }
        one
    }

    fn attempt(&self) -> Attempt {
        let (outcome, ended) = self.outcome();
        let mut attempt = net(outcome, ended, self.connection(ended));
        let planned = [500, 900].into_iter().filter(|ms| *ms < ended);
        attempt.looks = planned.chain([ended + 1]).map(|ms| self.look(ms)).collect();
        attempt.probe.as_mut().unwrap().container = std::sync::Arc::new(container(self.age_ms));
        attempt.history.attempts = self.attempts;
        attempt.history.successes = u64::from(self.earlier_success);
        attempt
    }
}

/// Takes away what the bits of `cut` say: whole looks, parts of looks, events of the connection. What is lost of events is
/// told by `no_loss`, as the ring's numbers tell it.
fn reduce(mut attempt: Attempt, cut: u64) -> Attempt {
    let mut bits = (0..64).map(|bit| cut >> bit & 1 == 1);
    let mut next = move || bits.next().unwrap_or(false);
    attempt.looks.retain(|_| !next());
    for seen in &mut attempt.looks {
        if next() {
            seen.target = None;
        }
        if next() {
            seen.cgroup = None;
        }
        if next() {
            seen.prober_socket = None;
        }
        if let (Some(side), true) = (&mut seen.target, next()) {
            side.owner = None;
        }
        if let (Some(side), true) = (&mut seen.target, next()) {
            side.child = None;
        }
    }
    let Some(Try::Net(connections)) = attempt.tries.last_mut() else { return attempt };
    let one = &mut connections[0];
    let before = one.clone();
    if next() {
        one.resets_sent.clear();
    }
    if next() {
        one.response = None;
    }
    if next() {
        (one.reset_ns, one.reset_in) = (0, 0);
    }
    if next() {
        (one.bytes, one.bytes_watched) = (Bytes::default(), false);
    }
    if next() {
        one.established_ns = 0;
    }
    if next() {
        one.closed_from = 0;
    }
    attempt.no_loss &= *one == before;
    attempt
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn removing_evidence_never_creates_a_proven(truth in truth(), cut in any::<u64>(), mask in any::<u64>()) {
        let whole = truth.attempt();
        let full = verdict(&whole);
        // Half of the bits, then a quarter: small cuts are the dangerous ones.
        for cut in [cut, cut & mask, cut & mask & mask.rotate_left(17)] {
            let part = verdict(&reduce(whole.clone(), cut));
            if part.confidence == Confidence::Proven {
                prop_assert_eq!((&part.cause, full.confidence), (&full.cause, Confidence::Proven), "{:#?}", full);
            }
        }
    }

    #[test]
    fn a_proven_cause_is_true(truth in truth()) {
        let found = verdict(&truth.attempt());
        if found.confidence == Confidence::Proven {
            let (outcome, _) = truth.outcome();
            let is_true = match found.cause.as_str() {
                "none" | "slow_but_passed" => outcome == Outcome::Success,
                "http_status" => truth.status >= 400 && truth.prober_read < 1000,
                "reset_by_application" => matches!(truth.then, Ending::Reset(_, true)),
                "closed_early" => matches!(truth.then, Ending::Fin(_)),
                "never_accepted" => truth.accepted > 900,
                "accepted_never_read" => truth.accepted <= 500 && truth.read > 900,
                "application_stopped" => truth.is(truth.stopped, 500) && truth.is(truth.stopped, 900),
                "container_frozen" => truth.is(truth.frozen, 500) && truth.is(truth.frozen, 900),
                "not_listening" => truth.refused == Some(true) && !truth.earlier_success,
                "stopped_listening" => truth.refused == Some(true) && truth.earlier_success,
                "listening_elsewhere" => truth.refused == Some(true) && truth.elsewhere,
                _ => false,
            };
            prop_assert!(is_true, "{:#?}", found);
        }
    }

    #[test]
    fn every_attempt_has_one_verdict_that_says_what_is_missing(truth in truth(), cut in any::<u64>()) {
        let found = verdict(&reduce(truth.attempt(), cut));
        prop_assert!(Cause::from_id(&found.cause).is_some());
        prop_assert!(!found.summary.is_empty() && !found.summary.contains('\n'));
        prop_assert!(found.confidence == Confidence::Proven || !found.missing.is_empty(), "{:#?}", found);
        prop_assert_eq!(found.confidence == Confidence::Unknown, found.cause == "unknown");
        prop_assert!(found.ruled_out.iter().all(|one| one.cause != found.cause), "{:#?}", found);
    }
}
