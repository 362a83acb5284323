//! The connection stood, and the server did not serve it: not accepted, not read, or not answered.

use crate::{
    observation::SocketState,
    verdict::{
        Cause,
        engine::{Claim, Finding, Rule},
        look,
        stopped::at_looks,
        text,
        view::{Pair, View},
    },
};

/// Why a server that could run did not.
const COULD_NOT_RUN: &[Cause] = &[
    Cause::ApplicationStopped,
    Cause::ContainerFrozen,
    Cause::CpuThrottled,
    Cause::CpuStarved,
    Cause::BlockedOnIo,
    Cause::ProberStarved,
];

/// The family.
pub const RULES: &[Rule] = &[
    Rule {
        cause: Cause::NeverAccepted,
        seen: "time-out; at two looks, the last before the deadline, the connection is in the accept queue with no holder",
        rivals: &[
            Cause::ApplicationStopped,
            Cause::ContainerFrozen,
            Cause::CpuThrottled,
            Cause::CpuStarved,
            Cause::BlockedOnIo,
            Cause::FdExhausted,
        ],
        brings: &[],
        advice: &["look at the server's accept loop: it is blocked, or all its workers are busy"],
        test: never_accepted,
    },
    Rule {
        cause: Cause::AcceptedNeverRead,
        seen: "time-out; at two looks a process holds the connection and all bytes of the request are unread",
        rivals: COULD_NOT_RUN,
        brings: &[],
        advice: &["look at the threads or workers that serve accepted connections: none takes this one up"],
        test: accepted_never_read,
    },
    Rule {
        cause: Cause::ApplicationSlow,
        seen: "time-out; the server has read the request and not (completely) answered",
        rivals: &[
            Cause::DependencyBlocked,
            Cause::ApplicationStopped,
            Cause::ContainerFrozen,
            Cause::CpuThrottled,
            Cause::CpuStarved,
            Cause::BlockedOnIo,
            Cause::ProberStarved,
        ],
        brings: &[],
        advice: &[
            "make the handler answer from what it knows; work or dependencies do not belong into a probe's handler",
        ],
        test: application_slow,
    },
];

/// What the server had done with the connection at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// It is in the accept queue.
    NotAccepted,
    /// Accepted; nothing of the request was read (`sure`: by the byte counters).
    NotRead {
        /// The counters say that all that came is unread.
        sure: bool,
    },
    /// Accepted, and not one byte arrived.
    NothingCame,
    /// Accepted, and a part read.
    PartlyRead,
    /// Accepted, and all that came is read.
    Read,
    /// The server has closed it: what no process holds is then an orphan, not a connection that waits.
    Closed,
}

impl Server {
    /// The request lies where the kernel put it.
    pub fn is_untouched(self) -> bool {
        matches!(self, Self::NotAccepted | Self::NotRead { .. })
    }
}

/// By the server's end of the connection; `inode` 0: no process holds it.
fn server(view: &View<'_>, child: &SocketState) -> Server {
    let watched = view.connection.filter(|one| one.bytes_watched).map(|one| one.bytes.tx);
    let came = child.bytes_received.or(watched);
    let unread = u64::from(child.unread_bytes);
    match (child.inode, unread) {
        (0, _) if child.waits_for_accept() => Server::NotAccepted,
        (0, _) => Server::Closed,
        // Nothing came: nothing can be said of its reading.
        (_, 0) if came == Some(0) => Server::NothingCame,
        (_, 0) => Server::Read,
        (_, unread) if came.is_some_and(|came| unread < came) => Server::PartlyRead,
        _ => Server::NotRead { sure: came.is_some() },
    }
}

/// At the last look before the outcome that shows the server's end.
pub fn at_last_look(view: &View<'_>) -> Option<Server> {
    let ended_ns = view.attempt.ended_ns;
    let seen = view.targets().filter(|(look, _)| look.done_ns <= ended_ns);
    seen.filter_map(|(_, target)| view.child(target)).last().map(|child| server(view, child))
}

/// At both looks of the pair.
fn at_both(view: &View<'_>, pair: &Pair<'_>, test: impl Fn(Server) -> bool) -> bool {
    let at = |target| view.child(target).is_some_and(|child| test(server(view, child)));
    at(pair.mid_target) && at(pair.late_target)
}

/// And at a look that began at the deadline or later: nothing changed between the late look and the end.
fn still_after(view: &View<'_>, test: impl Fn(Server) -> bool) -> bool {
    let after = view.targets().filter(|(look, _)| look.at_ns >= view.attempt.ended_ns);
    let mut states = after.filter_map(|(_, target)| view.child(target)).map(|child| server(view, child)).peekable();
    states.peek().is_some() && states.all(test)
}

/// The least timeoutSeconds by an answer that still came after the deadline.
pub fn late_answer_seconds(view: &View<'_>) -> Option<u32> {
    let at_ns = view.connection?.bytes.last_rx_ns;
    let seconds = at_ns.saturating_sub(view.began_ns).div_ceil(1_000_000_000);
    if at_ns <= view.attempt.ended_ns { None } else { u32::try_from(seconds).ok() }
}

