//! Readers of the formats for pages and machines, each as strict as what reads them in earnest.

use clockwork_core::{CheckResult, Outcome, Report, text::harmless};

use super::{Told, failed_as_a_whole, story};

fn bad(report: &Report) -> impl Iterator<Item = &CheckResult> {
    report
        .results
        .iter()
        .map(|result| &**result)
        .filter(|result| result.fails_the_run() || result.is_warning())
}

/// As the runner reads a job's log: each line by itself, `::` where it begins, and else `##[` anywhere.
pub(super) fn read_github(text: &str, report: &Report) {
    let older = text.lines().find(|line| line.contains("##[") && !line.starts_with("::"));
    assert_eq!(older, None, "{text}");
    let decode = |text: &str| {
        [("%2C", ","), ("%3A", ":"), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let commands = text.split(['\n', '\r']).map(str::trim_start).filter(|line| line.starts_with("::"));
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let mut groups = Vec::new();
    for command in commands {
        let (head, data) = command[2..].split_once("::").unwrap_or_else(|| panic!("forged: {command}"));
        if let "group" | "endgroup" = head {
            groups.push(command);
            continue;
        }
        let (name, properties) = head.split_once(' ').unwrap();
        let title = properties.split(',').find_map(|property| property.strip_prefix("title=")).unwrap();
        match name {
            "error" => errors.push((decode(title), decode(data))),
            "warning" => warnings.push((decode(title), decode(data))),
            other => panic!("forged: {other}"),
        }
    }
    let all = format!("::group::All {} results", report.results.len());
    let passed = report.results.iter().any(|result| result.verdict == Outcome::Passed);
    assert_eq!(groups, [all.as_str(), "::endgroup::"][..if passed { 2 } else { 0 }], "{text}");
    let expected = |of: fn(&CheckResult) -> bool| {
        let told = report.results.iter().filter(move |result| of(result));
        told.map(|result| (Told::of(result).title().to_owned(), harmless(&story(result)).into_owned()))
            .collect::<Vec<_>>()
    };
    let whole = failed_as_a_whole(report).map(|why| ("Clockwork".to_owned(), why.to_owned()));
    let told: Vec<_> = whole.into_iter().chain(expected(CheckResult::fails_the_run)).collect();
    assert_eq!(errors, told, "{text}");
    assert_eq!(warnings, expected(CheckResult::is_warning), "{text}");
}

/// As the runner reads a step's outputs: `name<<delimiter`, lines, and the delimiter.
pub(super) fn read_github_output(text: &str, report: &Report) {
    let mut lines = text.lines();
    let mut read = Vec::new();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap_or_else(|| panic!("forged: {line}"));
        let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        read.push((name, value.join("\n")));
    }
    let counts = report.summary;
    let (passed, failed) = (counts.passed.to_string(), counts.failed.to_string());
    let (errored, skipped) = (counts.errored.to_string(), counts.skipped.to_string());
    let expected = [
        ("result", report.verdict.as_str().to_owned()),
        ("passed", passed),
        ("failed", failed),
        ("errored", errored),
        ("skipped", skipped),
        ("report-json", "/tmp/a\nresult=forged/report.json".to_owned()),
    ];
    assert_eq!(read, expected, "{text}");
}

/// No tag but ours, no line that begins with what is no tag, item or heading of ours.
pub(super) fn read_markdown(text: &str, report: &Report) {
    let (before, rest) = text.split_once("```mermaid\n").unwrap_or((text, "```\n"));
    let (_, after) = rest.split_once("```\n").unwrap();
    let mut open = Vec::new();
    for part in [before, after] {
        for tag in part.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{text}"),
                None => {
                    assert!(["code", "pre", "details", "summary"].contains(&tag), "forged: {tag}");
                    open.push(tag);
                }
            }
        }
        let ours = ["## ", "### ", "**", "<pre>", "- ", "  - ", "*and ", "<details>", "</details>", ""];
        for line in part.lines() {
            assert!(ours.iter().any(|lead| line.starts_with(lead)), "{text}");
            assert!(!line.contains(['`', '[', ']', '|', '_', '@', '\\', '~']), "{line}");
        }
    }
    assert!(open.is_empty());
    assert_eq!(before.lines().filter(|line| line.starts_with("### ")).count(), bad(report).count(), "{text}");
    let folded = after.lines().filter(|line| line.starts_with("- ")).count() + bad(report).count();
    if report.results.len() > 1 {
        assert_eq!(folded, report.results.len(), "{text}");
    }
    for result in bad(report) {
        let message = harmless(&result.message);
        let entities = message.chars().map(|c| match c {
            ' ' | ',' | '(' | ')' | '✓' | '✗' | '…' | '→' => c.to_string(),
            c if c.is_alphanumeric() => c.to_string(),
            c => format!("&#{};", u32::from(c)),
        });
        let message: String = entities.collect();
        assert!(before.contains(&format!("{message}</pre>")), "{message} is not in {text}");
    }
}

