//! The live table on a real terminal (tmux): it shows each target, follows a resize, and ends with Ctrl-C.

use super::{common, demo};

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

/// A tmux server of the test's own.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.socket]).args(arguments).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "lab"])
    }

    /// The screen once it shows what is wanted.
    fn wait_for(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let screen = self.screen();
            if shows(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "no {what} on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_table_follows_its_terminal() {
    let test = "table::the_table_follows_its_terminal";
    let Some(_machine) = common::root(test) else { return };
    if Command::new("tmux").arg("-V").output().is_err() {
        return common::skipped(test, "tmux");
    }
    let lab = demo::Demo::start();
    let folder = demo::folder("table");
    let terminal = Terminal { socket: format!("pt-lab-{}", std::process::id()) };
    let command = format!(
        "PROBETRACE_RUN_DIR={} {} run --prober {} --targets {}; echo ended with $?; exec cat",
        folder.display(),
        demo::probetrace().display(),
        lab.prober,
        lab.targets.display()
    );
    terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "lab", "-x", "150", "-y", "40", &command]);
    let pods = ["healthy", "slow-exec", "refused", "accept-queue-full", "throttled-exec"];
    let wide = terminal.wait_for("table of all targets", |screen| pods.iter().all(|pod| screen.contains(pod)));
    terminal.wait_for("cause", |screen| screen.contains("not_listening"));
    terminal.tmux(&["resize-window", "-t", "lab", "-x", "80", "-y", "20"]);
    let narrow = terminal.wait_for("table at its new size", |screen| {
        screen != wide && screen.contains("healthy") && screen.lines().all(|line| line.chars().count() <= 80)
    });
    assert!(narrow.lines().count() <= 20, "{narrow}");
    terminal.tmux(&["send-keys", "-t", "lab", "C-c"]);
    terminal.wait_for("end", |screen| screen.contains("ended with 0"));
    fs::remove_dir_all(folder).expect("remove");
}

#[test]
fn without_a_terminal_it_is_json() {
    let Some(_machine) = common::root("table::without_a_terminal_it_is_json") else { return };
    let lab = demo::Demo::start();
    let folder = demo::folder("piped");
    let output = lab.tracer(&folder).args(["--duration", "4s"]).output().expect("probetrace");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().count() > 3, "{text}");
    for line in text.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line["type"].is_string()), "{line}");
    }
    fs::remove_dir_all(folder).expect("remove");
}
