//! Which sources ran out of their budget: a flooding pod loses its own events only, and is named.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use tracer_ebpf::abi::{self, source_class};

use super::control::Control;

/// Sources that are named, the worst first; the map holds 4096.
const NAMED: usize = 8;

/// The worst, with what was left out of each since the start: attempts to a target, its resets, events of processes.
pub(super) fn worst(control: &Control) -> Vec<(String, u64)> {
    let entries = control.maps.budgets.iter().flatten();
    named(entries.map(|(source, spent)| (source.0, spent.0.dropped)))
}

fn named(entries: impl Iterator<Item = (abi::Source, u64)>) -> Vec<(String, u64)> {
    let mut dropping: Vec<_> = entries.filter(|(_, dropped)| *dropped > 0).collect();
    dropping.sort_by_key(|(source, dropped)| (std::cmp::Reverse(*dropped), source.address, source.port, source.class));
    dropping.truncate(NAMED);
    dropping.into_iter().map(|(source, dropped)| (name(&source), dropped)).collect()
}

/// `10.0.0.7:8080`, `10.0.0.7:8080 (its answers)`, `processes under kernel pid 1234`.
fn name(source: &abi::Source) -> String {
    if source.class == source_class::PROCESSES {
        let [a, b, c, d, ..] = source.address;
        return format!("processes under kernel pid {}", u32::from_ne_bytes([a, b, c, d]));
    }
    let address = IpAddr::V6(Ipv6Addr::from(source.address)).to_canonical();
    let target = SocketAddr::new(address, u16::try_from(source.port).unwrap_or(0));
    if source.class == source_class::ANSWERS { format!("{target} (its answers)") } else { target.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(last: u8, class: u32) -> abi::Source {
        let address = std::net::Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().octets();
        abi::Source { address, port: 8080, class }
    }

    #[test]
    fn the_worst_are_named_and_no_more_than_are_bounded() {
        let many = (0..20).map(|last| (target(last, source_class::SOCKETS), u64::from(last)));
        let named = named(many);
        assert_eq!(named.len(), NAMED);
        assert_eq!(named.first(), Some(&("10.0.0.19:8080".to_owned(), 19)));
    }

    #[test]
    fn who_dropped_nothing_is_not_named_and_each_class_has_its_words() {
        let mut tree = abi::Source { address: [0; 16], port: 0, class: source_class::PROCESSES };
        tree.address[..4].copy_from_slice(&1234_u32.to_ne_bytes());
        let six = abi::Source { address: Ipv6Addr::LOCALHOST.octets(), port: 80, class: source_class::ANSWERS };
        let entries = [(target(1, source_class::SOCKETS), 0), (tree, 2), (six, 3)];
        let expected = [("[::1]:80 (its answers)".to_owned(), 3), ("processes under kernel pid 1234".to_owned(), 2)];
        assert_eq!(named(entries.into_iter()), expected);
    }
}
