//! SecretsPresentAssert on the real environment, real files and real containers; and that it never tells a value.

use std::{fs, process::Command};

use clockwork_assert::SecretsPresentAssert;
use clockwork_core::{AssertionExt, Engine, Outcome, Project, ResourceExt};
use clockwork_drivers::ContainerResource;

use crate::run::{check, directory, output, run, told};

fn variables(names: &[&str]) -> SecretsPresentAssert {
    SecretsPresentAssert::new().env_vars(names.iter().copied())
}

/// Runs one of the ignored tests below with this environment: this process's own cannot be changed safely.
fn with_environment(test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn variables_of_clockwork_itself() {
    with_environment(
        "secrets_present::its_own",
        &[
            ("CW_GOOD", "canary-8c1f-good"),
            ("CW_SHORT", "can7"),
            ("CW_EMPTY", ""),
            ("CW_BLANK", " \t"),
            ("CW_DEFAULT", "changeme"),
            ("CW_BRACKETS", "<canary token>"),
            ("CW_UNEXPANDED", "${CANARY}"),
        ],
    );
}

#[tokio::test]
#[ignore = "run by variables_of_clockwork_itself, with another environment"]
async fn its_own() {
    let shorter = "CW_SHORT is shorter than 8 characters";
    for (assertion, verdict, message) in [
        (variables(&["CW_GOOD"]).min_length(16), Outcome::Passed, ""),
        (variables(&["CW_GOOD"]).min_length(17), Outcome::Failed, "CW_GOOD is shorter than 17 characters"),
        (variables(&["CW_SHORT"]), Outcome::Passed, ""),
        (variables(&["CW_SHORT"]).min_length(8), Outcome::Failed, shorter),
        (variables(&["CW_EMPTY"]), Outcome::Failed, "CW_EMPTY is empty"),
        (variables(&["CW_BLANK"]), Outcome::Failed, "CW_BLANK is empty"),
        (
            variables(&["CW_UNSET"]),
            Outcome::Failed,
            "CW_UNSET is not set in the environment of clockwork itself",
        ),
        (variables(&["CW_DEFAULT"]), Outcome::Failed, "CW_DEFAULT holds a placeholder, not a secret"),
        (variables(&["CW_BRACKETS"]), Outcome::Failed, "CW_BRACKETS holds a placeholder, not a secret"),
        (variables(&["CW_UNEXPANDED"]), Outcome::Failed, "CW_UNEXPANDED holds a placeholder, not a secret"),
        (variables(&["CW_DEFAULT"]).not_default(false), Outcome::Passed, ""),
        (
            variables(&["CW_DEFAULT"]).not_default(false).min_length(9),
            Outcome::Failed,
            "CW_DEFAULT is shorter than 9 characters",
        ),
        (
            variables(&["CW_GOOD", "CW_EMPTY", "CW_DEFAULT"]),
            Outcome::Failed,
            "CW_EMPTY is empty; CW_DEFAULT holds a placeholder, not a secret",
        ),
    ] {
        let result = check(assertion.clone()).await;
        assert_eq!(told(&result, verdict), message, "{}", result.label);
        let opposite = if verdict == Outcome::Passed { Outcome::Failed } else { Outcome::Passed };
        told(&check(assertion.not()).await, opposite);
    }
}

#[tokio::test]
async fn files_are_read_and_forgotten() {
    let (_kept, root) = directory();
    let write = |name: &str, content: &[u8]| {
        fs::write(root.join(name), content).unwrap();
        root.join(name)
    };
    let (good, empty) = (write("good", b"canary-8c1f\r\n"), write("empty", b"\n"));
    let (default, large) = (write("default", b"changeme\n"), write("large", &vec![b'x'; 100_000]));
    let (binary, missing) = (write("binary", b"\xff\xfe\x00canary"), root.join("missing"));
    let files = |path: &std::path::Path| SecretsPresentAssert::new().files([path]);
    for (assertion, verdict, message) in [
        (files(&good).min_length(11), Outcome::Passed, String::new()),
        (
            files(&good).min_length(12),
            Outcome::Failed,
            format!("{} is shorter than 12 characters", good.display()),
        ),
        (files(&empty), Outcome::Failed, format!("{} is empty", empty.display())),
        (
            files(&default),
            Outcome::Failed,
            format!("{} holds a placeholder, not a secret", default.display()),
        ),
        (files(&large).min_length(1000), Outcome::Passed, String::new()),
        (files(&binary), Outcome::Passed, String::new()),
        (files(&missing), Outcome::Failed, format!("{} is missing", missing.display())),
        (files(&root), Outcome::Failed, format!("{} is a directory, not a file", root.display())),
    ] {
        let result = check(assertion).await;
        assert_eq!(told(&result, verdict), message);
    }
    told(&check(files(&missing).not()).await, Outcome::Passed);
    told(&check(files(&root).not()).await, Outcome::Errored);
}

/// A container that goes with the test.
struct Container(String);

impl Container {
    fn start(name: &str, options: &[&str], script: &str) -> Self {
        let name = format!("cw-secret-{name}-{}", std::process::id());
        let container = Self(name.clone());
        let image = ["clockwork/busybox:test", "sh", "-c", script];
        output("docker", &[&["run", "--detach", "--name", &name], options, &image].concat());
        container
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

#[tokio::test]
async fn a_containers_environment_is_its_own() {
    let options = [
        "--env",
        "GIVEN=canary-8c1f-given",
        "--env",
        "DEFAULT=changeme",
        "--env",
        "REPLACED=changeme",
        "--env",
        "EMPTY=",
    ];
    // The start script sets one, and replaces another.
    let script = "echo canary-8c1f-file > /secret; export SET=canary-8c1f-set REPLACED=canary-8c1f-replaced; exec sleep 66.5";
    let container = Container::start("env", &options, script);
    while !output("docker", &["exec", &container.0, "cat", "/proc/1/cmdline"]).starts_with("sleep") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let all = variables(&["GIVEN", "SET", "REPLACED"]).min_length(12);
    let of = |name: &str| format!("in the environment of the container {name}");
    let project = Project::new("test")
        .with(
            ContainerResource::new("box")
                .container_name(&container.0)
                .assert(all.clone())
                .assert(variables(&["DEFAULT"])),
        )
        .assert(all.at("box"))
        .assert(variables(&["EMPTY", "PATH", "NOT_THERE"]).at("box"))
        .assert(variables(&["NOT_THERE"]).at("box").not())
        .assert(SecretsPresentAssert::new().files(["/secret"]).at("box"))
        .assert(SecretsPresentAssert::new().files(["/other"]).at("box"))
        .assert(variables(&["GIVEN"]));
    let engine = Engine::standard();
    let report = engine.assert(&project).await.unwrap();
    let results = &report.results;
    told(&results[0], Outcome::Passed);
    assert_eq!(told(&results[1], Outcome::Failed), "DEFAULT holds a placeholder, not a secret");
    told(&results[2], Outcome::Passed);
    let unset = format!("EMPTY is empty; NOT_THERE is not set {}", of(&container.0));
    assert_eq!(told(&results[3], Outcome::Failed), unset);
    assert_eq!(results[3].details()["secrets"][1]["state"], "present");
    told(&results[4], Outcome::Passed);
    told(&results[5], Outcome::Passed);
    assert_eq!(told(&results[6], Outcome::Failed), "/other is missing");
    told(&results[7], Outcome::Failed); // Clockwork's own environment has none
    let whole = format!("{report} {report:?} {} {project:?}", serde_json::to_string(&report).unwrap());
    assert!(!whole.contains("canary") && !whole.contains("changeme"), "{whole}");
    // A stopped container has what the engine would give it.
    output("docker", &["kill", &container.0]);
    let project = Project::new("test").with(
        ContainerResource::new("box")
            .container_name(&container.0)
            .assert(variables(&["GIVEN"]))
            .assert(variables(&["SET"])),
    );
    let results = run(project).await;
    told(&results[0], Outcome::Passed);
    told(&results[1], Outcome::Failed);
}

#[tokio::test]
async fn a_container_that_is_not_there_proves_nothing() {
    let gone = || ContainerResource::new("gone").container_name("cw-no-such-container");
    let project = Project::new("test").with(gone().assert(variables(&["A"])).assert(variables(&["A"]).not()));
    let results = run(project).await;
    assert_eq!(told(&results[0], Outcome::Failed), r#"there is no container "cw-no-such-container""#);
    told(&results[1], Outcome::Errored);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    for (assertion, problem) in [
        (SecretsPresentAssert::new(), "give `env_vars`, or `files`, or both"),
        (variables(&[""]), "holds an empty name"),
        (variables(&["A=canary"]), "give the names of variables, never a value"),
        (SecretsPresentAssert::new().files([""]), "is empty"),
    ] {
        let project = Project::new("test").assert(assertion);
        let error = Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains("canary"), "{error} for {problem}");
    }
    let label = clockwork_core::Assertion::label(&variables(&["A=canary"]));
    assert!(!label.contains("canary"), "{label}");
}
