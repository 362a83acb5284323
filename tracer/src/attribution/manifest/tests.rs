//! Sample manifests, each field that matters, and what no input may do.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::attribution::spec::{Handler, ProbeKind, ProbeSpec};

const KUBECTL: &str = include_str!("../../../../tests/manifests/kubectl-list.yaml");
const KUBELET: &str = include_str!("../../../../tests/manifests/kubelet-pods.json");
const STATIC: &str = include_str!("../../../../tests/manifests/static-pod.yaml");
const WRONG: &str = include_str!("../../../../tests/manifests/wrong-fields.yaml");

fn parsed(text: &str) -> Manifests {
    parse(text.as_bytes()).unwrap()
}

fn find<'a>(manifests: &'a Manifests, container: &str, kind: ProbeKind) -> &'a ProbeSpec {
    let mut found = manifests.probes.iter().filter(|p| p.container.name == container && p.kind == kind);
    found.next().unwrap_or_else(|| panic!("no {kind:?} of {container}"))
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn kubectl_list_gives_each_container_as_its_status_shows_it() {
    let manifests = parsed(KUBECTL);
    assert_eq!((manifests.pods, manifests.probes.len(), manifests.problems.len()), (3, 6, 0), "{manifests:#?}");
    let live = find(&manifests, "web", ProbeKind::Liveness);
    assert_eq!(
        live.handler,
        Handler::Http {
            address: address("10.244.1.9"),
            host_name: None,
            port: 8443,
            path: "/live?full=1".into(),
            tls: true
        }
    );
    assert_eq!(
        (live.timeout_ns, live.period_ns, live.initial_delay_ns),
        (3_000_000_000, 20_000_000_000, 15_000_000_000)
    );
    assert_eq!((live.failure_threshold, live.success_threshold), (6, 1));
    let web = &live.container;
    assert_eq!((web.namespace.as_str(), web.pod.as_str()), ("store", "shop-7d4b9c6f5d-x2x9p"));
    assert_eq!(web.pod_uid, "0f1c6c1e-6a53-4a0e-9a2e-0d0d6a3f8b11");
    assert_eq!(web.pod_ips, ["10.244.1.9".parse::<IpAddr>().unwrap(), "fd00:10:244:1::9".parse().unwrap()]);
    assert_eq!(web.id, "5f2cbb9d02cc4a1f0b2ad5b84e6b8cbaee3b0b3bb9f51a1ac9c2f2a02c3c7d10");
    assert_eq!((web.restarts, web.started_at_wall_ns), (4, 1_772_368_496_000_000_000));
    assert_eq!((web.ports.as_slice(), web.host_network, web.deleting), ([8443, 9100].as_slice(), false, false));
    let start = find(&manifests, "web", ProbeKind::Startup);
    assert_eq!(
        start.handler,
        Handler::Grpc { address: address("10.244.1.9"), port: 9100, service: "shop.Health".into() }
    );
}

#[test]
fn exec_commands_are_expanded_from_literal_values_only() {
    let manifests = parsed(KUBECTL);
    let ready = find(&manifests, "web", ProbeKind::Readiness);
    let argv = ["/bin/check", "--url=https://localhost:8443/ready", "--password=", "--unknown=$(NOT_THERE)", "$(PORT)"];
    assert_eq!(ready.handler, Handler::Exec { argv: argv.map(str::to_owned).to_vec() });
    assert_eq!(ready.success_threshold, 2);
}

#[test]
fn only_sidecars_of_the_init_containers_are_probed() {
    let manifests = parsed(KUBECTL);
    assert!(manifests.probes.iter().all(|p| p.container.name != "migrate"), "a plain init container has no probes");
    let mesh = find(&manifests, "mesh", ProbeKind::Readiness);
    assert!(matches!(&mesh.handler, Handler::Http { port: 15021, path, .. } if path == "healthz/ready"));
    assert!(mesh.container.id.starts_with("77c19f"), "its status is among initContainerStatuses");
}

