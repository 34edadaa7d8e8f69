//! A serde deserializer over the nodes of a [`Document`], as strict as the types, and exact about places.
//!
//! It departs from what serde's other formats do where leniency would hide a mistake: `null` never stands for an
//! optional field that is left out, a field that a type would ignore is an error, and a list never stands for a struct.

use serde::de::{self, IntoDeserializer, Visitor};

use super::{
    fault::Fault,
    node::{Children, Document, INTERPOLATED, Id, Shape},
    scalar::{Plain, resolve},
};

/// What is left out of a node, and of those on the way down from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct View<'a> {
    /// Keys of a mapping that somebody else reads.
    pub(super) without: &'a [&'a str],
    /// Only these: the place (of the key, or the element) among the children, level by level.
    pub(super) only: &'a [usize],
    /// Not these, at the level where `only` ends.
    pub(super) except: &'a [usize],
}

/// Reads one node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct De<'a> {
    document: &'a Document<'a>,
    view: Option<&'a View<'a>>,
    /// Resolved: never an alias.
    id: Id,
    /// How many levels below that of the view it is.
    depth: u16,
    /// Reads a map without fields instead, whatever stands there.
    empty: bool,
}

impl<'a> De<'a> {
    pub(super) fn new(document: &'a Document<'a>, id: Id) -> Self {
        Self { document, view: None, id: document.resolve(id), depth: 0, empty: false }
    }

    pub(super) fn with(document: &'a Document<'a>, id: Id, view: &'a View<'a>) -> Self {
        Self { view: Some(view), ..Self::new(document, id) }
    }

    /// For a kind that is named without fields.
    pub(super) fn empty(document: &'a Document<'a>, id: Id) -> Self {
        Self { empty: true, ..Self::new(document, id) }
    }

    fn shape(&self) -> Shape {
        if self.empty { Shape::Mapping } else { self.document.entry(self.id).shape }
    }

    fn is_mapping(&self) -> bool {
        self.shape() == Shape::Mapping
    }

    fn items(self, fields: Option<&'static [&'static str]>) -> Items<'a> {
        let mut children = self.document.children(self.id);
        if self.empty {
            children.by_ref().for_each(drop);
        }
        Items { de: self, children, place: 0, value: None, fields }
    }

    fn any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let id = self.id;
        let result = match self.shape() {
            Shape::Mapping => visitor.visit_map(self.items(None)),
            Shape::Sequence => visitor.visit_seq(self.items(None)),
            _ => visit(self.document.scalar(id).unwrap_or(Plain::Null), visitor),
        };
        result.map_err(|fault| fault.at(id))
    }
}

fn visit<'a, V: Visitor<'a>>(value: Plain<'a>, visitor: V) -> Result<V::Value, Fault> {
    match value {
        Plain::Null => visitor.visit_unit(),
        Plain::Bool(value) => visitor.visit_bool(value),
        Plain::Unsigned(value) => visitor.visit_u64(value),
        Plain::Signed(value) => visitor.visit_i64(value),
        Plain::Float(value) => visitor.visit_f64(value),
        Plain::Unbounded => Err(de::Error::custom("this number is too large, or none that compares")),
        Plain::Text(text) => visitor.visit_borrowed_str(text),
    }
}

macro_rules! any {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.any(visitor)
        })*
    };
}

/// In `{…}` and `[…]`, YAML wants `${…}` in quotes. Where a number or a boolean is wanted, what was put in is one all
/// the same.
macro_rules! typed {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            let id = self.id;
            if self.document.entry(id).has(INTERPOLATED) && !self.empty {
                return visit(resolve(self.document.text(id)), visitor).map_err(|fault| fault.at(id));
            }
            self.any(visitor)
        })*
    };
}

impl<'a> de::Deserializer<'a> for De<'a> {
    type Error = Fault;

    any! {
        deserialize_any deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
        deserialize_ignored_any
    }

    typed! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
        deserialize_f64
    }

    /// A plain scalar whose text was put in is text where text is wanted: `user: ${env.USER}` may be `1000`.
    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (document, id) = (self.document, self.id);
        if !self.empty && document.entry(id).has(INTERPOLATED) {
            return visitor.visit_borrowed_str(document.text(id)).map_err(|fault: Fault| fault.at(id));
        }
        self.any(visitor)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    /// What is written is there. `body:` with nothing behind it would otherwise silently assert nothing.
    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        let id = self.id;
        if self.is_mapping() && self.items(None).size() == 0 {
            return visitor.visit_unit().map_err(|fault: Fault| fault.at(id));
        }
        Err(Fault::wrong_type("a map without fields (`{}`)").at(id))
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = visitor.visit_newtype_struct(self);
        if name == crate::secret::STRUCT_NAME { result.map_err(Fault::hide) } else { result }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.any(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let id = self.id;
        if !self.is_mapping() {
            return Err(Fault::wrong_type("a map of fields").at(id));
        }
        visitor.visit_map(self.items(Some(fields))).map_err(|fault| fault.at(id))
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (document, id) = (self.document, self.id);
        let one_of = || Fault::wrong_type(format!("one of `{}`", variants.join("`, `"))).at(id);
        if !self.is_mapping() {
            let name = match document.scalar(id) {
                Some(Plain::Null) | None => return Err(one_of()),
                Some(_) => document.text(id),
            };
            let name: de::value::BorrowedStrDeserializer<'_, Fault> =
                de::value::BorrowedStrDeserializer::new(name);
            return visitor.visit_enum(name).map_err(|fault| fault.at(id));
        }
        let mut pairs = document.pairs(id);
        match (self.empty, pairs.next(), pairs.next()) {
            (false, Some((key, value)), None) => {
                let variant = Variant { document, key, value };
                visitor.visit_enum(variant).map_err(|fault| fault.at(id))
            }
            _ => Err(one_of()),
        }
    }
}

