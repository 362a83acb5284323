//! Head of an HTTP/1 response: status line and the two fields that a probe looks at.

use std::net::{IpAddr, SocketAddr};

/// kubelet: maxRespBodyLength.
pub const MAX_BODY: u64 = 10 * 1024;
/// More head than this is no answer to a probe.
pub const MAX_HEAD: usize = 64 * 1024;

/// What is needed of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// With the empty line.
    pub len: usize,
    /// Status code.
    pub status: u16,
    /// `Content-Length`.
    pub content_length: Option<u64>,
    location: Option<String>,
}

impl Head {
    /// `None` until it is complete, or where it is no HTTP.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let mut head = Self { len: end + 4, status, content_length: None, location: None };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.content_length = value.trim().parse().ok(),
                "location" => head.location = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        Some(head)
    }

    /// Where it sends us, on the same host; a redirect to another host ends the probe with success
    /// (kubelet: probe/http/http.go:RedirectChecker).
    pub fn redirect(&self, from: SocketAddr) -> Option<(SocketAddr, String)> {
        if ![301, 302, 303, 307, 308].contains(&self.status) {
            return None;
        }
        let location = self.location.as_deref()?;
        if location.starts_with('/') {
            return Some((from, location.to_owned()));
        }
        let rest = location.strip_prefix("http://")?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let address = match authority.parse::<SocketAddr>() {
            Ok(address) => address,
            Err(_) => SocketAddr::new(authority.trim_matches(['[', ']']).parse::<IpAddr>().ok()?, 80),
        };
        (address.ip() == from.ip()).then(|| (address, path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_empty_line() {
        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), None);
        let head = Head::parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("complete");
        assert_eq!((head.status, head.content_length, head.len), (200, Some(2), 38));
    }

    #[test]
    fn follows_the_same_host_only() {
        let from: SocketAddr = "10.0.0.1:80".parse().expect("address");
        let at = |location: &str| {
            Head::parse(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n").as_bytes())
                .expect("head")
                .redirect(from)
        };
        assert_eq!(at("/x"), Some((from, "/x".into())));
        assert_eq!(at("http://10.0.0.1:81/y"), Some(("10.0.0.1:81".parse().expect("address"), "/y".into())));
        assert_eq!(at("http://10.0.0.2/"), None);
    }
}
