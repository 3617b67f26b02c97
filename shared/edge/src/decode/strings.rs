//! Structs from named strings: query strings, forms and paths, in which every value is text

use super::{humane, pointer};
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor,
    value::{Error, MapDeserializer, SeqDeserializer, StringDeserializer},
};
use std::collections::BTreeMap;

/// Reads a `T`; where it cannot, the place as a JSON pointer, and why
pub(super) fn read<T: DeserializeOwned>(pairs: BTreeMap<String, Vec<String>>) -> Result<T, (String, String)> {
    let pairs = pairs.into_iter().map(|(name, values)| (name, Values(values)));
    serde_path_to_error::deserialize(MapDeserializer::<_, Error>::new(pairs))
        .map_err(|error| (pointer(error.path()), humane(&error.into_inner().to_string())))
}

/// The values given to one name, usually one
struct Values(Vec<String>);

impl Values {
    fn one(mut self) -> Result<String, Error> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(value), true) => Ok(value),
            (Some(_) | None, _) => Err(Error::custom("given more than once")),
        }
    }
}

impl IntoDeserializer<'_, Error> for Values {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// Numbers and booleans are read from their text, and only in their usual spelling
macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty, $words:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let text = self.one()?;
            match text.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Error::custom(format!("`{}` is not {}", clip(&text), $words))),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Values {
    type Error = Error;

    parsed! {
        deserialize_bool visit_bool bool, "`true` or `false`";
        deserialize_u8 visit_u8 u8, "a whole number, not negative";
        deserialize_u16 visit_u16 u16, "a whole number, not negative";
        deserialize_u32 visit_u32 u32, "a whole number, not negative";
        deserialize_u64 visit_u64 u64, "a whole number, not negative";
        deserialize_i8 visit_i8 i8, "a whole number";
        deserialize_i16 visit_i16 i16, "a whole number";
        deserialize_i32 visit_i32 i32, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.one()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter().map(|value| Self(vec![value]))))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        StringDeserializer::<Error>::new(self.one()?).deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

fn clip(text: &str) -> &str {
    text.char_indices().nth(64).map_or(text, |(end, _)| text.get(..end).unwrap_or_default())
}
