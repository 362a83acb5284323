//! The kubelet's own `/pods`: the read-only port, or the authenticated one with a certificate or token.
//!
//! It is asked every 10 s, and every second for a while after its answer has changed or somebody met a probe that no
//! source knows. Whatever fails is a state of the source, never an error of the run.

pub mod credentials;
mod http;
mod netns;
pub mod settings;
mod tls;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hyper::{Uri, body::Bytes};
use tokio::time::Instant;

use self::{
    credentials::{Candidate, candidates},
    http::{Endpoint, HttpError, MAX_ANSWER_BYTES},
    settings::Settings,
};
use super::{
    manifest::{self, ManifestError, Manifests},
    spec::SpecSource,
    watch::{KubeletPid, Looked, Source, SourceState},
};

const SLOW_INTERVAL: Duration = Duration::from_secs(10);
const FAST_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a change or a kick it is asked often; a new pod's address takes up to 9 s to appear (measured, 1.20).
const FAST_FOR: Duration = Duration::from_secs(15);
/// What to do about a refusal.
const DENIED_FIX: &str = "give --kubelet-client-certificate and --kubelet-client-key, or --kubelet-token-file, of someone \
                          who may get nodes/proxy (or nodes/pods)";

/// How to reach the kubelet; all of it is optional.
#[derive(Clone, Debug, Default)]
pub struct KubeletConfig {
    /// `http[s]://ADDRESS:PORT`, reached from the kubelet's network namespace; else what its settings say.
    pub url: Option<String>,
    /// CA of its serving certificate, PEM; without one any certificate is taken.
    pub ca: Option<PathBuf>,
    /// Client certificate, PEM.
    pub client_certificate: Option<PathBuf>,
    /// Its key, PEM; else it is in the certificate's file.
    pub client_key: Option<PathBuf>,
    /// File with a bearer token; read at every request, tokens are renewed.
    pub token_file: Option<PathBuf>,
    /// Send a token also where there is no CA to verify the kubelet by. While a kubelet is down, any process in its
    /// network namespace can listen on its port and would get the token. (A certificate's key is never sent.)
    pub insecure_token: bool,
}

/// The source.
#[derive(Debug)]
pub struct Kubelet {
    config: KubeletConfig,
    node: String,
    pid: KubeletPid,
    /// Way of the last answer: tried first.
    preferred: Option<Way>,
    last: Option<Manifests>,
    fast_until: Instant,
}

/// One way of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    address: SocketAddr,
    /// `None`: http.
    candidate: Option<Candidate>,
}

impl Way {
    fn url(&self) -> String {
        format!("{}://{}/pods", if self.candidate.is_some() { "https" } else { "http" }, self.address)
    }
}

impl Kubelet {
    /// Of the kubelet with this pid, or without one where the usual ports of this host answer.
    pub fn new(config: KubeletConfig, node: String, pid: KubeletPid) -> Self {
        Self { config, node, pid, preferred: None, last: None, fast_until: Instant::now() }
    }

    /// All ways, the one that worked last first.
    fn ways(&self, settings: &Settings) -> Result<Vec<Way>, String> {
        let (plain, secure) = match &self.config.url {
            None => {
                let plain = SocketAddr::new(settings.address, settings.read_only_port);
                ((plain.port() != 0).then_some(plain), Some(SocketAddr::new(settings.address, settings.port)))
            }
            Some(url) => match parse_url(url)? {
                (true, address) => (None, Some(address)),
                (false, address) => (Some(address), None),
            },
        };
        let candidates = candidates(&self.config, settings, self.pid.get());
        let secure = secure.into_iter().flat_map(|address| {
            candidates.iter().map(move |candidate| Way { address, candidate: Some(candidate.clone()) })
        });
        let plain = plain.map(|address| Way { address, candidate: None });
        let mut ways: Vec<Way> = plain.into_iter().chain(secure).collect();
        if let Some(at) = ways.iter().position(|way| Some(way) == self.preferred.as_ref()) {
            ways[..=at].rotate_right(1);
        }
        Ok(ways)
    }

    async fn ask(&self, way: &Way, pid: Option<u32>) -> Result<Bytes, HttpError> {
        let failed = HttpError::Failed;
        let mut endpoint = Endpoint { address: way.address, netns_of: pid, tls: None, token: None };
        if let Some(candidate) = &way.candidate {
            let credential = candidate.load().map_err(failed)?;
            let ca = self.config.ca.as_deref().or(candidate.own_ca());
            if credential.token.is_some() && ca.is_none() && !self.config.insecure_token {
                let why =
                    "its token goes to a verified kubelet only: give --kubelet-ca FILE, or --kubelet-insecure-token";
                return Err(HttpError::Failed(why.to_owned()));
            }
            let ca = ca.map(|path| credentials::read(Path::new("/"), path)).transpose().map_err(failed)?;
            let tls = tls::client_config(ca.as_deref(), &self.node, credential.client.as_ref());
            endpoint.tls = Some(Arc::new(tls.map_err(|why| HttpError::Failed(format!("{candidate}: {why}")))?));
            endpoint.token = credential.token;
        }
        http::get(&endpoint, "/pods").await
    }

