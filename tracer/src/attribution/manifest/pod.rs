//! The part of a Pod that probes depend on (k8s.io/api/core/v1 `types.go`). Unknown fields are ignored.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

use super::{
    convert,
    lenient::{Few, Field, Shape, Shaped},
    output::Output,
};

/// Most containers of a pod.
const MAX_CONTAINERS: usize = 256;
/// Most ports, environment variables, arguments.
const MAX_ENTRIES: usize = 4096;
/// Most addresses of a pod (dual stack has two).
const MAX_ADDRESSES: usize = 16;

/// A list of mappings in which a wrong element costs only itself.
pub type List<T, const N: usize> = Field<Few<Field<T>, N>>;

/// A whole document: a Pod, or a list of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Document {
    /// `Pod`, `PodList`, `List`.
    pub kind: Field<String>,
    /// Of a list; converted while they are read, so that only their probes are kept.
    pub items: Items,
    /// Of a Pod, as the next two.
    pub metadata: Field<Metadata>,
    pub spec: Field<PodSpec>,
    pub status: Field<PodStatus>,
}

/// A Pod; `kind` is absent in a PodList.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pod {
    pub kind: Field<String>,
    pub metadata: Field<Metadata>,
    pub spec: Field<PodSpec>,
    pub status: Field<PodStatus>,
}

/// `metadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    pub name: Field<String>,
    pub namespace: Field<String>,
    pub uid: Field<String>,
    pub deletion_timestamp: Field<String>,
    pub annotations: Field<Annotations>,
}

/// The annotations that carry a static pod's own uid.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Annotations {
    #[serde(rename = "kubernetes.io/config.hash")]
    pub config_hash: Field<String>,
    #[serde(rename = "kubernetes.io/config.mirror")]
    pub config_mirror: Field<String>,
}

/// `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    pub host_network: Field<bool>,
    pub containers: List<Container, MAX_CONTAINERS>,
    pub init_containers: List<Container, MAX_CONTAINERS>,
}

/// A container; `restartPolicy: Always` makes an init container a sidecar.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    pub name: Field<String>,
    pub restart_policy: Field<String>,
    pub ports: List<Port, MAX_ENTRIES>,
    pub env: List<EnvVar, MAX_ENTRIES>,
    pub liveness_probe: Field<Probe>,
    pub readiness_probe: Field<Probe>,
    pub startup_probe: Field<Probe>,
}

/// `ports[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Port {
    pub name: Field<String>,
    pub container_port: Field<i64>,
}

/// `env[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar {
    pub name: Field<String>,
    pub value: Field<String>,
}

/// A probe.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Probe {
    pub exec: Field<Exec>,
    pub http_get: Field<HttpGet>,
    pub tcp_socket: Field<TcpSocket>,
    pub grpc: Field<Grpc>,
    pub initial_delay_seconds: Field<i64>,
    pub timeout_seconds: Field<i64>,
    pub period_seconds: Field<i64>,
    pub success_threshold: Field<i64>,
    pub failure_threshold: Field<i64>,
}

/// `exec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Exec {
    pub command: List<String, MAX_ENTRIES>,
}

/// `httpGet`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpGet {
    pub host: Field<String>,
    pub path: Field<String>,
    pub port: Field<IntOrName>,
    pub scheme: Field<String>,
}

/// `tcpSocket`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpSocket {
    pub host: Field<String>,
    pub port: Field<IntOrName>,
}

/// `grpc`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Grpc {
    pub port: Field<i64>,
    pub service: Field<String>,
}

/// `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    pub phase: Field<String>,
    #[serde(rename = "hostIP")]
    pub host_ip: Field<String>,
    #[serde(rename = "podIP")]
    pub pod_ip: Field<String>,
    #[serde(rename = "podIPs")]
    pub pod_ips: List<PodIp, MAX_ADDRESSES>,
    pub container_statuses: List<ContainerStatus, MAX_CONTAINERS>,
    pub init_container_statuses: List<ContainerStatus, MAX_CONTAINERS>,
}

/// `podIPs[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodIp {
    pub ip: Field<String>,
}

/// `containerStatuses[]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStatus {
    pub name: Field<String>,
    #[serde(rename = "containerID")]
    pub container_id: Field<String>,
    pub restart_count: Field<i64>,
    pub state: Field<State>,
}

/// `state`; only `running` says since when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct State {
    pub running: Field<Running>,
}

/// `state.running`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Running {
    pub started_at: Field<String>,
}

macro_rules! mappings {
    ($($name:ident),* $(,)?) => {$(
        impl Shaped for $name {
            const SHAPE: Shape = Shape::Map;
        }
    )*};
}

mappings!(
    Document,
    Pod,
    Metadata,
    Annotations,
    PodSpec,
    Container,
    Port,
    EnvVar,
    Probe,
    Exec,
    HttpGet,
    TcpSocket,
    Grpc,
    PodStatus,
    PodIp,
    ContainerStatus,
    State,
    Running
);

/// A port by number or by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum IntOrName {
    /// A number.
    Int(i64),
    /// The name of a container port, or a number as text.
    Name(String),
}

impl Shaped for IntOrName {
    const SHAPE: Shape = Shape::Scalar;
}

impl Document {
    /// The document's own Pod.
    pub fn into_pod(self) -> Pod {
        Pod { kind: self.kind, metadata: self.metadata, spec: self.spec, status: self.status }
    }
}

impl Pod {
    /// Neither valid nor even a list: what a file that is still being written looks like.
    pub fn has_no_containers(&self) -> bool {
        self.spec.value().and_then(|spec| spec.containers.value()).is_none_or(|containers| containers.items.is_empty())
    }
}

/// The pods of a list, already converted.
#[derive(Debug, Default)]
pub struct Items(pub Output);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;
        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of pods in `items`")
            }

            fn visit_unit<E>(self) -> Result<Items, E> {
                Ok(Items::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut output = Output::default();
                while let Some(item) = seq.next_element::<Field<Pod>>()? {
                    match item {
                        Field::Value(pod) => convert::pod(&pod, &mut output),
                        Field::Absent => output.problem("an empty entry in items".to_owned()),
                        Field::Wrong(found) => output.problem(format!("an entry in items is {found}, no pod")),
                    }
                }
                Ok(Items(output))
            }
        }
        deserializer.deserialize_any(ItemsVisitor)
    }
}
