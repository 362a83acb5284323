//! `--targets FILE`: read at the start, and again within half a second of a change.
//!
//! The file's identity (device, inode, size, times) is polled every [`LOOK_INTERVAL`]: one stat costs microseconds, and
//! unlike inotify it sees renames, deletion, symbolic-link swaps of mounted ConfigMaps and network file systems alike.
//! A changed file is read once it has been quiet for one interval, so half-written content is seldom seen; where it is,
//! the last good content stays and the next change is tried.

use std::{
    fmt,
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    manifest::{self, MAX_FILE_BYTES, ManifestError, Manifests},
    spec::SpecSource,
    watch::{Looked, Source, SourceState, blocking},
};

/// Time between two looks at a file or folder.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Looks after which a file that never rests is read nevertheless.
const MAX_UNSETTLED_LOOKS: u8 = 2;

/// What parses a file's bytes.
pub type Parser = fn(&[u8]) -> Result<Manifests, ManifestError>;

/// Why a file could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why, a half-sentence.
    pub reason: String,
}

impl FileError {
    fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for FileError {}

/// Tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signature {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Signature {
    fn from(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A manifest file under watch.
#[derive(Debug)]
pub struct WatchedFile {
    path: PathBuf,
    parser: Parser,
    /// As of the last look.
    seen: Option<Signature>,
    /// The content that was read last, and what was wrong with it.
    judged: Option<(Signature, Option<FileError>)>,
    unsettled_looks: u8,
    problem: Option<FileError>,
}

impl WatchedFile {
    /// Watches a path; nothing is read before the first look.
    pub fn new(path: PathBuf, parser: Parser) -> Self {
        Self { path, parser, seen: None, judged: None, unsettled_looks: 0, problem: None }
    }

    /// What is wrong now; the last good content stays valid.
    pub fn problem(&self) -> Option<&FileError> {
        self.problem.as_ref()
    }

    /// Reads the file at once, whether or not it is at rest.
    pub fn read_now(&mut self) -> Result<Manifests, FileError> {
        let result = self.read();
        self.problem = result.as_ref().err().cloned();
        result
    }

    /// Looks once: the new content, where it has changed and is good.
    pub fn look(&mut self) -> Option<Manifests> {
        let signature = match regular_file(&self.path, std::fs::metadata(&self.path)) {
            Ok(metadata) => Signature::from(&metadata),
            Err(error) => {
                (self.seen, self.problem) = (None, Some(error));
                return None;
            }
        };
        let is_settled = self.seen.replace(signature) == Some(signature);
        if let Some((judged, problem)) = &self.judged
            && *judged == signature
        {
            self.problem.clone_from(problem);
            return None;
        }
        if !is_settled && self.unsettled_looks < MAX_UNSETTLED_LOOKS {
            self.unsettled_looks += 1;
            return None;
        }
        self.unsettled_looks = 0;
        self.read_now().ok()
    }

    fn read(&mut self) -> Result<Manifests, FileError> {
        let fail = |reason: &dyn fmt::Display| FileError::new(&self.path, reason);
        // O_NONBLOCK: opening a pipe must not wait for a writer.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.path).map_err(|e| fail(&e))?;
        let before = Signature::from(&regular_file(&self.path, file.metadata())?);
        let bytes = read_bounded(&file).map_err(|e| fail(&e))?;
        let after = Signature::from(&file.metadata().map_err(|e| fail(&e))?);
        if before != after {
            return Err(fail(&"it changed while it was read"));
        }
        let parsed = (self.parser)(&bytes).map_err(|e| fail(&e));
        self.judged = Some((before, parsed.as_ref().err().cloned()));
        self.seen = Some(before);
        parsed
    }
}

fn regular_file(path: &Path, metadata: io::Result<Metadata>) -> Result<Metadata, FileError> {
    let metadata = metadata.map_err(|error| FileError::new(path, error))?;
    if metadata.is_file() { Ok(metadata) } else { Err(FileError::new(path, "not a regular file")) }
}

/// At most one byte more than the parser takes, so that it can say «too large».
fn read_bounded(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The source behind `--targets`.
#[derive(Debug)]
pub struct TargetsFile {
    file: WatchedFile,
    first: Option<Manifests>,
}

impl TargetsFile {
    /// Reads the file for the first time; the error says how to make a right one.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let mut file = WatchedFile::new(path.to_owned(), manifest::parse);
        match file.read_now() {
            Ok(manifests) => Ok(Self { file, first: Some(manifests) }),
            Err(error) => {
                let fix = "make it with: kubectl get pods -A --field-selector spec.nodeName=NODE -o yaml >";
                Err(FileError::new(path, format!("{}; {fix} {}", error.reason, path.display())))
            }
        }
    }
}

impl Source for TargetsFile {
    const SOURCE: SpecSource = SpecSource::File;

    fn name(&self) -> String {
        format!("targets {}", self.file.path.display())
    }

    fn interval(&self) -> Duration {
        LOOK_INTERVAL
    }

    async fn look(mut self) -> (Self, Looked) {
        if let Some(manifests) = self.first.take() {
            return (self, Looked::good(Some(manifests)));
        }
        blocking(self, |mut source| {
            let manifests = source.file.look();
            let looked = match source.file.problem() {
                None => Looked::good(manifests),
                Some(error) => {
                    Looked::bad(SourceState::Failing, format!("{error}; the last good content stays in use"))
                }
            };
            (source, looked)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(port: u16) -> String {
        format!(
            "kind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - {{name: c, livenessProbe: {{tcpSocket: {{port: {port}}}}}}}\n\
             status: {{podIP: 10.0.0.1}}\n"
        )
    }

    fn port(manifests: &Manifests) -> u16 {
        manifests.probes[0].handler.endpoint().unwrap().1
    }

    /// A folder of this test's own.
    fn folder(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("probetrace-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// Looks as the source would in half a second.
    fn settle(file: &mut WatchedFile) -> Option<Manifests> {
        (0..5).find_map(|_| file.look())
    }

    #[test]
    fn follows_writes_renames_and_deletion() {
        let folder = folder("follow");
        let path = folder.join("pods.yaml");
        std::fs::write(&path, pod(1)).unwrap();
        let mut file = WatchedFile::new(path.clone(), manifest::parse);
        assert_eq!(port(&file.read_now().unwrap()), 1);
        assert_eq!(settle(&mut file), None, "nothing changed");

        std::fs::write(&path, pod(22)).unwrap();
        assert_eq!(port(&settle(&mut file).unwrap()), 22);

        std::fs::write(folder.join("new"), pod(33)).unwrap();
        std::fs::rename(folder.join("new"), &path).unwrap();
        assert_eq!(port(&settle(&mut file).unwrap()), 33);

        std::fs::remove_file(&path).unwrap();
        assert_eq!(settle(&mut file), None);
        assert!(file.problem().unwrap().reason.contains("No such file"));
        std::fs::write(&path, pod(44)).unwrap();
        assert_eq!(port(&settle(&mut file).unwrap()), 44);
        assert_eq!(file.problem(), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn half_written_content_is_a_problem_until_the_rest_comes() {
        let folder = folder("half");
        let path = folder.join("pods.yaml");
        std::fs::write(&path, pod(1)).unwrap();
        let mut file = WatchedFile::new(path.clone(), manifest::parse);
        file.read_now().unwrap();
        std::fs::write(&path, &pod(2)[..60]).unwrap();
        assert_eq!(settle(&mut file), None);
        assert!(file.problem().is_some());
        assert_eq!(settle(&mut file), None, "the same bytes are not parsed again, and stay a problem");
        assert!(file.problem().is_some());
        std::fs::write(&path, pod(2)).unwrap();
        assert_eq!(port(&settle(&mut file).unwrap()), 2);
        assert_eq!(file.problem(), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_just_changed_is_left_alone_for_one_look() {
        let folder = folder("rest");
        let path = folder.join("pods.yaml");
        std::fs::write(&path, pod(1)).unwrap();
        let mut file = WatchedFile::new(path, manifest::parse);
        assert_eq!(file.look(), None);
        assert!(file.look().is_some());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn unusable_files_are_refused_at_the_start_with_the_fix() {
        let folder = folder("refuse");
        let large = folder.join("large");
        File::create(&large).unwrap().set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
        std::fs::write(folder.join("text"), "hello").unwrap();
        for (name, reason) in [
            ("absent", "No such file"),
            ("large", "more than 16777216"),
            ("text", "it holds a string, no Pod"),
            (".", "not a regular file"),
        ] {
            let error = TargetsFile::open(&folder.join(name)).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("kubectl get pods -A"), "{error}");
            assert!(error.starts_with(&folder.join(name).display().to_string()), "{error}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
