//! `WorkflowAssert` through a real shop (Python, with its orders in SQLite) and a PostgreSQL ledger; `sqlite3`, `psql` and
//! `curl` say what is there.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use clockwork_assert::{Capture, WorkflowAssert, WorkflowQuery, WorkflowRequest, WorkflowStep};
use clockwork_core::{
    AssertionExt, CheckResult, Engine, Event, Graph, ManifestInput, Matcher, Outcome, Project, RunOptions,
    Stop,
};
use clockwork_drivers::{ContainerResource, EndpointResource};
use serde_json::{Value, json};

use crate::{
    databases::postgres_server::{PASSWORD, Postgres},
    run::{check, directory, output, run, told},
};

/// The shop. It ends with the test.
struct Shop {
    port: u16,
    file: PathBuf,
    process: Child,
    _kept: tempfile::TempDir,
}

impl Shop {
    fn start() -> Self {
        let (kept, directory) = directory();
        let file = directory.join("shop.db");
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/workflow/shop.py");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "python3", program]).arg(&file);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), file, process, _kept: kept }
    }

    fn resource(&self) -> EndpointResource {
        EndpointResource::new("shop").url(format!("http://127.0.0.1:{}/", self.port))
    }

    /// What `sqlite3` says.
    fn sqlite(&self, sql: &str) -> String {
        output("sqlite3", &["-cmd", ".timeout 30000", self.file.to_str().unwrap(), sql])
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn says(result: &Arc<CheckResult>, verdict: Outcome, words: &str) {
    let message = told(result, verdict);
    assert!(message.contains(words), "{message}");
}

fn place() -> WorkflowStep {
    let order = WorkflowRequest::post("/orders").resource("shop").json(json!({ "item": "a \"b\" / c" }));
    WorkflowStep::request("place the order", order.expected_status(201))
        .capture("id", Capture::json("$.id"))
        .capture("item", Capture::json("item"))
        .capture("there", Capture::header("location"))
        .capture("token", Capture::json("token").secret())
}

fn remove() -> WorkflowStep {
    WorkflowStep::request(
        "remove the order",
        WorkflowRequest::delete("/orders/${captured.id}").resource("shop"),
    )
}

fn pay() -> WorkflowStep {
    let pay = WorkflowRequest::post("/orders/${captured.id}/pay").resource("shop");
    let pay = pay.header("authorization", "Bearer ${captured.token}");
    WorkflowStep::request("pay", pay.expected_json("status", "paid"))
}

#[tokio::test]
async fn a_way_through_several_services_holds_and_leaves_nothing_behind() {
    let (shop, ledger) = (Shop::start(), Postgres::start());
    ledger.psql("CREATE TABLE entries (order_id int PRIMARY KEY, item text)");
    let database = ContainerResource::new("ledger").image("x").connection(ledger.connection());
    let get = |url: &str| WorkflowRequest::get(url).resource("shop");
    let entry = WorkflowQuery::of(&database, "INSERT INTO entries VALUES ($1, $2)");
    let entry = entry.param("${captured.id}").param("${captured.item}").read_only(false).affected(1);
    let tried = WorkflowQuery::of(&database, "DELETE FROM entries RETURNING order_id").rolled_back().rows(1);
    let found = WorkflowQuery::of(&database, "SELECT item, order_id AS n FROM entries WHERE order_id = $1");
    let found = found.param("${captured.id}").value("${captured.item}").rows(1);
    let gone = WorkflowQuery::of(&database, "DELETE FROM entries WHERE order_id = $1");
    let gone = gone.param("${captured.id}").read_only(false).affected(1);
    let workflow = WorkflowAssert::new()
        .step(place())
        .step(WorkflowStep::request(
            "it is there",
            get("${captured.there}").expected_json("id", "${captured.id}"),
        ))
        .step(pay())
        .step(
            WorkflowStep::request(
                "it is shipped",
                get("/orders/${captured.id}").expected_json("status", "shipped"),
            )
            .within(Duration::from_secs(20))
            .every(Duration::from_millis(50)),
        )
        .step(WorkflowStep::query("it is booked", entry))
        .step(WorkflowStep::query("a removal is rolled back", tried))
        .step(WorkflowStep::query("it is in the books", found).capture("n", Capture::column("n")))
        .cleanup(WorkflowStep::query("out of the books", gone))
        .cleanup(remove());
    let project = || Project::new("test").with(shop.resource()).with(database.clone());
    let result = run(project().assert(workflow.clone().timeout(Duration::from_secs(60)))).await.remove(0);
    says(&result, Outcome::Passed, "all 7 steps held");
    assert_eq!(result.related.iter().map(|name| &**name).collect::<Vec<_>>(), ["shop", "ledger"]);
    let details = result.details();
    let verdicts = |part: &str| -> Vec<String> {
        details[part]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["verdict"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (verdicts("steps"), verdicts("cleanup")),
        (vec!["passed".to_owned(); 7], vec!["passed".to_owned(); 2])
    );
    assert!(details["steps"][3]["tries"].as_u64().unwrap() > 1, "{details}");
    assert_eq!((&details["captured"]["id"], &details["captured"]["n"]), (&json!(1), &json!(1)), "{details}");
    assert_eq!(details["captured"]["item"], "a \"b\" / c");
    assert_eq!(details["captured"]["token"], "[secret]");
    assert_eq!(shop.sqlite("SELECT count(*) FROM orders"), "0");
    assert_eq!(ledger.psql("SELECT count(*) FROM entries"), "0");
    let turned = workflow.not().timeout(Duration::from_secs(60));
    says(
        &run(project().assert(turned)).await.remove(0),
        Outcome::Failed,
        "holds, and must not: all 7 steps held",
    );
}

#[tokio::test]
async fn the_step_that_fails_is_named_and_the_rest_is_undone() {
    let shop = Shop::start();
    let run_one = async |workflow: WorkflowAssert| {
        run(Project::new("test").with(shop.resource()).assert(workflow.timeout(Duration::from_secs(30))))
            .await
            .remove(0)
    };
    let cleaned = || assert_eq!(shop.sqlite("SELECT count(*) FROM orders"), "0");
    // Wrong, and judged.
    let wrong = pay().capture("no", Capture::json("status"));
    let refused =
        WorkflowRequest::post("/orders/${captured.id}/pay").resource("shop").header("authorization", "no");
    let steps = WorkflowAssert::new()
        .step(place())
        .step(WorkflowStep::request("pay", refused))
        .step(wrong)
        .cleanup(remove());
    let result = run_one(steps.clone()).await;
    says(&result, Outcome::Failed, "step 2 of 3, \"pay\": answered 403 Forbidden");
    says(
        &result,
        Outcome::Failed,
        "captured: id 1, item \"a \\\"b\\\" / c\", there \"/orders/1\", token [secret]",
    );
    cleaned();
    let project = Project::new("test").with(shop.resource()).assert(steps.not());
    told(&run(project).await.remove(0), Outcome::Passed);
    cleaned();
    // What cannot be captured is not judged.
    let missing = place().capture("other", Capture::json("$.other"));
    let steps = WorkflowAssert::new().step(missing).cleanup(remove());
    let result = run_one(steps.clone()).await;
    says(
        &result,
        Outcome::Failed,
        "cannot capture \"other\": there is no value at \"$.other\" of the answer",
    );
    // Nor was the rest: nobody knows which order it was.
    assert_eq!(result.details()["cleanup"][0]["verdict"], "skipped", "{}", result.details());
    assert_eq!(shop.sqlite("SELECT count(*) FROM orders"), "1");
    shop.sqlite("DELETE FROM orders");
    // Nobody there.
    let nobody = WorkflowRequest::get(format!("http://127.0.0.1:{}/", crate::server::nobody().await.port()));
    let steps = WorkflowAssert::new().step(place()).step(WorkflowStep::request("", nobody)).cleanup(remove());
    says(&run_one(steps.clone()).await, Outcome::Failed, "step 2 of 2, \"GET http://127.0.0.1:");
    let project = Project::new("test").with(shop.resource()).assert(steps.not());
    says(&run(project).await.remove(0), Outcome::Errored, "under `not` this proves nothing: step 2 of 2");
    cleaned();
    // A cleanup that fails is told, and every other of its steps is done.
    let broken = WorkflowRequest::delete("/orders/999").resource("shop");
    let steps = WorkflowAssert::new()
        .step(place())
        .cleanup(WorkflowStep::request("broken", broken))
        .cleanup(remove());
    let result = run_one(steps).await;
    says(&result, Outcome::Failed, "it held, but its cleanup failed: \"broken\": answered 404 Not Found");
    cleaned();
    // A step that is not given its time, and what comes of it when it is tried again.
    let never =
        WorkflowRequest::get("/orders/${captured.id}").resource("shop").expected_json("status", "lost");
    let never = WorkflowStep::request("lost", never)
        .timeout(Duration::from_millis(900))
        .within(Duration::from_secs(5))
        .every(Duration::from_millis(100));
    let result = run_one(WorkflowAssert::new().step(place()).step(never).cleanup(remove())).await;
    says(&result, Outcome::Failed, "step 2 of 2, \"lost\": status: expected \"lost\", got \"new\" (");
    says(&result, Outcome::Failed, " tries in ");
    cleaned();
}

#[tokio::test]
async fn secrets_are_shown_nowhere_whoever_repeats_them() {
    let (shop, ledger) = (Shop::start(), Postgres::start());
    let database = ContainerResource::new("ledger").image("x").connection(ledger.as_user("postgres"));
    // The server repeats the token in a body that is quoted, and in a path.
    let echo = WorkflowRequest::get("/echo?t=${captured.token}").resource("shop").expected_status(404);
    let steps = WorkflowAssert::new()
        .step(place())
        .step(pay().capture("echoed", Capture::json("echo")))
        .step(
            WorkflowStep::query("", WorkflowQuery::of(&database, format!("SELECT '{PASSWORD}' AS leak")))
                .capture("leak", Capture::column("leak")),
        )
        .step(WorkflowStep::request("echo", echo))
        .cleanup(remove());
    let project = Project::new("test")
        .with(shop.resource())
        .with(database)
        .assert(steps.timeout(Duration::from_secs(60)));
    let result = run(project).await.remove(0);
    says(&result, Outcome::Failed, "step 4 of 4, \"echo\": answered 200 OK: ");
    says(&result, Outcome::Failed, "echoed [secret]");
    says(&result, Outcome::Failed, "leak [secret]");
    let all = format!("{} {result:?}", result.details());
    assert!(!all.contains(PASSWORD), "{all}");
    let token = |text: &str| text.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 24);
    assert!(!token(&all), "{all}");
    assert_eq!(shop.sqlite("SELECT count(*) FROM orders"), "0");
}

#[tokio::test]
async fn what_was_captured_stays_within_what_it_is_put_into() {
    let (shop, ledger) = (Shop::start(), Postgres::start());
    ledger.psql("CREATE TABLE texts (t text)");
    let hostile = "x'); DROP TABLE texts; --/../?a=b#c";
    let order = WorkflowRequest::post("/orders").resource("shop").json(json!({ "item": hostile }));
    let read = WorkflowRequest::get("/echo/${captured.item}/end").resource("shop");
    let expected = "/echo/x%27%29%3B%20DROP%20TABLE%20texts%3B%20--%2F..%2F%3Fa%3Db%23c/end";
    let stored = WorkflowQuery::at(ledger.connection(), "INSERT INTO texts VALUES ($1) RETURNING t");
    let twice =
        WorkflowQuery::at(ledger.connection(), "INSERT INTO texts VALUES ('a'), ('b')").read_only(false);
    let steps = WorkflowAssert::new()
        .step(
            WorkflowStep::request("", order)
                .capture("item", Capture::json("item"))
                .capture("id", Capture::json("id")),
        )
        .step(WorkflowStep::request("", read.expected_json("path", expected)))
        .step(WorkflowStep::query("", stored.param("${captured.item}").read_only(false).value(hostile)))
        .step(WorkflowStep::query("two", twice.affected(Matcher::lt(2))))
        .cleanup(remove());
    let project = Project::new("test").with(shop.resource()).assert(steps.timeout(Duration::from_secs(60)));
    let result = run(project).await.remove(0);
    says(&result, Outcome::Failed, "step 4 of 4, \"two\": affected: expected a number < 2, got 2");
    assert_eq!(ledger.psql("SELECT t FROM texts WHERE t LIKE 'x%'"), hostile);
    // A statement that fails leaves nothing of itself, and one that only reads cannot write.
    for (query, words) in [
        (WorkflowQuery::at(ledger.connection(), "INSERT INTO texts VALUES ('y')"), "the server refused it"),
        (
            WorkflowQuery::at(ledger.connection(), "INSERT INTO texts SELECT (1 / 0)::text").read_only(false),
            "division by zero",
        ),
    ] {
        says(
            &check(WorkflowAssert::new().step(WorkflowStep::query("", query))).await,
            Outcome::Failed,
            words,
        );
    }
    // What only the commit finds out.
    ledger.psql(
        "CREATE TABLE one (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED); INSERT INTO one VALUES (1)",
    );
    let late = WorkflowQuery::at(ledger.connection(), "INSERT INTO one VALUES (1)").read_only(false);
    let late = WorkflowAssert::new().step(WorkflowStep::query("late", late));
    says(&check(late).await, Outcome::Failed, "step 1 of 1, \"late\": the database refused the statement");
    assert_eq!(ledger.psql("SELECT count(*) FROM one"), "1");
}

/// Ctrl-C in the midst of it, and a check that is out of time.
#[tokio::test]
async fn it_is_cleaned_up_when_the_run_is_interrupted_or_out_of_time() {
    let shop = Shop::start();
    let black_hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = WorkflowRequest::get(format!("http://{}/", black_hole.local_addr().unwrap()));
    let steps = || {
        WorkflowAssert::new()
            .step(place())
            .step(WorkflowStep::request("hangs", hangs.clone()))
            .cleanup(remove())
    };
    let project = Project::new("test").with(shop.resource()).assert(steps().timeout(Duration::from_secs(3)));
    let result = run(project).await.remove(0);
    says(&result, Outcome::Failed, "step 2 of 2, \"hangs\": no answer within");
    assert_eq!(result.details()["cleanup"][0]["verdict"], "passed", "{}", result.details());
    assert_eq!(shop.sqlite("SELECT count(*) FROM orders"), "0");

    let project = Project::new("test").with(shop.resource()).assert(steps().timeout(Duration::from_secs(60)));
    let stop = Stop::default();
    let mut options = RunOptions::default();
    options.stop = stop.clone();
    let mut events = Engine::standard().run(Arc::new(Graph::new(&project).unwrap()), options).unwrap();
    let run = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Finished(report) = event {
                return report;
            }
        }
        unreachable!("a run ends with its report")
    });
    while shop.sqlite("SELECT count(*) FROM orders") != "1" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The answer may still be on its way.
    tokio::time::sleep(Duration::from_millis(1000)).await;
    stop.stop();
    let report = run.await.unwrap();
    assert_eq!(told(&report.results[0], Outcome::Skipped), "the run was interrupted; its cleanup ran");
    let details = report.results[0].details();
    assert_eq!(details["cleanup"][0]["name"], "remove the order", "{details}");
    assert_eq!(shop.sqlite("SELECT count(*) FROM orders"), "0");
}

