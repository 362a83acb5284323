use std::{net::SocketAddr, os::unix::fs::PermissionsExt, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    attribution::spec::{Container, Handler, ProbeKind, ProbeSpec, SpecSource, SpecUpdate},
    event::{Bytes, Data, Event, Exec, Peer, Sock, SockChange, What},
    input::{Clock, Input, Losses, Prober, Start},
    observation::{CgroupState, Observation, ProcessState, SocketState, ThreadState},
};

fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<std::net::IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

fn what() -> impl Strategy<Value = What> {
    let change = prop_oneof![
        (any::<u8>(), any::<u8>()).prop_map(|(from, to)| SockChange::State { from, to }),
        any::<u8>().prop_map(|state| SockChange::Retransmit { state }),
        Just(SockChange::SeenByCgroup),
    ];
    let sock = (change, address(), address(), any::<(u64, u32, i32, bool)>()).prop_map(|(change, local, remote, n)| {
        What::Sock(Sock {
            id: n.0,
            change,
            local,
            remote,
            tgid: n.1,
            netns: n.1,
            born_ns: n.0,
            error: n.2,
            bytes_watched: n.3,
            bytes: Bytes { tx: n.0, ..Bytes::default() },
            by_cgroup: n.3,
        })
    });
    let data = (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..128), any::<bool>())
        .prop_map(|(sock_id, bytes, truncated)| What::Request(Data { sock_id, bytes, truncated }));
    let peer = (address(), address(), any::<String>(), any::<bool>())
        .prop_map(|(local, remote, reason, has_socket)| What::ResetSent(Peer { local, remote, reason, has_socket }));
    let exec = (any::<(u32, u64, bool)>(), any::<String>(), proptest::collection::vec(any::<String>(), 0..4)).prop_map(
        |(n, comm, argv)| {
            What::Exec(Exec {
                pid: n.0,
                kpid: n.0,
                start_boot_ns: n.1,
                root_kpid: n.0,
                cgroup: comm.clone(),
                cgroup_parent: comm.clone(),
                comm,
                argv,
                argv_truncated: n.2,
                cgroup_id: n.1,
            })
        },
    );
    prop_oneof![sock, data, peer, exec]
}

fn specs() -> impl Strategy<Value = Input> {
    (any::<[String; 3]>(), any::<(u64, u32, i64)>(), address()).prop_map(|(names, n, to)| {
        let container = Container {
            namespace: names[0].clone(),
            pod: names[1].clone(),
            pod_uid: names[2].clone(),
            pod_ips: vec![to.ip()],
            host_network: false,
            name: names[0].clone(),
            id: names[1].clone(),
            started_at_wall_ns: n.2,
            restarts: n.1,
            ports: vec![to.port()],
            deleting: false,
        };
        let handler = Handler::Http {
            address: Some(to.ip()),
            host_name: None,
            port: to.port(),
            path: names[2].clone(),
            tls: false,
        };
        let probe = ProbeSpec {
            container: Arc::new(container),
            kind: ProbeKind::Liveness,
            handler,
            timeout_ns: n.0,
            period_ns: n.0,
            initial_delay_ns: 0,
            failure_threshold: n.1,
            success_threshold: 1,
        };
        Input::Specs(SpecUpdate { at_ns: n.0, source: SpecSource::File, probes: vec![probe], problems: names.into() })
    })
}

fn observation() -> impl Strategy<Value = Input> {
    (any::<(u64, u32)>(), address(), proptest::num::f64::NORMAL, any::<char>()).prop_map(|(n, to, cpus, state)| {
        let socket = SocketState {
            state: 1,
            local: to,
            remote: to,
            unread_bytes: n.1,
            unacked_bytes: 0,
            retransmits: 0,
            inode: n.0,
            bytes_received: Some(n.0),
            bytes_sent: None,
            last_received_ms: None,
        };
        let process =
            ProcessState { threads: vec![ThreadState { state, ..ThreadState::default() }], ..ProcessState::default() };
        Input::Observation(Observation {
            look: n.0,
            at_ns: n.0,
            done_ns: n.0,
            prober_socket: Some(socket),
            target: None,
            processes: vec![process],
            cgroup: Some(CgroupState { cpu_limit: Some(cpus), ..CgroupState::default() }),
            command: None,
            failures: vec![],
        })
    })
}

