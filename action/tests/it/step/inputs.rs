//! Each input does what it says.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{BINARY, TWO, action, run, runner};
use crate::{runner::Runner, scripted_program};

#[test]
fn what_is_judged_can_be_chosen() {
    for (input, value, skipped) in [
        ("only", "there", "1"),
        ("only", "there,missing", "0"),
        ("only", " there \n\nmissing\n", "0"),
        ("tags", "quick", "1"),
        ("tags", "slow,quick", "1"),
    ] {
        let step = run(&mut runner(TWO), &[(input, value)]);
        assert_eq!(step.output("skipped"), skipped, "{input}: {value}: {}", step.text());
    }
}

#[test]
fn variables_are_lines() {
    let manifest =
        TWO.replace("no-such-file", "${vars.path}").replace("project: shop", "project: ${vars.name}");
    let mut runner = runner(&manifest);
    let vars = "path=clockwork.yaml\r\n\n  name=a = \"b\", $(touch forged) `c` ${{ d }}\n";
    let step = run(&mut runner, &[("vars", vars)]);
    assert_eq!(step.output("passed"), "2", "{}", step.text());
    let report = fs::read_to_string(step.output("report-json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["project"], "a = \"b\", $(touch forged) `c` ${{ d }}");
    assert!(!runner.workspace().join("forged").exists());
}

#[test]
fn waiting_and_time_are_passed_on() {
    let mut runner = runner(TWO);
    let step = run(&mut runner, &[("within", "1200ms"), ("timeout", "7s")]);
    let report = fs::read_to_string(step.output("report-json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert!(report["results"][1]["attempts"].as_u64().unwrap() > 1, "{report}");
}

#[test]
fn paths_are_relative_to_the_working_directory() {
    let mut runner = Runner::new();
    let directory = runner.workspace().join("deploy here");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("prod.yaml"), TWO.replace("clockwork.yaml", "prod.yaml")).unwrap();
    let with = [("working-directory", "deploy here"), ("manifest", "prod.yaml"), ("report-dir", "out/of it")];
    let step = run(&mut runner, &with);
    assert_eq!(step.output("failed"), "1", "{}", step.text());
    let report = directory.canonicalize().unwrap().join("out/of it/report.html");
    assert_eq!(step.output("report-html"), report.to_str().unwrap());
    assert!(report.exists());
    // As the repository has it, and not as the command was told.
    assert_eq!(step.of_level("error")[0].properties["file"], "deploy here/prod.yaml");
}

#[test]
fn a_program_declares_its_resources_itself() {
    let mut runner = Runner::new();
    runner.env.insert("SCRIPT".to_owned(), "fails".to_owned());
    let program = scripted_program().to_str().unwrap();
    for command in
        [program.to_owned(), format!(" env  SOME=thing\t{program} "), format!("\nenv\n{program}\n\n")]
    {
        let step = runner.run(action(), &[("command", &command)]);
        assert_eq!((step.conclusion, step.exit_code), ("failure", Some(1)), "{}", step.text());
        assert_eq!((step.output("passed"), step.output("failed")), ("1", "1"));
        assert!(step.output("report-json").ends_with("report.json"));
    }
    let step = runner.run(action(), &[("command", program), ("vars", "a=b")]);
    assert_eq!(step.output("result"), "error", "it takes no variables: {}", step.text());
}

#[test]
fn what_the_environment_has_cannot_get_between() {
    let mut runner = runner(TWO);
    let directory = runner.path().to_owned();
    fs::write(directory.join("env.sh"), "touch \"$MARK\"; exit 9").unwrap();
    fs::create_dir(directory.join("bin")).unwrap();
    let link = directory.join("bin/clockwork-here");
    fs::write(&link, format!("#!/bin/bash\nexec {BINARY} \"$@\"\n")).unwrap();
    fs::set_permissions(&link, fs::Permissions::from_mode(0o755)).unwrap();
    let text = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    runner.env.insert("BASH_ENV".to_owned(), text("env.sh"));
    runner.env.insert("MARK".to_owned(), text("mark"));
    runner.env.insert("PATH".to_owned(), format!("{}:{}", text("bin"), std::env::var("PATH").unwrap()));
    let step = runner.run(action(), &[("binary", "clockwork-here"), ("only", "there")]);
    assert_eq!(step.conclusion, "success", "found on the path: {}", step.text());
    assert!(!directory.join("mark").exists());
}
