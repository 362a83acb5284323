//! What `doctor --live` probes: a server and a closed port on loopback, and the manifest of the pod that they make up.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    sync::Arc,
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::own_prober::{PATH, TIMEOUT};
use crate::{
    attribution::spec::{Container, Handler, ProbeKind, ProbeSpec, SpecSource, SpecUpdate},
    input::Clock,
    kernel,
};

/// Of the made-up probes.
const PERIOD_NS: u64 = 10_000_000_000;
/// How long ago the made-up container started: long past its start-up budget.
const AGE_NS: i64 = 3_600_000_000_000;
const MAX_REQUEST: usize = 1024;

/// Both, until it is dropped.
pub(super) struct OwnTargets {
    pub(super) passing: SocketAddr,
    pub(super) refused: SocketAddr,
    server: JoinHandle<()>,
    _closed: OwnedFd,
}

impl OwnTargets {
    /// Listens on a port of the kernel's choice, and holds another one closed.
    pub(super) async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening on 127.0.0.1")?;
        let passing = listener.local_addr().context("the listener's address")?;
        let (closed, refused) = kernel::bound_only().context("holding a closed port on 127.0.0.1")?;
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that leaves early is its own affair.
                let _ = answer(stream).await;
            }
        });
        Ok(Self { passing, refused, server, _closed: closed })
    }

    /// Both as the probes of one pod on the host's network.
    pub(super) fn specs(&self, clock: &Clock) -> SpecUpdate {
        let address = self.passing.ip();
        let container = Arc::new(Container {
            namespace: "probetrace".to_owned(),
            pod: "doctor".to_owned(),
            pod_uid: String::new(),
            pod_ips: vec![address],
            host_network: true,
            name: "self".to_owned(),
            id: String::new(),
            started_at_wall_ns: clock.wall_ns.saturating_sub(AGE_NS),
            restarts: 0,
            ports: vec![self.passing.port()],
            deleting: false,
        });
        let of = |kind, handler| ProbeSpec {
            container: Arc::clone(&container),
            kind,
            handler,
            timeout_ns: u64::try_from(TIMEOUT.as_nanos()).unwrap_or(u64::MAX),
            period_ns: PERIOD_NS,
            initial_delay_ns: 0,
            failure_threshold: 3,
            success_threshold: 1,
        };
        let probes = vec![
            of(ProbeKind::Liveness, http(address, self.passing.port())),
            of(
                ProbeKind::Readiness,
                Handler::Tcp { address: Some(address), host_name: None, port: self.refused.port() },
            ),
        ];
        SpecUpdate { at_ns: clock.mono_ns, source: SpecSource::File, probes, problems: Vec::new() }
    }
}

impl Drop for OwnTargets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn http(address: IpAddr, port: u16) -> Handler {
    Handler::Http { address: Some(address), host_name: None, port, path: PATH.to_owned(), tls: false }
}

/// 200 to whatever is asked, once the whole request is there: bytes that are left unread would turn the close into a
/// reset.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = Vec::with_capacity(MAX_REQUEST);
    while !request.ends_with(b"\r\n\r\n") && request.len() < MAX_REQUEST {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await?;
    stream.shutdown().await
}
