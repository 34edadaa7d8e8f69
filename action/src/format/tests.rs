//! Whatever an assertion says, every format can be read back as what the report holds, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use clockwork_core::{
    Assertion, CheckError, Context, Engine, Outcome, Report, ResourceExt, Severity, TextOptions, Verdict,
    async_trait, prelude::*, text::harmless,
};
use proptest::prelude::*;

use super::*;

#[path = "forged_tests.rs"]
mod forged_tests;

/// An assertion that says what it is told to.
#[derive(Debug, Clone)]
struct Says {
    outcome: Outcome,
    label: String,
    message: String,
    evidence: Option<String>,
    name: Option<String>,
    warning: bool,
}

#[async_trait]
impl Assertion for Says {
    fn kind(&self) -> &'static str {
        "SaysAssert"
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
        let verdict = match self.outcome {
            Outcome::Passed => Verdict::passed().message(&self.message),
            Outcome::Errored => return Err(CheckError::unobservable(&self.message)),
            _ => Verdict::failed(&self.message),
        };
        Ok(match &self.evidence {
            Some(evidence) => verdict.expected(evidence).actual(evidence).detail("seen", evidence.as_str()),
            None => verdict,
        })
    }
}

/// A run that is over.
struct Ran {
    project: Project,
    graph: Graph,
    report: Report,
}

