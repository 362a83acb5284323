//! Many probes of every handler and outcome, each with a phase of its own.

use super::{Container, How, PORT, Pod, Row, Scenario, command, http, serving, treating};
use crate::{
    plan::Kind,
    target::{Accept, Answer, Server},
};

const PODS: u32 = 10;
const CONTAINERS: u32 = 4;

/// At least so many attempts: 120 probes, most of them every second.
pub fn coverage(attempts: u32) -> Scenario {
    let mut scenario = Scenario::new("coverage", "120 probes of all handlers", "");
    for pod in 0..PODS {
        let containers: Vec<Container> = (0..CONTAINERS).map(|number| container(pod, number)).collect();
        scenario.pods.push(Pod {
            name: format!("many-{pod}"),
            v6: pod % 5 == 4,
            started_ago_s: 3600,
            cpus: None,
            rejects: None,
            containers,
        });
    }
    let mut rows: Vec<&mut Row> = scenario
        .pods
        .iter_mut()
        .flat_map(|pod| &mut pod.containers)
        .flat_map(|container| &mut container.probes)
        .collect();
    // Attempts of one period of 6 s, all probes together.
    let per_six_s: u64 = rows.iter().map(|row| 6 / row.period_s).sum();
    let rounds = u64::from(attempts).div_ceil(per_six_s.max(1));
    let count = rows.len() as u64;
    for (number, row) in rows.iter_mut().enumerate() {
        row.attempts = u32::try_from(rounds * (6 / row.period_s)).unwrap_or(u32::MAX);
        row.phase_ms = number as u64 * 1000 / count.max(1);
    }
    scenario
}

/// The fourth container of each pod is faulty in one of ten ways.
fn container(pod: u32, number: u32) -> Container {
    let port = PORT + u16::try_from(number).unwrap_or(0);
    let ok = Server { port, ..serving(&[("/", Answer::Status(200, 0))]) };
    let liveness = Row { how: How::Http(port, "/"), ..http(0) };
    let readiness = Row { kind: Kind::Readiness, how: How::Tcp(port), ..http(0) };
    let startup = |row: Row| Row { kind: Kind::Startup, ..row };
    let (server, third) = match (number, pod) {
        (0 | 1, _) => (Some(ok), startup(command(&["true"], 0).every(2))),
        (2, _) => (Some(Server { mptcp: pod % 2 == 1, ..ok }), startup(command(&["sh", "-c", "exit 3"], 0).every(3))),
        (_, 0) => (None, startup(Row { how: How::Http(port, "/startup"), ..http(0) })),
        (_, 1) => (Some(Server { port, ..treating(Accept::Reset) }), startup(command(&["true"], 0).every(3))),
        (_, 2) => {
            (Some(Server { port, ..treating(Accept::CloseEarly) }), startup(command(&["/no/such/command"], 0).every(6)))
        }
        (_, 3) => (Some(Server { port, ..treating(Accept::NeverRead) }), startup(command(&["sleep", "2"], 0).every(6))),
        (_, 4) => (Some(answers(port, Answer::Status(500, 0))), startup(command(&["true"], 0).every(3))),
        (_, 5) => (Some(answers(port, Answer::Status(200, 2500))), startup(command(&["false"], 0).every(3))),
        (_, 6) => (Some(answers(port, Answer::BigBody)), startup(command(&["true"], 0).every(3))),
        (_, 7) => (Some(answers(port, Answer::Redirect("/there".into()))), startup(command(&["true"], 0).every(3))),
        (_, 8) => (Some(answers(port, Answer::Status(200, 300))), startup(command(&["true"], 0).every(3))),
        _ => (Some(answers(port, Answer::StalledBody)), startup(command(&["true"], 0).every(3))),
    };
    // What times out takes 1 s, a stalled body three.
    let slow = number == 3 && [3, 5].contains(&pod);
    let stalls = number == 3 && pod == 9;
    let period_s = if stalls {
        6
    } else if slow {
        2
    } else {
        1
    };
    let probes = vec![liveness.every(period_s), readiness, third];
    Container { name: format!("c{number}"), servers: server.into_iter().collect(), probes }
}

fn answers(port: u16, answer: Answer) -> Server {
    Server { port, ..serving(&[("/", answer)]) }
}