/// The page is XML, so nothing that is not well-formed broke out; and it has one script, the one that its policy names.
pub(super) fn read_html(text: &str, report: &Report) {
    use sha2::Digest;
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(text, options)
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    let elements = |name: &'static str| page.descendants().filter(move |node| node.has_tag_name(name));
    let class = |node: roxmltree::Node<'_, '_>| node.attribute("class").unwrap_or_default().to_owned();
    let results: Vec<_> = elements("div").filter(|node| class(*node).starts_with("result ")).collect();
    let told: Vec<_> = results.iter().map(|node| class(*node)["result ".len()..].to_owned()).collect();
    let expected = report.results.iter().map(|result| match result.verdict {
        _ if result.is_warning() => "warning",
        verdict => verdict.as_str(),
    });
    assert_eq!(told, expected.collect::<Vec<_>>(), "{text}");
    for (node, result) in results.iter().zip(&report.results) {
        let titles: Vec<_> = node.descendants().filter(|node| class(*node) == "title").collect();
        assert_eq!(titles.len(), 1);
        let said = titles[0].text().unwrap_or_default();
        assert_eq!(said, super::harmless_xml(Told::of(result).title()));
    }
    let scripts: Vec<_> = elements("script").collect();
    assert_eq!(scripts.len(), 1, "{text}");
    let digest = sha2::Sha256::digest(scripts[0].text().unwrap());
    let policy =
        elements("meta").find_map(|node| node.attribute("content").filter(|it| it.contains("script-src")));
    let named = policy.unwrap().split("sha256-").nth(1).unwrap().trim_end_matches('\'');
    assert_eq!(named, base64(&digest), "the digest of page/filter.js");
    let acts = page.descendants().flat_map(|node| node.attributes()).find(|it| it.name().starts_with("on"));
    assert!(acts.is_none(), "{text}");
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let all =
            three.iter().chain([0; 3].iter()).take(3).fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS[(all >> shift) as usize & 63];
            text.push(if index <= three.len() { digit.into() } else { '=' });
        }
    }
    text
}

pub(super) fn read_sarif(text: &str, report: &Report) {
    let log: serde_json::Value = serde_json::from_str(text).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), bad(report).count(), "{text}");
    for (found, result) in results.iter().zip(bad(report)) {
        assert_eq!(found["level"], if result.is_warning() { "warning" } else { "error" });
        let rule = &run["tool"]["driver"]["rules"][found["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!((&rule["id"], &found["ruleId"]), (&result.assertion.into(), &result.assertion.into()));
        assert_eq!(found["partialFingerprints"]["clockworkId/v1"], *result.id);
        let message = found["message"]["text"].as_str().unwrap();
        assert!(message.ends_with(&*harmless(&story(result))), "{text}");
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], failed_as_a_whole(report).is_none());
}

/// Every line is a comment or a sample, and every label reads back as it was.
pub(super) fn read_prometheus(text: &str, report: &Report) {
    let mut looked_at = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("forged: {line}"));
        assert!(name.starts_with("clockwork_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let mut rest = rest;
        let mut labels = std::collections::BTreeMap::new();
        let value = loop {
            let (label, behind) = rest.split_once("=\"").unwrap();
            let (mut value, mut chars) = (String::new(), behind.char_indices());
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c => c,
                    }),
                    (_, c) => value.push(c),
                }
            };
            labels.insert(label.to_owned(), value);
            rest = &behind[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break rest.strip_prefix("} ").unwrap_or_else(|| panic!("forged: {line}")),
            }
        };
        value.parse::<f64>().unwrap();
        assert_eq!(labels["project"], *harmless(&report.project));
        if name == "clockwork_assertion_passed" {
            looked_at.push((labels["id"].clone(), value.to_owned()));
        }
    }
    let expected = report.results.iter().filter(|result| result.verdict != Outcome::Skipped).map(|result| {
        let value = if result.verdict == Outcome::Passed { "1" } else { "0" };
        (harmless(&result.id).into_owned(), value.to_owned())
    });
    assert_eq!(looked_at, expected.collect::<Vec<_>>(), "{text}");
}
