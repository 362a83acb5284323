//! A probe's handler and timing, after the kubelet's defaults.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use super::{
    expand::expand,
    lenient::{Few, Field},
    pod::{Container, Exec, Grpc, HttpGet, IntOrName, List, Probe, TcpSocket},
};
use crate::attribution::spec::Handler;

/// Longest command after expansion, bytes; the kernel takes no argument past 128 KiB (MAX_ARG_STRLEN).
const MAX_COMMAND_BYTES: usize = 128 << 10;
/// Longest host name (RFC 1035) and port name.
const MAX_HOST_BYTES: usize = 253;

/// Why a probe can't be used: field and reason, a half-sentence.
pub type Reason = String;

/// The handler; of several the first in the kubelet's order (pkg/kubelet/prober/prober.go:runProbe).
pub fn handler(probe: &Probe, container: &Container, pod_ip: Option<IpAddr>) -> Result<Handler, Reason> {
    if let Some(exec) = required(&probe.exec, "exec")? {
        return Ok(Handler::Exec { argv: argv(exec, container)? });
    }
    if let Some(http) = required(&probe.http_get, "httpGet")? {
        return http_get(http, container, pod_ip);
    }
    if let Some(tcp) = required(&probe.tcp_socket, "tcpSocket")? {
        return tcp_socket(tcp, container, pod_ip);
    }
    if let Some(grpc) = required(&probe.grpc, "grpc")? {
        return grpc_check(grpc, pod_ip);
    }
    Err("has no exec, httpGet, tcpSocket or grpc".to_owned())
}

/// A number of the probe; absent and 0 give the default (pkg/apis/core/v1/defaults.go:SetDefaults_Probe).
pub fn number(field: &Field<i64>, name: &str, default: u32) -> Result<u32, Reason> {
    match required(field, name)? {
        None | Some(0) => Ok(default),
        Some(&value) => match i32::try_from(value) {
            Ok(value) if value > 0 => Ok(value.unsigned_abs()),
            _ => Err(format!("{name} is {value}, it must be positive and fit 32 bits")),
        },
    }
}

/// `None` where the field is absent.
fn required<'a, T>(field: &'a Field<T>, name: &str) -> Result<Option<&'a T>, Reason> {
    match field {
        Field::Absent => Ok(None),
        Field::Value(value) => Ok(Some(value)),
        Field::Wrong(found) => Err(format!("{name} is {found}")),
    }
}

/// An argument list with its `$(VAR)`s expanded.
fn argv(exec: &Exec, container: &Container) -> Result<Vec<String>, Reason> {
    let empty = || "exec.command is empty".to_owned();
    let command = required(&exec.command, "exec.command")?.ok_or_else(empty)?;
    if command.dropped > 0 {
        return Err(format!("exec.command has more than {} arguments", command.items.len()));
    }
    let env = literal_env(&container.env)?;
    let mut left = MAX_COMMAND_BYTES;
    let mut argv = Vec::with_capacity(command.items.len());
    for argument in &command.items {
        let argument = required(argument, "an argument of exec.command")?.map_or("", String::as_str);
        let too_long = || format!("exec.command is longer than {MAX_COMMAND_BYTES} bytes after expansion");
        let argument = expand(argument, &env, left).ok_or_else(too_long)?;
        left -= argument.len();
        argv.push(argument);
    }
    if argv.is_empty() { Err(empty()) } else { Ok(argv) }
}

fn literal_env<const N: usize>(env: &List<super::pod::EnvVar, N>) -> Result<HashMap<&str, &str>, Reason> {
    let Some(Few { items, dropped }) = required(env, "env")? else { return Ok(HashMap::new()) };
    if *dropped > 0 {
        return Err(format!("env has more than {N} entries, so its command can't be expanded"));
    }
    let pairs = items.iter().filter_map(Field::value);
    // A later entry of a name wins, as in the kubelet's map.
    Ok(pairs.filter_map(|var| Some((var.name.text()?, var.value.text().unwrap_or_default()))).collect())
}

