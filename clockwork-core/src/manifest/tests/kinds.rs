//! Kinds to read, with one field of every sort, and how the tests read.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Assertion, AssertionKind, ByteSize, CheckError, Common, Context, Engine, Invalid, ManifestError,
    ManifestInput, Matcher, Pattern, Project, Registry, Resource, ResourceKind, ResourceName, Secret,
    Verdict,
};

macro_rules! assertion_kind {
    ($kind:ident, [$($alias:literal),*] $(, $method:item)*) => {
        #[async_trait::async_trait]
        impl Assertion for $kind {
            fn kind(&self) -> &'static str {
                stringify!($kind)
            }
            $($method)*
            async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
                Ok(Verdict::passed())
            }
        }

        impl AssertionKind for $kind {
            const NAME: &'static str = stringify!($kind);
            const ALIASES: &'static [&'static str] = &[$($alias),*];
        }
    };
}

/// Answers well.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthcheckAssert {
    /// Where.
    pub(super) url: String,
    #[serde(default)]
    pub(super) expected_status: Option<u16>,
    #[serde(default)]
    pub(super) body: Option<Matcher>,
    #[serde(default)]
    pub(super) json: BTreeMap<String, Matcher>,
    #[serde(default)]
    pub(super) insecure: bool,
    #[serde(default)]
    pub(super) bearer: Option<Secret>,
}
assertion_kind!(
    HealthcheckAssert,
    ["HTTPHealthcheckAssert"],
    fn validate(&self, _: Option<&dyn Resource>) -> Vec<Invalid> {
        let good = self.url.contains("://");
        if good { Vec::new() } else { vec![Invalid::field("url", format!("`{}` has no scheme", self.url))] }
    }
);

/// Runs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunningAssert {}
assertion_kind!(
    RunningAssert,
    [],
    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let contained = owner.is_some_and(|owner| owner.downcast_ref::<ContainerResource>().is_some());
        if contained { Vec::new() } else { vec![Invalid::whole("it is only for a container")] }
    }
);

/// How people name a kind that is not strict about its fields.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub(super) struct FileAssert {
    pub(super) path: String,
    #[serde(default)]
    pub(super) max_bytes: Option<ByteSize>,
    #[serde(default)]
    pub(super) pattern: Option<Pattern>,
    #[serde(with = "crate::duration::optional", default)]
    #[schemars(with = "Option<crate::duration::Schema>")]
    pub(super) max_age: Option<Duration>,
    #[serde(default)]
    pub(super) ratio: Option<f64>,
}
assertion_kind!(FileAssert, []);

/// Over two resources.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkAssert {
    pub(super) from_service: String,
    pub(super) to_service: String,
    #[serde(default)]
    pub(super) protocol: Protocol,
    #[serde(default)]
    pub(super) status: Option<Status>,
}
assertion_kind!(
    LinkAssert,
    [],
    fn related(&self) -> Vec<ResourceName> {
        [&self.from_service, &self.to_service].map(ResourceName::new).to_vec()
    }
);

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    /// Anything.
    #[default]
    Tcp,
    /// HTTP.
    Http,
}

/// An enum with content.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Status {
    Any,
    Code(u16),
    Range { from: u16, to: u16 },
}

/// A container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContainerResource {
    #[serde(skip)]
    common: Common,
    /// What it is made of.
    pub(super) image: String,
    #[serde(default)]
    pub(super) ports: Vec<String>,
    #[serde(default)]
    pub(super) env_vars: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) connection: Option<Connection>,
}

/// How a database is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    pub(super) host: String,
    pub(super) port: u16,
    #[serde(default)]
    pub(super) password: Option<Secret>,
}

impl Resource for ContainerResource {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn spec(&self) -> serde_json::Value {
        serde_json::json!({ "image": self.image })
    }

    fn validate(&self) -> Vec<Invalid> {
        let bad = self.ports.iter().enumerate().filter(|(_, port)| !port.contains(':'));
        bad.map(|(index, port)| {
            Invalid::field(format!("ports.{index}"), format!("`{port}` is no `HOST:CONTAINER`"))
        })
        .collect()
    }
}

impl ResourceKind for ContainerResource {
    const NAME: &'static str = "ContainerResource";
    const ALIASES: &'static [&'static str] = &["DockerResource"];
}

pub(super) fn register(registry: &mut Registry) {
    registry.assertion::<HealthcheckAssert>().assertion::<RunningAssert>().assertion::<FileAssert>();
    registry.assertion::<LinkAssert>().resource::<ContainerResource>();
}

pub(super) fn engine() -> Engine {
    Engine::builder().register(register).build().unwrap()
}

pub(super) const CANARY: &str = "canary-7f3a-secret";

pub(super) fn env(name: &str) -> Option<String> {
    let value = match name {
        "HOST" => "localhost",
        "PORT" => "8080",
        "EMPTY" => "",
        "TRICKY" => "a: b\nc: [d]\n- \"e\" # ${vars.port}",
        "TOKEN" => CANARY,
        "NULL" => "null",
        _ => return None,
    };
    Some(value.to_owned())
}

pub(super) fn input(text: impl Into<Vec<u8>>) -> ManifestInput {
    ManifestInput { name: "clockwork.yaml".to_owned(), bytes: text.into(), ..ManifestInput::default() }
}

pub(super) fn read(text: impl Into<Vec<u8>>) -> Result<Project, ManifestError> {
    engine().read_manifest(&input(text), &env)
}

/// What is wrong with a manifest, as it is told.
pub(super) fn wrong(text: impl Into<Vec<u8>>) -> String {
    read(text).unwrap_err().to_string()
}

/// The assertion in this place of a resource, or among those of the project, as it was read.
pub(super) fn assertion(project: &Project, resource: Option<usize>, index: usize) -> String {
    let declared = match resource {
        Some(resource) => &project.resources()[resource].common().assertions()[index],
        None => &project.assertions[index],
    };
    format!("{:?}", declared.assertion())
}

pub(super) fn file(path: &str) -> FileAssert {
    FileAssert { path: path.to_owned(), max_bytes: None, pattern: None, max_age: None, ratio: None }
}

pub(super) fn health(url: &str) -> HealthcheckAssert {
    let url = url.to_owned();
    HealthcheckAssert {
        url,
        expected_status: None,
        body: None,
        json: BTreeMap::new(),
        insecure: false,
        bearer: None,
    }
}
