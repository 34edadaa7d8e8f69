//! What is read, and that it is read as it is meant.

use std::time::Duration;

use serde_json::json;

use super::kinds::*;
use crate::{ByteSize, Engine, Matcher, Pattern, Project, Secret, Severity};

const SHOP: &str = r#"
project: shop
vars: { base: "http://${env.HOST}:${env.PORT}", port: 8080, version: "1.10", deep: { er: x }, nothing: }
defaults: { timeout: 1m30s, concurrency: 8, target_concurrency: 2, within: 0.5, deadline: 2h }

resources:
  db:
    kind: ContainerResource
    description: PostgreSQL
    image: postgres:${vars.version}
    ports: ["5432:5432"]
    env_vars: { PORT: "${vars.port}", USER: plain }
    connection: { host: localhost, port: "${env.PORT}", password: { env: DB_PASSWORD } }
    assertions:
      - RunningAssert
      - RunningAssert: {}
        name: twice
        at: host
        timeout: 5
        within: 30s
        every: 200ms
        holds_for: 1m
        severity: warning
        not: true
        tags: [slow, db]
        skip: later
  api:
    kind: DockerResource
    image: api
    depends_on: db
    assertions:
      - HTTPHealthcheckAssert: { url: "${vars.base}/health", body: { contains: ok }, json: { $.a: [1, null] } }
  group:
    kind: BlankResource
    depends_on: [db, api]
    children:
      part: { kind: ContainerResource, image: x, assertions: [RunningAssert] }

assertions:
  - LinkAssert: { from_service: api, to_service: db, protocol: http, status: { range: { from: 1, to: 2 } } }
  - FileAssert: { path: /etc/hosts, max_bytes: 1MiB, pattern: "^a$", max_age: 30d, ratio: 1 }
    tags: one
"#;

#[test]
fn everything_of_the_contract_is_read() {
    let project = read(SHOP).unwrap();
    assert_eq!(project.name(), "shop");
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    let defaults = &project.defaults;
    assert_eq!(
        (Some(defaults.timeout), defaults.within, defaults.deadline),
        (seconds(90.0), seconds(0.5), seconds(7200.0))
    );
    assert_eq!((defaults.concurrency, defaults.target_concurrency), (8, Some(2)));

    let [db, api, group] = project.resources() else { panic!("three resources") };
    let container = db.downcast_ref::<ContainerResource>().unwrap();
    assert_eq!((container.image.as_str(), db.common().description()), ("postgres:1.10", Some("PostgreSQL")));
    assert_eq!(container.env_vars["PORT"], "8080");
    let connection = container.connection.as_ref().unwrap();
    assert_eq!((connection.host.as_str(), connection.port), ("localhost", 8080));
    assert_eq!(connection.password, Some(Secret::env("DB_PASSWORD")));
    let options = &db.common().assertions()[1].options;
    assert_eq!(
        (options.name.as_deref(), options.at.as_ref(), options.timeout),
        (Some("twice"), None, seconds(5.0))
    );
    assert_eq!(
        (options.within, options.every, options.holds_for),
        (seconds(30.0), seconds(0.2), seconds(60.0))
    );
    assert_eq!(
        (options.severity, options.not, options.skip.as_deref()),
        (Severity::Warning, true, Some("later"))
    );
    assert_eq!(options.tags, ["slow", "db"]);

    assert_eq!(api.common().depends_on()[0].as_str(), "db");
    let health = HealthcheckAssert {
        body: Some(Matcher::contains("ok")),
        json: [("$.a".to_owned(), Matcher::any_of([Matcher::equals(1_u64), Matcher::equals(json!(null))]))]
            .into(),
        ..health("http://localhost:8080/health")
    };
    assert_eq!(assertion(&project, Some(1), 0), format!("{health:?}"));
    assert_eq!(group.children()[0].common().name().as_str(), "part");
    assert_eq!(group.children()[0].common().assertions().len(), 1);

    let link = LinkAssert {
        from_service: "api".to_owned(),
        to_service: "db".to_owned(),
        protocol: Protocol::Http,
        status: Some(Status::Range { from: 1, to: 2 }),
    };
    assert_eq!(assertion(&project, None, 0), format!("{link:?}"));
    let file = FileAssert {
        max_bytes: Some(ByteSize(1 << 20)),
        pattern: Some(Pattern::new("^a$").unwrap()),
        max_age: seconds(30.0 * 86_400.0),
        ratio: Some(1.0),
        ..file("/etc/hosts")
    };
    assert_eq!(assertion(&project, None, 1), format!("{file:?}"));
    assert_eq!(project.assertions[1].options.tags, ["one"]);
}

fn is_file(project: &Project, index: usize, path: &str) {
    assert_eq!(assertion(project, None, index), format!("{:?}", file(path)));
}

