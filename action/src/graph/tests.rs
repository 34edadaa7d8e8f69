//! Every way to draw a graph, and that no name or message gets out of its place in one.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use clockwork_core::{
    Assertion, CheckError, Context, ResourceName, Verdict, async_trait, prelude::*, text::harmless,
};
use proptest::prelude::*;

use super::*;

const HOSTILE: &str = "x\"]; n0 -> n1 </text><script>alert(1)</script>\n\x1b[2J\u{202e} --> #quot; \\";

/// An assertion over several resources.
#[derive(Debug)]
struct Connects(Vec<&'static str>, bool);

#[async_trait]
impl Assertion for Connects {
    fn kind(&self) -> &'static str {
        "ConnectsAssert"
    }

    fn related(&self) -> Vec<ResourceName> {
        self.0.iter().map(ResourceName::new).collect()
    }

    async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
        Ok(Verdict::of(self.1, "no route to the host"))
    }
}

fn shop() -> Project {
    let holds = |name: &str| assertion(name, async |_: Context| true);
    let database = BlankResource::new("database").assert(holds("answers")).assert(holds("is new"));
    let cache = BlankResource::new("cache").assert(holds("answers"));
    let late = assertion("is quick", async |_: Context| (false, "took 2 s")).severity(Severity::Warning);
    let api = BlankResource::new("api")
        .depends_on("database")
        .depends_on("cache")
        .assert(assertion("answers", async |_: Context| (false, "answered 503\nand more")))
        .assert(late)
        .assert(Connects(vec!["cache"], true));
    let web = BlankResource::new("web").depends_on("api").depends_on("database").assert(holds("answers"));
    let jobs = BlankResource::new("jobs").depends_on("cache");
    Project::new("shop")
        .with(web)
        .with(api)
        .with(database)
        .with(cache)
        .with(jobs)
        .assert(Connects(vec!["jobs", "database"], false))
        .assert(Connects(vec!["jobs", "database", "cache"], true))
        .assert(Connects(vec!["database", "cache"], true))
}

fn drawn(project: &Project, run: bool, format: GraphFormat) -> String {
    let graph = Graph::new(project).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let report = run.then(|| runtime.block_on(Engine::standard().assert(project)).unwrap());
    let mut out = Vec::new();
    Drawing::new(project, &graph, report.as_ref()).write(&mut out, format, &Palette::default()).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn as_text() {
    insta::assert_snapshot!("text", drawn(&shop(), true, GraphFormat::Text));
    insta::assert_snapshot!("text_declared", drawn(&shop(), false, GraphFormat::Text));
}

#[test]
fn as_dot() {
    insta::assert_snapshot!(drawn(&shop(), true, GraphFormat::Dot));
}

#[test]
fn as_mermaid() {
    insta::assert_snapshot!(drawn(&shop(), true, GraphFormat::Mermaid));
}

#[test]
fn as_svg() {
    let svg = drawn(&shop(), true, GraphFormat::Svg);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let groups: Vec<_> = document.root_element().children().filter(|node| node.has_tag_name("g")).collect();
    let classes: Vec<_> = groups.iter().filter_map(|group| group.attribute("class")).collect();
    assert_eq!(
        classes,
        ["passed", "passed", "failed", "skipped", "unknown", "passed", "failed", "passed", "passed"]
    );
    let text: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .filter_map(|node| node.text())
        .collect();
    for shown in ["✓ database", "✗ api", "- web", "· jobs", "✗ ConnectsAssert"] {
        assert!(text.contains(&shown), "{shown}: {text:?}");
    }
    if let Some(path) = std::env::var_os("CLOCKWORK_TEST_SVG") {
        std::fs::write(path, svg).unwrap();
    }
}

#[test]
fn no_two_boxes_overlap_and_needs_stand_to_the_left() {
    let document = drawn(&shop(), false, GraphFormat::Svg);
    let document = roxmltree::Document::parse(&document).unwrap();
    let number =
        |node: roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
    let boxes: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("rect") && node.attribute("rx") == Some("6"))
        .map(|node| (number(node, "x"), number(node, "y"), number(node, "width"), number(node, "height")))
        .collect();
    assert_eq!(boxes.len(), 5);
    for (index, a) in boxes.iter().enumerate() {
        for b in &boxes[index + 1..] {
            assert!(
                a.0 + a.2 <= b.0 || b.0 + b.2 <= a.0 || a.1 + a.3 <= b.1 || b.1 + b.3 <= a.1,
                "{a:?} {b:?}"
            );
        }
    }
}

#[test]
fn a_long_chain_is_drawn_quickly_and_without_recursion() {
    let project = (0..5_000).fold(Project::new("chain"), |project, number| {
        let resource = BlankResource::new(format!("r{number}"));
        project.with(if number == 0 { resource } else { resource.depends_on(&*format!("r{}", number - 1)) })
    });
    let project = project.assert(assertion("holds", async |_: Context| true));
    for format in GraphFormat::value_variants() {
        let text = drawn(&project, false, *format);
        assert!(text.contains("r4999") && text.len() < 5_000_000, "{format:?}: {}", text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_gets_out_of_its_place(noise in any::<String>(), cut in 0..HOSTILE.len()) {
        let cut = (0..=cut).rev().find(|at| HOSTILE.is_char_boundary(*at)).unwrap_or(0);
        let said = format!("{}{noise}{HOSTILE}", &HOSTILE[cut..]);
        let message = said.clone();
        let says = assertion(&said, move |_: Context| {
            let message = message.clone();
            async move { (false, message) }
        });
        let plain = Project::new("shop").with(BlankResource::new("web").assert(assertion("x", async |_: Context| (false, "x"))));
        let hostile = Project::new(format!("shop{said}")).with(BlankResource::new("web").assert(says));
        for format in GraphFormat::value_variants() {
            let (plain, text) = (drawn(&plain, true, *format), drawn(&hostile, true, *format));
            prop_assert_eq!(text.lines().count(), plain.lines().count(), "{}", text);
            let safe = text.chars().all(|c| c == '\n' || matches!(harmless(&c.to_string()), std::borrow::Cow::Borrowed(_)));
            prop_assert!(safe, "{}", text);
            if *format == GraphFormat::Svg {
                let elements = |text: &str| {
                    let document = roxmltree::Document::parse(text).unwrap();
                    document.descendants().filter(|node| node.is_element()).map(|node| node.tag_name().name().to_owned()).collect::<Vec<_>>()
                };
                prop_assert_eq!(elements(&text), elements(&plain));
            }
            if *format == GraphFormat::Dot {
                // Outside quotes, it is the same.
                prop_assert_eq!(outside_quotes(&text), outside_quotes(&plain));
            }
        }
    }
}

fn outside_quotes(text: &str) -> String {
    let (mut outside, mut quoted, mut chars) = (String::new(), false, text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => quoted = !quoted,
            c if !quoted => outside.push(c),
            _ => {}
        }
    }
    outside
}