#[test]
fn mirror_pods_have_the_static_uid_and_host_network_the_hosts_address() {
    let manifests = parsed(KUBECTL);
    let live = find(&manifests, "kube-apiserver", ProbeKind::Liveness);
    assert_eq!(live.container.pod_uid, "3b6ab1e1c0a7d0f5e1a2f4b8c9d0e1f2");
    assert_eq!(live.container.pod_ips, ["192.168.7.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(live.handler.endpoint(), Some(("127.0.0.1".parse().unwrap(), 6443)));
    assert_eq!((live.container.id.as_str(), live.container.started_at_wall_ns), ("aa", 0));
    let ready = find(&manifests, "kube-apiserver", ProbeKind::Readiness);
    let host_name = Some("localhost".to_owned());
    assert_eq!(ready.handler, Handler::Tcp { address: address("127.0.0.1"), host_name, port: 6443 });
}

#[test]
fn the_kubelets_answer() {
    let manifests = parsed(KUBELET);
    assert_eq!((manifests.pods, manifests.probes.len(), manifests.problems.len()), (3, 6, 0), "{manifests:#?}");
    let named = manifests.probes.iter().find(|p| p.container.pod == "ok-http-node1" && p.kind == ProbeKind::Liveness);
    let named = named.unwrap();
    assert!(matches!(named.handler, Handler::Http { port: 8080, tls: false, .. }));
    assert_eq!((named.container.pod_uid.len(), named.container.id.len()), (32, 64));
    assert!(named.container.started_at_wall_ns > 0);
}

#[test]
fn a_static_manifest_gets_the_kubelets_defaults() {
    let manifests = parsed(STATIC);
    let live = find(&manifests, "etcd", ProbeKind::Liveness);
    assert_eq!((live.timeout_ns, live.period_ns, live.initial_delay_ns), (1_000_000_000, 10_000_000_000, 0));
    assert_eq!((live.failure_threshold, live.success_threshold), (3, 1));
    assert!(matches!(&live.handler, Handler::Http { path, tls: false, .. } if path == "/health"));
    assert_eq!((live.container.pod_uid.as_str(), live.container.id.as_str()), ("", ""));
    assert_eq!(find(&manifests, "etcd", ProbeKind::Startup).timeout_ns, 15_000_000_000);
}

#[test]
fn a_probe_without_an_address_is_kept_and_told() {
    let pod = "{kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, \
               livenessProbe: {httpGet: {port: 80, path: ''}}, readinessProbe: {exec: {command: [a]}}}]}}";
    let manifests = parsed(pod);
    assert_eq!(manifests.probes.len(), 2);
    let live = find(&manifests, "c", ProbeKind::Liveness);
    assert!(matches!(&live.handler, Handler::Http { address: None, path, .. } if path == "/"));
    assert_eq!(manifests.problems, ["pod default/p: no address, status.podIP is not in the manifest"]);
    assert!(parse_static(pod.as_bytes()).unwrap().problems.is_empty());
}

#[test]
fn a_wrong_field_costs_one_probe_and_is_named() {
    let manifests = parsed(WRONG);
    assert_eq!(manifests.probes.len(), 1, "{manifests:#?}");
    let good = find(&manifests, "good", ProbeKind::Liveness);
    assert_eq!((good.timeout_ns, good.failure_threshold), (1_000_000_000, 3));
    let expected = [
        "container bad-port-name: livenessProbe httpGet.port \"http\" is the name of no port of this container",
        "container bad-number: livenessProbe timeoutSeconds is a string",
        "container negative: livenessProbe periodSeconds is -1, it must be positive and fit 32 bits",
        "container port-range: livenessProbe tcpSocket.port 70000 is no port (1 to 65535)",
        "container no-handler: livenessProbe has no exec, httpGet, tcpSocket or grpc",
        "container not-a-map: livenessProbe is a list",
        "container empty-command: livenessProbe exec.command is empty",
        "container scheme: livenessProbe httpGet.scheme is neither HTTP nor HTTPS",
        "container command-number: livenessProbe an argument of exec.command is a number",
        "an entry of spec.containers is no container",
    ];
    assert_eq!(manifests.problems.len(), expected.len(), "{:#?}", manifests.problems);
    for (line, expected) in manifests.problems.iter().zip(expected) {
        assert!(line.starts_with("pod ns/mixed") && line.ends_with(expected), "{line}");
    }
}

#[test]
fn several_documents_and_deleted_pods() {
    let pod = |name: &str, more: &str| {
        format!(
            "kind: Pod\nmetadata: {{name: {name}{more}}}\nspec: {{containers: [{{name: c, livenessProbe: {{tcpSocket: {{port: 1}}}}}}]}}\nstatus: {{podIP: 10.0.0.1}}\n"
        )
    };
    let text = format!("---\n{}---\n{}---\n", pod("a", ""), pod("b", ", deletionTimestamp: '2026-01-01T00:00:00Z'"));
    let manifests = parsed(&text);
    let pods: Vec<_> = manifests.probes.iter().map(|p| (p.container.pod.as_str(), p.container.deleting)).collect();
    assert_eq!(pods, [("a", false), ("b", true)]);
    let deployment = format!("kind: Deployment\nspec: {{replicas: 1}}\n---\n{}", pod("a", ""));
    assert_eq!(parsed(&deployment).problems, ["a Deployment in the file is no pod and was left out"]);
    let json = r#"{"kind":"PodList","items":[]} {"kind":"PodList","items":null}"#;
    assert_eq!(parsed(json), Manifests::default());
}

#[test]
fn broken_files_are_refused_with_the_reason() {
    type IsRight = fn(&ManifestError) -> bool;
    let cases: [(&str, IsRight); 9] = [
        ("", |e| *e == ManifestError::Empty),
        ("# only a comment\n", |e| *e == ManifestError::Empty),
        ("error: no such host", |e| *e == ManifestError::NoKind),
        ("hello", |e| *e == ManifestError::NotPods("a string".into())),
        ("kind: ConfigMap\n", |e| *e == ManifestError::NotPods("a ConfigMap".into())),
        ("apiVersion: v1\nitems:\n- metadata: {name: cut}\n", |e| *e == ManifestError::NoKind),
        ("kind: Pod\nmetadata: {name: cut}\nspec:\n", |e| *e == ManifestError::NoContainers("default/cut".into())),
        (r#"{"kind":"PodList","items":[{"meta"#, |e| matches!(e, ManifestError::Syntax(why) if why.contains("line 1"))),
        ("kind: Pod\n\tx: [", |e| matches!(e, ManifestError::Syntax(_))),
    ];
    for (text, is_right) in cases {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(is_right(&error), "{text:?}: {error:?}");
    }
    assert_eq!(parse_bounded(&[b' '; 9], 8), Err(ManifestError::TooLarge { bytes: 9, max: 8 }));
    assert!(parse(&[0xff, 0xfe, 0x00]).is_err());
}

#[test]
fn bounds_hold() {
    let list = |items: &str| format!(r#"{{"kind":"PodList","items":[{items}]}}"#);
    let many = vec!["{}"; MAX_PODS as usize + 1].join(",");
    assert_eq!(parse(list(&many).as_bytes()), Err(ManifestError::TooManyPods));
    let container = r#"{"name":"c","livenessProbe":{"tcpSocket":{"port":1}}}"#;
    let pod = format!(r#"{{"metadata":{{"name":"p"}},"spec":{{"containers":[{}]}}}}"#, vec![container; 256].join(","));
    assert_eq!(parse(list(&vec![pod.as_str(); 120].join(",")).as_bytes()), Err(ManifestError::TooManyProbes));
    let deep = format!("kind: Pod\nx: {}{}\n", "[".repeat(200), "]".repeat(200));
    assert!(matches!(parse(deep.as_bytes()), Err(ManifestError::Syntax(_))));
    let deep = format!(r#"{{"kind":"Pod","spec":{}{}}}"#, "{\"containers\":[".repeat(500), "]}".repeat(500));
    check_any(deep.as_bytes()); // unknown fields are skipped without recursion
}

#[test]
fn anchors_cannot_blow_up() {
    let mut text = "kind: Pod\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert!(matches!(parse(text.as_bytes()), Err(ManifestError::Syntax(_))));
    let shared = "kind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - {name: a, livenessProbe: &p {tcpSocket: {port: 1}}}\n  - {name: b, livenessProbe: *p}\n";
    assert_eq!(parsed(shared).probes.len(), 2, "a few aliases are fine");
}

#[test]
fn an_expansion_bomb_costs_its_probe() {
    let value = "x".repeat(60_000);
    let argument = "$(A)".repeat(1000);
    let text = format!(
        "kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, env: [{{name: A, value: {value}}}], livenessProbe: {{exec: {{command: [{argument}]}}}}}}]}}"
    );
    let manifests = parsed(&text);
    assert_eq!(manifests.probes.len(), 0);
    assert!(manifests.problems[0].contains("longer than 131072 bytes"), "{:?}", manifests.problems);
}

/// What holds for every input.
fn check_any(bytes: &[u8]) {
    let Ok(manifests) = parse(bytes) else { return };
    assert!(manifests.pods <= MAX_PODS && manifests.probes.len() <= MAX_PROBES);
    for probe in &manifests.probes {
        assert!(probe.timeout_ns > 0 && probe.period_ns > 0 && probe.failure_threshold > 0);
        assert!(!probe.container.pod.is_empty() && !probe.container.name.is_empty());
        match &probe.handler {
            Handler::Http { port, path, .. } => assert!(*port > 0 && !path.is_empty()),
            Handler::Tcp { port, .. } | Handler::Grpc { port, .. } => assert!(*port > 0),
            Handler::Exec { argv } => assert!(!argv.is_empty()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_any(&bytes);
    }

    #[test]
    fn mutated_samples_never_panic(
        sample in prop::sample::select(vec![KUBECTL, KUBELET, STATIC, WRONG]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..8),
    ) {
        let mut bytes = sample.as_bytes().to_vec();
        for (index, byte, edit) in edits {
            let at = index.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, byte),
            }
        }
        check_any(&bytes);
    }

    #[test]
    fn a_cut_list_never_passes_as_a_shorter_one(cut in 0..KUBECTL.rfind("kind: List").unwrap()) {
        prop_assert!(!matches!(parse(&KUBECTL.as_bytes()[..cut]), Ok(m) if m.pods > 0));
    }
}
