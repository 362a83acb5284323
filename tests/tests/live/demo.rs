//! A demo that runs beside the test: prober, targets, and no tracer but the test's own.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Ends with SIGINT when dropped.
pub struct Demo {
    child: Child,
    /// `pid:N`.
    pub prober: String,
    /// For `--targets`.
    pub targets: PathBuf,
}

impl Demo {
    /// Returns when the prober probes.
    pub fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_probetrace-lab"))
            .args(["demo", "--without-tracer"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("probetrace-lab");
        let lines = BufReader::new(child.stderr.take().expect("pipe")).lines();
        let mut told = None;
        for line in lines.map_while(Result::ok) {
            if let Some((_, command)) = line.split_once("--prober ") {
                let (prober, targets) = command.split_once(" --targets ").expect("both");
                told = Some((prober.to_owned(), PathBuf::from(targets)));
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        let (prober, targets) = told.expect("the demo says how to trace it");
        Self { child, prober, targets }
    }

    /// `probetrace run` on it, with a run directory of the test's own.
    pub fn tracer(&self, run_dir: &Path) -> Command {
        let mut command = Command::new(probetrace());
        command
            .env("PROBETRACE_RUN_DIR", run_dir)
            .args(["run", "--prober", &self.prober, "--targets"])
            .arg(&self.targets);
        command.stdin(Stdio::null());
        command
    }

    /// The lab's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        send(self.child.id(), rustix::process::Signal::INT);
        let _ = self.child.wait();
    }
}

/// The tracer's binary, where `cargo xtask build` puts it.
pub fn probetrace() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_probetrace-lab")).with_file_name("probetrace");
    std::env::var_os("PROBETRACE_BIN").map_or(beside, PathBuf::from)
}

/// Sends a signal to a process that the test started.
pub fn send(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("pid");
    rustix::process::kill_process(pid, signal).expect("kill");
}

/// A folder of this test, empty.
pub fn folder(name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("mode");
    folder
}

/// Starts a tracer with its output in `folder` and waits until it is attached.
pub fn start_ready(command: &mut Command, folder: &Path) -> Child {
    let ready = folder.join("ready");
    // A killed tracer could not remove its own.
    let _ = std::fs::remove_file(&ready);
    let messages = folder.join("stderr");
    let output = File::create(folder.join("stdout")).expect("file");
    command.args(["--ready-file"]).arg(&ready).stdout(output).stderr(File::create(&messages).expect("file"));
    let mut child = command.spawn().expect("probetrace");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !ready.exists() {
        let ended = child.try_wait().expect("wait");
        let text = std::fs::read_to_string(&messages).unwrap_or_default();
        assert!(ended.is_none(), "probetrace ended: {text}");
        assert!(std::time::Instant::now() < deadline, "not ready: {text}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}
