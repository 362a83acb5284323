//! Typed access to the programs' maps.

use std::net::IpAddr;

use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, MapData, PerCpuArray, RingBuf},
};
use tracer_ebpf::abi;

use super::error::{StartError, chain};

/// [`abi::CpuState`] for aya.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct CpuState(pub abi::CpuState);
// SAFETY: integers only, no padding.
unsafe impl Pod for CpuState {}

/// [`abi::TargetKey`] for aya.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TargetKey(pub abi::TargetKey);
// SAFETY: integers only, no padding.
unsafe impl Pod for TargetKey {}

/// [`abi::Source`] for aya.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Source(pub abi::Source);
// SAFETY: integers only, no padding.
unsafe impl Pod for Source {}

/// [`abi::Spent`] for aya.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Spent(pub abi::Spent);
// SAFETY: integers only, no padding.
unsafe impl Pod for Spent {}

impl TargetKey {
    pub(super) fn new(address: IpAddr, port: u16) -> Self {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Self(abi::TargetKey { address: address.octets(), port, pad: [0; 3] })
    }
}

/// What a followed process's entry holds; only its key matters here.
pub(super) type Followed = [u8; 24];

/// All maps that user space touches.
pub(super) struct Maps {
    pub cpus: PerCpuArray<MapData, CpuState>,
    pub mode: Array<MapData, u32>,
    pub probers: HashMap<MapData, u32, u32>,
    pub targets: HashMap<MapData, TargetKey, u32>,
    pub runtimes: HashMap<MapData, [u8; 16], u32>,
    pub procs: HashMap<MapData, u32, Followed>,
    pub budgets: HashMap<MapData, Source, Spent>,
}

impl Maps {
    /// Takes them out of the loaded object, with the ring.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<(Self, RingBuf<MapData>), StartError> {
        let refused = |error: aya::maps::MapError| StartError::Load(chain(&error));
        let mut map = |name: &str| ebpf.take_map(name).ok_or_else(|| StartError::Load(format!("no map {name}")));
        let maps = Self {
            cpus: PerCpuArray::try_from(map("CPUS")?).map_err(refused)?,
            mode: Array::try_from(map("MODE")?).map_err(refused)?,
            probers: HashMap::try_from(map("PROBERS")?).map_err(refused)?,
            targets: HashMap::try_from(map("TARGETS")?).map_err(refused)?,
            runtimes: HashMap::try_from(map("RUNTIMES")?).map_err(refused)?,
            procs: HashMap::try_from(map("PROCS")?).map_err(refused)?,
            budgets: HashMap::try_from(map("BUDGETS")?).map_err(refused)?,
        };
        let ring = RingBuf::try_from(map("EVENTS")?).map_err(|error| StartError::Ring(chain(&error)))?;
        Ok((maps, ring))
    }

    /// Makes the map's keys exactly these; returns how many did not fit.
    pub(super) fn set_keys<K: Pod + PartialEq>(map: &mut HashMap<MapData, K, u32>, keys: &[K]) -> usize {
        let present: Vec<K> = map.keys().flatten().collect();
        for key in present.iter().filter(|key| !keys.contains(key)) {
            // Gone already: as wanted.
            let _ = map.remove(key);
        }
        keys.iter().filter(|key| !present.contains(key) && map.insert(**key, 1, 0).is_err()).count()
    }
}
