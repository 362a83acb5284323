//! From the object in this binary to programs in the kernel.

use std::{fs, path::Path};

use aya::{
    EbpfLoader,
    maps::{MapData, RingBuf},
    programs::{BtfTracePoint, CgroupSkb, Program, ProgramError, SockOps, TracePoint},
};
use tracer_ebpf::abi::Settings;

use super::{
    Config,
    btf::Btf,
    control::Control,
    decode::Decoder,
    error::{StartError, chain},
    features,
    hooks::{HOOKS, Kind},
    maps::Maps,
    object, pidns, settings,
};

#[cfg(feature = "kernel-log")]
use super::debug_log::{self, DebugLog};

const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

/// Everything loaded, nothing attached.
pub(super) struct Loaded {
    pub control: Control,
    pub ring: RingBuf<MapData>,
    pub decoder: Decoder,
    #[cfg(feature = "kernel-log")]
    pub debug_log: Option<DebugLog>,
}

/// Checks what can be checked, loads the object with this kernel's offsets, loads every program.
pub(super) fn load(config: &Config, tracefs: &Path) -> Result<Loaded, StartError> {
    if let Some(mode) = features::confidential_lockdown() {
        return Err(StartError::Lockdown(mode));
    }
    let own_btf = Btf::parse(fs::read(BTF_PATH).map_err(StartError::NoBtf)?).map_err(StartError::Types)?;
    let mut settings = settings::settings(&own_btf, &tracefs.to_string_lossy(), pidns::own_inum(), config.budget_per_s)
        .map_err(StartError::Types)?;
    if config.empty {
        settings.abi_version = 0;
    }
    let btf = aya::Btf::from_sys_fs().map_err(|error| StartError::Load(chain(&error)))?;
    let mut loader = EbpfLoader::new();
    #[cfg(feature = "kernel-log")]
    loader.override_global(debug_log::LEVEL, debug_log::LEVELS[usize::from(!config.debug_log)], true);
    let mut ebpf = loader
        .btf(Some(&btf))
        .override_global("SETTINGS", bytes(&settings), true)
        .map_max_entries("EVENTS", config.ring_bytes)
        .load(object::PROGRAMS)
        .map_err(|error| refused(&error))?;
    let mut failures = Vec::new();
    for hook in HOOKS {
        let Some(program) = ebpf.program_mut(hook.program) else {
            return Err(StartError::Load(format!("the object has no program {}", hook.program)));
        };
        if let Err(error) = load_program(program, hook.kind, &btf) {
            failures.push((hook.name, chain(&error)));
        }
    }
    let (maps, ring) = Maps::take(&mut ebpf)?;
    #[cfg(feature = "kernel-log")]
    let debug_log = config.debug_log.then(|| DebugLog::start(&mut ebpf)).transpose()?;
    let decoder = Decoder::new(settings::reset_reasons(&own_btf));
    Ok(Loaded {
        control: Control::new(ebpf, maps, failures, config.way),
        ring,
        decoder,
        #[cfg(feature = "kernel-log")]
        debug_log,
    })
}

fn load_program(program: &mut Program, kind: Kind, btf: &aya::Btf) -> Result<(), ProgramError> {
    match kind {
        Kind::BtfTracepoint(event) => <&mut BtfTracePoint>::try_from(program)?.load(event, btf),
        Kind::Tracepoint(..) => <&mut TracePoint>::try_from(program)?.load(),
        Kind::Cgroup => match program {
            Program::CgroupSkb(_) => <&mut CgroupSkb>::try_from(program)?.load(),
            _ => <&mut SockOps>::try_from(program)?.load(),
        },
    }
}

fn bytes(settings: &Settings) -> &[u8] {
    // SAFETY: u32 fields only: no padding, every byte is initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(settings).cast(), size_of::<Settings>()) }
}

/// Tells the usual refusals apart, by the kernel's error number and the map that failed.
fn refused(error: &aya::EbpfError) -> StartError {
    let text = chain(error);
    let mut source: Option<&dyn std::error::Error> = Some(error);
    let mut number = None;
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            number = io.raw_os_error();
        }
        source = error.source();
    }
    match number {
        Some(libc::EPERM) if !features::is_at_least(5, 11) => StartError::Memlock(text),
        _ if text.contains("EVENTS") => StartError::Ring(text),
        _ => StartError::Load(text),
    }
}