fn connected(view: &View<'_>) -> Result<String, Finding> {
    if !view.timed_out() {
        return Err(Finding::lost("no time-out"));
    }
    let Some(one) = view.established() else { return Err(Finding::lost("no connection was established")) };
    let sent = if one.bytes_watched && one.bytes.tx > 0 || one.request.is_some() { ", request sent" } else { "" };
    let took = text::duration(one.established_ns.saturating_sub(one.began_ns));
    Ok(format!("connected in {took}{sent}"))
}

fn never_accepted(view: &View<'_>) -> Finding {
    let connected = match connected(view) {
        Ok(text) => text,
        Err(lost) => return lost,
    };
    if at_last_look(view) != Some(Server::NotAccepted) {
        return Finding::lost("the connection is not known to wait for accept at the last look");
    }
    let (shown, when, who) = match view.pair() {
        Some(pair) => {
            let shown = at_both(view, &pair, |server| server == Server::NotAccepted) && look::same_owner(&pair);
            let shown = shown && still_after(view, |server| server == Server::NotAccepted);
            (shown, at_looks(view, &pair), look::owner_name(pair.late_target))
        }
        None => (false, "the last look".into(), "the application".into()),
    };
    let summary = format!("{connected}; at {when} it waits in the accept queue: {who} had not accepted it");
    let waiting = view.targets().map(|(_, target)| target.unaccepted).max().unwrap_or(0);
    let claim = Claim::shown_if(shown, summary)
        .evidence("the server's end", "held by no process (inode 0)", "sock_diag")
        .evidence("connections that wait for accept", waiting, "sock_diag");
    two_looks(claim, shown).fits()
}

fn accepted_never_read(view: &View<'_>) -> Finding {
    let connected = match connected(view) {
        Ok(text) => text,
        Err(lost) => return lost,
    };
    if !matches!(at_last_look(view), Some(Server::NotRead { .. })) {
        return Finding::lost("the request is not known to be unread at the last look");
    }
    let is_unread = |server| server == Server::NotRead { sure: true };
    let both = |pair: &Pair<'_>| at_both(view, pair, is_unread) && look::same_owner(pair);
    let shown = view.pair().is_some_and(|pair| both(&pair)) && still_after(view, is_unread);
    let unread = view.targets().filter_map(|(_, target)| view.child(target)).map(|child| child.unread_bytes).max();
    let unread = text::count(unread.unwrap_or(0).into(), "byte");
    let (when, who) = match view.pair() {
        Some(pair) => (at_looks(view, &pair), look::owner_name(pair.late_target)),
        None => ("the last look".into(), "the application".into()),
    };
    let summary = format!(
        "{connected}, {unread} unread in the server's receive queue at {when}: {who} accepted the connection and had not \
         read it"
    );
    let claim = Claim::shown_if(shown, summary).evidence("unread at the server", unread, "sock_diag").evidence(
        "the server's end",
        "held by a process",
        "sock_diag",
    );
    two_looks(claim, shown).fits()
}

fn application_slow(view: &View<'_>) -> Finding {
    let connected = match connected(view) {
        Ok(text) => text,
        Err(lost) => return lost,
    };
    let state = match at_last_look(view) {
        Some(Server::Read | Server::PartlyRead) if view.answer_began() => "its answer began and was not complete",
        Some(Server::Read) => "the server read it and did not answer",
        Some(Server::PartlyRead) => "the server read a part of it and did not answer",
        None if view.answer_began() => "its answer began and was not complete",
        _ => return Finding::lost("the server is not known to have read the request"),
    };
    let target = view.targets().map(|(_, target)| target).last();
    let who = target.map_or_else(|| "the application".into(), look::owner_name);
    let limit = text::duration(view.timeout_ns());
    let mut claim =
        Claim::inferred(format!("{connected}; {state} within {limit}: {who} is slow on {}", view.request()));
    if let Some(first) = view.connection.map(|one| one.bytes.first_rx_ns).filter(|at_ns| *at_ns > 0) {
        claim = claim.evidence("first byte of the answer", view.since_begin(first), "cgroup_skb");
    }
    if let Some(Server::Read) = at_last_look(view) {
        claim = claim.evidence("unread at the server", "0 bytes", "sock_diag");
    }
    if let Some(times) = view.pair().and_then(|pair| look::holder_times(&pair)) {
        let source = "/proc/PID/task/TID/schedstat";
        claim = claim.evidence("its CPU time between the looks", text::duration(times.on_cpu_ns), source);
    }
    claim.timeout_seconds = late_answer_seconds(view);
    claim.fits()
}

fn two_looks(claim: Claim, shown: bool) -> Claim {
    match shown {
        true => claim,
        false => claim.missing("the same state and owner at two looks before the deadline and one after it"),
    }
}

#[cfg(test)]
mod tests;