/// In a manifest: `${captured.…}` is left to a workflow, and is an error anywhere else.
#[test]
fn a_manifest_leaves_to_it_what_it_captures() {
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let read = |text: &str| {
        engine
            .read_manifest(&ManifestInput::new("clockwork.yaml", text), &|_| None)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let workflow = "
project: shop
vars: { base: \"http://here\" }
assertions:
  - WorkflowAssert:
      steps:
        - name: order
          request: { url: \"${vars.base}/orders\", method: POST, json: { item: 5 } }
          capture: { id: $.id, token: { json: token, secret: true } }
        - name: read
          request:
            url: ${vars.base}/orders/${captured.id}
            headers: { x-token: \"${captured.token}\" }
            expected_json: { id: \"${captured.id}\" }
          within: 5s
      cleanup:
        - query: { connection: { engine: sqlite, path: a.db }, sql_query: \"DELETE FROM a WHERE id = ?\", params: [\"${captured.id}\"], read_only: false }
";
    assert_eq!(read(workflow), Ok(()));
    let unknown = read(&workflow.replace("captured.token", "captured.tokken")).unwrap_err();
    assert!(unknown.contains("did you mean \"token\"?"), "{unknown}");
    let elsewhere = format!("{workflow}  - HealthcheckAssert: {{ url: \"http://here/${{captured.id}}\" }}\n");
    let error = read(&elsewhere).unwrap_err();
    assert!(error.contains("is known only to the later steps of a workflow"), "{error}");
    let line = elsewhere.lines().count();
    assert!(error.contains(&format!("clockwork.yaml:{line}:")), "{error}");
    let in_vars = read(&workflow.replace("base: \"http://here\"", "base: \"${captured.id}\"")).unwrap_err();
    assert!(in_vars.contains("captured.id"), "{in_vars}");
    let _: Value = engine.schema();
}
