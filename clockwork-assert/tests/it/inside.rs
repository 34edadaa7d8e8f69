//! Files and processes of a container (`at:`), compared with what its own programs say. Needs an engine:
//! `scripts/engine.sh` brings one.

use std::{process::Command, time::Duration};

use clockwork_assert::{
    CommandAssert, DirectoryExistsAssert, DiskSpaceAssert, DiskUsageAssert, FileContentMatchesAssert,
    FileExistsAssert, FileModifiedWithinAssert, FilePermissionsAssert, FileSizeAssert, ModeLimit,
    ProcessNotRunningAssert, ProcessRunningAssert,
};
use clockwork_core::{AssertionExt, Outcome, Pattern, Project};
use clockwork_drivers::{
    ContainerResource,
    sandbox::{NetworkAccess, Sandbox},
};

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

/// A container that ended, one that was never started, and what of them needs a running one.
#[tokio::test]
async fn files_of_a_container_that_does_not_run() {
    let script = "echo 'app:x:1234:77::/:/bin/sh' >> /etc/passwd; echo 'workers:x:77:' >> /etc/group
        mkdir -p /srv/deep /open; chmod 777 /open; echo x > /open/file
        echo 'port: 80' > /srv/app.yaml; chown 1234:77 /srv/app.yaml; chmod 4640 /srv/app.yaml
        ln -s /srv/app.yaml /link; ln -s /no/where /dangling; ln -s loop /loop; ln -s /srv /directory
        ln -s ../../../../srv/app.yaml /srv/deep/climbing; ln -s /srv/deep /elsewhere; mkfifo /fifo
        (yes 0123456789 | head -c 3000000; echo THE END) > /large; sha256sum /large; exit 3";
    let name = format!("cw-stopped-{}", std::process::id());
    let container = Container(name.clone());
    let told_inside = Command::new("docker")
        .args(["run", "--name", &name, "clockwork/busybox:test", "sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(told_inside.status.code(), Some(3), "{}", String::from_utf8_lossy(&told_inside.stderr));
    let sha256 = String::from_utf8(told_inside.stdout).unwrap()[..64].to_owned();
    let exists = |path: &str| FileExistsAssert::new(path).at("box");
    let permissions = FilePermissionsAssert::new;
    let mode = |mode: &str| mode.parse::<ModeLimit>().unwrap();
    let content = |path: &str| FileContentMatchesAssert::new(path);
    let regex = |text: &str| Pattern::new(text).unwrap();
    let hour = Duration::from_secs(3600);
    let (passed, failed, errored) = (Outcome::Passed, Outcome::Failed, Outcome::Errored);
    let table = [
        (passed, exists("/srv/app.yaml"), ""),
        (passed, exists("srv/app.yaml"), ""),
        (passed, exists("/link"), ""),
        (passed, exists("/directory/app.yaml"), ""),
        (passed, exists("/srv/deep/climbing"), "/srv/deep/climbing is a file of 9 bytes"),
        // `..` of a directory that a link leads to is where that directory is.
        (passed, exists("/elsewhere/../app.yaml"), ""),
        (failed, exists("/elsewhere/../link"), "/elsewhere/../link is missing"),
        (passed, exists("/../../srv/app.yaml"), ""),
        (
            failed,
            exists("/dangling"),
            "/dangling is missing: the link /dangling leads to /no/where, which is not there",
        ),
        (passed, FileExistsAssert::new("/dangling").at("box").not(), ""),
        (failed, exists("/loop"), "/loop is missing: the link /loop leads in a circle"),
        (failed, exists("/srv/gone/x"), "/srv/gone/x is missing: there is no /srv/gone"),
        (failed, exists("/srv/app.yaml/x"), "/srv/app.yaml/x is missing: /srv/app.yaml is not a directory"),
        (failed, exists("/etc/os-release"), ""), // the host's
        (failed, exists("/srv"), "/srv is a directory, not a file"),
        (passed, exists("/fifo"), "/fifo is a FIFO"),
        (passed, DirectoryExistsAssert::new("/directory/").at("box"), ""),
        (passed, DirectoryExistsAssert::new("/").at("box"), ""),
        (failed, DirectoryExistsAssert::new("/link").at("box"), "/link is a regular file, not a directory"),
        (passed, permissions("/link").mode(mode("4640")).owner("app").group("workers").at("box"), ""),
        (passed, permissions("/link").owner(1234).at("box"), ""),
        (failed, permissions("/link").owner("root").at("box"), ""),
        (failed, permissions("/link").owner("nobody-has-this-name").at("box"), ""),
        (passed, FileSizeAssert::new("/link").min_bytes(9).max_bytes(9).at("box"), ""),
        (passed, content("/link").yaml("port", clockwork_core::Matcher::equals(80)).at("box"), ""),
        (passed, content("/large").sha256(sha256).at("box"), ""),
        (passed, content("/large").pattern(regex("THE END\n$")).at("box"), ""),
        (passed, content("/large").contains("THE END").at("box"), ""),
        (failed, content("/large").contains("NEVER").at("box"), ""),
        (failed, content("/fifo").contains("x").at("box"), "/fifo is a FIFO, not a regular file"),
        (passed, FileModifiedWithinAssert::new("/link", hour).at("box"), ""),
        (
            errored,
            DiskUsageAssert::new("/srv").max_percent(100).at("box"),
            "cannot measure /srv inside box: its container is exited",
        ),
        (errored, DiskUsageAssert::new("/srv").max_mb(100).at("box"), "cannot measure /srv inside box"),
        (
            errored,
            DiskSpaceAssert::new("/srv").min_gb_free(0).at("box").not(),
            "cannot measure /srv inside box",
        ),
        (
            failed,
            ProcessRunningAssert::new("sleep").at("box"),
            "cannot look from inside box: its container is exited",
        ),
    ];
    let mut project = Project::new("test").with(ContainerResource::new("box").container_name(&container.0));
    let mut expected = Vec::new();
    for (outcome, check, says) in table {
        project = project.assert(check.timeout(Duration::from_secs(90)));
        expected.push((outcome, says));
    }
    for (result, (outcome, says)) in run(project).await.iter().zip(expected) {
        let message = told(result, outcome);
        assert!(message.starts_with(says), "{message}");
    }

    let created = Container(format!("cw-created-{}", std::process::id()));
    output("docker", &["create", "--name", &created.0, "clockwork/busybox:test", "sh"]);
    let project = Project::new("test")
        .with(ContainerResource::new("box").container_name(&created.0))
        .assert(exists("/bin/sh").timeout(Duration::from_secs(90)))
        .assert(exists("/bin/gone").timeout(Duration::from_secs(90)));
    let outcomes: Vec<_> = run(project).await.iter().map(|result| result.verdict).collect();
    assert_eq!(outcomes, [passed, failed]);
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

/// A program of this machine in the container's network: what listens there, and nothing else.
#[tokio::test]
async fn a_program_runs_in_the_network_of_a_container() {
    let container = Container::start("program", "echo ok > /www; httpd -p 127.0.0.1:8081 -h / &");
    let here = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let get = |port: u16| {
        let script = format!(
            "import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/www', timeout=20).read().decode())"
        );
        CommandAssert::new(["/usr/bin/python3", "-c", &script]).stdout(clockwork_core::Matcher::equals("ok"))
    };
    let sandbox = || Sandbox::new().network(NetworkAccess::At);
    let project = Project::new("test")
        .with(ContainerResource::new("box").container_name(&container.0))
        .assert(get(8081).sandbox(sandbox()).at("box"))
        .assert(get(here).sandbox(sandbox()).at("box"))
        .assert(CommandAssert::new(["cat", "/www"]).sandbox(sandbox()).at("box"));
    let project = project.assert(get(8081).sandbox(Sandbox::new().network(NetworkAccess::All)));
    let results = run(project).await;
    told(&results[0], Outcome::Passed);
    assert!(told(&results[1], Outcome::Failed).contains("Connection refused"), "{}", results[1].message);
    told(&results[2], Outcome::Failed); // its files stay this machine's
    told(&results[3], Outcome::Failed);
}
