//! Values that tell a wrong type instead of failing the file, and lists that keep only so many elements.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{Error as ValueError, MapAccessDeserializer, SeqAccessDeserializer},
    },
};

/// What a type is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string, number or boolean.
    Scalar,
    /// A mapping.
    Map,
    /// A list.
    List,
}

/// A type that says what it is written as, so that another shape is skipped without parsing it.
pub trait Shaped {
    /// Its shape.
    const SHAPE: Shape;
}

impl Shaped for String {
    const SHAPE: Shape = Shape::Scalar;
}
impl Shaped for i64 {
    const SHAPE: Shape = Shape::Scalar;
}
impl Shaped for bool {
    const SHAPE: Shape = Shape::Scalar;
}

/// A field that may be absent, `null`, or of a wrong type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// As it should be.
    Value(T),
    /// Something else: what was found.
    Wrong(&'static str),
}

impl<T> Field<T> {
    /// The value, where there is a right one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Wrong(_) => None,
        }
    }

    /// What was found in place of the right type.
    pub fn wrong(&self) -> Option<&'static str> {
        match self {
            Self::Wrong(found) => Some(found),
            Self::Absent | Self::Value(_) => None,
        }
    }
}

impl Field<String> {
    /// The text; `None` where absent or wrong.
    pub fn text(&self) -> Option<&str> {
        self.value().map(String::as_str)
    }
}

/// A list of which at most `N` elements are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T, const N: usize> {
    /// Those kept.
    pub items: Vec<T>,
    /// How many were not.
    pub dropped: usize,
}

impl<T, const N: usize> Shaped for Few<T, N> {
    const SHAPE: Shape = Shape::List;
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Few<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FewVisitor<T, const N: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for FewVisitor<T, N> {
            type Value = Few<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut few = Few { items: Vec::new(), dropped: 0 };
                while few.items.len() < N {
                    match seq.next_element()? {
                        Some(item) => few.items.push(item),
                        None => return Ok(few),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    few.dropped += 1;
                }
                Ok(few)
            }
        }
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Shaped> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<T> FieldVisitor<T> {
    /// The text is already parsed here: an error can only be about its type.
    fn scalar<'de, V>(value: V, found: &'static str) -> Field<T>
    where
        T: Deserialize<'de> + Shaped,
        V: IntoDeserializer<'de, ValueError>,
    {
        if T::SHAPE != Shape::Scalar {
            return Field::Wrong(found);
        }
        T::deserialize(value.into_deserializer()).map_or(Field::Wrong(found), Field::Value)
    }
}

impl<'de, T: Deserialize<'de> + Shaped> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Self::scalar(value, "a boolean"))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Self::scalar(value, "a number"))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Self::scalar(value, "a number"))
    }

    fn visit_i128<E>(self, _value: i128) -> Result<Self::Value, E> {
        Ok(Field::Wrong("a very large number"))
    }

    fn visit_u128<E>(self, _value: u128) -> Result<Self::Value, E> {
        Ok(Field::Wrong("a very large number"))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Self::Value, E> {
        Ok(Field::Wrong("a fraction"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Self::scalar(value, "a string"))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(Self::scalar(value, "a string"))
    }

    fn visit_bytes<E>(self, _value: &[u8]) -> Result<Self::Value, E> {
        Ok(Field::Wrong("binary data"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        if T::SHAPE == Shape::List {
            return T::deserialize(SeqAccessDeserializer::new(seq)).map(Field::Value);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Wrong("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        if T::SHAPE == Shape::Map {
            return T::deserialize(MapAccessDeserializer::new(map)).map(Field::Value);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Wrong("a mapping"))
    }
}
