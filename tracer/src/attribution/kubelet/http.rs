//! One GET over a connection of its own.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode,
    body::{Body, Bytes},
    client::conn::http1,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, rustls::ClientConfig};

use super::{netns, tls};

/// Largest answer, bytes: a node's few hundred pods have 5 to 20 kB each.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Longest a request may take, from connect to the last byte.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Where and how to ask.
#[derive(Clone)]
pub struct Endpoint {
    /// Address and port.
    pub address: SocketAddr,
    /// The process from whose network namespace to connect.
    pub netns_of: Option<u32>,
    /// https with these settings; `None` is http.
    pub tls: Option<Arc<ClientConfig>>,
    /// `Authorization: Bearer`.
    pub token: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// Nothing there: no connection.
    Unreachable(String),
    /// 401 or 403, or the client certificate was refused: the server's words.
    Denied(String),
    /// Anything else.
    Failed(String),
}

/// The body of a 200 answer.
pub async fn get(endpoint: &Endpoint, path: &str) -> Result<Bytes, HttpError> {
    let answer = tokio::time::timeout(TIMEOUT, get_untimed(endpoint, path)).await;
    answer.unwrap_or_else(|_| Err(HttpError::Failed(format!("no answer within {} s", TIMEOUT.as_secs()))))
}

async fn get_untimed(endpoint: &Endpoint, path: &str) -> Result<Bytes, HttpError> {
    let stream = netns::connect(endpoint.address, endpoint.netns_of, TIMEOUT).await;
    let stream = stream.map_err(|e| HttpError::Unreachable(e.to_string()))?;
    match &endpoint.tls {
        None => exchange(stream, endpoint, path).await,
        Some(config) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let name = tls::server_name(endpoint.address.ip());
            let stream = connector.connect(name, stream).await.map_err(|e| HttpError::Failed(format!("TLS: {e}")))?;
            exchange(stream, endpoint, path).await
        }
    }
}

async fn exchange<S>(stream: S, endpoint: &Endpoint, path: &str) -> Result<Bytes, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let mut request = Request::get(path)
        .header(HOST, endpoint.address.to_string())
        .header(USER_AGENT, concat!("probetrace/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    if let Some(token) = &endpoint.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|e| HttpError::Failed(e.to_string()))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let too_large = || HttpError::Failed(format!("the answer is larger than {MAX_ANSWER_BYTES} bytes"));
        if response.body().size_hint().lower() > MAX_ANSWER_BYTES as u64 {
            return Err(too_large());
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => too_large(),
            None => HttpError::Failed(chain(&*error)),
        })?;
        judge(status, body.to_bytes())
    };
    // The connection moves the bytes: it runs beside the request, and ends with it.
    tokio::pin!(answer, connection);
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(failed(error)),
        },
    }
}

fn judge(status: StatusCode, body: Bytes) -> Result<Bytes, HttpError> {
    match status {
        StatusCode::OK => Ok(body),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(HttpError::Denied(words(status, &body))),
        _ => Err(HttpError::Failed(words(status, &body))),
    }
}

/// Status and the beginning of what the server says, fit for one line.
fn words(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{} {}", status.as_u16(), text.trim()).trim_end().to_owned()
}

/// A server that refuses a client certificate says so in an alert, in TLS 1.3 only when we read.
fn failed(error: hyper::Error) -> HttpError {
    let text = chain(&error);
    if text.contains("fatal alert") { HttpError::Denied(text) } else { HttpError::Failed(text) }
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
