//! The process of a container: servers that are honest or faulty on purpose. It is told what to do on its standard
//! input (a line of JSON, then commands) and answers each line on its standard output, so that nobody waits by time.

mod fill;
mod listener;
mod serve;

use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::place::Place;
pub use listener::Listener;

/// First line of the standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetPlan {
    /// Where to live.
    pub place: Place,
    /// What to serve.
    pub servers: Vec<Server>,
}

/// One listening socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// Address: `0.0.0.0`, `::`, `127.0.0.1` …
    pub bind: std::net::IpAddr,
    /// Port.
    pub port: u16,
    /// Of listen().
    pub backlog: i32,
    /// `IPPROTO_MPTCP`, the default of servers built with Go 1.24 or later.
    pub mptcp: bool,
    /// `SO_REUSEPORT`.
    pub reuseport: bool,
    /// Listens at once; else at the command.
    pub listens: bool,
    /// Fills the accept queue before the first probe comes.
    pub filled: bool,
    /// What happens to a connection.
    pub accept: Accept,
    /// By path; what matches none is answered with 404.
    pub routes: Vec<Route>,
}

/// What happens to a connection before anything is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// Accepted and served.
    Serve,
    /// Never accepted.
    Never,
    /// Accepted, never read.
    NeverRead,
    /// Accepted and reset (`SO_LINGER` 0).
    Reset,
    /// Accepted, the request read, closed without an answer.
    CloseEarly,
}

/// What a path answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Path.
    pub path: String,
    /// Answer.
    pub answer: Answer,
}

/// Answers of the HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// This status after so many ms.
    Status(u16, u64),
    /// 200 and 50 kB.
    BigBody,
    /// 302 to here.
    Redirect(String),
    /// 200, `Content-Length: 100`, ten bytes, then nothing.
    StalledBody,
}

/// Program of a container: reads its plan and commands, ends with its standard input.
///
/// # Errors
/// The plan can't be read or a server can't listen.
pub fn main() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let mut out = std::io::stdout().lock();
    let plan: TargetPlan = serde_json::from_str(&lines.next().context("no plan")??)?;
    plan.place.enter()?;
    let mut servers = Vec::new();
    for server in plan.servers {
        let mut listener = Listener::new(server);
        listener.start_if_due()?;
        servers.push(listener);
    }
    writeln!(out, "ready")?;
    out.flush()?;
    for line in lines {
        let line = line?;
        command(&line, &mut servers)?;
        writeln!(out, "done {line}")?;
        out.flush()?;
    }
    Ok(())
}

/// `listen N`, `stop N`: the N-th server.
fn command(line: &str, servers: &mut [Listener]) -> Result<()> {
    let (verb, number) = line.split_once(' ').context("command: VERB NUMBER")?;
    let server = number.parse::<usize>().ok().and_then(|number| servers.get_mut(number)).context("no such server")?;
    match verb {
        "listen" => server.start(),
        "stop" => {
            server.stop();
            Ok(())
        }
        other => bail!("unknown command {other}"),
    }
}
