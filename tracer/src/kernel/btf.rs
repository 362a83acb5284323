//! A small reader of BTF, the kernel's description of its own types (Documentation/bpf/btf.rst): offsets of members,
//! values of enums. Bounded, and total on any input: what makes no sense is an error.

use std::{collections::HashMap, fmt, ops::Range};

const MAGIC: u16 = 0xeb9f;
const MAX_BYTES: usize = 256 << 20;
const MAX_DEPTH: u32 = 16;
const POINTER_BYTES: u32 = 8;

/// Kinds of types by their number in the format.
mod kind {
    pub const INT: u8 = 1;
    pub const PTR: u8 = 2;
    pub const ARRAY: u8 = 3;
    pub const STRUCT: u8 = 4;
    pub const UNION: u8 = 5;
    pub const ENUM: u8 = 6;
    pub const TYPEDEF: u8 = 8;
    pub const VOLATILE: u8 = 9;
    pub const CONST: u8 = 10;
    pub const RESTRICT: u8 = 11;
    pub const FUNC_PROTO: u8 = 13;
    pub const VAR: u8 = 14;
    pub const DATASEC: u8 = 15;
    pub const DECL_TAG: u8 = 17;
    pub const TYPE_TAG: u8 = 18;
    pub const ENUM64: u8 = 19;
}

/// Kinds that are asked for by name.
const BY_NAME: [u8; 5] = [kind::STRUCT, kind::UNION, kind::ENUM, kind::ENUM64, kind::TYPEDEF];

/// Why something was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BtfError {
    /// Not BTF, or damaged: what, and where.
    Malformed(&'static str, usize),
    /// The kernel has no type of this name.
    NoType(String),
    /// The type has no such member.
    NoMember(String),
    /// The member is a bit field, which has no address.
    BitField(String),
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what, at) => write!(f, "malformed BTF at byte {at}: {what}"),
            Self::NoType(name) => write!(f, "the kernel has no type `{name}`"),
            Self::NoMember(name) => write!(f, "the kernel has no member `{name}`"),
            Self::BitField(name) => write!(f, "`{name}` is a bit field"),
        }
    }
}

impl std::error::Error for BtfError {}

/// Where a member lies, in bytes from the start of the outermost structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Byte offset.
    pub offset: u32,
    /// Bytes; 0 where the type has no size of its own.
    pub size: u32,
}

/// Types of a kernel.
pub struct Btf {
    bytes: Vec<u8>,
    strings: Range<usize>,
    /// Byte offset of each type's record; type ids begin at 1.
    types: Vec<usize>,
    /// First type of each name, for the kinds that are asked for by name.
    names: HashMap<(u8, Box<str>), u32>,
}

/// The fixed part of a type's record.
#[derive(Clone, Copy)]
struct Type {
    at: usize,
    name: u32,
    kind: u8,
    flag: bool,
    count: usize,
    size_or_type: u32,
}

