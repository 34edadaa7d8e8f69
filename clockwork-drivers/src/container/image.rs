//! [`ImageInspect`]: what a name of an image means in an engine right now.

use clockwork_core::{CheckError, Context, Fault, Probe, text::quote};
use serde::Deserialize;

use super::{
    EngineRef,
    client::{self, segment},
    list::or_default,
};

/// What an image's name, or id, means; nothing, where the engine has no such image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageInspect {
    /// The engine that has it.
    pub engine: EngineRef,
    /// `nginx:1.27`, `nginx@sha256:…`, or an id.
    pub name: String,
}

/// An image, as `GET /images/…/json` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageDetails {
    /// `sha256:` and 64 hexadecimal digits.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Its names: `nginx:1.27`.
    #[serde(deserialize_with = "or_default")]
    pub repo_tags: Vec<String>,
    /// Under which digests registries know it: `nginx@sha256:…`. None for one that was built here and never pushed.
    #[serde(deserialize_with = "or_default")]
    pub repo_digests: Vec<String>,
}

impl Probe for ImageInspect {
    type Observation = Option<ImageDetails>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let engine = client::engine(&self.engine, cx).await?;
        cx.phase(format!("waiting for {}", engine.describe()));
        engine.json(&format!("/images/{}/json", segment(&self.name)), 8 << 20).await
    }

    fn describe(&self) -> String {
        format!("inspecting the image {}", quote(&self.name))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}
