//! What is wrong, and how it is told.

use super::kinds::*;

/// Wraps the assertions of a project in what a manifest needs.
fn asserted(assertions: &str) -> String {
    format!("project: p\nassertions:\n{assertions}")
}

/// Wraps the fields of a resource in what a manifest needs.
fn resource(fields: &str) -> String {
    format!("project: p\nresources:\n  api:\n{fields}\n    assertions: [FileAssert: {{ path: /a }}]\n")
}

fn snapshot(name: &str, cases: &[(&str, String)]) {
    let told: Vec<_> =
        cases.iter().map(|(what, text)| format!("## {what}\n\n{}", wrong(text.as_str()))).collect();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, told.join("\n\n"));
    });
}

#[test]
fn files_that_are_no_manifest() {
    snapshot("files", &[
        ("empty", String::new()),
        ("only a comment", "# nothing\n".to_owned()),
        ("null", "~\n".to_owned()),
        ("a list", "- a\n".to_owned()),
        ("text", "hello\n".to_owned()),
        ("a control character", "project: p\nvars: { a: \"\u{1b}[31m\" }\n".to_owned()),
        ("NUL", "project: p\n\0assertions: []\n".to_owned()),
        ("two documents", "project: p\n---\nproject: q\n".to_owned()),
        ("text behind the end", "project: p\n...\nassertions: []\n".to_owned()),
        ("a tab", "project: p\nassertions:\n\t- RunningAssert\n".to_owned()),
        ("an open quote", "project: \"p\nassertions: []\n".to_owned()),
        ("an open bracket", "project: p\nassertions: [a\n".to_owned()),
        ("a missing colon", "project: p\nresources\nassertions: []\n".to_owned()),
        ("two colons", "project: a: b\n".to_owned()),
        ("bad indentation", "project: p\n assertions: []\n".to_owned()),
        ("a bad escape", "project: \"\\q\"\n".to_owned()),
        ("a reserved character", "project: `p`\n".to_owned()),
        ("an unknown alias", "project: *p\n".to_owned()),
        ("a tag", "project: !secret p\n".to_owned()),
        ("a merge key", "project: p\nvars: &v { a: 1 }\ndefaults:\n  <<: *v\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("a key that is a list", "project: p\nvars:\n  ? [a]\n  : b\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("no key", "project: p\nvars:\n  : b\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("a key twice", "project: p\nvars: { a: 1, a: 2 }\nassertions: [FileAssert: { path: a, path: b }]\n".to_owned()),
        ("a resource twice", "project: p\nresources:\n  a: { kind: BlankResource }\n  a: { kind: BlankResource }\nassertions: [FileAssert: { path: a }]\n".to_owned()),
    ]);
}

#[test]
fn what_is_not_text() {
    let told: Vec<_> =
        [&b"project: p\nvars: { a: \xff }\n"[..], b"\xff\xfep\0", b"\xfe\xff\0p", b"project: caf\xe9"]
            .map(wrong)
            .to_vec();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("not_text", told.join("\n\n"));
    });
}

