//! A Pod to the specs of its probes.

use std::{net::IpAddr, sync::Arc};

use super::{
    handler::{handler, number},
    lenient::{Few, Field},
    output::Output,
    pod::{self, ContainerStatus, List, Pod, PodSpec, PodStatus},
};
use crate::attribution::spec::{Container, Handler, ProbeKind, ProbeSpec};

/// Longest name of a Kubernetes object (a DNS subdomain, RFC 1123), uid or container id.
const MAX_NAME_BYTES: usize = 253;
const NS_PER_S: u64 = 1_000_000_000;

/// `namespace/name` for people, whatever is missing.
pub fn title(pod: &Pod) -> String {
    let metadata = pod.metadata.value();
    let part = |field: Option<&Field<String>>, default: &str| -> String {
        field.and_then(Field::text).unwrap_or(default).chars().take(MAX_NAME_BYTES).collect()
    };
    let namespace = part(metadata.map(|m| &m.namespace), "default");
    format!("{namespace}/{}", part(metadata.map(|m| &m.name), "(no name)"))
}

/// Adds every probe that the kubelet makes for this pod.
pub fn pod(pod: &Pod, output: &mut Output) {
    if !output.count_pod() || pod.kind.text().is_some_and(|kind| kind != "Pod") {
        return;
    }
    if let Err(reason) = try_pod(pod, output) {
        output.problem(format!("pod {}: {reason}", title(pod)));
    }
}

fn try_pod(pod: &Pod, output: &mut Output) -> Result<(), String> {
    let no_status = PodStatus::default();
    let status = match &pod.status {
        Field::Value(status) => status,
        Field::Absent => &no_status,
        Field::Wrong(found) => return Err(format!("status is {found}")),
    };
    // Workers of finished pods have ended (pkg/kubelet/prober/worker.go:doProbe).
    if matches!(status.phase.text(), Some("Succeeded" | "Failed")) {
        return Ok(());
    }
    let spec = pod.spec.value().ok_or("it has no spec")?;
    if let Some(found) = spec.host_network.wrong() {
        return Err(format!("spec.hostNetwork is {found}, write true or false"));
    }
    let shared = identity(pod, spec, status, output)?;
    let lists = [
        ("containers", &spec.containers, &status.container_statuses, false),
        ("initContainers", &spec.init_containers, &status.init_container_statuses, true),
    ];
    for (name, containers, statuses, is_init) in lists {
        if let Some(found) = containers.wrong() {
            output.problem(format!("pod {}: spec.{name} is {found}", title(pod)));
        }
        let Some(Few { items, dropped }) = containers.value() else { continue };
        if *dropped > 0 {
            output.problem(format!(
                "pod {}: {dropped} entries of spec.{name} are too many and were left out",
                title(pod)
            ));
        }
        for container in items {
            match container {
                Field::Value(container) if is_init && container.restart_policy.text() != Some("Always") => {}
                Field::Value(container) => self::container(&shared, container, statuses, output),
                Field::Absent | Field::Wrong(_) => {
                    output.problem(format!("pod {}: an entry of spec.{name} is no container", title(pod)));
                }
            }
        }
    }
    Ok(())
}

/// What all containers of a pod have in common.
fn identity(pod: &Pod, spec: &PodSpec, status: &PodStatus, output: &mut Output) -> Result<Container, String> {
    let metadata = pod.metadata.value().ok_or("it has no metadata")?;
    let bounded = |field: &Field<String>, name: &str| match field {
        Field::Absent => Ok(String::new()),
        Field::Value(text) if text.len() <= MAX_NAME_BYTES => Ok(text.clone()),
        Field::Value(_) => Err(format!("metadata.{name} is longer than {MAX_NAME_BYTES} bytes")),
        Field::Wrong(found) => Err(format!("metadata.{name} is {found}")),
    };
    let name = bounded(&metadata.name, "name")?;
    if name.is_empty() {
        return Err("it has no metadata.name".to_owned());
    }
    let namespace = Some(bounded(&metadata.namespace, "namespace")?).filter(|namespace| !namespace.is_empty());
    let no_annotations = pod::Annotations::default();
    let annotations = metadata.annotations.value().unwrap_or(&no_annotations);
    // The API server gives the mirror of a static pod an own uid; cgroups carry the static pod's.
    let mirrored = [&annotations.config_mirror, &annotations.config_hash].into_iter().find(|a| a.text().is_some());
    let host_network = spec.host_network.value().copied().unwrap_or(false);
    Ok(Container {
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        pod_uid: bounded(mirrored.unwrap_or(&metadata.uid), "uid")?,
        pod_ips: addresses(status, host_network, &name, output),
        pod: name,
        host_network,
        name: String::new(),
        id: String::new(),
        started_at_wall_ns: 0,
        restarts: 0,
        ports: Vec::new(),
        deleting: !matches!(metadata.deletion_timestamp, Field::Absent),
    })
}

