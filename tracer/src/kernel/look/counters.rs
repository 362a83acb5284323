//! SNMP counters of a network namespace.

/// What a verdict uses, of TcpExt and Tcp (include/uapi/linux/snmp.h; names of net/ipv4/proc.c).
const WANTED: [&str; 17] = [
    "EmbryonicRsts",
    "ListenDrops",
    "ListenOverflows",
    "OutRsts",
    "PAWSActive",
    "PAWSEstab",
    "PAWSOldAck",
    "PAWSPassive",
    "PAWSTimewait",
    "RetransSegs",
    "TCPAbortOnClose",
    "TCPAbortOnData",
    "TCPBacklogDrop",
    "TCPReqQFullDoCookies",
    "TCPReqQFullDrop",
    "TCPTimeouts",
    "TSEcrRejected",
];
const SECTIONS: [&str; 2] = ["TcpExt", "Tcp"];

/// Counters of `netstat` and `snmp` by their header names, those that this kernel has, sorted.
pub fn parse(netstat: &str, snmp: &str) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for text in [netstat, snmp] {
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let [names, values] = pair else { continue };
            let (Some((section, names)), Some((same, values))) = (names.split_once(": "), values.split_once(": "))
            else {
                continue;
            };
            if section != same || !SECTIONS.contains(&section) {
                continue;
            }
            let values = values.split_ascii_whitespace().map(str::parse::<u64>);
            found.extend(
                names
                    .split_ascii_whitespace()
                    .zip(values)
                    .filter_map(|(name, value)| WANTED.contains(&name).then_some((name.to_owned(), value.ok()?))),
            );
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_whatever_the_order() {
        let netstat = "TcpExt: SyncookiesSent ListenDrops ListenOverflows\nTcpExt: 1 7 8\nIpExt: InOctets\nIpExt: 5\n";
        let snmp = "Ip: Forwarding\nIp: 1\nTcp: MaxConn OutRsts RetransSegs\nTcp: -1 3 4\n";
        let expected = [("ListenDrops", 7), ("ListenOverflows", 8), ("OutRsts", 3), ("RetransSegs", 4)];
        assert_eq!(parse(netstat, snmp), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn names_without_values_are_no_counters() {
        assert_eq!(
            parse("TcpExt: ListenDrops ListenOverflows\nTcpExt: 7", "Tcp: OutRsts\nUdp: 1"),
            [("ListenDrops".into(), 7)]
        );
        assert!(parse("", "").is_empty());
    }

    #[test]
    fn this_kernel_has_them() {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/net/{name}")).expect("proc");
        let found = parse(&read("netstat"), &read("snmp"));
        for name in ["ListenOverflows", "ListenDrops", "OutRsts", "TCPTimeouts"] {
            assert!(found.iter().any(|(own, _)| own == name), "{name} of {found:?}");
        }
    }
}
