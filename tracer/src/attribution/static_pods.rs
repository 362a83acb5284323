//! Static-pod manifests of the kubelet's folder.
//!
//! They have no status: no address, no container id, and the uid is a hash that only the kubelet's own `/pods` shows.
//! What they give is handlers and timing, under the pod's name on this node.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    file::{LOOK_INTERVAL, WatchedFile},
    kubelet::settings::Settings,
    manifest::{self, Manifests},
    proc_root,
    spec::{Container, SpecSource},
    watch::{KubeletPid, Looked, Source, SourceState, blocking},
};

/// The kubeadm default, where neither flags nor the kubelet's configuration name a folder.
const DEFAULT_FOLDER: &str = "/etc/kubernetes/manifests";
/// Most manifest files; a node has a handful.
const MAX_FILES: usize = 1000;

/// The source.
#[derive(Debug)]
pub struct StaticPods {
    /// Given by flag; none: the kubelet's own.
    folders: Vec<PathBuf>,
    node: String,
    pid: KubeletPid,
    /// Settings of the kubelet of this pid.
    settings: Option<(u32, Settings)>,
    files: BTreeMap<PathBuf, Entry>,
}

/// A file and its last good content.
#[derive(Debug)]
struct Entry {
    file: WatchedFile,
    content: Option<Manifests>,
}

impl StaticPods {
    /// From folders (or files) given by flag, or with none of them from the kubelet's settings.
    pub fn new(folders: Vec<PathBuf>, node: String, pid: KubeletPid) -> Self {
        Self { folders, node, pid, settings: None, files: BTreeMap::new() }
    }

    /// The folders as we open them, and the name of the node as the kubelet has it.
    fn place(&mut self) -> (Vec<PathBuf>, String) {
        let pid = self.pid.get();
        if self.settings.as_ref().map(|(pid, _)| *pid) != pid {
            self.settings = pid.map(|pid| (pid, Settings::of_process(pid)));
        }
        let settings = self.settings.as_ref().map(|(_, settings)| settings);
        let node = settings.and_then(|s| s.hostname_override.clone()).unwrap_or_else(|| self.node.clone());
        if !self.folders.is_empty() {
            return (self.folders.clone(), node);
        }
        let folder = settings.and_then(|s| s.static_pod_path.as_deref()).unwrap_or(Path::new(DEFAULT_FOLDER));
        let resolved = proc_root::resolve(&proc_root::root_of(pid), folder);
        (vec![resolved.unwrap_or_else(|_| folder.to_owned())], node)
    }

    fn look_now(&mut self) -> Looked {
        let (folders, node) = self.place();
        let mut paths = Vec::new();
        for folder in &folders {
            match manifests_in(folder) {
                Ok(found) => paths.extend(found),
                Err(error) => {
                    let why = format!("{}: {error}", folder.display());
                    let is_absent = error.kind() == io::ErrorKind::NotFound && self.files.is_empty();
                    return Looked::bad(if is_absent { SourceState::Absent } else { SourceState::Failing }, why);
                }
            }
        }
        let dropped = paths.len().saturating_sub(MAX_FILES);
        paths.truncate(MAX_FILES);
        self.files.retain(|path, _| paths.contains(path));
        for path in paths {
            let new = || Entry { file: WatchedFile::new(path.clone(), manifest::parse_static), content: None };
            let entry = self.files.entry(path.clone()).or_insert_with(new);
            if let Some(content) = entry.file.look() {
                entry.content = Some(on_node(content, &node));
            }
        }
        let bad = self.files.values().filter_map(|entry| entry.file.problem());
        let mut problems: Vec<String> = bad.map(ToString::to_string).collect();
        if dropped > 0 {
            problems.push(format!("{dropped} files past the first {MAX_FILES} were left out"));
        }
        let mut all = Manifests::default();
        for content in self.files.values().filter_map(|entry| entry.content.as_ref()) {
            all.pods += content.pods;
            all.probes.extend_from_slice(&content.probes);
            all.problems.extend_from_slice(&content.problems);
        }
        let remark = (!problems.is_empty()).then(|| problems.join("; "));
        all.problems.extend(problems);
        Looked::good(Some(all)).with_remark(remark)
    }
}

impl Source for StaticPods {
    const SOURCE: SpecSource = SpecSource::StaticPods;

    fn name(&self) -> String {
        let folders = if self.folders.is_empty() {
            let path = self.settings.as_ref().and_then(|(_, settings)| settings.static_pod_path.as_deref());
            path.unwrap_or(Path::new(DEFAULT_FOLDER)).display().to_string()
        } else {
            self.folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
        };
        format!("static pods {folders}")
    }

    fn interval(&self) -> Duration {
        LOOK_INTERVAL
    }

    async fn look(self) -> (Self, Looked) {
        blocking(self, |mut source| {
            let looked = source.look_now();
            (source, looked)
        })
        .await
    }
}

/// A folder's files, or the path itself if it is a file; names with a leading dot are not read, folders neither
/// (pkg/kubelet/config/file_linux.go, file.go:extractFromDir).
fn manifests_in(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && std::fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Names a pod as the kubelet does: `-<node>` after its name (pkg/kubelet/config/common.go:generatePodName).
fn on_node(mut manifests: Manifests, node: &str) -> Manifests {
    let node = node.to_lowercase();
    let mut renamed: Option<(Arc<Container>, Arc<Container>)> = None;
    for probe in &mut manifests.probes {
        let container = match &renamed {
            Some((old, new)) if Arc::ptr_eq(old, &probe.container) => Arc::clone(new),
            _ => {
                let pod = format!("{}-{node}", probe.container.pod);
                Arc::new(Container { pod, ..Container::clone(&probe.container) })
            }
        };
        renamed = Some((std::mem::replace(&mut probe.container, Arc::clone(&container)), container));
    }
    manifests
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = include_str!("../../../tests/manifests/static-pod.yaml");

    /// All that the source says after as many looks as it takes in half a second.
    fn settle(source: &mut StaticPods) -> (Manifests, Option<String>) {
        let mut looked = source.look_now();
        for _ in 0..4 {
            looked = source.look_now();
        }
        looked.into_parts()
    }

    #[test]
    fn follows_the_folder() {
        let folder = std::env::temp_dir().join(format!("probetrace-{}-static", std::process::id()));
        let mut source = StaticPods::new(vec![folder.clone()], "Node-1".into(), KubeletPid::default());
        assert!(source.look_now().is_bad(SourceState::Absent));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        for name in ["etcd.yaml", ".hidden.yaml", "sub/other.yaml"] {
            std::fs::write(folder.join(name), POD).unwrap();
        }
        let (all, remark) = settle(&mut source);
        assert_eq!((all.pods, all.probes.len(), remark), (1, 2, None), "{all:#?}");
        let [live, startup] = &all.probes[..] else { panic!("{all:#?}") };
        assert_eq!((live.container.pod.as_str(), live.container.namespace.as_str()), ("etcd-node-1", "kube-system"));
        assert!(Arc::ptr_eq(&live.container, &startup.container));
        assert_eq!(all.problems, Vec::<String>::new(), "that a static manifest has no address is no problem");

        std::fs::write(folder.join("broken.yaml"), "kind: Pod\n").unwrap();
        let (all, remark) = settle(&mut source);
        assert_eq!(all.probes.len(), 2);
        assert!(remark.unwrap().contains("broken.yaml: pod default/(no name) has no spec.containers"));

        std::fs::remove_file(folder.join("etcd.yaml")).unwrap();
        assert_eq!(settle(&mut source).0.probes.len(), 0);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
