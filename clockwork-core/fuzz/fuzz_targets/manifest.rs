//! Whatever the bytes are, reading a manifest ends in a project or in errors that can be shown.
//!
//! `cargo +nightly fuzz run manifest fuzz/seeds` in `clockwork-core`.

#![no_main]

use std::collections::BTreeMap;

use clockwork_core::{
    Assertion, AssertionKind, ByteSize, CheckError, Context, Engine, Graph, ManifestInput, Matcher, Pattern, Secret,
    Verdict, async_trait,
};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be read")]
struct AnyAssert {
    text: String,
    #[serde(default)]
    number: Option<u16>,
    #[serde(default)]
    matcher: Option<Matcher>,
    #[serde(default)]
    paths: BTreeMap<String, Matcher>,
    #[serde(default)]
    size: Option<ByteSize>,
    #[serde(default)]
    pattern: Option<Pattern>,
    #[serde(default)]
    secret: Option<Secret>,
    #[serde(default)]
    choice: Option<Choice>,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[expect(dead_code, reason = "the fields are there to be read")]
enum Choice {
    Plain,
    Code(u16),
    Range { from: i64, to: f64 },
}

#[async_trait]
impl Assertion for AnyAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
        Ok(Verdict::passed())
    }
}

impl AssertionKind for AnyAssert {
    const NAME: &'static str = "AnyAssert";
}

fuzz_target!(|bytes: &[u8]| {
    let engine = Engine::builder()
        .register(|registry| {
            registry.assertion::<AnyAssert>();
        })
        .build()
        .expect("one kind is no duplicate");
    let input = ManifestInput { name: "fuzz.yaml".to_owned(), bytes: bytes.to_vec(), ..ManifestInput::default() };
    let env = |name: &str| (name.len() < 4).then(|| format!("{name}: [${{vars.{name}}}]"));
    match engine.read_manifest(&input, &env) {
        Ok(project) => assert!(Graph::new(&project).is_ok(), "what was read is valid"),
        Err(error) => {
            assert!(error.count() > 0, "an error says what is wrong");
            let told = error.to_string();
            assert!(!told.contains(|c: char| c != '\n' && c.is_control()), "nothing acts on a terminal: {told:?}");
        }
    }
});
