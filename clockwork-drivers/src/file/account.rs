//! [`AccountProbe`]: users and groups, by name and by number. On the host as the system resolves them (NSS); inside a
//! container by its `/etc/passwd` and `/etc/group`, because nothing of ours runs there.

use std::{borrow::Cow, fmt, path::Path};

use clockwork_core::{CheckError, Context, Fault, Probe, text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Found,
    content::{FileBytes, read},
    look::in_line,
    system::{self, Root},
};

/// Asks for a user or a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccountProbe {
    /// The user of this name.
    UserNamed(String),
    /// The user of this number.
    User(u32),
    /// The group of this name.
    GroupNamed(String),
    /// The group of this number.
    Group(u32),
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: u32,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_name(&self.name, f)?;
        write!(f, " ({})", self.id)
    }
}

/// As it is where it is plain, otherwise quoted.
fn show_name(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match name.bytes().all(|b| b.is_ascii_graphic()) {
        true => f.write_str(name),
        false => f.write_str(&text::quote(name)),
    }
}

/// A user or a group as a manifest names it: by name, or by number. A string of digits is a number too, as for `chown`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccountRef {
    /// By name.
    Name(String),
    /// By number.
    Id(u32),
}

impl AccountRef {
    /// The question for the user that is meant.
    pub fn user(&self) -> AccountProbe {
        match self {
            Self::Name(name) => AccountProbe::UserNamed(name.clone()),
            Self::Id(id) => AccountProbe::User(*id),
        }
    }

    /// The question for the group that is meant.
    pub fn group(&self) -> AccountProbe {
        match self {
            Self::Name(name) => AccountProbe::GroupNamed(name.clone()),
            Self::Id(id) => AccountProbe::Group(*id),
        }
    }

    /// What is wrong with it, if anything is.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Name(name) if name.is_empty() => Some(String::from("is empty: give a name or a number")),
            Self::Name(name) if name.contains([':', '\0', '\n']) => {
                Some(format!("{} cannot be a name: give one name, without its group", text::quote(name)))
            }
            _ => None,
        }
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => show_name(name, f),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

impl From<&str> for AccountRef {
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(id) if text.bytes().all(|b| b.is_ascii_digit()) => Self::Id(id),
            _ => Self::Name(text.to_owned()),
        }
    }
}

impl From<u32> for AccountRef {
    fn from(id: u32) -> Self {
        Self::Id(id)
    }
}

impl Serialize for AccountRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Id(id) => serializer.serialize_u32(*id),
        }
    }
}

impl<'de> Deserialize<'de> for AccountRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = AccountRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AccountRef, E> {
                Ok(text.into())
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<AccountRef, E> {
                u32::try_from(id)
                    .map(AccountRef::Id)
                    .map_err(|_| E::custom(format!("{id} is too large for an id")))
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<AccountRef, E> {
                u32::try_from(id).map(AccountRef::Id).map_err(|_| E::custom(format!("{id} cannot be an id")))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for AccountRef {
    fn schema_name() -> Cow<'static, str> {
        "AccountRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "A user or a group: its name, or its number.",
            "minimum": 0,
            "examples": ["www-data", 33]
        })
    }
}

impl Probe for AccountProbe {
    /// `None` where there is no such user or group.
    type Observation = Option<Account>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let asked = self.clone();
        #[cfg(feature = "container")]
        if let Some(archive) = super::archive::instead(cx).await? {
            let database = Box::pin(archive.read(asked.database(), super::IN_MEMORY, cx)).await?;
            return asked.among(database);
        }
        in_line(cx, move |root| if root.is_host() { system::account(&asked) } else { asked.inside(root) })
            .await
    }

    fn describe(&self) -> String {
        match self {
            Self::UserNamed(name) => format!("looking up user {}", text::quote(name)),
            Self::User(id) => format!("looking up user {id}"),
            Self::GroupNamed(name) => format!("looking up group {}", text::quote(name)),
            Self::Group(id) => format!("looking up group {id}"),
        }
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

impl AccountProbe {
    pub(super) fn inside(&self, root: &Root) -> Result<Option<Account>, CheckError> {
        self.among(read(root, self.database(), super::IN_MEMORY)?)
    }

    /// The file that tells, inside a container.
    fn database(&self) -> &'static Path {
        Path::new(match self {
            Self::UserNamed(_) | Self::User(_) => "/etc/passwd",
            Self::GroupNamed(_) | Self::Group(_) => "/etc/group",
        })
    }

    fn among(&self, read: Found<FileBytes>) -> Result<Option<Account>, CheckError> {
        let database = self.database();
        let bytes = match read {
            Found::There(FileBytes::Whole(bytes)) => bytes,
            // A container made of one static program has no users, only numbers.
            Found::Missing(_) => return Ok(None),
            Found::There(FileBytes::Larger(size)) => {
                let what =
                    format!("the container's {} is too large to read: {size} bytes", database.display());
                return Err(CheckError::unobservable(what));
            }
            Found::NotRegular(what) => {
                let what = format!("the container's {} is {what}", database.display());
                return Err(CheckError::unobservable(what));
            }
        };
        let lines = String::from_utf8_lossy(&bytes);
        Ok(lines.lines().filter_map(account).find(|account| match self {
            Self::UserNamed(name) | Self::GroupNamed(name) => account.name == *name,
            Self::User(id) | Self::Group(id) => account.id == *id,
        }))
    }
}

/// `name:password:number:…`, in both files.
fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
    Some(Account { name: name.to_owned(), id: fields.nth(1)?.trim().parse().ok()? })
}
