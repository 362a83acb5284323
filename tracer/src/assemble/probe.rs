//! What the manifest says, in the record's words.

use crate::{
    attempt::facts::{Attempt, Try},
    attribution::spec::{Container, Handler, ProbeKind, ProbeSpec},
    record::{KubernetesRecord, ProbeRecord},
};

/// `liveness` and so on.
pub fn kind_name(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Liveness => "liveness",
        ProbeKind::Readiness => "readiness",
        ProbeKind::Startup => "startup",
        ProbeKind::Other => "other",
    }
}

/// Whose probe.
pub fn kubernetes(container: &Container) -> KubernetesRecord {
    KubernetesRecord {
        namespace: container.namespace.clone(),
        pod: container.pod.clone(),
        pod_uid: container.pod_uid.clone(),
        container: container.name.clone(),
        container_id: container.id.clone(),
    }
}

/// Which probe.
pub fn record(spec: &ProbeSpec, attempt: &Attempt) -> ProbeRecord {
    let (path, argv) = match &spec.handler {
        Handler::Http { path, .. } => (Some(path.split('?').next().unwrap_or(path).to_owned()), None),
        Handler::Exec { argv } => (None, Some(argv.clone())),
        _ => (None, None),
    };
    ProbeRecord {
        kind: kind_name(spec.kind).into(),
        handler: spec.handler.name().into(),
        target: target(&spec.handler, attempt),
        path,
        argv,
        timeout_ns: spec.timeout_ns,
        period_ns: spec.period_ns,
        failure_threshold: spec.failure_threshold,
        initial_delay_ns: spec.initial_delay_ns,
    }
}

/// `address:port` as the prober connected, else as the manifest says; of exec the command's first word.
fn target(handler: &Handler, attempt: &Attempt) -> String {
    let connected = attempt.tries.last().and_then(|last| match last {
        Try::Net(connections) => connections.first().map(|one| one.remote),
        Try::Exec(_) => None,
    });
    match (handler, connected) {
        (Handler::Exec { argv }, _) => argv.first().cloned().unwrap_or_default(),
        (_, Some(remote)) => std::net::SocketAddr::new(remote.ip().to_canonical(), remote.port()).to_string(),
        (
            Handler::Http { host_name: Some(host), port, .. } | Handler::Tcp { host_name: Some(host), port, .. },
            None,
        ) => {
            format!("{host}:{port}")
        }
        (handler, None) => handler
            .endpoint()
            .map_or_else(String::new, |(address, port)| std::net::SocketAddr::new(address, port).to_string()),
    }
}