    async fn look_now(&mut self) -> Looked {
        let pid = self.pid.get();
        let settings = pid.map(Settings::of_process).unwrap_or_default();
        let ways = match self.ways(&settings) {
            Ok(ways) => ways,
            Err(why) => return Looked::bad(SourceState::Absent, why),
        };
        let mut failures = Failures::default();
        for way in ways {
            if failures.unreachable.contains(&way.address) {
                continue;
            }
            match self.ask(&way, pid).await {
                Ok(body) => return self.take(way, body).await,
                Err(error) => failures.note(&way, error),
            }
        }
        failures.finish(self.last.is_some(), settings.problem)
    }

    /// Parses an answer and puts it in order: the kubelet lists its pods as a Go map gives them, at random.
    async fn take(&mut self, way: Way, body: Bytes) -> Looked {
        let parse = move || {
            let mut manifests = manifest::parse_bounded(&body, MAX_ANSWER_BYTES)?;
            manifests.sort();
            Ok::<_, ManifestError>(manifests)
        };
        let manifests = match tokio::task::spawn_blocking(parse).await {
            Ok(Ok(manifests)) => manifests,
            Ok(Err(why)) => return Looked::bad(SourceState::Failing, format!("{}: {why}", way.url())),
            Err(_) => return Looked::bad(SourceState::Failing, "shutting down".to_owned()),
        };
        if self.last.as_ref() != Some(&manifests) {
            self.fast_until = Instant::now() + FAST_FOR;
            self.last = Some(manifests.clone());
        }
        let is_unverified = self.config.ca.is_none() && way.candidate.as_ref().is_some_and(|c| c.own_ca().is_none());
        let remark = is_unverified.then(|| "its certificate was not verified (--kubelet-ca FILE does)".to_owned());
        self.preferred = Some(way);
        Looked::good(Some(manifests)).with_remark(remark)
    }
}

impl Source for Kubelet {
    const SOURCE: SpecSource = SpecSource::Kubelet;

    fn name(&self) -> String {
        match &self.preferred {
            None => "kubelet /pods".to_owned(),
            Some(way) => match &way.candidate {
                None => format!("kubelet {}", way.url()),
                Some(candidate) => format!("kubelet {} with {candidate}", way.url()),
            },
        }
    }

    fn interval(&self) -> Duration {
        if Instant::now() < self.fast_until { FAST_INTERVAL } else { SLOW_INTERVAL }
    }

    fn kicked(&mut self) {
        self.fast_until = Instant::now() + FAST_FOR;
    }

    async fn look(mut self) -> (Self, Looked) {
        let looked = self.look_now().await;
        (self, looked)
    }
}

/// Whether it is https, and where.
fn parse_url(url: &str) -> Result<(bool, SocketAddr), String> {
    let wrong = || format!("--kubelet-url {url:?}: write http://ADDRESS:PORT or https://ADDRESS:PORT");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(wrong()),
    };
    let host = uri.host().ok_or_else(wrong)?.trim_start_matches('[').trim_end_matches(']');
    let address = if host == "localhost" { Ok(IpAddr::from(Ipv4Addr::LOCALHOST)) } else { host.parse() };
    Ok((is_tls, SocketAddr::new(address.map_err(|_| wrong())?, uri.port_u16().ok_or_else(wrong)?)))
}

/// Why each way failed.
#[derive(Default)]
struct Failures {
    unreachable: Vec<SocketAddr>,
    denied: Vec<String>,
    failed: Vec<String>,
}

impl Failures {
    fn note(&mut self, way: &Way, error: HttpError) {
        let with = way.candidate.as_ref().map(|candidate| format!(" with {candidate}")).unwrap_or_default();
        match error {
            HttpError::Unreachable(why) => {
                self.unreachable.push(way.address);
                self.failed.push(format!("{}: {why}", way.url()));
            }
            HttpError::Denied(why) => self.denied.push(format!("{}{with}: {why}", way.url())),
            HttpError::Failed(why) => self.failed.push(format!("{}{with}: {why}", way.url())),
        }
    }

    /// A refusal by a kubelet that is there says more than a certificate file that isn't.
    fn finish(self, has_answered: bool, problem: Option<String>) -> Looked {
        let suffix = problem.map(|problem| format!("; {problem}")).unwrap_or_default();
        if !self.denied.is_empty() {
            return Looked::bad(SourceState::Denied, format!("{}; {DENIED_FIX}{suffix}", self.denied.join("; ")));
        }
        let is_there = has_answered || self.failed.len() > self.unreachable.len();
        let state = if is_there { SourceState::Failing } else { SourceState::Absent };
        Looked::bad(state, format!("{}{suffix}", self.failed.join("; ")))
    }
}

#[cfg(test)]
mod tests;
