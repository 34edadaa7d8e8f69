//! Files: that they are there, their modes and sizes, compared with `stat`.

use std::{
    fs::{self, File},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};

use clockwork_assert::{FileExistsAssert, FilePermissionsAssert, FileSizeAssert, ModeLimit};
use clockwork_core::{AssertionExt, Outcome, Project, ResourceExt};
use clockwork_drivers::FileResource;

use crate::run::{check, directory, output, run, told};

/// To `Path` these are equal; the second asks for a directory.
#[tokio::test]
async fn a_file_with_a_slash_behind_it_is_another_question() {
    let (_kept, root) = directory();
    fs::write(root.join("file"), "").unwrap();
    let file = root.join("file").display().to_string();
    for both in [[file.clone(), format!("{file}/")], [format!("{file}/"), file]] {
        let asked = both.each_ref().map(|path| FileExistsAssert::new(path.as_str()));
        let project = asked.into_iter().fold(Project::new("test"), Project::assert);
        for (result, path) in run(project).await.iter().zip(&both) {
            let verdict = if path.ends_with('/') { Outcome::Failed } else { Outcome::Passed };
            told(result, verdict);
        }
    }
}

#[tokio::test]
async fn a_file_exists_or_it_is_said_what_is_there_instead() {
    let (_kept, root) = directory();
    let at = |name: &str| root.join(name);
    fs::write(at("file"), "twelve bytes").unwrap();
    fs::create_dir(at("directory")).unwrap();
    std::os::unix::fs::symlink("file", at("link")).unwrap();
    std::os::unix::fs::symlink("../nowhere", at("dangling")).unwrap();
    std::os::unix::fs::symlink("loop-b", at("loop-a")).unwrap();
    std::os::unix::fs::symlink("loop-a", at("loop-b")).unwrap();
    output("mkfifo", &[at("fifo").to_str().unwrap()]);
    let _listener = UnixListener::bind(at("socket")).unwrap();
    fs::write(at("new\nline\x1b[2K"), "").unwrap();
    let shown = root.display().to_string();
    // name, whether it passes, what `not` makes of it, what is said
    use Outcome::{Errored, Failed, Passed};
    let table = [
        ("file", Passed, Failed, format!("{shown}/file is a file of 12 bytes")),
        ("link", Passed, Failed, format!("{shown}/link is a file of 12 bytes")),
        ("fifo", Passed, Failed, format!("{shown}/fifo is a FIFO")),
        ("socket", Passed, Failed, format!("{shown}/socket is a socket")),
        (
            "new\nline\x1b[2K",
            Passed,
            Failed,
            format!(r#""{shown}/new\nline\u{{1b}}[2K" is a file of 0 bytes"#),
        ),
        ("directory", Failed, Errored, format!("{shown}/directory is a directory, not a file")),
        ("missing", Failed, Passed, format!("{shown}/missing is missing")),
        ("no/such/file", Failed, Passed, format!("{shown}/no/such/file is missing: there is no {shown}/no")),
        (
            "file/below",
            Failed,
            Passed,
            format!("{shown}/file/below is missing: {shown}/file is not a directory"),
        ),
        ("file/", Failed, Passed, format!("{shown}/file/ is missing: {shown}/file is not a directory")),
        (
            "dangling",
            Failed,
            Passed,
            format!(
                "{shown}/dangling is missing: the link {shown}/dangling leads to ../nowhere, which is not there"
            ),
        ),
        (
            "dangling/below",
            Failed,
            Passed,
            format!(
                "{shown}/dangling/below is missing: the link {shown}/dangling leads to ../nowhere, which is not there"
            ),
        ),
        (
            "loop-a",
            Failed,
            Passed,
            format!("{shown}/loop-a is missing: the link {shown}/loop-a leads in a circle"),
        ),
    ];
    for (name, outcome, negated, message) in table {
        let result = check(FileExistsAssert::new(at(name))).await;
        assert_eq!(told(&result, outcome), message);
        told(&check(FileExistsAssert::new(at(name)).not()).await, negated);
    }
    let long = "x".repeat(300);
    let result = check(FileExistsAssert::new(at(&long))).await;
    assert!(told(&result, Failed).ends_with("the name is too long for any filesystem"), "{}", result.message);
    told(&check(FileExistsAssert::new("/dev/null")).await, Passed);
    told(&check(FileExistsAssert::new("Cargo.toml")).await, Passed); // relative to the working directory
}

#[tokio::test]
async fn a_mode_is_what_stat_says() {
    let (_kept, root) = directory();
    let path = root.join("file");
    fs::write(&path, "").unwrap();
    let shown = path.to_str().unwrap();
    for mode in ["0644", "0600", "4755", "2755", "1644", "0000", "7777", "0666"] {
        output("chmod", &[mode, shown]);
        let stat = format!("{:0>4}", output("stat", &["-c", "%a", shown]));
        let exactly = FilePermissionsAssert::new(&path).mode(stat.parse::<ModeLimit>().unwrap());
        told(&check(exactly.clone()).await, Outcome::Passed);
        told(&check(exactly.not()).await, Outcome::Failed);
        let other = format!("{:04o}", u32::from_str_radix(&stat, 8).unwrap() ^ 0o1002);
        told(
            &check(FilePermissionsAssert::new(&path).mode(other.parse::<ModeLimit>().unwrap())).await,
            Outcome::Failed,
        );
    }
    output("chmod", &["4664", shown]);
    let table = [
        (r#"{"mode": "0644"}"#, format!("{shown}: mode is 4664, expected 0644 (too much: setuid, g+w)")),
        (
            r#"{"expected_perms": "u=rw,go=r"}"#,
            format!("{shown}: mode is 4664, expected 0644 (u=rw,go=r) (too much: setuid, g+w)"),
        ),
        (
            r#"{"mode": {"at_most": "0640"}}"#,
            format!("{shown}: mode is 4664, expected at most 0640 (too much: setuid, g+w, o+r)"),
        ),
        (r#"{"mode": "4774"}"#, format!("{shown}: mode is 4664, expected 4774 (lacking: u+x, g+x)")),
        (r#"{"mode": "g-w"}"#, format!("{shown}: mode is 4664, expected g-w (too much: g+w)")),
    ];
    for (fields, message) in table {
        let mut fields: serde_json::Map<_, _> = serde_json::from_str(fields).unwrap();
        fields.insert(String::from("path"), shown.into());
        let assertion: FilePermissionsAssert = serde_json::from_value(fields.into()).unwrap();
        assert_eq!(told(&check(assertion).await, Outcome::Failed), message);
    }
    let at_most = ModeLimit::at_most("4777".parse().unwrap());
    told(&check(FilePermissionsAssert::new(&path).mode(at_most)).await, Outcome::Passed);
    let result =
        check(FilePermissionsAssert::new(root.join("gone")).mode("0644".parse::<ModeLimit>().unwrap()).not())
            .await;
    told(&result, Outcome::Errored);
}

#[tokio::test]
async fn an_owner_is_who_stat_says() {
    let (_kept, root) = directory();
    let path = root.join("file");
    fs::write(&path, "").unwrap();
    let shown = path.to_str().unwrap();
    if output("id", &["-u"]) == "0" {
        output("chown", &["nobody:1", shown]);
    }
    let stat = output("stat", &["-c", "%U %u %G %g", shown]);
    let [owner, uid, group, gid] = stat.split(' ').collect::<Vec<_>>()[..] else { panic!("{stat}") };
    for (owner, group) in [(owner, group), (uid, gid)] {
        let assertion = FilePermissionsAssert::new(&path).owner(owner).group(group);
        told(&check(assertion.clone()).await, Outcome::Passed);
        told(&check(assertion.not()).await, Outcome::Failed);
    }
    let wrong = FilePermissionsAssert::new(&path).owner("daemon");
    let message = format!("{shown}: the owner is {owner} ({uid}), not daemon");
    assert_eq!(told(&check(wrong.clone()).await, Outcome::Failed), message);
    told(&check(wrong.not()).await, Outcome::Passed);
    let wrong = FilePermissionsAssert::new(&path).group(4_000_000_000_u32);
    let message = format!("{shown}: the group is {group} ({gid}), not 4000000000");
    assert_eq!(told(&check(wrong).await, Outcome::Failed), message);
    // A user who does not exist owns nothing; that this file is not theirs proves nothing.
    let unknown = FilePermissionsAssert::new(&path).owner("no-such-user");
    let message = format!("{shown}: the owner is {owner} ({uid}), and there is no user no-such-user");
    assert_eq!(told(&check(unknown.clone()).await, Outcome::Failed), message);
    told(&check(unknown.not()).await, Outcome::Errored);
}

#[tokio::test]
async fn permissions_in_a_directory_that_anybody_may_write_are_in_vain() {
    let (_kept, root) = directory();
    let open = root.join("open");
    fs::create_dir(&open).unwrap();
    fs::write(open.join("file"), "").unwrap();
    fs::write(root.join("file"), "").unwrap();
    std::os::unix::fs::symlink("open/file", root.join("link-into")).unwrap();
    std::os::unix::fs::symlink(root.join("file"), open.join("link-out")).unwrap();
    std::os::unix::fs::symlink("open/link-out", root.join("link-through")).unwrap();
    let mode = || "0644".parse::<ModeLimit>().unwrap();
    for path in [open.join("file"), root.join("file")] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    }
    let reached = ["open/file", "link-into", "open/link-out", "link-through"];
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    for name in reached {
        let assertion = FilePermissionsAssert::new(root.join(name)).mode(mode());
        let result = check(assertion.clone()).await;
        let message = told(&result, Outcome::Failed);
        assert!(
            message.contains("anybody may replace it: ") && message.contains("open has mode 0777"),
            "{message}"
        );
        told(&check(assertion.clone().not()).await, Outcome::Errored);
        told(&check(assertion.writable_parent_ok(true)).await, Outcome::Passed);
    }
    fs::set_permissions(&open, PermissionsExt::from_mode(0o1777)).unwrap(); // as /tmp
    for name in reached {
        told(&check(FilePermissionsAssert::new(root.join(name)).mode(mode())).await, Outcome::Passed);
    }
}

#[tokio::test]
async fn a_size_is_what_stat_says_and_huge_files_cost_nothing() {
    let (_kept, root) = directory();
    let path = root.join("sparse");
    File::create(&path).unwrap().set_len(10 << 30).unwrap();
    let size: u64 = output("stat", &["-c", "%s", path.to_str().unwrap()]).parse().unwrap();
    assert_eq!(size, 10 << 30);
    let about = || FileSizeAssert::new(&path);
    told(&check(about().min_bytes(size).max_bytes(size)).await, Outcome::Passed);
    told(&check(about().min_bytes(size).max_bytes(size).not()).await, Outcome::Failed);
    let shown = path.display();
    assert_eq!(
        told(&check(about().min_bytes(size + 1)).await, Outcome::Failed),
        format!("{shown} is 10737418240 bytes (10 GiB), 1 byte less than it should be")
    );
    assert_eq!(
        told(&check(about().max_bytes(1)).await, Outcome::Failed),
        format!("{shown} is 10737418240 bytes (10 GiB), 10737418239 bytes (10.0 GiB) more than it should be")
    );
    told(&check(FileExistsAssert::new(&path)).await, Outcome::Passed);
    for (other, message) in [
        ("/dev/zero", "/dev/zero is a character device, not a regular file"),
        ("/", "/ is a directory, not a regular file"),
    ] {
        assert_eq!(told(&check(FileSizeAssert::new(other).max_bytes(1)).await, Outcome::Failed), message);
        told(&check(FileSizeAssert::new(other).min_bytes(u64::MAX).not()).await, Outcome::Errored);
    }
}

#[tokio::test]
async fn on_a_file_resource_the_path_is_the_resources_own() {
    let (_kept, root) = directory();
    fs::write(root.join("app.conf"), "port = 80\n").unwrap();
    let file = |name: &str| FileResource::in_directory(name, &root, "app.conf");
    let results = run(Project::new("test").with(
        file("config")
            .assert(FileExistsAssert::default())
            .assert(FileSizeAssert::default().max_bytes(9))
            .assert(FileSizeAssert::new("/etc/passwd").min_bytes(1)),
    ))
    .await;
    let outcomes: Vec<_> = results.iter().map(|result| result.verdict).collect();
    assert_eq!(outcomes, [Outcome::Passed, Outcome::Failed, Outcome::Passed]);
    // Anywhere else the path is missed before anything runs.
    let error = clockwork_core::Engine::standard()
        .assert(&Project::new("test").assert(FileExistsAssert::default()))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("only on a FileResource can it be left out"), "{error}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    let table = [
        (project(FileExistsAssert::new("")), "is empty: name a file"),
        (project(FileExistsAssert::new("~/x")), "begins with `~`, which is not expanded"),
        (project(FileExistsAssert::new("a\0b")), "holds a NUL character"),
        (project(FileSizeAssert::new("/x")), "give `min_bytes`, `max_bytes` or both"),
        (project(FileSizeAssert::new("/x").min_bytes(2).max_bytes(1)), "no file is of such a size"),
        (project(FilePermissionsAssert::new("/x")), "give `mode`, `owner`, `group` or several of them"),
        (project(FilePermissionsAssert::new("/x").owner("root:root")), "give one name, without its group"),
    ];
    for (project, problem) in table {
        let error = clockwork_core::Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error} for {problem}");
    }
    let unquoted = serde_json::json!({ "path": "/x", "mode": 644 });
    let error = serde_json::from_value::<FilePermissionsAssert>(unquoted).unwrap_err().to_string();
    assert!(error.contains("a mode is text, as in \"0644\""), "{error}");
    let partial = serde_json::json!({ "path": "/x", "mode": { "at_most": "u=rw" } });
    let error = serde_json::from_value::<FilePermissionsAssert>(partial).unwrap_err().to_string();
    assert!(error.contains("`at_most` needs all of u, g and o"), "{error}");
}

fn project(assertion: impl clockwork_core::Assertion) -> Project {
    Project::new("test").assert(assertion)
}

#[tokio::test]
async fn a_file_resource_is_observed_and_its_drift_is_told() {
    use clockwork_core::{Change, Context, Driver, Resource, assertion};
    use clockwork_drivers::file::FileDriver;

    let (_kept, root) = directory();
    let path = root.join("app.conf");
    fs::write(&path, "port = 80\n").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    async fn drift(file: FileResource) -> Vec<String> {
        let (told, heard) = std::sync::mpsc::channel();
        let shared = std::sync::Arc::new(file.clone());
        let results = run(Project::new("test").with(file).assert(assertion("plans", move |cx: Context| {
            let (told, file) = (told.clone(), std::sync::Arc::clone(&shared));
            async move {
                let seen = cx.observe_resource("file").await?;
                let changes = FileDriver.plan(&*file as &dyn Resource, seen.as_ref().as_deref())?;
                told.send(changes).unwrap();
                Ok::<_, clockwork_core::CheckError>(true)
            }
        })))
        .await;
        told_passed(&results);
        let changes = heard.recv().unwrap();
        let drifts = changes.into_iter().map(|change| match change {
            Change::Create => String::from("create"),
            Change::Update(drift) => {
                let shown = drift.iter().map(|d| format!("{} {} -> {}", d.path, d.observed, d.declared));
                shown.collect::<Vec<_>>().join(", ")
            }
            _ => unreachable!(),
        });
        drifts.collect()
    }
    fn told_passed(results: &[std::sync::Arc<clockwork_core::CheckResult>]) {
        for result in results {
            told(result, Outcome::Passed);
        }
    }
    let file = |path: &Path| FileResource::new("file", path);
    let uid: u32 = output("id", &["-u"]).parse().unwrap();
    let same = file(&path).content("port = 80\n").mode("u=rw,g=r,o=".parse().unwrap()).owner(uid);
    assert_eq!(drift(same).await, Vec::<String>::new());
    assert_eq!(drift(file(&root.join("gone"))).await, ["create"]);
    let other = file(&path).content("port = 81\n").mode("0644".parse().unwrap());
    let told = drift(other).await.remove(0);
    assert!(told.starts_with("content \"sha256:") && told.ends_with(", mode \"0640\" -> \"0644\""), "{told}");
    assert!(!told.contains("port"), "{told}");
    fs::write(root.join("source"), "port = 80\n").unwrap();
    assert_eq!(drift(file(&path).source(root.join("source"))).await, Vec::<String>::new());
}

/// As people write it: the errors say where, and what to write instead.
#[tokio::test]
async fn a_manifest_says_it_all() {
    use clockwork_core::{Engine, ManifestInput};

    let (_kept, root) = directory();
    fs::write(root.join("app.conf"), "port = 80\n").unwrap();
    fs::set_permissions(root.join("app.conf"), PermissionsExt::from_mode(0o640)).unwrap();
    let engine = Engine::builder()
        .register(clockwork_assert::register)
        .register(clockwork_drivers::register)
        .build()
        .unwrap();
    let manifest = |mode: &str| {
        let text = format!(
            "project: test
resources:
  config:
    kind: FileResource
    directory: {}
    file_name: app.conf
    mode: 'u=rw,g=r,o='
    assertions:
      - FileExistsAssert
      - FilePermissionsAssert: {{ mode: {mode}, owner: {} }}
      - FileSizeAssert: {{ min_bytes: 10, max_bytes: 1KiB }}
      - FileContentMatchesAssert: {{ pattern: '^port', toml: {{ port: 80 }} }}
      - DiskUsageAssert: {{ max_mb: 1, max_percent: 100 }}
      - ProcessNotRunningAssert: {{ name: no-such-process }}
      - ProcessNotRunningAssert: {{ command: ^no-such-process }}
",
            root.display(),
            output("id", &["-u"]),
        );
        engine.read_manifest(&ManifestInput::new("clockwork.yaml", text), &|_| None)
    };
    for mode in ["'0640'", "0640", "u=rw", "{ at_most: '0644' }", "{ at_most: 'u=rw,g=r,o=' }"] {
        let project = manifest(mode).unwrap_or_else(|error| panic!("{error}"));
        let report = engine.assert(&project).await.unwrap();
        assert!(report.passed() && report.results.len() == 7, "{report}");
    }
    for (mode, problem) in [
        ("640", "a mode is text, as in \"0644\": the number 640"),
        ("0o640", "the number 416 may be other digits than were written"),
        ("'0840'", "\"0840\" is no mode: octal digits are 0 to 7"),
        ("{ at_least: '0640' }", "at_most"),
    ] {
        let error = manifest(mode).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("clockwork.yaml:10:"), "{error}");
    }
}