/// podIP, podIPs, and for a pod in the host's network the host's address, the primary first.
fn addresses(status: &PodStatus, host_network: bool, pod: &str, output: &mut Output) -> Vec<IpAddr> {
    let listed = status.pod_ips.value().into_iter().flat_map(|list| &list.items).filter_map(Field::value);
    let texts = status.pod_ip.text().into_iter().chain(listed.filter_map(|entry| entry.ip.text()));
    let mut addresses: Vec<IpAddr> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        match text.parse() {
            Ok(address) if addresses.contains(&address) => {}
            Ok(address) => addresses.push(address),
            Err(_) => {
                let text: String = text.chars().take(50).collect();
                output.problem(format!("pod {pod}: status.podIP {text:?} is no address"));
            }
        }
    }
    if addresses.is_empty() && host_network {
        addresses.extend(status.host_ip.text().and_then(|text| text.parse::<IpAddr>().ok()));
    }
    addresses
}

fn container<const N: usize>(
    shared: &Container,
    container: &pod::Container,
    statuses: &List<ContainerStatus, N>,
    output: &mut Output,
) {
    let whose = |name: &str| format!("pod {}/{}, container {name}", shared.namespace, shared.pod);
    let name = match container.name.text() {
        Some(name) if name.len() <= MAX_NAME_BYTES => name,
        _ => return output.problem(format!("{}: it has no name", whose("?"))),
    };
    let mut full = Container { name: name.to_owned(), ..shared.clone() };
    let ports = container.ports.value().into_iter().flat_map(|ports| &ports.items).filter_map(Field::value);
    full.ports = ports.filter_map(|port| u16::try_from(*port.container_port.value()?).ok()).collect();
    let statuses = statuses.value().into_iter().flat_map(|list| &list.items).filter_map(Field::value);
    if let Some(status) = statuses.into_iter().find(|status| status.name.text() == Some(name)) {
        apply_status(&mut full, status);
    }
    let full = Arc::new(full);
    for (kind, field, probe) in [
        (ProbeKind::Liveness, "livenessProbe", &container.liveness_probe),
        (ProbeKind::Readiness, "readinessProbe", &container.readiness_probe),
        (ProbeKind::Startup, "startupProbe", &container.startup_probe),
    ] {
        let spec = match probe {
            Field::Absent => continue,
            Field::Wrong(found) => Err(format!("is {found}")),
            Field::Value(probe) => probe_spec(&full, kind, probe, container),
        };
        match spec {
            Ok(spec) => admit(spec, &whose(name), field, output),
            Err(reason) => output.problem(format!("{}: {field} {reason}", whose(name))),
        }
    }
}

/// Keeps a probe within the bounds.
fn admit(spec: ProbeSpec, whose: &str, field: &str, output: &mut Output) {
    if let Handler::Exec { argv } = &spec.handler
        && !output.admit_argv(argv.iter().map(String::len).sum())
    {
        return output.problem(format!("{whose}: {field} left out: all commands together are too long"));
    }
    output.probe(spec);
}

/// What `status.containerStatuses` says; a wrong field there is no more than a missing one.
fn apply_status(container: &mut Container, status: &ContainerStatus) {
    // `containerd://0123…`: the runtime's name is no part of the cgroup's.
    let id = status.container_id.text().map(|id| id.rsplit_once("://").map_or(id, |(_, id)| id));
    container.id = id.filter(|id| id.len() <= MAX_NAME_BYTES).unwrap_or_default().to_owned();
    container.restarts = status.restart_count.value().and_then(|count| u32::try_from(*count).ok()).unwrap_or(0);
    let running = status.state.value().and_then(|state| state.running.value());
    let started_at = running.and_then(|running| running.started_at.text()?.parse::<jiff::Timestamp>().ok());
    container.started_at_wall_ns = started_at.and_then(|at| i64::try_from(at.as_nanosecond()).ok()).unwrap_or(0);
}

fn probe_spec(
    container: &Arc<Container>,
    kind: ProbeKind,
    probe: &pod::Probe,
    manifest: &pod::Container,
) -> Result<ProbeSpec, String> {
    let seconds = |field, name, default| number(field, name, default).map(|s| u64::from(s) * NS_PER_S);
    Ok(ProbeSpec {
        container: Arc::clone(container),
        kind,
        handler: handler(probe, manifest, container.pod_ips.first().copied())?,
        timeout_ns: seconds(&probe.timeout_seconds, "timeoutSeconds", 1)?,
        period_ns: seconds(&probe.period_seconds, "periodSeconds", 10)?,
        initial_delay_ns: seconds(&probe.initial_delay_seconds, "initialDelaySeconds", 0)?,
        failure_threshold: number(&probe.failure_threshold, "failureThreshold", 3)?,
        success_threshold: number(&probe.success_threshold, "successThreshold", 1)?,
    })
}
