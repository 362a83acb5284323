//! TCP connections from another process's network namespace.

use std::{fs::File, io, net::SocketAddr, os::fd::AsFd, os::unix::fs::MetadataExt, time::Duration};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpStream;

/// Connects from the network namespace of `pid`, or from our own without one.
///
/// A socket belongs for good to the namespace that made it, so only the connect needs to happen there: on a thread that
/// enters the namespace and ends, so that no thread of ours stays in it. Needs CAP_SYS_ADMIN if the namespace differs.
pub async fn connect(address: SocketAddr, pid: Option<u32>, timeout: Duration) -> io::Result<TcpStream> {
    let Some(namespace) = pid.map(foreign_namespace).transpose()?.flatten() else {
        return tokio::time::timeout(timeout, TcpStream::connect(address))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?;
    };
    let (answer, connected) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("netns-connect".to_owned()).spawn(move || {
        let stream = move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(io::Error::from)
            .and_then(|()| std::net::TcpStream::connect_timeout(&address, timeout));
        // Nobody waits any more after a shutdown.
        drop(answer.send(stream));
    })?;
    let stream = connected.await.map_err(io::Error::other)??;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// The namespace of a process; `None` if it is ours.
fn foreign_namespace(pid: u32) -> io::Result<Option<File>> {
    let theirs = File::open(format!("/proc/{pid}/ns/net"))?;
    let ours = std::fs::metadata("/proc/self/ns/net")?;
    let metadata = theirs.metadata()?;
    Ok(((metadata.dev(), metadata.ino()) != (ours.dev(), ours.ino())).then_some(theirs))
}
