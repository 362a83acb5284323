//! Settings that change what a probe meets, or what can be told of it.

use crate::doctor::{Need, Node, Row, State};

pub fn all(node: &Node) -> Vec<Row> {
    vec![
        somaxconn(node),
        syncookies(node),
        abort_on_overflow(node),
        tw_recycle(node),
        run_delay(node),
        delay_accounting(node),
    ]
}

fn row(name: &str, found: impl Into<String>) -> Row {
    Row::ok("tuning", name, found)
}

fn unreadable(name: &str) -> Row {
    row(name, "can't be read").need(Need::Optional).but(State::Unknown, "", "")
}

fn somaxconn(node: &Node) -> Row {
    match node.sysctl("net/core/somaxconn") {
        Some(value) => row("somaxconn", format!("{value} (each pod's network namespace has its own)")),
        None => unreadable("somaxconn"),
    }
}

fn syncookies(node: &Node) -> Row {
    match node.sysctl("net/ipv4/tcp_syncookies").as_deref() {
        Some("0") => row("tcp_syncookies", "0: a full SYN queue drops SYNs (TCPReqQFullDrop)"),
        Some("2") => row("tcp_syncookies", "2: always, also without pressure").need(Need::Optional).but(
            State::Degraded,
            "SYN queues stay empty and SYN-ACKs are never repeated",
            "sysctl -w net.ipv4.tcp_syncookies=1, unless it is a test",
        ),
        Some(value) => row("tcp_syncookies", value),
        None => row("tcp_syncookies", "not in this kernel"),
    }
}

/// net/ipv4/tcp_minisocks.c: tcp_check_req answers the last ACK with a RST instead of dropping it.
fn abort_on_overflow(node: &Node) -> Row {
    match node.sysctl("net/ipv4/tcp_abort_on_overflow").as_deref() {
        Some("0") => row("tcp_abort_on_overflow", "0"),
        Some(value) => row("tcp_abort_on_overflow", value).but(
            State::Degraded,
            "a full accept queue resets connections, which looks like a refusal",
            "sysctl -w net.ipv4.tcp_abort_on_overflow=0",
        ),
        None => unreadable("tcp_abort_on_overflow"),
    }
}

/// Removed in 4.12.
fn tw_recycle(node: &Node) -> Row {
    match node.sysctl("net/ipv4/tcp_tw_recycle").as_deref() {
        None => row("tcp_tw_recycle", "not in this kernel"),
        Some("0") => row("tcp_tw_recycle", "0"),
        Some(value) => row("tcp_tw_recycle", value).but(
            State::Degraded,
            "SYNs of clients behind one address are dropped by their timestamps",
            "sysctl -w net.ipv4.tcp_tw_recycle=0",
        ),
    }
}

/// `on_cpu run_delay slices`: all 0 without CONFIG_SCHED_INFO.
fn run_delay(node: &Node) -> Row {
    let text = node.proc.read("self/schedstat").ok();
    let on_cpu = text.and_then(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok());
    match on_cpu {
        Some(on_cpu) if on_cpu > 0 => row("run delay of tasks", "kept (schedstat)"),
        _ => row("run delay of tasks", "not kept").but(
            State::Missing,
            "how long a thread waited for a CPU",
            "sysctl -w kernel.sched_schedstats=1, or boot with delayacct on kernels before 5.15",
        ),
    }
}

/// Off by default from 5.14 on.
fn delay_accounting(node: &Node) -> Row {
    let name = "delay accounting";
    let lost = "how long a thread waited for a disk, memory or swap";
    match node.sysctl("kernel/task_delayacct").as_deref() {
        Some("0") => {
            row(name, "off").need(Need::Optional).but(State::Missing, lost, "sysctl -w kernel.task_delayacct=1")
        }
        Some(_) => row(name, "on"),
        None => row(name, "no switch in this kernel (before 5.14: on unless booted with nodelayacct)")
            .need(Need::Optional)
            .but(State::Unknown, "", ""),
    }
}
