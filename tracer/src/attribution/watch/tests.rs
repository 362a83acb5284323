//! The tasks with real files and a channel.

use std::{path::Path, time::Instant as StdInstant};

use super::*;

fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

fn write(path: &Path, ports: std::ops::Range<u16>) {
    let containers: Vec<_> =
        ports.map(|port| format!("{{name: c{port}, livenessProbe: {{tcpSocket: {{port: {port}}}}}}}")).collect();
    let pod = format!(
        "kind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{}]}}\nstatus: {{podIP: 10.0.0.1}}\n",
        containers.join(", ")
    );
    let new = path.with_extension("new");
    std::fs::write(&new, pod).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn folder(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("probetrace-{}-watch-{test}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

async fn next(updates: &mut mpsc::Receiver<SpecUpdate>) -> SpecUpdate {
    tokio::time::timeout(Duration::from_secs(10), updates.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_first_look_is_over_when_start_returns_and_changes_follow() {
    let folder = folder("changes");
    let path = folder.join("pods.yaml");
    write(&path, 1..3);
    let (sender, mut updates) = mpsc::channel(1);
    let config = SourcesConfig { targets: Some(path.clone()), ..SourcesConfig::default() };
    let sources = Sources::start(config, clock, sender).await.unwrap();
    let [status] = &sources.status()[..] else { panic!() };
    assert_eq!((status.state, status.probes, status.source), (SourceState::Good, 2, SpecSource::File));
    let first = next(&mut updates).await;
    assert_eq!((first.probes.len(), Some(first.at_ns)), (2, status.changed_at_ns));

    write(&path, 1..6);
    let written = StdInstant::now();
    assert_eq!(next(&mut updates).await.probes.len(), 5);
    // The contract says half a second; a busy machine gets some more.
    assert!(written.elapsed() < Duration::from_millis(1500), "{:?}", written.elapsed());

    std::fs::remove_file(&path).unwrap();
    while sources.status()[0].state == SourceState::Good {
        tokio::task::yield_now().await;
    }
    let status = &sources.status()[0];
    assert_eq!((status.state, status.probes), (SourceState::Failing, 5), "the last good content stays");
    assert!(status.remark.as_ref().unwrap().contains("No such file"));

    sources.stop().await;
    assert_eq!(updates.recv().await, None, "all tasks have ended");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_full_channel_holds_the_source_back_and_the_stop_still_works() {
    let folder = folder("full");
    for name in ["a.yaml", "b.yaml"] {
        write(&folder.join(name), 1..2);
    }
    let (sender, mut updates) = mpsc::channel(1);
    let config = SourcesConfig {
        targets: Some(folder.join("a.yaml")),
        static_pods: Some(vec![folder.clone()]),
        node: "n1".to_owned(),
        ..SourcesConfig::default()
    };
    let sources = Sources::start(config, clock, sender).await.unwrap();
    write(&folder.join("a.yaml"), 1..4);
    let mut files = Vec::new();
    while files.last() != Some(&3) {
        let update = next(&mut updates).await;
        if update.source == SpecSource::File {
            files.push(update.probes.len());
        }
    }
    assert_eq!(files, [1, 3]);
    write(&folder.join("a.yaml"), 1..5);
    sources.stop().await; // though nobody reads the channel
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn an_unusable_targets_file_fails_the_start() {
    let (sender, _updates) = mpsc::channel(1);
    let config = SourcesConfig { targets: Some("/nonexistent/pods.yaml".into()), ..SourcesConfig::default() };
    let error = Sources::start(config, clock, sender).await.unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/pods.yaml: No such file") && error.contains("kubectl"), "{error}");
}

/// With a running node of the kit, as kubelet/tests.rs says. As root.
#[tokio::test]
#[ignore = "needs a real kubelet: K8S_KUBELET_PID, K8S_STATIC_PODS"]
async fn a_real_node_shows_a_new_static_pod_in_both_sources() {
    let var = |name: &str| std::env::var(name).unwrap();
    let folder = PathBuf::from(var("K8S_STATIC_PODS"));
    let (sender, mut updates) = mpsc::channel(4);
    let config = SourcesConfig {
        static_pods: Some(Vec::new()),
        kubelet: Some(kubelet::KubeletConfig::default()),
        node: "unused: the kubelet has --hostname-override".to_owned(),
        kubelet_pid: Some(var("K8S_KUBELET_PID").parse().unwrap()),
        ..SourcesConfig::default()
    };
    let sources = Sources::start(config, clock, sender).await.unwrap();
    assert!(sources.status().iter().all(|status| status.state == SourceState::Good), "{:#?}", sources.status());

    let pod = "kind: Pod\napiVersion: v1\nmetadata: {name: fresh}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  \
               - {name: app, image: 'k8s.local/probe-app:1', command: [/probe-app, serve, 'tcp:9090'], livenessProbe: {tcpSocket: {port: 9090}}}\n";
    std::fs::write(folder.join(".fresh"), pod).unwrap();
    std::fs::rename(folder.join(".fresh"), folder.join("fresh.yaml")).unwrap();
    let written = StdInstant::now();
    let (mut by_manifest, mut by_kubelet) = (None, None);
    while by_manifest.is_none() || by_kubelet.is_none() {
        sources.kick();
        let Ok(update) = tokio::time::timeout(Duration::from_millis(200), updates.recv()).await else { continue };
        let update = update.unwrap();
        let Some(fresh) = update.probes.iter().find(|p| p.container.pod == "fresh-node1") else { continue };
        match update.source {
            SpecSource::StaticPods => by_manifest = by_manifest.or(Some(written.elapsed())),
            _ if fresh.handler.endpoint().is_some() && !fresh.container.id.is_empty() => {
                by_kubelet = by_kubelet.or(Some(written.elapsed()));
            }
            _ => {}
        }
        assert!(written.elapsed() < Duration::from_secs(60), "{:#?}", sources.status());
    }
    std::fs::remove_file(folder.join("fresh.yaml")).unwrap();
    eprintln!("manifest after {by_manifest:?}, address and id after {by_kubelet:?}");
    assert!(by_manifest.unwrap() < Duration::from_secs(1), "{by_manifest:?}");
    sources.stop().await;
}
