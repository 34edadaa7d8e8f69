//! A program that embeds `clockwork-core` and brings a resource kind, a driver and an assertion kind of its own: a spool
//! directory, and how many jobs may wait in it. The kinds work in Rust, and in a manifest once they are registered.

use std::path::PathBuf;

use clockwork_core::{
    Assertion, AssertionKind, Common, Driver, ManifestInput, Observation, Registry, Resource, ResourceKind,
    async_trait, prelude::*, schemars::JsonSchema,
};
use serde::{Deserialize, Serialize};

/// A directory in which jobs wait.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "clockwork_core::schemars")]
struct SpoolResource {
    /// Where the jobs lie, one file each.
    directory: PathBuf,
    #[serde(skip)]
    common: Common,
}

impl SpoolResource {
    fn new(name: &str, directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), common: Common::new(name) }
    }
}

impl Resource for SpoolResource {
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
        serde_json::json!({ "directory": self.directory })
    }
}

impl ResourceKind for SpoolResource {
    const NAME: &'static str = "SpoolResource";
}

/// What the driver saw, once, at one moment.
#[derive(Debug, Serialize)]
struct Spool {
    directory: PathBuf,
    waiting: usize,
}

#[derive(Debug)]
struct SpoolDriver;

#[async_trait]
impl Driver for SpoolDriver {
    fn kinds(&self) -> &'static [&'static str] {
        &[SpoolResource::NAME]
    }

    async fn observe(
        &self,
        resource: &dyn Resource,
        _: &Context,
    ) -> Result<Option<Box<dyn Observation>>, CheckError> {
        let Some(spool) = resource.downcast_ref::<SpoolResource>() else { return Ok(None) };
        let mut jobs = match tokio::fs::read_dir(&spool.directory).await {
            Ok(jobs) => jobs,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CheckError::unobservable("cannot read the spool").with_source(error)),
        };
        let mut waiting = 0;
        while jobs.next_entry().await?.is_some() {
            waiting += 1;
        }
        Ok(Some(Box::new(Spool { directory: spool.directory.clone(), waiting })))
    }
}

/// At most so many jobs wait. A spool that is not there has not been judged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "clockwork_core::schemars")]
struct SpoolDepthAssert {
    /// How many jobs may wait.
    max: usize,
}

#[async_trait]
impl Assertion for SpoolDepthAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        format!("<= {}", self.max)
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let name = cx.resource().map_or("", |resource| resource.common().name().as_str());
        Ok(match cx.observe_as::<Spool>(name).await? {
            Some(spool) => judge(self.max, &spool),
            None => Verdict::unjudged("there is no spool directory"),
        })
    }
}

impl AssertionKind for SpoolDepthAssert {
    const NAME: &'static str = "SpoolDepthAssert";
}

fn judge(max: usize, spool: &Spool) -> Verdict {
    Verdict::of(spool.waiting <= max, format!("{} jobs wait in {}", spool.waiting, spool.directory.display()))
        .expected(format!("<= {max}"))
        .actual(spool.waiting.to_string())
}

/// What a crate of kinds exports.
fn register(registry: &mut Registry) {
    registry.resource::<SpoolResource>();
    registry.assertion::<SpoolDepthAssert>();
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let directory = std::env::temp_dir().join(format!("clockwork-embedded-{}", std::process::id()));
    let fill = |jobs: usize| {
        std::fs::create_dir_all(&directory)?;
        (0..jobs).try_for_each(|job| std::fs::write(directory.join(job.to_string()), "print me"))
    };
    if let Err(error) = fill(3) {
        eprintln!("cannot write {}: {error}", directory.display());
        return Ok(ExitCode::FAILURE);
    }
    let engine = Engine::builder().driver(SpoolDriver).register(register).build()?;

    let spool = SpoolResource::new("printer", &directory).assert(SpoolDepthAssert { max: 10 });
    let from_rust = engine.assert(&Project::new("office").with(spool)).await?;
    println!("from Rust:\n{from_rust}");

    let manifest = format!(
        "project: office\n\
         resources:\n  \
           printer:\n    \
             kind: SpoolResource\n    \
             directory: {directory:?}\n    \
             assertions:\n      \
               - SpoolDepthAssert: {{ max: 2 }}\n"
    );
    let project = engine.read_manifest(&ManifestInput::new("clockwork.yaml", manifest), &|_| None)?;
    let from_manifest = engine.assert(&project).await?;
    println!("from a manifest, with a limit that does not hold:\n{from_manifest}");

    let _ = std::fs::remove_dir_all(&directory);
    let as_expected = from_rust.passed() && !from_manifest.passed();
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
