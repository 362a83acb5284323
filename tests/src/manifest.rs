//! The file for `--targets`: Pods as the API server would show them, in JSON.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{
    plan::Kind,
    scenario::{How, Pod, Row},
};

/// Names of one pod of the lab.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `metadata.uid`.
    pub uid: String,
    /// Address that is probed first, then the other family's.
    pub ips: [IpAddr; 2],
    /// Ids of its containers, in order.
    pub container_ids: Vec<String>,
}

/// A `List` of all pods.
pub fn list(pods: &[(Pod, Identity)]) -> Value {
    let items: Vec<Value> = pods.iter().map(|(pod, identity)| one(pod, identity)).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn one(pod: &Pod, identity: &Identity) -> Value {
    let started_at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(i64::from(pod.started_ago_s));
    let started_at = started_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let containers: Vec<Value> = pod
        .containers
        .iter()
        .map(|container| {
            let mut value = json!({"name": container.name, "image": "k8s.local/lab:1"});
            let ports: Vec<Value> =
                container.servers.iter().map(|server| json!({"containerPort": server.port})).collect();
            if !ports.is_empty() {
                value["ports"] = Value::Array(ports);
            }
            for row in &container.probes {
                value[field(row.kind)] = probe(row);
            }
            value
        })
        .collect();
    let statuses: Vec<Value> = pod
        .containers
        .iter()
        .zip(&identity.container_ids)
        .map(|(container, id)| {
            json!({"name": container.name, "containerID": format!("containerd://{id}"), "image": "k8s.local/lab:1",
                "imageID": "", "ready": true, "started": true, "restartCount": 0,
                "state": {"running": {"startedAt": started_at}}})
        })
        .collect();
    let ips: Vec<Value> = identity.ips.iter().map(|ip| json!({"ip": ip})).collect();
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": pod.name, "namespace": "lab", "uid": identity.uid},
        "spec": {"nodeName": "lab", "containers": containers},
        "status": {"phase": "Running", "podIP": identity.ips[0], "podIPs": ips, "startTime": started_at,
            "containerStatuses": statuses}})
}

fn field(kind: Kind) -> &'static str {
    match kind {
        Kind::Liveness => "livenessProbe",
        Kind::Readiness => "readinessProbe",
        Kind::Startup => "startupProbe",
    }
}

fn probe(row: &Row) -> Value {
    let mut value = json!({"timeoutSeconds": row.timeout_s, "periodSeconds": row.period_s, "failureThreshold": 3,
        "successThreshold": 1});
    match &row.how {
        How::Http(port, path) => value["httpGet"] = json!({"path": path, "port": port, "scheme": "HTTP"}),
        How::Tcp(port) => value["tcpSocket"] = json!({"port": port}),
        How::Exec(argv) => value["exec"] = json!({"command": argv}),
    }
    value
}
