//! [`DatabaseRef`]: a database, by the resource whose `connection` it is, or by a connection of its own.

use std::{borrow::Cow, fmt};

use clockwork_core::{
    CheckError, Context, Invalid, Named, ResourceName,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
};
use clockwork_drivers::sql::Connection;
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};

use crate::database;

/// A database: a resource that has a `connection`, or a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseRef(Which);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    Resource(String),
    Connection(Box<Connection>),
}

impl DatabaseRef {
    /// The resource, where one is named.
    pub(crate) fn resource(&self) -> Option<ResourceName> {
        match &self.0 {
            Which::Resource(name) => Some(ResourceName::new(name)),
            Which::Connection(_) => None,
        }
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        match &self.0 {
            Which::Resource(name) => name.clone(),
            Which::Connection(connection) => connection.place(),
        }
    }

    pub(crate) fn problems(&self, field: &str) -> Vec<Invalid> {
        match &self.0 {
            Which::Resource(_) => Vec::new(),
            Which::Connection(connection) => connection.validate(field),
        }
    }

    pub(crate) fn connection(&self, cx: &Context) -> Result<Connection, CheckError> {
        match &self.0 {
            Which::Resource(name) => database::of_resource(Some(name), None, cx),
            Which::Connection(connection) => Ok((**connection).clone()),
        }
    }
}

/// A resource, or its name.
impl<N: Named> From<N> for DatabaseRef {
    fn from(resource: N) -> Self {
        Self(Which::Resource(resource.resource_name().to_string()))
    }
}

impl DatabaseRef {
    /// Over this connection.
    pub fn at(connection: Connection) -> Self {
        Self(Which::Connection(Box::new(connection)))
    }
}

impl<'de> Deserialize<'de> for DatabaseRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = DatabaseRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a resource that has a `connection`, or a connection")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<DatabaseRef, E> {
                if name.is_empty() {
                    return Err(E::custom("the name of the resource is empty"));
                }
                Ok(DatabaseRef(Which::Resource(name.to_owned())))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<DatabaseRef, A::Error> {
                Connection::deserialize(MapAccessDeserializer::new(map)).map(DatabaseRef::at)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for DatabaseRef {
    fn schema_name() -> Cow<'static, str> {
        "DatabaseRef".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let connection = generator.subschema_for::<Connection>();
        json_schema!({
            "description": "The name of a resource that has a `connection`, or a connection",
            "anyOf": [{ "type": "string" }, connection]
        })
    }
}