impl Btf {
    /// Indexes the types of `bytes` (`/sys/kernel/btf/vmlinux`; little endian).
    ///
    /// # Errors
    /// [`BtfError::Malformed`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let malformed = |what| BtfError::Malformed(what, 0);
        if bytes.len() > MAX_BYTES {
            return Err(malformed("too large"));
        }
        if u16_at(&bytes, 0) != Some(MAGIC) {
            return Err(malformed("no BTF magic (or of the other byte order)"));
        }
        let field = |at| u32_at(&bytes, at).map(|value| value as usize).ok_or(malformed("short header"));
        let header = field(4)?;
        let section = |offset: usize, len: usize| {
            let start = header.checked_add(offset)?;
            let end = start.checked_add(len)?;
            (end <= bytes.len()).then_some(start..end)
        };
        let types = section(field(8)?, field(12)?).ok_or(malformed("types are outside"))?;
        let strings = section(field(16)?, field(20)?).ok_or(malformed("strings are outside"))?;
        let mut btf = Self { bytes, strings, types: Vec::new(), names: HashMap::new() };
        btf.index(types)?;
        Ok(btf)
    }

    fn index(&mut self, types: Range<usize>) -> Result<(), BtfError> {
        let mut at = types.start;
        while at < types.end {
            let ty = self.type_at(at).ok_or(BtfError::Malformed("short type", at))?;
            self.types.push(at);
            let id = self.types.len() as u32;
            if let Some(name) = self.string(ty.name).filter(|name| !name.is_empty() && BY_NAME.contains(&ty.kind)) {
                let key = (ty.kind, name.into());
                self.names.entry(key).or_insert(id);
            }
            let next = at.checked_add(12 + ty.extra_bytes()).filter(|next| *next <= types.end);
            at = next.ok_or(BtfError::Malformed("type goes past the end", at))?;
        }
        Ok(())
    }

    fn type_at(&self, at: usize) -> Option<Type> {
        let info = u32_at(&self.bytes, at + 4)?;
        Some(Type {
            at,
            name: u32_at(&self.bytes, at)?,
            kind: (info >> 24 & 0x1f) as u8,
            flag: info >> 31 == 1,
            count: (info & 0xffff) as usize,
            size_or_type: u32_at(&self.bytes, at + 8)?,
        })
    }

    fn by_id(&self, id: u32) -> Option<Type> {
        self.type_at(*self.types.get((id as usize).checked_sub(1)?)?)
    }

    fn string(&self, offset: u32) -> Option<&str> {
        let strings = self.bytes.get(self.strings.clone())?;
        let tail = strings.get(offset as usize..)?;
        let len = tail.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&tail[..len]).ok()
    }

    fn named(&self, kinds: &[u8], name: &str) -> Result<Type, BtfError> {
        let id = kinds.iter().find_map(|kind| self.names.get(&(*kind, name.into())));
        id.and_then(|id| self.by_id(*id)).ok_or_else(|| BtfError::NoType(name.to_owned()))
    }

    /// Without typedefs and qualifiers.
    fn stripped(&self, mut id: u32) -> Option<Type> {
        for _ in 0..MAX_DEPTH {
            let ty = self.by_id(id)?;
            match ty.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => id = ty.size_or_type,
                _ => return Some(ty),
            }
        }
        None
    }

    /// The member at `path` (`__sk_common.skc_family`) of `struct name`, through anonymous members.
    ///
    /// # Errors
    /// Every [`BtfError`].
    pub fn member(&self, name: &str, path: &str) -> Result<Member, BtfError> {
        let mut ty = self.named(&[kind::STRUCT, kind::UNION], name)?;
        let full = || format!("{name}.{path}");
        let mut bits = 0u32;
        let mut member_type = 0;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let found = self.find(ty, part, 0).ok_or_else(|| BtfError::NoMember(full()))?;
            if found.is_bit_field {
                return Err(BtfError::BitField(full()));
            }
            bits = bits.checked_add(found.bits).ok_or_else(|| BtfError::NoMember(full()))?;
            member_type = found.type_id;
            if parts.peek().is_some() {
                ty = self.stripped(member_type).ok_or_else(|| BtfError::NoMember(full()))?;
            }
        }
        if !bits.is_multiple_of(8) {
            return Err(BtfError::BitField(full()));
        }
        Ok(Member { offset: bits / 8, size: self.size(member_type, 0).unwrap_or(0) })
    }

    fn find(&self, ty: Type, name: &str, depth: u32) -> Option<Found> {
        if depth > MAX_DEPTH || !matches!(ty.kind, kind::STRUCT | kind::UNION) {
            return None;
        }
        for index in 0..ty.count {
            let at = ty.at + 12 + index * 12;
            let (member_name, type_id, offset) =
                (u32_at(&self.bytes, at)?, u32_at(&self.bytes, at + 4)?, u32_at(&self.bytes, at + 8)?);
            let (bits, width) = if ty.flag { (offset & 0xff_ffff, offset >> 24) } else { (offset, 0) };
            let member_name = self.string(member_name)?;
            if member_name == name {
                return Some(Found { bits, type_id, is_bit_field: width != 0 || self.is_narrow_int(type_id) });
            }
            if member_name.is_empty()
                && let Some(inner) = self.stripped(type_id).and_then(|inner| self.find(inner, name, depth + 1))
            {
                return Some(Found { bits: bits.checked_add(inner.bits)?, ..inner });
            }
        }
        None
    }

    /// An int of fewer bits than its bytes have: how bit fields were written before they got a flag.
    fn is_narrow_int(&self, type_id: u32) -> bool {
        self.stripped(type_id).is_some_and(|ty| {
            ty.kind == kind::INT
                && u32_at(&self.bytes, ty.at + 12)
                    .is_some_and(|data| data & 0xff != ty.size_or_type.saturating_mul(8) || data >> 16 & 0xff != 0)
        })
    }

    fn size(&self, type_id: u32, depth: u32) -> Option<u32> {
        let ty = self.stripped(type_id)?;
        match ty.kind {
            kind::PTR => Some(POINTER_BYTES),
            kind::ARRAY if depth < MAX_DEPTH => {
                let element = self.size(u32_at(&self.bytes, ty.at + 12)?, depth + 1)?;
                element.checked_mul(u32_at(&self.bytes, ty.at + 20)?)
            }
            kind::INT | kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64 => Some(ty.size_or_type),
            _ => None,
        }
    }

    /// Size of `struct name` in bytes.
    ///
    /// # Errors
    /// [`BtfError::NoType`].
    pub fn size_of(&self, name: &str) -> Result<u32, BtfError> {
        self.named(&[kind::STRUCT, kind::UNION], name).map(|ty| ty.size_or_type)
    }

    /// Names and values of `enum name`.
    ///
    /// # Errors
    /// [`BtfError::NoType`].
    pub fn enum_values(&self, name: &str) -> Result<Vec<(u32, String)>, BtfError> {
        let ty = self.named(&[kind::ENUM, kind::ENUM64], name)?;
        let width = if ty.kind == kind::ENUM { 8 } else { 12 };
        let value = |index: usize| {
            let at = ty.at + 12 + index * width;
            Some((u32_at(&self.bytes, at + 4)?, self.string(u32_at(&self.bytes, at)?)?.to_owned()))
        };
        Ok((0..ty.count).filter_map(value).collect())
    }

    /// How many arguments the tracepoint `name` gives to programs; `None` where the kernel has no such tracepoint.
    pub fn tracepoint_args(&self, name: &str) -> Option<usize> {
        let typedef = self.named(&[kind::TYPEDEF], &format!("btf_trace_{name}")).ok()?;
        let pointer = self.stripped(typedef.size_or_type)?;
        let function = self.stripped(pointer.size_or_type)?;
        // The first parameter is the tracepoint's own data.
        (function.kind == kind::FUNC_PROTO).then(|| function.count.saturating_sub(1))
    }
}

struct Found {
    bits: u32,
    type_id: u32,
    is_bit_field: bool,
}

impl Type {
    /// Bytes of the record after its fixed part.
    fn extra_bytes(self) -> usize {
        match self.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * self.count,
            kind::ENUM | kind::FUNC_PROTO => 8 * self.count,
            _ => 0,
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
