//! Files and processes of a container (`at:`), compared with what its own programs say. Needs an engine:
//! `scripts/engine.sh` brings one.

use std::process::Command;

use clockwork_assert::{
    DiskUsageAssert, FileContentMatchesAssert, FileExistsAssert, FilePermissionsAssert, FileSizeAssert,
    ModeLimit, ProcessNotRunningAssert, ProcessRunningAssert,
};
use clockwork_core::{AssertionExt, Outcome, Pattern, Project};
use clockwork_drivers::ContainerResource;

use crate::run::{output, run, told};

/// A container that goes with the test.
struct Container(String);

impl Container {
    fn start(name: &str, script: &str) -> Self {
        let name = format!("cw-{name}-{}", std::process::id());
        let arguments = ["run", "--detach", "--name", &name, "clockwork/busybox:test", "sh", "-c"];
        output("docker", &[&arguments[..], &[&format!("{script}\ntouch /ready; exec sleep 66.5")]].concat());
        let container = Self(name);
        while !Command::new("docker")
            .args(["exec", &container.0, "test", "-e", "/ready"])
            .status()
            .unwrap()
            .success()
        {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        container
    }

    fn exec(&self, command: &[&str]) -> String {
        output("docker", &[&["exec", &self.0], command].concat())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

#[tokio::test]
async fn files_and_processes_of_a_container() {
    let script = "echo 'app:x:1234:77::/:/bin/sh' >> /etc/passwd; echo 'workers:x:77:' >> /etc/group
        mkdir /srv; echo 'port: 80' > /srv/app.yaml; chown 1234:77 /srv/app.yaml; chmod 640 /srv/app.yaml
        ln -s /srv/app.yaml /link; ln -s /no/where /dangling; sleep 67.5 &";
    let container = Container::start("inside", script);
    assert_eq!(container.exec(&["stat", "-c", "%a %U %G %s", "/srv/app.yaml"]), "640 app workers 9");
    let mode = || "0640".parse::<ModeLimit>().unwrap();
    let regex = |text: &str| Pattern::new(text).unwrap();
    let (passed, failed) = (Outcome::Passed, Outcome::Failed);
    let table = [
        (passed, FileExistsAssert::new("/srv/app.yaml").at("box")),
        (passed, FileExistsAssert::new("link").at("box")), // from the container's root
        (failed, FileExistsAssert::new("/dangling").at("box")),
        (failed, FileExistsAssert::new("/etc/os-release").at("box")), // the host's
        (passed, FilePermissionsAssert::new("/link").mode(mode()).owner("app").group("workers").at("box")),
        (failed, FilePermissionsAssert::new("/link").owner("root").at("box")),
        (passed, FileSizeAssert::new("/srv/app.yaml").min_bytes(9).max_bytes(9).at("box")),
        (
            passed,
            FileContentMatchesAssert::new("/link")
                .yaml("port", clockwork_core::Matcher::equals(80))
                .at("box"),
        ),
        (passed, DiskUsageAssert::new("/srv").max_mb(1).max_percent(100).at("box")),
        (passed, ProcessRunningAssert::new("sleep").min_count(2).max_count(2).user("root").at("box")),
        (passed, ProcessRunningAssert::command(regex(r"^sleep 67\.5$")).at("box")),
        (failed, ProcessRunningAssert::new("dockerd").at("box")),
        (passed, ProcessNotRunningAssert::new("dockerd").at("box")),
        (failed, ProcessNotRunningAssert::new("sleep").at("box")),
    ];
    let (outcomes, checks): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    let mut project = Project::new("test").with(ContainerResource::new("box").container_name(&container.0));
    for check in checks {
        project = project.assert(check);
    }
    for (result, outcome) in run(project).await.iter().zip(outcomes) {
        told(result, outcome);
        assert_eq!(&*result.at, "box");
    }
}

#[tokio::test]
async fn a_container_that_is_not_there_proves_nothing_about_what_is_in_it() {
    let name = format!("cw-gone-{}", std::process::id());
    let project = Project::new("test")
        .with(ContainerResource::new("box").container_name(&name))
        .assert(FileExistsAssert::new("/x").at("box"))
        .assert(FileExistsAssert::new("/x").at("box").not())
        .assert(ProcessNotRunningAssert::new("x").at("box"))
        .assert(ProcessRunningAssert::new("x").at("box").not());
    let results = run(project).await;
    let outcomes: Vec<_> = results.iter().map(|result| result.verdict).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Errored, Outcome::Failed, Outcome::Errored]);
    assert!(results[0].message.contains("there is no such container"), "{}", results[0].message);
}
