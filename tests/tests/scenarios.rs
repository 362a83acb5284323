//! Every scenario against the real tracer. What each sets up and expects is data in src/scenario.

#[path = "common/lab.rs"]
mod common;

/// Runs one scenario in a lab of its own and shows what was wrong.
fn scenario(name: &str) {
    let test = format!("scenarios::{name}");
    if !common::root(&test) {
        return;
    }
    let output = common::lab(&["lab", "-o", "json", name]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}{errors}"));
    if let Some(facility) = line["skipped"].as_str() {
        common::skipped(&test, facility);
        return;
    }
    assert_eq!(line["passed"], true, "{line:#}\n{errors}");
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test] fn $name() { scenario(stringify!($name)); })*

        /// A scenario that is only in the table would never run here.
        #[test]
        fn each_scenario_of_the_table_is_a_test() {
            let mut here = vec![$(stringify!($name)),*];
            let mut table: Vec<_> = probetrace_tests::scenario::all().iter().map(|scenario| scenario.name).collect();
            here.sort_unstable();
            table.sort_unstable();
            assert_eq!(here, table);
        }
    };
}

scenarios! {
    refused stopped_listening listens_late listening_elsewhere accept_queue_full accept_queue_full_tcp orphan_dial
    healthy slow_but_passed big_body redirect slow http_500 reset_after_accept never_read never_accepted stopped_target
    closed_early http_body_stall
    quick_exec slow_exec throttled_exec exec_exit_code command_not_found
    two_probes_one_port two_on_one_url noise mptcp reuseport ipv6 ipv6_refused
}