#[test]
fn keys_and_values_at_the_top() {
    snapshot("top", &[
        ("no project", "assertions: [FileAssert: { path: a }]\n".to_owned()),
        ("an empty name", "project: ''\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("a number for a name", "project: 1.10\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("an unknown key", "project: p\nresource: {}\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("one that is like none", "project: p\nservices: {}\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("nothing is asserted", "project: p\nresources:\n  a: { kind: ContainerResource, image: x }\n".to_owned()),
        ("no resources behind the key", "project: p\nresources:\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("resources in a list", "project: p\nresources:\n  - kind: BlankResource\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("assertions in a map", "project: p\nassertions:\n  FileAssert: { path: a }\n".to_owned()),
        ("defaults", "project: p\ndefaults: { timeout: 0s, concurrency: 0, target_concurrency: -1, within: soon, deadline: , timout: 5s }\nassertions: [FileAssert: { path: a }]\n".to_owned()),
    ]);
}

#[test]
fn resources() {
    snapshot("resources", &[
        ("no kind", resource("    image: x")),
        ("an unknown kind", resource("    kind: ContainerRessource\n    image: x")),
        ("an assertion's kind", resource("    kind: FileAssert")),
        ("a kind that is no text", resource("    kind: [ContainerResource]")),
        ("text for a resource", "project: p\nresources:\n  api: ContainerResource\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("missing, unknown and mistyped fields", resource("    kind: ContainerResource\n    imag: x\n    ports: 80\n    connection: { host: 5, prt: 1, password: { evn: X } }")),
        ("a number for text", resource("    kind: ContainerResource\n    image: 1.10\n    ports: [\"80:80\", 8080]")),
        ("a number too large", resource("    kind: ContainerResource\n    image: x\n    connection: { host: a, port: 70000 }")),
        ("fields that do not fit together", resource("    kind: ContainerResource\n    image: x\n    ports: [\"80:80\", \"81\"]")),
        ("unknown and circular dependencies", "project: p\nresources:\n  a: { kind: BlankResource, depends_on: [b, bb, ghost] }\n  b: { kind: BlankResource, depends_on: a }\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("dependencies that are no names", resource("    kind: BlankResource\n    depends_on: [1, [a], '']")),
        ("a bad name", "project: p\nresources:\n  host: { kind: BlankResource }\n  a b: { kind: BlankResource }\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        ("a part's name that is taken", "project: p\nresources:\n  a: { kind: BlankResource, children: { a: { kind: BlankResource } }, image: x }\nassertions: [FileAssert: { path: a }]\n".to_owned()),
        (
            "a field that is wrong on what could not be read",
            "project: p\nresources:\n  a: { kind: ContainerResource, assertions: [RunningAssert, HealthcheckAssert: { url: x }] }\n".to_owned(),
        ),
        ("an assertion on what could not be read", "project: p\nresources:\n  a: { kind: ContainerResource, assertions: [RunningAssert] }\n".to_owned()),
    ]);
}

#[test]
fn assertions() {
    snapshot(
        "assertions",
        &[
            ("an unknown kind", asserted("  - HealthCheckAsert: { url: x }\n  - HttpAssert\n")),
            ("a resource's kind", asserted("  - ContainerResource: { image: x }\n")),
            ("no kind", asserted("  - within: 5s\n  - {}\n")),
            (
                "two kinds",
                asserted("  - FileAssert: { path: a }\n    LinkAssert: { from_service: a, to_service: b }\n"),
            ),
            (
                "an option among the fields",
                asserted(
                    "  - HealthcheckAssert: { url: 'a://', within: 5s, timeot: 1s }\n  - RunningAssert: { not: true }\n",
                ),
            ),
            (
                "an unknown option",
                asserted("  - FileAssert: { path: a }\n    witin: 5s\n    remembers: 1h\n"),
            ),
            ("a field beside its kind", asserted("  - FileAssert:\n    path: /a\n")),
            ("nothing behind the kind", asserted("  - FileAssert:\n  - RunningAssert:\n")),
            ("nothing behind the dash", asserted("  -\n  - 5\n  - [FileAssert]\n")),
            ("a bare name that needs fields", asserted("  - LinkAssert\n")),
            ("text for fields", asserted("  - FileAssert: /etc/hosts\n  - LinkAssert: [a, b]\n")),
            (
                "several fields at once",
                asserted(
                    "  - HealthcheckAssert: { ulr: x, expected_status: \"200\", body: { contain: ok, gt: '5' }, insecure: yes, json: { a: {} } }\n",
                ),
            ),
            (
                "null for a field",
                asserted(
                    "  - HealthcheckAssert: { url: 'a://', body:, expected_status: , insecure: }\n    within:\n",
                ),
            ),
            (
                "options",
                asserted(
                    "  - FileAssert: { path: a }\n    name: 5\n    timeout: 0s\n    within: 5 minutes\n    every: 0\n    holds_for: [1s]\n    severity: warn\n    not: 'yes'\n    tags: { a: b }\n    skip: true\n    at: ''\n",
                ),
            ),
            (
                "a size, a pattern, a duration, a number",
                asserted(
                    "  - FileAssert: { path: a, max_bytes: 5 apples, pattern: \"(a\", max_age: 1y, ratio: .nan }\n",
                ),
            ),
            (
                "enums",
                asserted(
                    "  - LinkAssert: { from_service: a, to_service: b, protocol: htp, status: { rnge: 1 } }\n  - LinkAssert: { from_service: a, to_service: b, protocol: [tcp], status: { code: x } }\n  - LinkAssert: { from_service: a, to_service: b, status: { range: { from: 1, too: 2 } } }\n",
                ),
            ),
            (
                "a kind that does not refuse unknown fields itself",
                asserted("  - FileAssert: { path: a, max_byte: 5 }\n"),
            ),
            (
                "fields that do not fit together",
                asserted("  - HTTPHealthcheckAssert: { url: localhost }\n  - RunningAssert\n"),
            ),
            (
                "unknown resources",
                asserted("  - LinkAssert: { from_service: a, to_service: b }\n    at: c\n"),
            ),
            ("a leading zero", asserted("  - HealthcheckAssert: { url: 'a://', expected_status: 0200 }\n")),
        ],
    );
}

#[test]
fn variables() {
    let path = |value: &str| asserted(&format!("  - FileAssert: {{ path: {value} }}\n"));
    let with = |vars: &str, value: &str| format!("vars: {vars}\n{}", path(value));
    snapshot("variables", &[
        ("unset in the environment", path("\"a${env.UNSET}\"")),
            ("between brackets without quotes", path("${env.UNSET}")),
        ("an unknown variable", with("{ base_url: x }", "\"a ${vars.baseurl} b\"")),
        ("no variable at all", path("\"${vars.x}\"")),
        ("no prefix", path("\"${HOME}\"")),
        ("another language", path("\"${{ github.sha }}\"")),
        ("not closed", path("\"${vars.x\"")),
        ("a map", with("{ m: { a: 1 } }", "\"${vars.m}\"")),
        (
            "variables made of each other",
            with("{ a: \"${vars.b}\", b: \"x${vars.a}\", c: \"${vars.nobody}\", d: \"${vars.c}\" }", "\"${vars.d}${vars.a}\""),
        ),
        ("a default in a default", path("\"${env.UNSET:-${vars.x}}\"")),
        ("of the wrong type", asserted("  - HealthcheckAssert: { url: 'a://', expected_status: \"${env.HOST}\" }\n")),
        ("two keys that become one", "project: p\nvars: { a: x }\nassertions: [HealthcheckAssert: { url: 'a://', json: { x: 1, \"${vars.a}\": 2 } }]\n".to_owned()),
    ]);
}

#[test]
fn nothing_from_the_environment_and_no_secret_is_shown() {
    let secret = |value: &str| {
        asserted(&format!("  - HealthcheckAssert: {{ url: 'a://', bearer: {value}, nope: 1 }}\n"))
    };
    let token = "\"${env.TOKEN}\"";
    let cases = [
        ("a secret that is written down", secret(CANARY)),
        ("one in braces", secret(&format!("{{ {CANARY} }}"))),
        ("one that is no name", secret("{ env: 77377 }")),
        ("one in a list", secret(&format!("[{CANARY}]"))),
        ("one under a wrong name", secret(&format!("{{ value: {CANARY} }}"))),
        ("one from the environment", secret(token)),
        ("a duration", asserted(&format!("  - FileAssert: {{ path: a, max_age: {token} }}\n"))),
        ("a pattern", asserted("  - FileAssert: { path: a, pattern: \"(${env.TOKEN}\" }\n")),
        ("a number", asserted("  - HealthcheckAssert: { url: 'a://', expected_status: \"${env.TOKEN}\" }\n")),
        (
            "an enum",
            asserted(&format!(
                "  - LinkAssert: {{ from_service: {token}, to_service: b, protocol: {token} }}\n"
            )),
        ),
        ("what a kind finds wrong", asserted(&format!("  - HealthcheckAssert: {{ url: {token} }}\n"))),
        ("a kind", asserted(&format!("  - {token}\n"))),
        (
            "through a variable",
            format!(
                "vars: {{ t: {token} }}\n{}",
                asserted("  - FileAssert: { path: a, max_age: \"${vars.t}\" }\n")
            ),
        ),
    ];
    for (what, text) in &cases {
        let told = wrong(text.as_str());
        let debug = format!("{:?}", read(text.as_str()).unwrap_err());
        assert!(!told.contains(CANARY) && !debug.contains(CANARY), "{what}: {told}\n{debug}");
    }
    snapshot("secrets", &cases);
}

#[test]
fn everything_that_is_wrong_comes_at_once_and_in_order() {
    let text = "\
projct: shop
defaults: { timeout: never }
resources:
  db:
    kind: ContainerResource
    image: 5
    depends_on: [cache]
    assertions:
      - RunningAssert
      - FileAssert: { path: \"${vars.dir}\" }
  api:
    kind: Container
    assertions:
      - HealthcheckAssert: { url: x, body: { gt: a } }
        withn: 5s
assertions:
  - LinkAssert: { from_service: api, to_service: dbb }
";
    let error = read(text).unwrap_err();
    let told: Vec<_> =
        error.problems().iter().map(|problem| (problem.code, problem.line, problem.path.as_str())).collect();
    assert_eq!(
        told,
        [
            ("missing-field", 0, ""),
            ("unknown-key", 1, "projct"),
            ("invalid-value", 2, "defaults.timeout"),
            ("wrong-type", 6, "resources.db.image"),
            ("unknown-resource", 7, "resources.db.depends_on[0]"),
            ("unset-variable", 10, "resources.db.assertions[1].FileAssert.path"),
            ("unknown-kind", 12, "resources.api.kind"),
            ("wrong-type", 14, "resources.api.assertions[0].HealthcheckAssert.body.gt"),
            ("unknown-option", 15, "resources.api.assertions[0].withn"),
            ("unknown-resource", 17, "assertions[0].LinkAssert"),
        ],
        "{error}"
    );
    assert!(error.to_string().ends_with("the manifest is not valid (10 problems); nothing ran"));
}

#[test]
fn problems_of_a_vars_file_name_that_file() {
    let mut input = input("project: p\nassertions: [FileAssert: { path: \"${vars.a}\" }]\n");
    input.vars_files = vec![
        ("broken.yaml".to_owned(), b"a: [".to_vec()),
        ("list.yaml".to_owned(), b"- a\n".to_vec()),
        ("twice.yaml".to_owned(), b"a: ${env.UNSET}\nb: 1\nb: 2\n".to_vec()),
    ];
    let told = engine().read_manifest(&input, &env).unwrap_err().to_string();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("vars_files", told);
    });
}