impl std::ops::Deref for Ran {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

/// A project that asserts these, half of them on a resource, and what became of it.
fn report_of(project: &str, says: &[Says]) -> Ran {
    let mut resource = BlankResource::new("web");
    let mut project = Project::new(format!("shop {project}"));
    for (index, says) in says.iter().enumerate() {
        let mut declared =
            says.clone().severity(if says.warning { Severity::Warning } else { Severity::Error });
        if let Some(name) = &says.name {
            declared = declared.name(name);
        }
        if says.outcome == Outcome::Skipped {
            declared = declared.skip(&says.message);
        }
        if index % 2 == 0 {
            resource = resource.assert(declared);
        } else {
            project = project.assert(declared);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let project = project.with(resource);
    let report = runtime.block_on(Engine::standard().assert(&project)).unwrap();
    Ran { graph: Graph::new(&project).unwrap(), project, report }
}

fn written(format: Format, ran: &Ran, options: &TextOptions) -> String {
    let mut out = Vec::new();
    let (project, graph, report) = (&ran.project, &ran.graph, &ran.report);
    let files = [(Format::Json, "/tmp/a\nresult=forged/report.json".into())];
    let (fail_on, shared) = (FailOn::Failed, &Shared::default());
    let seen = Seen { project, graph, report, fail_on, annotated: true, files: &files, shared };
    format.write(&mut out, &seen, options).unwrap();
    String::from_utf8(out).unwrap()
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        3 => any::<char>().prop_map(String::from),
        2 => prop::sample::select(vec![
            "\n", "\r\n", "\r", "\t", "\0", "\x1b[2K", "\u{9b}2J", "\u{202e}", "\u{2028}", "\u{fffe}", "\u{ffff}", "\u{7f}",
            "#", "# TODO", "# SKIP", "\\", "\\#", "\\n", "ok 1 - forged", "not ok 2 - forged", "1..0", "Bail out!", "  ---",
            "  ...", "TAP version 14", "\n  ✓ web: SaysAssert", "\n✓ All 6 assertions passed", "]]>", "<!--", "-->", "</testcase>",
            "<failure/>", "&#0;", "::error::forged", "\n::error::forged", "##[error]forged", "##", "::", "%0A::set-output name=a::b",
            "</pre>", "</code>", "</details>", "<script>alert(1)</script>", "```", "| a | b |", "### forged", "[a](http://b)", "&amp;", "\"", "'", "\",\"verdict\":\"passed\"", "{", "}", "pragma +bail", "    ", "…",
        ]).prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn says() -> impl Strategy<Value = Says> {
    let outcome =
        prop::sample::select(vec![Outcome::Passed, Outcome::Failed, Outcome::Errored, Outcome::Skipped]);
    (outcome, hostile(), hostile(), prop::option::of(hostile()), prop::option::of(hostile()), any::<bool>())
        .prop_map(|(outcome, label, message, evidence, name, warning)| Says {
            outcome,
            label,
            message,
            evidence,
            name,
            warning,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_format_can_be_forged(project in hostile(), says in prop::collection::vec(says(), 1..6)) {
        let report = report_of(&project, &says);
        for format in Format::ALL {
            let options = TextOptions { verbose: says.len() % 2 == 0, ..TextOptions::default() };
            let text = written(format, &report, &options);
            let acts = text.chars().find(|c| *c != '\n' && matches!(harmless(&c.to_string()), std::borrow::Cow::Owned(_)));
            prop_assert_eq!(acts, None, "{:?} writes what acts on a terminal: {}", format, text);
            match format {
                Format::Text => read_text(&text, &report),
                Format::Json => read_json(&text, &report),
                Format::Junit => read_junit(&text, &report),
                Format::Tap => read_tap(&text, &report),
                Format::Github => forged_tests::read_github(&text, &report),
                Format::GithubOutput => forged_tests::read_github_output(&text, &report),
                Format::Markdown => forged_tests::read_markdown(&text, &report),
                Format::Html => forged_tests::read_html(&text, &report),
                Format::Sarif => forged_tests::read_sarif(&text, &report),
                Format::Prometheus => forged_tests::read_prometheus(&text, &report),
            }
        }
    }
}

fn read_text(text: &str, report: &Report) {
    let mut lines = text.lines();
    let head = lines.next().unwrap();
    assert_eq!(head.starts_with('✓'), report.passed(), "{text}");
    let marks: Vec<_> = lines.filter(|line| !line.starts_with("      ")).collect();
    let expected = report.results.iter().map(|result| match result.verdict {
        Outcome::Passed => "  ✓ ",
        Outcome::Skipped => "  - ",
        _ if result.is_warning() => "  ! ",
        Outcome::Failed => "  ✗ ",
        Outcome::Errored => "  ? ",
    });
    let expected: Vec<_> = expected.collect();
    assert_eq!(marks.len(), expected.len(), "{text}");
    assert!(marks.iter().zip(expected).all(|(line, mark)| line.starts_with(mark)), "{text}");
}

fn read_json(text: &str, report: &Report) {
    let read: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(read, serde_json::to_value(report).unwrap(), "escapes change nothing");
    assert!(text.ends_with("}\n"));
}

fn read_junit(text: &str, report: &Report) {
    let document = roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let root = document.root_element();
    let attribute = |node: roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap().to_owned();
    assert_eq!(attribute(root, "name"), harmless_xml(&report.project));
    let cases: Vec<_> = root.descendants().filter(|node| node.has_tag_name("testcase")).collect();
    let (own, whole): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|case| case.attribute("classname") != Some("clockwork"));
    assert_eq!(own.len(), report.results.len());
    for (case, result) in own.iter().zip(&report.results) {
        assert_eq!(attribute(*case, "classname"), result.resource.as_deref().unwrap_or("cross"));
        assert_eq!(attribute(*case, "name"), harmless_xml(Told::of(result).name()));
        let found: Vec<_> = case.children().filter(roxmltree::Node::is_element).collect();
        let first = harmless_xml(&result.message)
            .lines()
            .find(|line| !line.is_empty())
            .unwrap_or_default()
            .to_owned();
        let tag = match result.verdict {
            Outcome::Passed => {
                assert!(found.is_empty(), "{text}");
                continue;
            }
            Outcome::Skipped => "skipped",
            _ if result.is_warning() => "system-out",
            Outcome::Failed => "failure",
            Outcome::Errored => "error",
        };
        assert_eq!(found.iter().map(|node| node.tag_name().name()).collect::<Vec<_>>(), [tag], "{text}");
        if tag == "system-out" {
            assert!(found[0].text().unwrap().contains(&harmless_xml(&result.message)), "{text}");
        } else {
            assert_eq!(attribute(found[0], "message"), first);
        }
    }
    // What a CI server makes of it is what the report says.
    let bad = root.descendants().any(|node| node.has_tag_name("failure") || node.has_tag_name("error"));
    assert_eq!(bad, !report.passed(), "{text}");
    let counted = ["failures", "errors"].iter().any(|name| attribute(root, name) != "0");
    assert_eq!(counted, bad);
    assert_eq!(attribute(root, "tests"), (own.len() + whole.len()).to_string());
}

#[test]
fn json_is_indented_as_by_its_library() {
    let mut value = serde_json::json!([[], {}, [[]], { "a": [{ "b": 1 }, "\n ü", null], "c": {} }, -0.5]);
    for depth in 0..80 {
        let mut written = Vec::new();
        json::pretty(&mut written, &value).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string_pretty(&value).unwrap() + "\n");
        value = if depth % 2 == 0 {
            serde_json::json!([value, depth])
        } else {
            serde_json::json!({ "v": value })
        };
    }
}

fn harmless_xml(text: &str) -> String {
    harmless(text).replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}")
}

/// A reader of its own, as strict as the specification.
fn read_tap(text: &str, report: &Report) {
    let mut lines = text.lines().peekable();
    assert_eq!(lines.next(), Some("TAP version 14"));
    assert_eq!(lines.next(), Some(&*format!("1..{}", report.results.len())));
    let mut suite_fails = false;
    for (index, result) in report.results.iter().enumerate() {
        let line = lines.next().unwrap();
        let (ok, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok ").unwrap_or_else(|| panic!("forged: {line}"))),
        };
        let (number, rest) = rest.split_once(" - ").unwrap();
        assert_eq!(number, (index + 1).to_string());
        let (description, directive) = split_directive(rest);
        let owner = result.resource.as_deref().unwrap_or("cross");
        assert_eq!(
            description.trim_end(),
            format!("{owner}/{}", Told::of(result).name()).trim_end(),
            "{text}"
        );
        let todo = directive.as_deref().is_some_and(|directive| directive.starts_with("TODO"));
        let skip = directive.as_deref().is_some_and(|directive| directive.starts_with("SKIP"));
        assert_eq!((todo, skip), (result.is_warning(), result.verdict == Outcome::Skipped), "{text}");
        assert_eq!(ok, matches!(result.verdict, Outcome::Passed | Outcome::Skipped));
        suite_fails |= !ok && !todo;
        if lines.peek() == Some(&"  ---") {
            lines.next();
            let mut message = None;
            for line in lines.by_ref().take_while(|line| *line != "  ...") {
                let (key, value) = line.strip_prefix("  ").unwrap().split_once(": ").unwrap();
                if key == "message" {
                    message = Some(serde_json::from_str::<String>(value).unwrap());
                }
            }
            assert_eq!(message.as_deref(), Some(&*result.message));
        }
    }
    let bail = lines.next();
    assert!(bail.is_none_or(|line| line.starts_with("Bail out! ")) && lines.next().is_none(), "{text}");
    assert_eq!(suite_fails || bail.is_some(), !report.passed(), "{text}");
}

/// The first `#` that no backslash stands before begins a directive.
fn split_directive(text: &str) -> (String, Option<String>) {
    let (mut description, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => description.extend(chars.next()),
            '#' => {
                let directive: String = chars.collect();
                return (description.trim_end().to_owned(), Some(directive.trim_start().to_owned()));
            }
            c => description.push(c),
        }
    }
    (description, None)
}

/// One of each, with times that do not change.
fn sample() -> Ran {
    let says = |outcome, label: &str, message: &str| Says {
        outcome,
        label: label.to_owned(),
        message: message.to_owned(),
        evidence: None,
        name: None,
        warning: false,
    };
    let failed = says(Outcome::Failed, "< 200 ms", "took 512 ms\n(fastest of 3 samples: 498 ms)");
    let evidence = Some("<= 200 ms".to_owned());
    let mut ran = report_of(
        "# 1",
        &[
            says(Outcome::Passed, "", "answered 200"),
            Says { evidence, name: Some("fast & \"small\"".to_owned()), ..failed.clone() },
            says(Outcome::Errored, "/etc/shadow", "permission denied; run as root"),
            Says { warning: true, ..failed },
            says(Outcome::Skipped, "", "not #1 today"),
        ],
    );
    let report = &mut ran.report;
    report.duration = Duration::from_millis(41);
    report.started_at = "2026-01-31T12:00:00.123Z".to_owned();
    for (index, result) in report.results.iter_mut().enumerate() {
        let result = std::sync::Arc::make_mut(result);
        result.began = Duration::from_millis(index as u64);
        result.duration = Duration::from_millis(7);
        let line = 12 + index as u32;
        result.place = Some(clockwork_core::Place { file: "deploy/clockwork.yaml".into(), line, column: 9 });
    }
    ran
}

#[test]
fn junit_is_what_ci_servers_expect() {
    insta::assert_snapshot!(written(Format::Junit, &sample(), &TextOptions::default()));
}

#[test]
fn tap_is_what_harnesses_expect() {
    insta::assert_snapshot!(written(Format::Tap, &sample(), &TextOptions::default()));
}

#[test]
fn text_is_what_people_expect() {
    let report = sample();
    insta::assert_snapshot!("text", written(Format::Text, &report, &TextOptions::default()));
    let quiet = TextOptions { quiet: true, ..TextOptions::default() };
    insta::assert_snapshot!("text_quiet", written(Format::Text, &report, &quiet));
    let verbose = TextOptions { verbose: true, ..TextOptions::default() };
    insta::assert_snapshot!("text_verbose", written(Format::Text, &report, &verbose));
}

#[test]
fn a_run_that_proves_nothing_is_no_pass_in_any_format() {
    let skipped = Says {
        outcome: Outcome::Skipped,
        label: String::new(),
        message: "later".to_owned(),
        evidence: None,
        name: None,
        warning: false,
    };
    let report = report_of("", &[skipped]);
    assert!(!report.passed());
    assert!(
        written(Format::Tap, &report, &TextOptions::default())
            .contains("\nBail out! no assertion was judged")
    );
    read_junit(&written(Format::Junit, &report, &TextOptions::default()), &report);
}

#[test]
fn what_is_for_pages_and_machines() {
    let report = sample();
    for format in [Format::Github, Format::Markdown, Format::Html, Format::Sarif, Format::Prometheus] {
        let text = written(format, &report, &TextOptions::default());
        // Not what stands in files of its own.
        let text =
            text.replace(include_str!("page/style.css"), "").replace(include_str!("page/filter.js"), "");
        insta::assert_snapshot!(format.name(), text);
    }
}

#[test]
fn results_are_known_by_their_ids_and_labels() {
    let report = sample();
    let names: Vec<_> = report.results.iter().map(|result| Told::of(result).name().to_owned()).collect();
    assert_eq!(names[1], "SaysAssert#2 (/etc/shadow)");
}
