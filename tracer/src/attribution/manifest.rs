//! Pod manifests, YAML or JSON, to probe specs: what `kubectl get pods -o yaml|json`, the kubelet's `/pods` and
//! static-pod files hold.
//!
//! A file is refused as a whole only where its text is broken or over a bound ([`ManifestError`]); a field of a wrong
//! type costs the one probe or pod that it belongs to, and is named in [`Manifests::problems`].

mod convert;
mod expand;
mod handler;
mod lenient;
mod output;
mod pod;
#[cfg(test)]
mod tests;

use std::fmt;

pub use output::Manifests;
use output::Output;
use pod::Document;
use serde_saphyr::Options;

use self::lenient::Field;

/// Largest manifest file, bytes.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// Most pods in one file or answer (a node runs a few hundred).
pub const MAX_PODS: u32 = 10_000;
/// Most probes in one file or answer.
pub const MAX_PROBES: usize = 30_000;
/// Most YAML or JSON documents in one file.
const MAX_DOCUMENTS: usize = 10_000;
/// Deepest nesting of YAML; a Pod with managedFields has about 20 levels.
const MAX_DEPTH: usize = 64;

/// Why a whole file gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// Larger than the bound, both in bytes.
    TooLarge {
        /// Size found.
        bytes: u64,
        /// Bound.
        max: usize,
    },
    /// Neither YAML nor JSON, cut off, too deep, or too many aliases: the parser's words with line and column.
    Syntax(String),
    /// No document in it.
    Empty,
    /// A document without `kind`: cut off (kubectl prints `kind` after `items`), or no manifest.
    NoKind,
    /// Something else (`a ConfigMap`, `a string`), and no pod at all.
    NotPods(String),
    /// A Pod without `spec.containers`: cut off, or no manifest of a pod.
    NoContainers(String),
    /// More than [`MAX_PODS`] pods.
    TooManyPods,
    /// More than [`MAX_PROBES`] probes.
    TooManyProbes,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, max } => {
                write!(f, "it has {bytes} bytes, more than {max}: give only this node's pods")
            }
            Self::Syntax(why) => write!(f, "neither YAML nor JSON: {why}"),
            Self::Empty => f.write_str("it is empty"),
            Self::NoKind => f.write_str("a document without `kind`: cut off, or no manifest"),
            Self::NotPods(kind) => write!(f, "it holds {kind}, no Pod, PodList or List"),
            Self::NoContainers(pod) => write!(f, "pod {pod} has no spec.containers: cut off, or no manifest of a pod"),
            Self::TooManyPods => write!(f, "more than {MAX_PODS} pods: give only this node's pods"),
            Self::TooManyProbes => write!(f, "more than {MAX_PROBES} probes: give only this node's pods"),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Parses a manifest file of at most [`MAX_FILE_BYTES`].
pub fn parse(bytes: &[u8]) -> Result<Manifests, ManifestError> {
    parse_bounded(bytes, MAX_FILE_BYTES)
}

/// Parses a static-pod manifest: that it has no address is no problem there.
pub fn parse_static(bytes: &[u8]) -> Result<Manifests, ManifestError> {
    read(bytes, MAX_FILE_BYTES)
}

/// Parses at most `max_bytes` of manifests.
pub fn parse_bounded(bytes: &[u8], max_bytes: usize) -> Result<Manifests, ManifestError> {
    let mut manifests = read(bytes, max_bytes)?;
    manifests.tell_missing_addresses();
    Ok(manifests)
}

fn read(bytes: &[u8], max_bytes: usize) -> Result<Manifests, ManifestError> {
    if bytes.len() > max_bytes {
        return Err(ManifestError::TooLarge { bytes: bytes.len() as u64, max: max_bytes });
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let is_json = text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    let documents = match if is_json { json(text) } else { yaml(text) } {
        // A YAML flow mapping may begin with a brace as well; if it is none, JSON's complaint is the useful one.
        Err(why) if is_json => yaml(text).map_err(|_| why),
        other => other,
    };
    merge(documents.map_err(ManifestError::Syntax)?)
}

fn json(text: &[u8]) -> Result<Vec<Field<Document>>, String> {
    let stream = serde_json::Deserializer::from_slice(text).into_iter::<Field<Document>>();
    let documents = stream.take(MAX_DOCUMENTS + 1).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    if documents.len() > MAX_DOCUMENTS {
        return Err(format!("more than {MAX_DOCUMENTS} documents"));
    }
    Ok(documents)
}

fn yaml(text: &[u8]) -> Result<Vec<Field<Document>>, String> {
    serde_saphyr::from_slice_multiple_with_options(text, yaml_options()).map_err(|e| first_line(&e.to_string()))
}

/// Bounds on what a YAML text may make the parser do; aliases are expanded by kubectl's and the kubelet's parsers too,
/// so they are allowed, but few.
fn yaml_options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: 8_000_000,
            max_nodes: 8_000_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        with_snippet: false,
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

/// One result of all documents of a file.
fn merge(documents: Vec<Field<Document>>) -> Result<Manifests, ManifestError> {
    let mut output = Output::default();
    let (mut seen, mut other_kind) = (false, None);
    for document in documents {
        let document = match document {
            Field::Value(document) => document,
            Field::Absent => continue,
            Field::Wrong(found) => return Err(ManifestError::NotPods(found.to_owned())),
        };
        match document.kind.text().ok_or(ManifestError::NoKind)? {
            "Pod" => {
                let pod = document.into_pod();
                if pod.has_no_containers() {
                    return Err(ManifestError::NoContainers(convert::title(&pod)));
                }
                convert::pod(&pod, &mut output);
            }
            "PodList" | "List" => output.append(document.items.0),
            kind => {
                other_kind = Some(format!("a {}", kind.chars().take(63).collect::<String>()));
                continue;
            }
        }
        seen = true;
    }
    match (seen, other_kind) {
        (false, None) => Err(ManifestError::Empty),
        (false, Some(kind)) => Err(ManifestError::NotPods(kind)),
        (true, None) => output.finish(),
        (true, Some(kind)) => {
            output.problem(format!("{kind} in the file is no pod and was left out"));
            output.finish()
        }
    }
}
