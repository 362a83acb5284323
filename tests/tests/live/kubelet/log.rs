//! The kubelet's own account: one line an attempt at V(3) (kubelet 1.20: prober/prober.go:probe).

/// One attempt by the log.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was written: the attempt's end, or a little later.
    pub at: jiff::Timestamp,
    /// `pod/container/kind`.
    pub key: String,
    /// As in the tracer's records.
    pub outcome: &'static str,
    /// What the kubelet says of it.
    pub text: String,
}

/// All attempts of a log whose times are UTC.
pub fn parse(log: &str) -> Vec<Line> {
    log.lines().filter_map(line).collect()
}

/// `I1121 02:51:21.328766   93 prober.go:117] Liveness probe for "POD_NS(UID):CONTAINER" failed (failure): TEXT`
fn line(line: &str) -> Option<Line> {
    let (head, rest) = line.split_once("] ")?;
    if !head.contains(" prober.go:") {
        return None;
    }
    let (kind, rest) = rest.split_once(" probe for \"")?;
    let (name, rest) = rest.split_once("\" ")?;
    let (pod, rest_of_name) = name.split_once('_')?;
    let (_, container) = rest_of_name.split_once("):")?;
    let (outcome, text) = match rest.split_once(": ").unwrap_or((rest.trim_end_matches(':'), "")) {
        ("succeeded", _) => ("success", ""),
        ("errored", text) => ("error", text),
        // An exec that timed out has no text of its own (containerd 1.6: the output so far).
        ("failed (failure)", text) if text.contains("deadline exceeded") || text.contains("i/o timeout") => {
            ("timeout", text)
        }
        ("failed (failure)", "") => ("timeout", ""),
        ("failed (failure)", text) => ("failure", text),
        _ => return None,
    };
    let key = format!("{pod}/{container}/{}", kind.to_lowercase());
    Some(Line { at: time(head)?, key, outcome, text: text.to_owned() })
}

/// `I1121 02:51:21.328766 …`: klog leaves the year out.
fn time(head: &str) -> Option<jiff::Timestamp> {
    let (date, clock) = head.get(1..)?.split_once(' ')?;
    let year = jiff::Timestamp::now().to_string().get(..4)?.to_owned();
    let (month, day) = (date.get(..2)?, date.get(2..4)?);
    format!("{year}-{month}-{day}T{}Z", clock.split_whitespace().next()?).parse().ok()
}

#[test]
fn reads_the_kubelets_lines() {
    let text = "I1121 02:51:21.155762      93 prober.go:126] Liveness probe for \"a-n1_default(u):app\" succeeded\n\
                I1121 02:51:21.2      93 prober.go:117] Readiness probe for \"b-n1_default(u):app\" failed (failure): \n\
                I1121 02:51:21.3      93 prober.go:114] Liveness probe for \"c-n1_default(u):app\" errored: rpc error: x\n\
                I1121 02:51:21.3      93 status_manager.go:429] Ignoring same status\n";
    let found: Vec<(String, &str)> = parse(text).into_iter().map(|line| (line.key, line.outcome)).collect();
    assert_eq!(
        found,
        [
            ("a-n1/app/liveness".to_owned(), "success"),
            ("b-n1/app/readiness".into(), "timeout"),
            ("c-n1/app/liveness".into(), "error")
        ]
    );
}
