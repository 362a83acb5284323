//! The kernel side's rows: what it allows, and where each hook stands after a start that is undone at once.

use crate::{
    doctor::{Need, Row, State},
    kernel::{self, Answer, Feature, HookState, HookStatus, Kernel},
};

/// Checks of the node that say the same with more words.
const ALSO_OF_THE_NODE: [&str; 4] = ["capabilities", "kernel types (BTF)", "tracefs", "cgroup v2"];

/// Features, then hooks. Loads, attaches and tests the programs for about 0.3 s where that is permitted.
pub(super) fn rows(config: &kernel::Config) -> Vec<Row> {
    let features = kernel::features();
    let mut rows: Vec<Row> =
        features.iter().filter(|feature| !ALSO_OF_THE_NODE.contains(&feature.name)).map(of_feature).collect();
    match Kernel::start(config) {
        Ok(kernel) => {
            rows.push(Row::ok("hooks", "kernel programs", "loaded and tested").need(Need::Required));
            rows.extend(kernel.hooks().iter().map(of_hook));
        }
        Err(error) => rows.push(
            Row::ok("hooks", "kernel programs", "can't be started, so no hook could be tested")
                .need(Need::Required)
                .but(State::Missing, "everything: no probe can be seen", error.to_string()),
        ),
    }
    rows
}

fn of_feature(feature: &Feature) -> Row {
    let need = if feature.required { Need::Required } else { Need::Optional };
    let row = |found: &str| Row::ok("kernel", feature.name, found).need(need);
    let lost = if feature.required { "tracing can't start without it" } else { "what the rows of the hooks say" };
    match &feature.answer {
        Answer::Yes => row("there"),
        Answer::No(why) => row("not there").but(State::Missing, lost, why),
        Answer::Unknown(why) => {
            let is_root = rustix::process::geteuid().is_root();
            let fix =
                if is_root { "grant what the error names (a container's seccomp profile?)" } else { "run as root" };
            row(&format!("could not be told: {why}")).but(State::Unknown, "", fix)
        }
    }
}

fn of_hook(hook: &HookStatus) -> Row {
    let row = |found: String| Row { rung: Some(hook.rung.to_owned()), ..Row::ok("hooks", hook.name, found) };
    match &hook.state {
        HookState::Fired => row("attached, and fired in the self-test".to_owned()),
        HookState::Attached => row("attached; the self-test can't make it fire in a short time".to_owned()),
        HookState::NotNeeded(why) => row(format!("not needed: {why}")).need(Need::Optional),
        HookState::Silent => row("attached, but did not fire in the self-test".to_owned()).but(
            State::Degraded,
            hook.lost_without,
            "start it again on a quieter node; if it stays silent, report it with `uname -r`",
        ),
        HookState::Failed(why) => row(format!("could not be attached: {why}")).but(
            State::Missing,
            hook.lost_without,
            "a kernel that has this hook, or the permission that the error names",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(state: HookState) -> Row {
        of_hook(&HookStatus { name: "tcp:x", rung: "tracepoint", state, lost_without: "resets" })
    }

    #[test]
    fn a_hook_without_effect_says_what_is_lost() {
        for (state, expected) in
            [(HookState::Silent, State::Degraded), (HookState::Failed("no".into()), State::Missing)]
        {
            let row = hook(state);
            assert_eq!((row.state, row.lost.as_str(), row.rung.as_deref()), (expected, "resets", Some("tracepoint")));
            assert!(!row.is_fine() && !row.is_fatal() && !row.fix.is_empty());
        }
        for state in [HookState::Fired, HookState::Attached, HookState::NotNeeded("other".into())] {
            assert!(hook(state).is_fine());
        }
    }

    #[test]
    fn only_a_required_feature_is_fatal_and_what_is_not_known_is_not_missing() {
        let of = |required, answer| of_feature(&Feature { name: "ring buffer", required, answer });
        assert!(of(true, Answer::No("needs 5.8".into())).is_fatal());
        assert!(!of(false, Answer::No("needs 5.8".into())).is_fatal());
        let unknown = of(true, Answer::Unknown("EPERM".into()));
        assert!(unknown.state == State::Unknown && unknown.found.contains("EPERM") && !unknown.is_fatal());
    }
}