#[test]
fn values_are_put_into_scalars_and_nothing_but_scalars() {
    for (written, expected) in [
        ("${vars.q}", "1.10"),
        ("${vars.n}", "8080"),
        ("a${vars.n}b${vars.q}", "a8080b1.10"),
        ("'${vars.m.x.y}'", "deep"),
        ("${vars.url}", "http://localhost:8080/deep"),
        ("${vars.m.price}", "$5 ${vars.n} none"),
        ("${vars.e}", "localhost"),
        ("${env.NULL}", "null"),
        ("${env.EMPTY}", ""),
        ("x${vars.nil}", "xnull"),
        ("${env.UNSET:-default value}", "default value"),
        ("\"${env.EMPTY:-a:b}\"", "a:b"),
        ("${env.HOST:-other}", "localhost"),
        ("a${env.UNSET:-}b", "ab"),
        ("${vars.unset:-7}", "7"),
        ("$$", "$"),
        ("$${vars.n}", "${vars.n}"),
        ("$$$${env.HOST}", "$${env.HOST}"),
        ("$$${env.HOST}", "$localhost"),
        ("${vars.d}", "$5"),
        ("cost $5 or 5$", "cost $5 or 5$"),
        ("^a$|b", "^a$|b"),
        ("${env.TRICKY}", "a: b\nc: [d]\n- \"e\" # ${vars.port}"),
        ("\"${env.TRICKY}\"", "a: b\nc: [d]\n- \"e\" # ${vars.port}"),
    ] {
        let vars = r#"{ n: 8080, q: "1.10", m: { x: { y: deep }, price: "${vars.d} $${vars.n} ${vars.unset:-none}" },
            url: "http://${vars.at}/${vars.m.x.y}", at: "${vars.e}:${vars.n}", e: "${env.HOST}", nil: null, d: $$5 }"#;
        let text = format!(
            "project: p
vars: {vars}
assertions:
  - FileAssert:
      path: {written}
"
        );
        is_file(&read(text).unwrap(), 0, expected);
    }
}

#[test]
fn what_is_put_in_is_typed_like_a_plain_scalar_unless_in_quotes() {
    let is = |value: &str, expected: Matcher| {
        let vars = "vars: { n: 5, q: '5' }";
        let text = format!(
            "project: p\n{vars}\nassertions:\n  - HealthcheckAssert:\n      url: a://\n      body: {value}\n"
        );
        let expected = HealthcheckAssert { body: Some(expected), ..health("a://") };
        assert_eq!(assertion(&read(text).unwrap(), None, 0), format!("{expected:?}"), "{value}");
    };
    is("${vars.n}", Matcher::equals(5_u64));
    is("\"${vars.n}\"", Matcher::equals("5"));
    is("${vars.q}", Matcher::equals("5"));
    is("${env.PORT}", Matcher::equals(8080_u64));
    is("${env.EMPTY}", Matcher::equals(""));
    is("${env.NULL}", Matcher::equals("null"));
    is("1${vars.n}", Matcher::equals(15_u64));
    is("!!str 5", Matcher::equals("5"));
    is("{ is: null }", Matcher::is_null());
    is("null", Matcher::equals(json!(null)));
}

#[test]
fn variables_are_overridden_by_files_and_those_by_the_command_line() {
    let mut input = input(
        "project: p\nvars: { a: 1, b: 1, c: 1, m: { x: 1 } }\nassertions:\n  - FileAssert: { path: \"${vars.a} ${vars.b} ${vars.c} ${vars.m.x} ${vars.new}\" }\n",
    );
    input.vars_files = vec![
        ("one.yaml".to_owned(), b"a: 2\nb: 2\nm: { x: '${env.HOST}' }".to_vec()),
        ("two.yaml".to_owned(), b"b: 3\n".to_vec()),
        ("none.yaml".to_owned(), b"# nothing\n".to_vec()),
    ];
    input.vars = vec![
        ("b".to_owned(), "4".to_owned()),
        ("new".to_owned(), "${env.PORT}".to_owned()),
        ("b".to_owned(), "5".to_owned()),
    ];
    let project = engine().read_manifest(&input, &env).unwrap();
    is_file(&project, 0, "2 5 1 localhost ${env.PORT}");
}

#[test]
fn aliases_stand_for_whole_values() {
    let text = "project: p
assertions:
  - &it { FileAssert: &fields { path: &p /a } }
  - *it
  - FileAssert: *fields
  - FileAssert: { path: *p }
";
    let project = read(text).unwrap();
    for index in 0..4 {
        is_file(&project, index, "/a");
    }
}

#[test]
fn marks_line_ends_and_json_make_no_difference() {
    let texts = [
        "\u{feff}project: p\r\nassertions:\r\n- FileAssert:\r\n    path: /a\r\n",
        "project: p\rassertions:\r- FileAssert:\r    path: /a\r",
        "---\nproject: p\nassertions: [{FileAssert: {path: /a}}]\n...\n",
        r#"{"project": "p", "assertions": [{"FileAssert": {"path": "/a"}}]}"#,
    ];
    for text in texts {
        let project = read(text).unwrap();
        is_file(&project, 0, "/a");
    }
}

#[test]
fn one_name_for_two_kinds_is_refused() {
    let twice = Engine::builder().register(register).register(|registry| {
        registry.assertion::<FileAssert>();
    });
    assert_eq!(twice.build().unwrap_err().kinds, ["FileAssert"]);
    let aliased = Engine::builder().register(register).register(|registry| {
        registry.resource::<ContainerResource>();
    });
    assert_eq!(aliased.build().unwrap_err().kinds, ["DockerResource", "ContainerResource"]);
}

#[test]
fn a_graph_is_read_at_once() {
    let (_, graph) = engine().read_graph(&input(include_str!("shop.yaml")), &env).unwrap();
    assert_eq!(graph.len(), 5);
}
