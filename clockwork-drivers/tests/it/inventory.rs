//! Inventories of real containers and images. Needs an engine: `scripts/engine.sh` brings one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use clockwork_core::{CheckError, Engine, Project, assertion};
use clockwork_drivers::vulnerability::{
    Inventory,
    inventory::{InventoryProbe, Subject},
};

/// What the probe says, asked as a check asks it.
async fn look(subject: Subject) -> Result<Inventory, CheckError> {
    let answer = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&answer);
    let probe = InventoryProbe { subject };
    let project = Project::new("test").assert(assertion("looks", move |cx| {
        let (kept, probe) = (Arc::clone(&kept), probe.clone());
        async move {
            let seen = cx.observe(probe).await.map(|seen| (*seen).clone());
            *kept.lock().unwrap() = Some(seen);
            true
        }
    }));
    Engine::standard().assert(&project).await.unwrap();
    answer.lock().unwrap().take().unwrap()
}

fn names(inventory: &Inventory) -> Vec<String> {
    inventory.packages.iter().map(|p| format!("{} {} {}", p.ecosystem, p.name, p.version)).collect()
}

fn output(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An image that goes with the test.
struct Image(String);

impl Image {
    /// Builds it from these files beside a Dockerfile.
    fn build(name: &str, dockerfile: &str, files: &[(&str, &str)]) -> Self {
        let context = tempfile::tempdir().unwrap();
        write(context.path(), "Dockerfile", dockerfile);
        files.iter().for_each(|(path, text)| write(context.path(), path, text));
        let name = format!("clockwork/cw-{name}:{}", std::process::id());
        output(&["build", "--quiet", "--tag", &name, context.path().to_str().unwrap()]);
        Self(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "--force", &self.0]).stdout(Stdio::null()).status();
    }
}

/// A container that goes with the test.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rm", "--force", "--volumes", &self.0])
            .stdout(Stdio::null())
            .status();
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const APK: &str = "P:libcrypto3\nV:3.1.4-r5\no:openssl\n\nP:musl\nV:1.2.4-r2\no:musl\n";
const ALPINE: &str = "ID=alpine\nVERSION_ID=3.19.1\n";