fn input() -> impl Strategy<Value = Input> {
    let clock = any::<(u64, u64, i64)>().prop_map(|(mono_ns, boot_ns, wall_ns)| Clock { mono_ns, boot_ns, wall_ns });
    let start = (clock.clone(), any::<[String; 2]>(), any::<bool>()).prop_map(|(clock, names, is_kubelet)| {
        Input::Start(Start {
            node: names[0].clone(),
            boot_id: names[1].clone(),
            kernel: names[0].clone(),
            clock,
            probers: vec![Prober { pid: 1, comm: names[1].clone() }],
            is_kubelet,
            hooks: vec![names[0].clone()],
            lacks: vec![names.clone().into()],
        })
    });
    let event = (any::<(u64, u32, u64)>(), what())
        .prop_map(|((at_ns, cpu, seq), what)| Input::Event(Event { at_ns, cpu, seq, what }));
    prop_oneof![
        start,
        event,
        specs(),
        observation(),
        any::<[u64; 2]>().prop_map(|[at_ns, seen]| Input::Losses(Losses { at_ns, seen, ..Losses::default() })),
        clock.prop_map(Input::Clock),
        any::<u64>().prop_map(|now_ns| Input::Tick { now_ns }),
        any::<u64>().prop_map(|now_ns| Input::Stop { now_ns }),
    ]
}

/// The file that these inputs make.
fn recorded(inputs: &[Input]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    let mut writer = Writer::create(&path).unwrap();
    for input in inputs {
        writer.write(input).unwrap();
    }
    let written = writer.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!((written.frames, written.bytes, written.dropped), (inputs.len() as u64, bytes.len() as u64, 0));
    bytes
}

