//! `httpGet` as Go's client makes it for the kubelet (kubelet: probe/http/http.go:DoHTTPProbe).

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::PollFlags,
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use super::{
    End,
    dial::{Dial, dial, outlive, wait, words},
    response::{Head, MAX_BODY, MAX_HEAD},
};
use crate::{clock, plan::Outcome};

/// Go follows at most ten redirects.
const MAX_REDIRECTS: u32 = 10;

/// One try, and when its outcome was known. `outlives`: see [`crate::plan::Probe::dial_outlives_timeout`].
pub fn probe(to: SocketAddr, path: &str, timeout: Duration, outlives: bool) -> (End, u64) {
    // http.Client.Timeout covers all of it, redirects too.
    let deadline = Instant::now() + timeout;
    let (mut to, mut path) = (to, path.to_owned());
    for _ in 0..=MAX_REDIRECTS {
        let got = get(to, &path, deadline, outlives);
        let (step, ended_ns) = (got.step, got.ended_ns);
        // close() may wait for the peer's ACK of our FIN: not part of the outcome.
        drop(got.socket);
        match step {
            Step::End(end) => return (end, ended_ns),
            Step::Redirect(address, new_path) => (to, path) = (address, new_path),
        }
    }
    (End::new(Outcome::Failure, format!("Get \"{path}\": stopped after 10 redirects")), clock::mono_ns())
}

struct Got {
    step: Step,
    ended_ns: u64,
    socket: Option<OwnedFd>,
}

enum Step {
    End(End),
    Redirect(SocketAddr, String),
}

fn get(to: SocketAddr, path: &str, deadline: Instant, outlives: bool) -> Got {
    let url = format!("Get \"http://{to}{path}\": ");
    let socket = match dial(to, deadline) {
        Dial::Connected(socket) => socket,
        Dial::Failed(error) => {
            let text = format!("{url}dial tcp {to}: connect: {}", words(error));
            return Got { step: Step::End(End::new(Outcome::Failure, text)), ended_ns: clock::mono_ns(), socket: None };
        }
        Dial::TimedOut(socket) => {
            let ended_ns = clock::mono_ns();
            let step = Step::End(late(&url, "while awaiting headers", Outcome::Timeout));
            let socket = if outlives {
                outlive(socket);
                None
            } else {
                Some(socket)
            };
            return Got { step, ended_ns, socket };
        }
    };
    let step = exchange(&socket, to, path, &url, deadline);
    Got { step, ended_ns: clock::mono_ns(), socket: Some(socket) }
}

fn late(url: &str, when: &str, outcome: Outcome) -> End {
    End::new(outcome, format!("{url}context deadline exceeded (Client.Timeout exceeded {when})"))
}

fn exchange(socket: &OwnedFd, to: SocketAddr, path: &str, url: &str, deadline: Instant) -> Step {
    let mut buffer = Vec::with_capacity(4096);
    // Go's read loop reads before the request is written.
    let early = read(socket, &mut buffer, Instant::now());
    if let Read::Failed(error) = early {
        return Step::End(End::new(Outcome::Failure, format!("{url}read tcp: {}", words(error))));
    }
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: kube-probe/1.33\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    if let Err(error) = send(socket, request.as_bytes(), SendFlags::NOSIGNAL) {
        return Step::End(End::new(Outcome::Failure, format!("{url}write tcp: {}", words(error))));
    }
    let head = loop {
        if let Some(head) = Head::parse(&buffer) {
            break head;
        }
        if buffer.len() > MAX_HEAD {
            return Step::End(End::new(Outcome::Failure, format!("{url}malformed HTTP response")));
        }
        match read(socket, &mut buffer, deadline) {
            Read::Data => {}
            Read::End => return Step::End(End::new(Outcome::Failure, format!("{url}EOF"))),
            Read::Late => return Step::End(late(url, "while awaiting headers", Outcome::Timeout)),
            Read::Failed(error) => {
                return Step::End(End::new(Outcome::Failure, format!("{url}read tcp: {}", words(error))));
            }
        }
    };
    if let Some((address, path)) = head.redirect(to) {
        return Step::Redirect(address, path);
    }
    // An error in the body is an error of the probe, not a failure: the kubelet tries again and then forgets it.
    if let Err(text) = body(socket, &mut buffer, &head, deadline) {
        return Step::End(End::new(Outcome::Error, text));
    }
    if (200..400).contains(&head.status) {
        return Step::End(End::new(Outcome::Success, ""));
    }
    Step::End(End::new(Outcome::Failure, format!("HTTP probe failed with statuscode: {}", head.status)))
}

/// At most 10 KiB are read, then the probe is content.
fn body(socket: &OwnedFd, buffer: &mut Vec<u8>, head: &Head, deadline: Instant) -> Result<(), String> {
    let wanted = head.content_length.unwrap_or(u64::MAX);
    loop {
        let have = (buffer.len() - head.len) as u64;
        if have >= wanted || have >= MAX_BODY {
            return Ok(());
        }
        match read(socket, buffer, deadline) {
            Read::Data => {}
            Read::End if head.content_length.is_none() => return Ok(()),
            Read::End => return Err("unexpected EOF".into()),
            Read::Late => {
                return Err(
                    "context deadline exceeded (Client.Timeout or context cancellation while reading body)".into()
                );
            }
            Read::Failed(error) => return Err(format!("read tcp: {}", words(error))),
        }
    }
}

enum Read {
    Data,
    End,
    Late,
    Failed(Errno),
}

fn read(socket: &OwnedFd, buffer: &mut Vec<u8>, deadline: Instant) -> Read {
    let mut chunk = [0; 4096];
    loop {
        match recv(socket, &mut chunk[..], RecvFlags::empty()) {
            Ok((_, 0)) => return Read::End,
            Ok((_, len)) => {
                buffer.extend_from_slice(&chunk[..len]);
                return Read::Data;
            }
            Err(Errno::AGAIN) if wait(socket, PollFlags::IN, deadline) => {}
            Err(Errno::AGAIN) => return Read::Late,
            Err(Errno::INTR) => {}
            Err(error) => return Read::Failed(error),
        }
    }
}