/// `FROM` the test image, for it has `rm`; the second and third layers remove and replace.
#[tokio::test]
async fn an_image_and_its_containers_have_the_same_packages_whatever_their_state() {
    let dockerfile = "FROM clockwork/busybox:test
        COPY root /
        RUN rm -r /srv/node_modules/gone && echo 'P:musl' > /lib/apk/db/installed && echo 'V:1.2.4-r3' >> /lib/apk/db/installed
        RUN rm -r /opt/old && mkdir -p /opt/old/b.dist-info && printf 'Name: b\\nVersion: 2\\n' > /opt/old/b.dist-info/METADATA
        CMD [\"sleep\", \"68.5\"]";
    let files = [
        ("root/etc/os-release", ALPINE),
        ("root/lib/apk/db/installed", APK),
        ("root/srv/node_modules/gone/package.json", r#"{"name":"gone","version":"1.0.0"}"#),
        ("root/srv/node_modules/kept/package.json", r#"{"name":"kept","version":"1.0.0"}"#),
        ("root/opt/old/a.dist-info/METADATA", "Name: a\nVersion: 1\n"),
    ];
    let image = Image::build("layers", dockerfile, &files);
    let expected = ["Alpine:v3.19 musl 1.2.4-r3", "PyPI b 2", "npm kept 1.0.0"];
    let id = output(&["inspect", "--format", "{{.Id}}", &image.0]);
    let bare = id.trim_start_matches("sha256:").to_owned();
    for name in [image.0.clone(), id, bare] {
        let inventory = look(Subject::Image(name)).await.unwrap();
        assert_eq!(
            (names(&inventory), &*inventory.not_scanned),
            (expected.map(String::from).into(), &[][..])
        );
    }
    let container = Container(format!("cw-inventory-{}", std::process::id()));
    output(&["create", "--name", &container.0, &image.0]);
    let created = look(Subject::Container(container.0.clone())).await.unwrap();
    output(&["start", &container.0]);
    let running = look(Subject::Container(container.0.clone())).await.unwrap();
    // What a container changed counts.
    output(&["exec", &container.0, "rm", "-r", "/srv/node_modules"]);
    let changed = look(Subject::Container(container.0.clone())).await.unwrap();
    output(&["kill", &container.0]);
    let exited = look(Subject::Container(container.0.clone())).await.unwrap();
    for inventory in [&created, &running] {
        assert_eq!((names(inventory), &*inventory.not_scanned), (expected.map(String::from).into(), &[][..]));
    }
    for inventory in [&changed, &exited] {
        assert_eq!(names(inventory), expected[..2]);
    }
}

#[tokio::test]
async fn an_image_from_scratch_has_what_was_put_into_it() {
    let image = Image::build(
        "scratch",
        "FROM scratch\nCOPY a /\nCOPY b /\n",
        &[
            ("a/etc/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("a/var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4+deb12u5\n"),
            ("b/var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a-0+deb12u1\n"),
        ],
    );
    let inventory = look(Subject::Image(image.0.clone())).await.unwrap();
    assert_eq!(names(&inventory), ["Debian:12 base-files 12.4+deb12u5", "Debian:12 tzdata 2024a-0+deb12u1"]);
    // It has no shell and no program at all, and cannot even run: its container is looked into all the same.
    let container = Container(format!("cw-scratch-{}", std::process::id()));
    output(&["create", "--name", &container.0, &image.0, "/nothing"]);
    let created = look(Subject::Container(container.0.clone())).await.unwrap();
    assert_eq!(names(&created), names(&inventory));
}

#[tokio::test]
async fn what_is_not_there_is_the_targets_fault() {
    let gone = PathBuf::from("/nowhere/at/all");
    for (subject, told) in [
        (
            Subject::Container("cw-nobody-has-this".into()),
            "there is no container cw-nobody-has-this in Docker at",
        ),
        (
            Subject::Image("clockwork/nobody-has-this:1".into()),
            "there is no image \"clockwork/nobody-has-this:1\" in Docker",
        ),
        (Subject::Path(gone.clone()), "\"/nowhere/at/all\" is missing"),
        (Subject::Lockfile(gone.clone()), "\"/nowhere/at/all\" is missing"),
        (Subject::Sbom(gone), "\"/nowhere/at/all\" is missing"),
        (Subject::Path("/etc/passwd".into()), "\"/etc/passwd\" is no directory"),
    ] {
        let error = look(subject).await.unwrap_err();
        assert_eq!(error.fault(), clockwork_core::Fault::Target, "{error}");
        assert!(error.to_string().starts_with(told), "{error}");
    }
}

#[tokio::test]
async fn files_are_read_by_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| directory.path().join(path);
    write(directory.path(), "app/requirements/dev.txt", "-r ../base.txt\nsix==1.16.0\n");
    write(directory.path(), "app/base.txt", "flask==2.0\n");
    write(directory.path(), "yarn.lock", "");
    write(
        directory.path(),
        "sbom.json",
        r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
        {"type":"library","name":"ms","purl":"pkg:npm/ms@2.0.0"}]}"#,
    );
    let inventory = look(Subject::Lockfile(at("app/requirements/dev.txt"))).await.unwrap();
    assert_eq!(names(&inventory), ["PyPI flask 2.0", "PyPI six 1.16.0"]);
    let paths: Vec<_> = inventory.packages.iter().map(|package| package.path.clone()).collect();
    assert_eq!(paths, [at("app/base.txt").to_string_lossy().into_owned(), String::from("dev.txt")]);
    let inventory = look(Subject::Sbom(at("sbom.json"))).await.unwrap();
    assert_eq!(names(&inventory), ["npm ms 2.0.0"]);
    let inventory = look(Subject::Lockfile(at("yarn.lock"))).await.unwrap();
    assert!(inventory.packages.is_empty() && inventory.not_scanned[0].fatal);
    // This workspace's own: as many as cargo says.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let expected = fs::read_to_string(&lock).unwrap().matches("\nsource = \"registry+").count();
    assert_eq!(look(Subject::Lockfile(lock)).await.unwrap().packages.len(), expected);
}
