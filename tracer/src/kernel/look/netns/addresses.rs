//! Addresses that are local to a network namespace, from its /proc/net files.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Local addresses with their prefix lengths (a local route may cover a whole net: 127.0.0.0/8, AnyIP).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(Vec<(IpAddr, u8)>);

impl Addresses {
    /// From `fib_trie` and `if_inet6` (the latter "" without IPv6).
    pub fn parse(fib_trie: &str, if_inet6: &str) -> Self {
        let mut found: Vec<(IpAddr, u8)> = local_ipv4(fib_trie).chain(interface_ipv6(if_inet6)).collect();
        found.sort_unstable();
        found.dedup();
        Self(found)
    }

    /// Whether a packet to this address would be delivered locally.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, prefix)| covers(*network, *prefix, address))
    }

    /// Addresses that name this namespace to others: no nets, no loopback, no link-local.
    pub fn reachable(&self) -> impl Iterator<Item = IpAddr> {
        let single = |(address, prefix): &(IpAddr, u8)| *prefix == if address.is_ipv4() { 32 } else { 128 };
        self.0.iter().filter(move |entry| single(entry)).map(|entry| entry.0).filter(|address| match address {
            IpAddr::V4(address) => !address.is_loopback(),
            IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        })
    }
}

fn covers(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    let shift = |bits: u8| u32::from(bits.saturating_sub(prefix));
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(shift(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Lines `|-- 10.0.0.7` each followed by its routes `/32 host LOCAL` (net/ipv4/fib_trie.c: fib_trie_seq_show).
fn local_ipv4(fib_trie: &str) -> impl Iterator<Item = (IpAddr, u8)> {
    let mut address = None;
    fib_trie.lines().filter_map(move |line| {
        let line = line.trim_start();
        if let Some(text) = line.strip_prefix("|-- ") {
            address = text.trim().parse::<Ipv4Addr>().ok();
            return None;
        }
        let mut words = line.strip_prefix('/')?.split_ascii_whitespace();
        let prefix = words.next()?.parse().ok()?;
        words.any(|word| word == "LOCAL").then_some((IpAddr::V4(address?), prefix))
    })
}

/// Lines `address index prefix scope flags name` (net/ipv6/addrconf.c: if6_seq_show); each address is local by itself.
fn interface_ipv6(if_inet6: &str) -> impl Iterator<Item = (IpAddr, u8)> {
    if_inet6.lines().filter_map(|line| {
        let bits = u128::from_str_radix(line.split_ascii_whitespace().next()?, 16).ok()?;
        Some((IpAddr::V6(Ipv6Addr::from_bits(bits)), 128))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIB: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.0.0/24 2 0 2
        |-- 10.0.0.0
           /24 link UNICAST
        |-- 10.0.0.7
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
";
    const INET6: &str = "00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000007 02 40 00 80     eth0
fe800000000000000000000000000007 02 40 20 80     eth0
";

    #[test]
    fn local_means_delivered_here() {
        let addresses = Addresses::parse(FIB, INET6);
        for (address, expected) in [
            ("10.0.0.7", true),
            ("10.0.0.8", false),
            ("10.0.0.255", false),
            ("127.3.2.1", true),
            ("fd00::7", true),
            ("fd00::8", false),
            ("::1", true),
        ] {
            assert_eq!(addresses.contains(address.parse().expect("address")), expected, "{address}");
        }
        let reachable: Vec<String> = addresses.reachable().map(|address| address.to_string()).collect();
        assert_eq!(reachable, ["10.0.0.7", "fd00::7"]);
    }

    #[test]
    fn rubbish_is_nothing() {
        assert_eq!(Addresses::parse("|-- x\n/32 host LOCAL\n/99 LOCAL", "zz 1 2"), Addresses::default());
    }
}
