//! Builds the kernel programs (crate `tracer-ebpf`) with the toolchain that this machine has for them, for
//! `src/kernel/object.rs` to embed. Where there is none the library ends in one message that says what to run.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "bpfel-unknown-none";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(no_kernel_programs)");
    println!("cargo::rerun-if-env-changed=PROBETRACE_BPF_OBJECT");
    for path in ["../tracer-ebpf/src", "../tracer-ebpf/Cargo.toml"] {
        println!("cargo::rerun-if-changed={path}");
    }
    match object() {
        Ok(path) => println!("cargo::rustc-env=PROBETRACE_OBJECT={}", path.display()),
        Err(why) => {
            // A file that is not there: the next build looks again.
            println!("cargo::rerun-if-changed={}", out_dir().join("kernel-programs-missing").display());
            println!("cargo::rustc-cfg=no_kernel_programs");
            println!("cargo::rustc-env=PROBETRACE_NO_OBJECT={}", why.replace('\n', " "));
        }
    }
}

/// The object file: given by the environment, or built now.
fn object() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("PROBETRACE_BPF_OBJECT") {
        let path = PathBuf::from(path);
        println!("cargo::rerun-if-changed={}", path.display());
        return path.canonicalize().map_err(|error| format!("PROBETRACE_BPF_OBJECT={}: {error}", path.display()));
    }
    let toolchain = Toolchain::find()?;
    build(&toolchain)
}

/// What compiles for the kernel: cargo, rustc with the source of `core`, and bpf-linker of the same LLVM.
struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    linker: PathBuf,
    /// A stable rustc needs RUSTC_BOOTSTRAP=1 for `-Z build-std`.
    bootstrap: bool,
}

impl Toolchain {
    fn find() -> Result<Self, String> {
        let chosen = target_dir().join("kernel-toolchain.json");
        if chosen.exists() {
            println!("cargo::rerun-if-changed={}", chosen.display());
            return Self::from_file(&chosen).map_err(|why| format!("{}: {why}", chosen.display()));
        }
        let linker = linker().ok_or("bpf-linker is not on PATH and not in ~/.cargo/bin")?;
        let bin = |cargo: &str, rustc: &str, bootstrap| Self {
            cargo: cargo.into(),
            rustc: rustc.into(),
            linker: linker.clone(),
            bootstrap,
        };
        let mut candidates = vec![bin("/usr/bin/cargo", "/usr/bin/rustc", true)];
        if let (Ok(cargo), Ok(rustc)) = (env::var("CARGO"), env::var("RUSTC")) {
            candidates.push(bin(&cargo, &rustc, true));
        }
        if let (Some(cargo), Some(rustc)) = (rustup("cargo"), rustup("rustc")) {
            candidates.push(bin(&cargo, &rustc, false));
        }
        candidates.into_iter().find(Self::has_source).ok_or_else(|| "no rustc here has the source of `core`".to_owned())
    }

    /// `{"cargo":"…","rustc":"…","linker":"…","bootstrap":true}`, written by `cargo xtask setup`.
    fn from_file(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let field = |name: &str| {
            let value = json.get(name).and_then(|value| value.as_str());
            value.map(PathBuf::from).ok_or_else(|| format!("`{name}` is missing"))
        };
        let bootstrap = json.get("bootstrap").and_then(serde_json::Value::as_bool).unwrap_or(false);
        Ok(Self { cargo: field("cargo")?, rustc: field("rustc")?, linker: field("linker")?, bootstrap })
    }

    fn has_source(&self) -> bool {
        let Ok(output) = Command::new(&self.rustc).args(["--print", "sysroot"]).output() else { return false };
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").exists() && self.cargo.exists()
    }
}

fn linker() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(home.map(|home| home.join("bin")));
    folders.map(|folder| folder.join("bpf-linker")).find(|file| file.is_file())
}

/// Path of a program of rustup's nightly toolchain.
fn rustup(program: &str) -> Option<String> {
    let output = Command::new("rustup").args(["which", "--toolchain", "nightly", program]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn build(toolchain: &Toolchain) -> Result<PathBuf, String> {
    let target_dir = target_dir().join("bpf");
    let features = if env::var_os("CARGO_FEATURE_KERNEL_LOG").is_some() { "kernel-log" } else { "programs" };
    let manifest =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../tracer-ebpf/Cargo.toml");
    let mut command = Command::new(&toolchain.cargo);
    for (name, _) in env::vars_os().filter(|(name, _)| of_outer_build(name)) {
        command.env_remove(name);
    }
    let flags = format!("-C linker={} -C link-arg=--btf -C debuginfo=2", toolchain.linker.display());
    command
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTFLAGS", flags)
        .envs(PROFILE)
        .args(["build", "--quiet", "--release", "-Z", "build-std=core", "--target", TARGET, "--features", features])
        .args(["--bin", "tracer-ebpf", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target_dir);
    if toolchain.bootstrap {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    let output = command.output().map_err(|error| format!("{}: {error}", toolchain.cargo.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.lines().for_each(|line| println!("cargo::warning={line}"));
        return Err("the kernel programs did not compile (see the warnings)".to_owned());
    }
    // Copied, so that a build with other features does not change it behind this one's back.
    let object = out_dir().join("programs.o");
    fs::copy(target_dir.join(TARGET).join("release/tracer-ebpf"), &object).map_err(|error| error.to_string())?;
    Ok(object)
}

/// What the kernel needs of the profile, whatever the workspace's says.
const PROFILE: [(&str, &str); 7] = [
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "2"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
];

/// Variables that describe the outer build and would confuse the inner one.
fn of_outer_build(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    let kept = ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_PROXY", "CARGO_HTTP_CAINFO"];
    let cargo = (name.starts_with("CARGO") && !kept.contains(&&*name)) || name.starts_with("RUST");
    cargo && name != "RUSTUP_HOME" || ["TARGET", "HOST", "PROFILE", "OUT_DIR", "OPT_LEVEL", "DEBUG"].contains(&&*name)
}

fn out_dir() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default())
}

/// The workspace's target folder: the one that cargo has tagged.
fn target_dir() -> PathBuf {
    let out_dir = out_dir();
    let tagged = out_dir.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    tagged.unwrap_or(&out_dir).to_owned()
}
