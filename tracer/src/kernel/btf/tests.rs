use proptest::prelude::*;

use super::*;

/// Writes BTF for tests.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0] }
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn ty(&mut self, name: &str, kind: u8, flag: bool, count: u32, size_or_type: u32, extra: &[u32]) {
        let name = self.string(name);
        let info = u32::from(flag) << 31 | u32::from(kind) << 24 | count;
        for word in [name, info, size_or_type].iter().chain(extra) {
            self.types.extend_from_slice(&word.to_le_bytes());
        }
    }

    fn finish(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types, types, strings] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend(self.types);
        bytes.extend(self.strings);
        bytes
    }
}

/// `struct outer { u32 plain; struct { u32 low; const u16_t high; }; u32 bits:3; u16 list[5]; }`
fn sample() -> Vec<u8> {
    let mut out = Writer::new();
    out.ty("u32", kind::INT, false, 0, 4, &[32]); // 1
    out.ty("u16", kind::INT, false, 0, 2, &[16]); // 2
    out.ty("u16_t", kind::TYPEDEF, false, 0, 2, &[]); // 3
    out.ty("", kind::CONST, false, 0, 3, &[]); // 4
    let (low, high) = (out.string("low"), out.string("high"));
    out.ty("", kind::STRUCT, false, 2, 8, &[low, 1, 0, high, 4, 32]); // 5
    out.ty("", kind::ARRAY, false, 0, 0, &[2, 1, 5]); // 6
    let names = ["plain", "bits", "list"].map(|name| out.string(name));
    let members = [names[0], 1, 0, 0, 5, 32, names[1], 1, 3 << 24 | 96, names[2], 6, 128];
    out.ty("outer", kind::STRUCT, true, 4, 28, &members); // 7
    let (one, two) = (out.string("ONE"), out.string("TWO"));
    out.ty("number", kind::ENUM, false, 2, 4, &[one, 1, two, 2]); // 8
    out.finish()
}

#[test]
fn members_are_found_through_anonymous_ones() {
    let btf = Btf::parse(sample()).expect("valid");
    assert_eq!(btf.member("outer", "plain"), Ok(Member { offset: 0, size: 4 }));
    assert_eq!(btf.member("outer", "low"), Ok(Member { offset: 4, size: 4 }));
    assert_eq!(btf.member("outer", "high"), Ok(Member { offset: 8, size: 2 }));
    assert_eq!(btf.member("outer", "list"), Ok(Member { offset: 16, size: 10 }));
    assert_eq!(btf.size_of("outer"), Ok(28));
}

#[test]
fn what_is_not_there_is_named() {
    let btf = Btf::parse(sample()).expect("valid");
    assert_eq!(btf.member("outer", "nothing"), Err(BtfError::NoMember("outer.nothing".to_owned())));
    assert_eq!(btf.member("nothing", "x"), Err(BtfError::NoType("nothing".to_owned())));
    assert_eq!(btf.member("outer", "bits"), Err(BtfError::BitField("outer.bits".to_owned())));
}

#[test]
fn enum_values_are_read() {
    let btf = Btf::parse(sample()).expect("valid");
    assert_eq!(btf.enum_values("number"), Ok(vec![(1, "ONE".to_owned()), (2, "TWO".to_owned())]));
}

#[test]
fn a_type_of_itself_ends() {
    let mut out = Writer::new();
    out.ty("loop", kind::TYPEDEF, false, 0, 1, &[]);
    let inner = out.string("inner");
    out.ty("host", kind::STRUCT, false, 1, 8, &[inner, 1, 0]);
    out.ty("nest", kind::STRUCT, false, 1, 8, &[0, 3, 0]);
    let btf = Btf::parse(out.finish()).expect("valid");
    assert_eq!(btf.member("host", "inner"), Ok(Member { offset: 0, size: 0 }));
    assert!(btf.member("host", "inner.x").is_err());
    assert!(btf.member("nest", "x").is_err());
}

/// Asks everything; only the absence of a panic counts.
fn ask(bytes: Vec<u8>) {
    if let Ok(btf) = Btf::parse(bytes) {
        for path in ["plain", "low", "high", "bits", "list", "low.x"] {
            let _ = btf.member("outer", path);
        }
        let _ = (btf.enum_values("number"), btf.size_of("outer"), btf.tracepoint_args("x"));
    }
}

proptest! {
    #[test]
    fn damaged_input_never_panics(cut in 0usize..400, at in 0usize..400, value: u8) {
        let mut bytes = sample();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        bytes.truncate(cut);
        ask(bytes);
        let mut bytes = sample();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        ask(bytes);
    }

    #[test]
    fn any_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        ask(bytes.clone());
        if bytes.len() > 2 {
            (bytes[0], bytes[1]) = (0x9f, 0xeb);
        }
        ask(bytes);
    }
}
