//! What stays the same of a probe while its container restarts.

use super::spec::{Container, ProbeKind, ProbeSpec};

/// One worker of the kubelet (prober_manager.go: probeKey): pod, container name, kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeKey {
    /// See [`ContainerKey`].
    pub container: ContainerKey,
    /// Which probe.
    pub kind: ProbeKind,
}

/// One container of a pod, over its restarts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerKey {
    /// The pod's uid, or `namespace/name` where the source gives none.
    pub pod: String,
    /// Container's name.
    pub name: String,
}

impl ContainerKey {
    /// Of this container.
    pub fn of(container: &Container) -> Self {
        let pod = match container.pod_uid.as_str() {
            "" => format!("{}/{}", container.namespace, container.pod),
            uid => uid.to_owned(),
        };
        Self { pod, name: container.name.clone() }
    }
}

impl ProbeKey {
    /// Of this probe.
    pub fn of(spec: &ProbeSpec) -> Self {
        Self { container: ContainerKey::of(&spec.container), kind: spec.kind }
    }
}
