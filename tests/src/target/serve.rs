//! HTTP as far as a probe needs it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use super::{Accept, Answer, Server};

const MAX_REQUEST: usize = 8 * 1024;
const BIG_BODY_BYTES: usize = 50_000;

/// One connection, one request.
pub fn serve(mut stream: TcpStream, server: &Server) {
    let Some(request) = read_request(&mut stream) else { return };
    if server.accept == Accept::CloseEarly {
        return;
    }
    let path = request.split(' ').nth(1).unwrap_or("/");
    let route = server.routes.iter().find(|route| route.path == path);
    let _ = match route.map(|route| &route.answer) {
        None => answer(&mut stream, "404 Not Found", "", b""),
        Some(Answer::Status(status, after_ms)) => {
            thread::sleep(Duration::from_millis(*after_ms));
            answer(&mut stream, &format!("{status} Status"), "", b"ok")
        }
        Some(Answer::BigBody) => answer(&mut stream, "200 OK", "", &vec![b'x'; BIG_BODY_BYTES]),
        Some(Answer::Redirect(to)) => answer(&mut stream, "302 Found", &format!("Location: {to}\r\n"), b""),
        Some(Answer::StalledBody) => stalled(&mut stream),
    };
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        let len = stream.read(&mut chunk).ok().filter(|len| *len > 0)?;
        bytes.extend_from_slice(chunk.get(..len)?);
        if bytes.len() > MAX_REQUEST {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

fn answer(stream: &mut TcpStream, status: &str, fields: &str, body: &[u8]) -> std::io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}Connection: close\r\n\r\n", body.len())
        .into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)
}

/// Until the prober gives up.
fn stalled(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")?;
    let mut rest = [0; 16];
    while stream.read(&mut rest)? > 0 {}
    Ok(())
}
