use std::fs;

use super::*;

/// A made-up node.
struct Made(PathBuf);

impl Made {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("probetrace-doctor-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("file");
        }
        Self(root)
    }

    fn rows(&self, options: &Options) -> Vec<Row> {
        rows(&Node { proc: ProcDir::new(self.0.join("proc")), sys: self.0.join("sys") }, options)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn row<'a>(rows: &'a [Row], name: &str) -> &'a Row {
    rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} in {rows:#?}"))
}

#[test]
fn every_lack_says_what_is_lost_or_what_to_do() {
    let made = Made::new("empty", &[("proc/self/status", "CapEff:\t0000000000000000\n")]);
    let rows = made.rows(&Options::default());
    assert_eq!(row(&rows, "capabilities").state, State::Missing);
    assert_eq!(row(&rows, "kernel types (BTF)").state, State::Missing);
    assert_eq!(row(&rows, "cgroup v2").state, State::Missing);
    assert!(row(&rows, "prober").is_fatal());
    for row in rows.iter().filter(|row| matches!(row.state, State::Degraded | State::Missing)) {
        assert!(!row.lost.is_empty() && !row.fix.is_empty(), "{row:?}");
    }
    assert!(!rows.iter().all(Row::is_fine));
    let mut names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows.len(), "names are unique");
}

#[test]
fn settings_that_change_a_verdict() {
    let files = [
        ("proc/sys/net/ipv4/tcp_tw_recycle", "1\n"),
        ("proc/sys/net/ipv4/tcp_abort_on_overflow", "1\n"),
        ("proc/sys/kernel/task_delayacct", "0\n"),
        ("proc/self/schedstat", "0 0 0\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
        ("sys/kernel/security/lockdown", "none integrity [confidentiality]\n"),
        // CAP_SYS_ADMIN and NET_ADMIN, PTRACE; no SYSLOG.
        ("proc/self/status", "CapEff:\t0000000000281000\n"),
    ];
    let made = Made::new("settings", &files);
    let rows = made.rows(&Options::default());
    for (name, state) in [
        ("tcp_tw_recycle", State::Degraded),
        ("tcp_abort_on_overflow", State::Degraded),
        ("delay accounting", State::Missing),
        ("run delay of tasks", State::Missing),
        ("clock source", State::Degraded),
        ("lockdown", State::Missing),
        ("capabilities", State::Degraded),
    ] {
        assert_eq!(row(&rows, name).state, state, "{name}");
    }
    assert!(row(&rows, "capabilities").found.contains("CAP_SYSLOG"));
}

#[test]
fn a_kubelet_with_its_sources() {
    let tcp = "sl\n 0: 0100007F:2807 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n 1: 00000000:280A 00000000:0000 0A 0:0 0:0 0 0 0 4712 1\n";
    let zeros = "0 ".repeat(17);
    let stat = format!("7 (kubelet) S 1 {zeros}7 {}\n", "0 ".repeat(30));
    let files = [
        ("proc/7/comm", "kubelet\n"),
        ("proc/7/cmdline", "/usr/bin/kubelet\0--config\0/var/lib/kubelet/config.yaml\0"),
        ("proc/7/stat", stat.as_str()),
        ("proc/7/cgroup", "0::/system.slice/kubelet.service\n"),
        ("proc/7/net/tcp", tcp),
        ("proc/7/root/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\nstaticPodPath: \"/pods\"\n"),
        ("proc/7/root/pods/a.yaml", ""),
    ];
    let made = Made::new("kubelet", &files);
    let rows = made.rows(&Options::default());
    assert_eq!(row(&rows, "prober").state, State::Ok);
    assert_eq!(row(&rows, "kubelet's port").state, State::Ok);
    assert_eq!(row(&rows, "kubelet's read-only port").state, State::Missing);
    assert_eq!(row(&rows, "static pods").found, "/pods: 1 files");
}

#[test]
fn the_kernel_sides_rows_replace_ours() {
    let made = Made::new("join", &[]);
    let hook = Row { rung: Some("tracepoint".to_owned()), ..Row::ok("hooks", "sock:inet_sock_set_state", "fired") };
    let extra_rows = vec![Row::ok("kernel", "tracefs", "by the loader"), hook];
    let rows = made.rows(&Options { extra_rows, ..Options::default() });
    assert_eq!(rows.iter().filter(|row| row.name == "tracefs").count(), 1);
    assert_eq!(row(&rows, "tracefs").found, "by the loader");
    let mut out = Vec::new();
    render::table(&rows, false, &mut out).expect("table");
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("HOOKS") && text.contains("[tracepoint] fired") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn this_node_in_both_forms() {
    let mut out = Vec::new();
    let options = Options { json: true, node: "n1".to_owned(), ..Options::default() };
    run(&options, &mut out).expect("doctor");
    for line in String::from_utf8(out).expect("text").lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&value["type"], &value["schema"], &value["node"]), (&"doctor".into(), &1.into(), &"n1".into()));
        assert!(value["at"].is_string() && value["state"].is_string() && value["name"].is_string());
    }
    let mut out = Vec::new();
    run(&Options { colour: true, ..Options::default() }, &mut out).expect("doctor");
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("\u{1b}[32mok"), "{text}");
    eprintln!("{text}");
}