fn http_get(http: &HttpGet, container: &Container, pod_ip: Option<IpAddr>) -> Result<Handler, Reason> {
    let (address, host_name) = host(&http.host, "httpGet.host", pod_ip)?;
    let path = match required(&http.path, "httpGet.path")?.map(String::as_str) {
        None | Some("") => "/",
        Some(path) => path,
    };
    // The kubelet lowers the scheme; API validation allows HTTP and HTTPS only.
    let tls = match required(&http.scheme, "httpGet.scheme")?.map(|scheme| scheme.to_ascii_lowercase()).as_deref() {
        None | Some("" | "http") => false,
        Some("https") => true,
        Some(_) => return Err("httpGet.scheme is neither HTTP nor HTTPS".to_owned()),
    };
    let port = port(&http.port, "httpGet.port", container)?;
    Ok(Handler::Http { address, host_name, port, path: path.to_owned(), tls })
}

fn tcp_socket(tcp: &TcpSocket, container: &Container, pod_ip: Option<IpAddr>) -> Result<Handler, Reason> {
    let (address, host_name) = host(&tcp.host, "tcpSocket.host", pod_ip)?;
    Ok(Handler::Tcp { address, host_name, port: port(&tcp.port, "tcpSocket.port", container)? })
}

/// Only numbers, and only the pod's own address (pkg/probe/grpc).
fn grpc_check(grpc: &Grpc, pod_ip: Option<IpAddr>) -> Result<Handler, Reason> {
    let value = required(&grpc.port, "grpc.port")?.ok_or("grpc.port is absent")?;
    let service = required(&grpc.service, "grpc.service")?.cloned().unwrap_or_default();
    Ok(Handler::Grpc { address: pod_ip, port: port_number(*value, "grpc.port")?, service })
}

/// Where to connect to: an address, a name, or the pod's first address.
fn host(field: &Field<String>, name: &str, pod_ip: Option<IpAddr>) -> Result<(Option<IpAddr>, Option<String>), Reason> {
    let host = match required(field, name)?.map(String::as_str) {
        None | Some("") => return Ok((pod_ip, None)),
        Some(host) if host.len() > MAX_HOST_BYTES => {
            return Err(format!("{name} is longer than {MAX_HOST_BYTES} bytes"));
        }
        Some(host) => host,
    };
    match host.parse() {
        Ok(address) => Ok((Some(address), None)),
        // Go's resolver takes it from /etc/hosts, IPv4 first, and falls back to ::1.
        Err(_) if host == "localhost" => Ok((Some(Ipv4Addr::LOCALHOST.into()), Some(host.to_owned()))),
        Err(_) => Ok((None, Some(host.to_owned()))),
    }
}

/// pkg/probe/util.go:ResolveContainerPort: a number, the name of a port of the same container, or a number as text.
fn port(field: &Field<IntOrName>, name: &str, container: &Container) -> Result<u16, Reason> {
    match required(field, name)?.ok_or_else(|| format!("{name} is absent"))? {
        IntOrName::Int(value) => port_number(*value, name),
        IntOrName::Name(text) => {
            let ports = container.ports.value().into_iter().flat_map(|ports| &ports.items).filter_map(Field::value);
            let named =
                ports.filter(|port| port.name.text() == Some(text)).find_map(|port| port.container_port.value());
            match named.copied().or_else(|| text.parse().ok()) {
                Some(value) => port_number(value, name),
                None => {
                    let text: String = text.chars().take(63).collect();
                    Err(format!("{name} {text:?} is the name of no port of this container"))
                }
            }
        }
    }
}

fn port_number(value: i64, name: &str) -> Result<u16, Reason> {
    u16::try_from(value).ok().filter(|port| *port > 0).ok_or_else(|| format!("{name} {value} is no port (1 to 65535)"))
}