/// The keys and values of a mapping, or the elements of a list.
struct Items<'a> {
    de: De<'a>,
    children: Children<'a>,
    /// How many keys or elements have gone by.
    place: usize,
    value: Option<Id>,
    /// The fields of the struct that is read: others are not ignored.
    fields: Option<&'static [&'static str]>,
}

impl<'a> Items<'a> {
    fn size(&self) -> usize {
        let count = self.children.clone().count();
        if self.de.is_mapping() { count / 2 } else { count }
    }

    /// What the view shows at this level alone.
    fn only(&self) -> Option<(&'a View<'a>, Option<usize>)> {
        self.de.view.map(|view| (view, view.only.get(usize::from(self.de.depth)).copied()))
    }

    /// Whether the view shows the one that has just gone by.
    fn shows_it(&self) -> bool {
        match self.only() {
            Some((_, Some(only))) => self.place - 1 == only,
            Some((view, None)) => !view.except.contains(&(self.place - 1)),
            None => true,
        }
    }

    /// Whether somebody else reads the value of this key.
    fn leaves_out(&self, name: &str) -> bool {
        self.de.depth == 0 && self.de.view.is_some_and(|view| view.without.contains(&name))
    }

    fn child(&self, id: Id) -> De<'a> {
        let child = De::new(self.de.document, id);
        match self.only() {
            Some((view, Some(_))) => De { view: Some(view), depth: self.de.depth + 1, ..child },
            _ => child,
        }
    }
}

impl<'a> de::SeqAccess<'a> for Items<'a> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        while let Some(id) = self.children.next() {
            self.place += 1;
            if self.shows_it() {
                return seed.deserialize(self.child(id)).map(Some).map_err(|fault| fault.at(id));
            }
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        None
    }
}

impl<'a> de::MapAccess<'a> for Items<'a> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let document = self.de.document;
        while let (Some(key), Some(value)) = (self.children.next(), self.children.next()) {
            self.place += 1;
            let name = document.text(document.resolve(key));
            if !self.shows_it() || self.leaves_out(name) {
                continue;
            }
            if let Some(fields) = self.fields
                && !fields.contains(&name)
            {
                return Err(Fault::unknown(name, fields).at(key));
            }
            self.value = Some(value);
            return seed
                .deserialize(Key { document, id: key, name })
                .map(Some)
                .map_err(|fault| fault.at(key));
        }
        Ok(None)
    }

    fn next_value_seed<T: de::DeserializeSeed<'a>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let Some(id) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(self.child(id)).map_err(|fault| fault.at(id))
    }
}

/// A key: text, unless a number is wanted.
struct Key<'a> {
    document: &'a Document<'a>,
    id: Id,
    name: &'a str,
}

macro_rules! typed_key {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            De::new(self.document, self.id).any(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.name)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let name: de::value::BorrowedStrDeserializer<'_, Fault> =
            de::value::BorrowedStrDeserializer::new(self.name);
        visitor.visit_enum(name)
    }

    typed_key! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// An enum's variant with its content.
struct Variant<'a> {
    document: &'a Document<'a>,
    key: Id,
    value: Id,
}

impl<'a> de::EnumAccess<'a> for Variant<'a> {
    type Error = Fault;
    type Variant = De<'a>;

    fn variant_seed<T: de::DeserializeSeed<'a>>(self, seed: T) -> Result<(T::Value, De<'a>), Fault> {
        let name = self.document.text(self.document.resolve(self.key));
        let name = seed.deserialize(name.into_deserializer()).map_err(|fault: Fault| fault.at(self.key))?;
        Ok((name, De::new(self.document, self.value)))
    }
}

impl<'a> de::VariantAccess<'a> for De<'a> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(Fault::wrong_type("the name alone").at(self.id))
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Fault> {
        let id = self.id;
        seed.deserialize(self).map_err(|fault| fault.at(id))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.any(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}
