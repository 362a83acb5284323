//! Where the probes' specifications come from: one look at each source.

use std::time::Duration;

use tokio::{runtime, sync::mpsc, time::timeout};

use crate::{
    attribution::watch::{SourceState, SourceStatus, Sources, SourcesConfig},
    clock,
    doctor::{Need, Row, State},
};

/// A kubelet that takes connections and says nothing must not hold up the rest.
const PATIENCE: Duration = Duration::from_secs(10);
const LOST: &str = "pod, container and time-out of its probes";

/// A row for each source, and one where there is none.
pub(super) fn rows(config: SourcesConfig) -> Vec<Row> {
    let Ok(runtime) = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else {
        return vec![failed("no thread could be started".to_owned())];
    };
    let targets = config.targets.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let looked = runtime.block_on(async {
        // What the sources send is not needed here: only how they are.
        let (updates, _rest) = mpsc::channel(16);
        timeout(PATIENCE, Sources::start(config, clock::mono_now_ns, updates)).await
    });
    runtime.shutdown_background();
    match looked {
        Err(_) => vec![failed(format!("no answer within {} s", PATIENCE.as_secs()))],
        Ok(Err(error)) => vec![failed(format!("--targets {targets}: {error}"))],
        Ok(Ok(sources)) => of_statuses(&sources.status()),
    }
}

fn failed(why: String) -> Row {
    Row::ok("kubelet", "specs", "could not be read").but(State::Missing, LOST, why)
}

fn of_statuses(statuses: &[SourceStatus]) -> Vec<Row> {
    let none = Row::ok("kubelet", "specs", "no source of them is known").but(
        State::Missing,
        LOST,
        "name one: --targets FILE with the pods, --static-pods DIR or --kubelet-url URL",
    );
    if statuses.is_empty() {
        return vec![none];
    }
    // One good source is enough.
    let any_good = statuses.iter().any(|status| status.state == SourceState::Good && status.probes > 0);
    let need = if any_good { Need::Optional } else { Need::Wanted };
    statuses.iter().map(|status| of_status(status).need(need)).collect()
}

fn of_status(status: &SourceStatus) -> Row {
    let problems = match status.problems {
        0 => String::new(),
        count => format!(", {count} problems in what it says"),
    };
    let remark = status.remark.clone().unwrap_or_default();
    let row = |found: String| Row::ok("kubelet", format!("specs: {}", status.name), found);
    let good = format!("{} probes{problems}", status.probes);
    match status.state {
        SourceState::Good if remark.is_empty() => row(good),
        SourceState::Good => row(format!("{good} ({remark})")),
        SourceState::Failing => row("gives nothing usable now".to_owned()).but(State::Degraded, LOST, remark),
        SourceState::Denied => row("refuses us".to_owned()).but(State::Missing, LOST, remark),
        SourceState::Absent => row("not there".to_owned()).but(State::Missing, LOST, remark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::spec::SpecSource;

    fn status(state: SourceState, probes: usize) -> SourceStatus {
        let remark = (state != SourceState::Good).then(|| "give a token".to_owned());
        let (name, source) = (format!("{state:?}"), SpecSource::Kubelet);
        SourceStatus { source, name, state, probes, problems: 0, changed_at_ns: None, remark }
    }

    #[test]
    fn one_good_source_is_enough() {
        let rows = of_statuses(&[status(SourceState::Good, 3), status(SourceState::Denied, 0)]);
        assert!(rows.iter().all(Row::is_fine), "{rows:?}");
        assert_eq!((rows[0].found.as_str(), rows[1].fix.as_str()), ("3 probes", "give a token"));
        assert!(!of_statuses(&[status(SourceState::Denied, 0)])[0].is_fine());
        assert!(!of_statuses(&[])[0].is_fine());
    }

    #[test]
    fn a_file_that_is_not_there_is_a_row_and_no_error() {
        let config = SourcesConfig { targets: Some("/nonexistent/pods.yaml".into()), ..SourcesConfig::default() };
        let rows = rows(config);
        assert!(rows.len() == 1 && rows[0].fix.contains("/nonexistent/pods.yaml"), "{rows:?}");
    }
}
