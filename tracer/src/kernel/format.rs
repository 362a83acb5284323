//! Offsets of a tracepoint's fields from tracefs (`events/tcp/tcp_send_reset/format`): layouts differ by kernel.

use tracer_ebpf::abi::{ABSENT, PeerRecord};

/// Longest `format` that is believed to be one.
const MAX_BYTES: usize = 64 * 1024;

/// A field of a tracepoint's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, without an array's brackets.
    pub name: String,
    /// Byte offset within the record.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// Fields of a `format` text. Lines that are not understood are left out.
pub fn fields(text: &str) -> Vec<Field> {
    let text = text.get(..MAX_BYTES).unwrap_or(text);
    text.lines().filter_map(field).collect()
}

/// A line: `field:__u8 saddr[28]; offset:32; size:28; signed:0;`, its parts parted by tabs.
fn field(line: &str) -> Option<Field> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let name = declaration.split_whitespace().next_back()?;
    let name = name.split('[').next()?.trim_start_matches('*');
    let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
    let size = parts.next()?.strip_prefix("size:")?.parse().ok()?;
    (!name.is_empty()).then(|| Field { name: name.to_owned(), offset, size })
}

/// Offsets for a program that reads the two ends of a TCP tracepoint, `None` where they are not there.
pub fn peer_record(fields: &[Field]) -> Option<PeerRecord> {
    let at = |name: &str, size: u32| {
        fields.iter().find(|field| field.name == name && field.size == size).map_or(ABSENT, |field| field.offset)
    };
    let record = PeerRecord {
        saddr_any: at("saddr", 28),
        daddr_any: at("daddr", 28),
        sport: at("sport", 2),
        dport: at("dport", 2),
        saddr_v6: at("saddr_v6", 16),
        daddr_v6: at("daddr_v6", 16),
        skaddr: at("skaddr", 8),
        state: at("state", 4),
        reason: at("reason", 4),
    };
    let whole = record.saddr_any != ABSENT && record.daddr_any != ABSENT;
    let parts = [record.sport, record.dport, record.saddr_v6, record.daddr_v6];
    (whole || parts.iter().all(|offset| *offset != ABSENT)).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESET_6_18: &str = "name: tcp_send_reset\nID: 2280\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
        \tfield:const void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:const void * skaddr;\toffset:16;\tsize:8;\tsigned:0;\n\
        \tfield:int state;\toffset:24;\tsize:4;\tsigned:1;\n\
        \tfield:enum sk_rst_reason reason;\toffset:28;\tsize:4;\tsigned:0;\n\
        \tfield:__u8 saddr[28];\toffset:32;\tsize:28;\tsigned:0;\n\
        \tfield:__u8 daddr[28];\toffset:60;\tsize:28;\tsigned:0;\n\n\
        print fmt: \"skbaddr=%p\", REC->skbaddr\n";
    /// 5.15 to 6.6: one field each.
    const RESET_5_15: &str = "format:\n\
        \tfield:const void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:const void * skaddr;\toffset:16;\tsize:8;\tsigned:0;\n\
        \tfield:int state;\toffset:24;\tsize:4;\tsigned:1;\n\
        \tfield:__u16 sport;\toffset:28;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 dport;\toffset:30;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 family;\toffset:32;\tsize:2;\tsigned:0;\n\
        \tfield:__u8 saddr[4];\toffset:34;\tsize:4;\tsigned:0;\n\
        \tfield:__u8 daddr[4];\toffset:38;\tsize:4;\tsigned:0;\n\
        \tfield:__u8 saddr_v6[16];\toffset:42;\tsize:16;\tsigned:0;\n\
        \tfield:__u8 daddr_v6[16];\toffset:58;\tsize:16;\tsigned:0;\n";

    #[test]
    fn socket_addresses_are_found() {
        let record = peer_record(&fields(RESET_6_18)).expect("a record");
        assert_eq!((record.saddr_any, record.daddr_any, record.reason, record.state), (32, 60, 28, 24));
        assert_eq!(record.sport, ABSENT);
    }

    #[test]
    fn single_fields_are_found() {
        let record = peer_record(&fields(RESET_5_15)).expect("a record");
        assert_eq!((record.sport, record.dport, record.saddr_v6, record.daddr_v6), (28, 30, 42, 58));
        assert_eq!((record.saddr_any, record.reason), (ABSENT, ABSENT));
    }

    #[test]
    fn a_text_without_ends_gives_nothing() {
        assert_eq!(peer_record(&fields("field:int x;\toffset:no;\tsize:4;\n;;;\nfield:\n")), None);
    }
}
