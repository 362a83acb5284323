use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

use super::{
    wire::{Message, messages},
    *,
};

#[test]
fn sees_queue_child_and_prober() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let mut client = TcpStream::connect(address).expect("connect");
    client.write_all(b"12345").expect("write");
    let mut diag = SockDiag::open().expect("sock_diag");

    let (listeners, cut) = diag.listeners().expect("listeners");
    let ours = listeners.iter().find(|socket| socket.local == address).expect("our listener");
    assert!(!cut);
    assert_eq!((ours.rqueue, ours.ulp.as_deref()), (1, None));
    assert!(ours.wqueue >= 1 && ours.inode > 0 && ours.drops.is_some());

    let own = diag.get(client.local_addr().expect("local"), address).expect("get").expect("prober's socket");
    assert_eq!((own.state, own.bytes_sent), (tcp_state::ESTABLISHED, Some(5)));
    assert!(own.inode > 0);
    let child = diag.get(address, client.local_addr().expect("local")).expect("get").expect("child");
    assert_eq!((child.rqueue, child.inode, child.bytes_received), (5, 0, Some(5)), "unread and not accepted");
    assert_eq!(diag.unaccepted(address.port()).expect("dump"), (1, false));

    let accepted = listener.accept().expect("accept");
    assert_eq!(diag.unaccepted(address.port()).expect("dump"), (0, false));
    let child = diag.get(address, client.local_addr().expect("local")).expect("get").expect("child");
    assert!(child.inode > 0);
    drop(accepted);
}

#[test]
fn a_listener_is_no_answer_to_a_tuple() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let mut diag = SockDiag::open().expect("sock_diag");
    assert_eq!(diag.get(address, "127.0.0.9:9".parse().expect("address")).expect("get"), None);
}

#[test]
fn dual_stack_sockets_are_shown_as_ipv4() {
    let Ok(listener) = TcpListener::bind("[::]:0") else { return eprintln!("skipped: no IPv6") };
    let port = listener.local_addr().expect("address").port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let mut diag = SockDiag::open().expect("sock_diag");
    let (listeners, _) = diag.listeners().expect("listeners");
    let ours = listeners.iter().find(|socket| socket.local.port() == port).expect("our listener");
    assert_eq!((ours.is_v6, ours.v6_only), (true, Some(false)));
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    assert!(diag.get(server, client.local_addr().expect("local")).expect("get").is_some());
    assert_eq!(diag.unaccepted(port).expect("dump").0, 1);
}

/// An accepted MPTCP connection must not look unaccepted, whether the client speaks MPTCP or not.
#[test]
fn mptcp_children_have_an_inode_once_accepted() {
    const SERVER: &str = "import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_STREAM,262); s.bind(('127.0.0.1',0)); s.listen(8)
print(s.getsockname()[1],flush=True); sys.stdin.readline()
a=s.accept(); b=s.accept(); print('accepted',flush=True); sys.stdin.readline()";
    let Ok(mut server) =
        Command::new("python3").args(["-c", SERVER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        return eprintln!("skipped: python3");
    };
    let mut output = io::BufReader::new(server.stdout.take().expect("stdout"));
    let mut line = String::new();
    io::BufRead::read_line(&mut output, &mut line).expect("read");
    let Ok(port) = line.trim().parse::<u16>() else { return eprintln!("skipped: MPTCP") };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let _plain = TcpStream::connect(address).expect("connect");
    let multi = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        rustix::net::Protocol::from_raw(std::num::NonZero::new(262).expect("protocol")).into(),
    )
    .expect("mptcp socket");
    rustix::net::connect(&multi, &address).expect("connect");

    let mut diag = SockDiag::open().expect("sock_diag");
    let (listeners, _) = diag.listeners().expect("listeners");
    let ours = listeners.iter().find(|socket| socket.local == address).expect("our listener");
    assert_eq!(ours.ulp.as_deref(), Some("mptcp"));
    assert_eq!(diag.unaccepted(port).expect("dump").0, 2);
    let mut input = server.stdin.take().expect("stdin");
    input.write_all(b"\n").expect("write");
    line.clear();
    io::BufRead::read_line(&mut output, &mut line).expect("read");
    let unaccepted = diag.unaccepted(port).expect("dump").0;
    let inode = ours.inode;
    let fds: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", server.id()))
        .expect("fds")
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .collect();
    input.write_all(b"\n").expect("write");
    server.wait().expect("wait");
    assert_eq!(unaccepted, 0);
    assert!(fds.contains(&format!("socket:[{inode}]").into()), "the listener's inode is its MPTCP socket's");
}

#[test]
fn rubbish_ends_the_list() {
    for length in 0..100 {
        let bytes = vec![0xffu8; length];
        assert_eq!(messages(&bytes, u32::MAX).count(), 0);
        let mut bytes = vec![0u8; length];
        bytes.splice(..0, 16u32.to_ne_bytes());
        assert!(!messages(&bytes, 0).any(|message| matches!(message, Message::Socket(_))));
    }
}
