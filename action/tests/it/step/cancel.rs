//! A job that is cancelled: the whole report is there before the runner loses its patience (after 7.5 seconds; the command
//! gives what is to be undone four).

use std::fs;

use nix::sys::signal::Signal;

use super::{BINARY, action, runner};
use crate::{
    interrupt::server,
    runner::{Runner, Step},
    scripted_program,
};

/// A step that is cancelled while it waits for something, and ends in time.
fn cancelled(runner: &mut Runner, input: (&str, &str)) -> Step {
    let mut running = runner.start(action(), &[input]);
    running.wait_for("waiting for");
    let step = running.cancel();
    assert_eq!(step.conclusion, "cancelled", "{}", step.text());
    assert_eq!(step.signals, [Signal::SIGINT], "one signal is enough: {}", step.text());
    step
}

fn verdicts(step: &Step) -> Vec<String> {
    let report = fs::read_to_string(step.output("report-json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let results = report["results"].as_array().unwrap().iter();
    results.map(|result| result["verdict"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_cancelled_run_reports_what_it_knows() {
    let (port, _) = server();
    let manifest = format!(
        "project: slow
assertions:
  - CommandAssert: {{ command: [\"true\"] }}
  - HttpStatusAssert: {{ url: \"http://127.0.0.1:{port}/hang\", expected_status: 200 }}
    timeout: 60s
"
    );
    let mut runner = runner(&manifest);
    let step = cancelled(&mut runner, ("binary", BINARY));
    assert_eq!(step.exit_code, Some(130));
    assert_eq!(step.output("result"), "interrupted");
    assert_eq!(verdicts(&step), ["passed", "skipped"]);
    let errors = step.of_level("error");
    assert_eq!(errors[0].message, "the run was interrupted", "{errors:#?}");
    assert!(step.summary.as_ref().unwrap().contains("the run was interrupted"));
    let junit = fs::read_to_string(step.output("report-junit")).unwrap();
    assert!(roxmltree::Document::parse(&junit).is_ok());
}

#[test]
fn what_cannot_be_undone_in_time_does_not_cost_the_report() {
    let (port, _) = server();
    let manifest = format!(
        "project: stuck
assertions:
  - WorkflowAssert:
      steps:
        - {{ request: {{ url: \"http://127.0.0.1:{port}/order\", method: POST }} }}
        - {{ request: {{ url: \"http://127.0.0.1:{port}/hang\" }} }}
      cleanup:
        - {{ request: {{ url: \"http://127.0.0.1:{port}/hang\", method: DELETE }} }}
    timeout: 60s
"
    );
    let mut runner = runner(&manifest);
    let step = cancelled(&mut runner, ("binary", BINARY));
    assert_eq!(verdicts(&step), ["skipped"]);
    assert!(step.summary.unwrap().contains("did not finish"), "{:#?}", step.log);
}

#[test]
fn a_program_hears_of_it_too() {
    let mut runner = Runner::new();
    runner.env.insert("SCRIPT".to_owned(), "hangs".to_owned());
    let step = cancelled(&mut runner, ("command", scripted_program().to_str().unwrap()));
    assert_eq!(verdicts(&step), ["passed", "skipped", "skipped"]);
}