/// What can be read of it, how many bytes were cut, and the error that ended it.
fn replayed(bytes: &[u8]) -> Result<(Vec<Input>, u64, Option<Error>), Error> {
    let mut reader = Reader::new(bytes, "test")?;
    let mut inputs = Vec::new();
    loop {
        match reader.next_input() {
            Ok(Some(input)) => inputs.push(input),
            Ok(None) => return Ok((inputs, reader.torn_bytes(), None)),
            Err(error) => return Ok((inputs, 0, Some(error))),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(inputs in proptest::collection::vec(input(), 0..20)) {
        let (read, torn, error) = replayed(&recorded(&inputs)).unwrap();
        prop_assert_eq!(read, inputs);
        prop_assert_eq!(torn, 0);
        prop_assert!(error.is_none());
    }

    #[test]
    fn cut_anywhere_a_prefix_is_read(inputs in proptest::collection::vec(input(), 1..4)) {
        let bytes = recorded(&inputs);
        let header = frame::header().len();
        for length in 0..bytes.len() {
            match replayed(&bytes[..length]) {
                Ok((read, torn, error)) => {
                    prop_assert!(length >= header);
                    prop_assert!(error.is_none());
                    prop_assert_eq!(&read[..], &inputs[..read.len()]);
                    let last_end = bytes[..length].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
                    prop_assert_eq!(torn, (length - last_end) as u64);
                }
                Err(error) => prop_assert!(matches!(error, Error::NotARecording(_)) && length < header),
            }
        }
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(inputs in proptest::collection::vec(input(), 2..4), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = recorded(&inputs);
        let header = frame::header().len();
        let at = header + at.index(bytes.len() - header - 1);
        bytes[at] ^= flip;
        let (read, _, error) = replayed(&bytes).unwrap();
        prop_assert_eq!(&read[..], &inputs[..read.len()], "never another input");
        prop_assert!(error.is_some() || read.len() < inputs.len() || bytes[at].is_ascii_hexdigit());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), with_header in any::<bool>()) {
        let start = if with_header { frame::header() } else { String::new() };
        let _ = replayed(&[start.as_bytes(), &bytes].concat());
    }
}

#[test]
fn a_file_is_private_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    Writer::create(&path).unwrap().finish().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = Writer::create(&path).unwrap_err();
    assert!(matches!(error, Error::Exists(_)), "{error}");
}

#[test]
fn newer_and_foreign_files_are_told_apart() {
    let newer = replayed(b"probetrace-recording 7 probetrace/9.1.0\x1b[2J\n").unwrap_err().to_string();
    assert!(newer.contains("probetrace/9.1.0") && newer.contains("format 7") && !newer.contains('\x1b'), "{newer}");
    for foreign in [&b""[..], b"\n", b"{\"type\":\"attempt\"}\n", b"probetrace-recording\n", &[0xff; 5000]] {
        assert!(matches!(replayed(foreign).unwrap_err(), Error::NotARecording(_)));
    }
}

#[test]
fn a_corrupt_frame_is_named() {
    let inputs: Vec<_> = (0..3).map(|now_ns| Input::Tick { now_ns }).collect();
    let text = String::from_utf8(recorded(&inputs)).unwrap();
    let broken = text.replacen("\"now_ns\":1", "\"now_ns\":8", 1);
    let (read, _, error) = replayed(broken.as_bytes()).unwrap();
    assert_eq!(read, inputs[..1]);
    assert!(matches!(error, Some(Error::Corrupt(2, _))), "{error:?}");
}

#[test]
fn a_frame_past_the_limit_is_refused_by_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&folder.path().join("r")).unwrap();
    let problems = vec!["x".repeat(MAX_FRAME_BYTES)];
    let long = Input::Specs(SpecUpdate { at_ns: 0, source: SpecSource::File, probes: vec![], problems });
    assert!(matches!(writer.write(&long).unwrap_err(), Error::TooLong(_)));

    let line = vec![b'x'; MAX_FRAME_BYTES + 1];
    let zeros = [frame::header().as_bytes(), &line].concat();
    assert_eq!(replayed(&zeros).unwrap().1, line.len() as u64, "an end without newline is torn, however long");
    let (_, _, error) = replayed(&[&zeros[..], b"\n"].concat()).unwrap();
    assert!(matches!(error, Some(Error::Corrupt(1, _))));
}

#[test]
fn a_full_disk_is_told_once_and_the_rest_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let mut writer = Writer::create(&path).unwrap();
    writer.write(&Input::Tick { now_ns: 1 }).unwrap();
    writer.flush().unwrap();
    // Any write to this device fails with ENOSPC.
    writer.file = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    writer.write(&Input::Tick { now_ns: 2 }).unwrap();
    let error = writer.flush().unwrap_err();
    assert!(matches!(error, Error::Full(_)) && error.to_string().contains(path.to_str().unwrap()), "{error}");
    writer.write(&Input::Tick { now_ns: 3 }).unwrap();
    assert_eq!(writer.written().dropped, 2);
    assert_eq!(writer.written().frames, 1);
    let (read, torn, _) = replayed(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((read, torn), (vec![Input::Tick { now_ns: 1 }], 0));
}

#[test]
fn frames_are_buffered_and_flushed_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let mut writer = Writer::create(&path).unwrap();
    let size = || std::fs::metadata(&path).unwrap().len();
    let empty = size();
    writer.write(&Input::Tick { now_ns: 1 }).unwrap();
    assert_eq!(size(), empty);
    for now_ns in 0..20_000 {
        writer.write(&Input::Tick { now_ns }).unwrap();
    }
    assert!(size() > empty, "a full buffer goes out by itself");
}
