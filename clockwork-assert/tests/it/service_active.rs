//! ServiceActiveAssert against a real systemd: a user's manager of the test's own, in a mount namespace and a control group
//! of its own, so that it touches nothing else; every verdict beside that of `systemctl`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use clockwork_assert::ServiceActiveAssert;
use clockwork_core::{AssertionExt, Engine, Outcome, Project};

use crate::{
    run::{check, output, told},
    skip::skipped,
};

/// systemd refuses to run where the machine was not booted with it; this one only believes so.
const START: &str = r#"
mount -t tmpfs tmpfs /run/systemd 2>/dev/null || { mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd; }
mkdir /run/systemd/system
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ -w $hierarchy/cgroup.procs ]; then mkdir $hierarchy/$GROUP && echo 0 > $hierarchy/$GROUP/cgroup.procs; fi
done
setpriv --pdeathsig KILL dbus-daemon --session --address=unix:path=$ROOT/bus --nofork --nopidfile &
while [ ! -S $ROOT/bus ]; do sleep 0.05; done
env -i PATH="$PATH" HOME=$ROOT XDG_RUNTIME_DIR=$ROOT XDG_CONFIG_HOME=$ROOT/config \
    DBUS_SESSION_BUS_ADDRESS=unix:path=$ROOT/bus setpriv --pdeathsig KILL /lib/systemd/systemd --user --unit=basic.target &
wait
"#;

const UNITS: &[(&str, &str)] = &[
    ("cw-ok.service", "[Service]\nExecStart=/bin/sleep 120\n[Install]\nWantedBy=default.target\n"),
    ("cw-idle.service", "[Service]\nExecStart=/bin/sleep 120\n[Install]\nWantedBy=default.target\n"),
    ("cw-once.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"),
    ("cw-done.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
    ("cw-failed.service", "[Service]\nExecStart=/bin/sh -c 'exit 3'\n"),
    ("cw-killed.service", "[Service]\nExecStart=/bin/sh -c 'kill -9 $$$$'\n"),
    ("cw-starting.service", "[Service]\nType=notify\nExecStart=/bin/sleep 120\n"),
    ("cw-looping.service", "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=500\n"),
    ("cw-reloading.service", "[Service]\nExecStart=/bin/sleep 120\nExecReload=/bin/sleep 120\n"),
    ("cw-bad.service", "[Service]\nExecStart=not-absolute-\x01\n"),
    ("cw-at@.service", "[Service]\nExecStart=/bin/sleep %i\n"),
    ("cw.timer", "[Timer]\nOnActiveSec=1h\nUnit=cw-done.service\n"),
];

struct Manager {
    root: tempfile::TempDir,
    group: String,
    child: Child,
}

impl Manager {
    fn start() -> Option<Self> {
        if output("id", &["-u"]) != "0" {
            skipped("cannot run a systemd: not root");
            return None;
        }
        if !Path::new("/lib/systemd/systemd").exists() {
            skipped("systemd is not installed");
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        let units = root.path().join("config/systemd/user");
        fs::create_dir_all(units.join("default.target.wants")).unwrap();
        fs::create_dir_all(root.path().join("systemd")).unwrap();
        for (name, text) in UNITS {
            fs::write(units.join(name), text).unwrap();
        }
        symlink("/dev/null", units.join("cw-masked.service")).unwrap();
        symlink(units.join("cw-ok.service"), units.join("default.target.wants/cw-ok.service")).unwrap();
        let group = format!("cw-systemd-{}", std::process::id());
        // It ends with this process, however that ends.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", START])
            .env("ROOT", root.path())
            .env("GROUP", &group)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let manager = Self { root, group, child };
        let began = Instant::now();
        while !manager.systemctl(&["show", "--property=Version"]).status.success() {
            if began.elapsed() > Duration::from_secs(30) {
                skipped("systemd does not come up");
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(manager)
    }

    fn systemctl(&self, arguments: &[&str]) -> Output {
        let bus = format!("unix:path={}/bus", self.root.path().display());
        Command::new("systemctl")
            .arg("--user")
            .args(arguments)
            .env("XDG_RUNTIME_DIR", self.root.path())
            .env("DBUS_SESSION_BUS_ADDRESS", bus)
            .output()
            .unwrap()
    }

    /// One of a unit's properties.
    fn property(&self, unit: &str, name: &str) -> String {
        let output = self.systemctl(&["show", "--value", "--property", name, unit]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn wait_until(&self, unit: &str, property: &str, value: &str) {
        let began = Instant::now();
        while self.property(unit, property) != value {
            let is = self.property(unit, property);
            assert!(began.elapsed() < Duration::from_secs(20), "{unit}: {property} is {is}, not {value}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn address(&self, socket: &str) -> String {
        format!("unix:path={}/{socket}", self.root.path().display())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let hierarchies = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let groups = hierarchies.map(|hierarchy| Path::new(hierarchy).join(&self.group));
        groups.iter().for_each(|group| end(group));
        std::thread::sleep(Duration::from_millis(200)); // they are ending
        groups.iter().for_each(|group| remove(group));
    }
}

fn groups_in(group: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// Ends every process of the control group, which only this test's systemd and its services are in.
fn end(group: &Path) {
    groups_in(group).for_each(|inner| end(&inner));
    for pid in fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default().lines() {
        let _ = Command::new("kill").args(["-KILL", pid]).status();
    }
}

/// Control groups are directories that hold only directories, as far as removing goes.
fn remove(group: &Path) {
    groups_in(group).for_each(|inner| remove(&inner));
    let _ = fs::remove_dir(group);
}

#[tokio::test]
async fn units_are_what_systemctl_says() {
    let Some(systemd) = Manager::start() else { return };
    for unit in ["cw-ok", "cw-once", "cw-failed", "cw-killed", "cw-starting", "cw-looping", "cw-reloading"] {
        systemd.systemctl(&["start", "--no-block", &format!("{unit}.service")]);
    }
    systemd.systemctl(&["start", "--no-block", "cw-at@77.service", "cw.timer"]);
    systemd.wait_until("cw-ok.service", "ActiveState", "active");
    systemd.wait_until("cw-once.service", "SubState", "exited");
    systemd.wait_until("cw-failed.service", "ActiveState", "failed");
    systemd.wait_until("cw-killed.service", "ActiveState", "failed");
    systemd.wait_until("cw-looping.service", "SubState", "auto-restart");
    systemd.wait_until("cw-at@77.service", "ActiveState", "active");
    systemd.wait_until("cw.timer", "ActiveState", "active");
    systemd.wait_until("cw-reloading.service", "ActiveState", "active");
    systemd.systemctl(&["reload", "--no-block", "cw-reloading.service"]);
    systemd.wait_until("cw-reloading.service", "ActiveState", "reloading");
    for (unit, message) in [
        ("cw-ok", "cw-ok.service is active (running)"),
        ("cw-ok.service", "cw-ok.service is active (running)"),
        ("cw-idle", "cw-idle.service is not running; `systemctl start cw-idle.service` starts it"),
        ("cw-once", "cw-once.service is active (exited)"),
        (
            "cw-failed",
            "cw-failed.service failed (exit-code): its process exited with code 3; `journalctl -u cw-failed.service` tells more",
        ),
        (
            "cw-killed",
            "cw-killed.service failed (signal): its process was killed by SIGKILL; `journalctl -u cw-killed.service` tells more",
        ),
        ("cw-starting", "cw-starting.service is still starting (start)"),
        (
            "cw-looping",
            "cw-looping.service keeps ending and waits to be restarted (0 restarts so far): its process exited with code 1",
        ),
        ("cw-reloading", "cw-reloading.service is reloading (reload)"),
        (
            "cw-masked",
            "cw-masked.service is masked: it cannot be started until `systemctl unmask cw-masked.service`",
        ),
        ("cw-none", "there is no unit cw-none.service"),
        ("cw-at@77", "cw-at@77.service is active (running)"),
        ("cw-at@78", "cw-at@78.service is not running; `systemctl start cw-at@78.service` starts it"),
        ("cw.timer", "cw.timer is active (waiting)"),
        ("basic.target", "basic.target is active (active)"),
    ] {
        let is_active = systemd.systemctl(&["is-active", unit]).status.success();
        let (verdict, opposite) = match is_active {
            true => (Outcome::Passed, Outcome::Failed),
            false => (Outcome::Failed, Outcome::Passed),
        };
        let about = || ServiceActiveAssert::new(unit).bus(systemd.address("bus"));
        let result = check(about()).await;
        assert_eq!(told(&result, verdict), message, "{unit}");
        told(&check(about().not()).await, opposite);
        for (detail, property) in [
            ("active", "ActiveState"),
            ("sub", "SubState"),
            ("load", "LoadState"),
            ("enabled", "UnitFileState"),
        ] {
            assert_eq!(result.details()[detail], systemd.property(unit, property), "{unit}: {detail}");
        }
    }
    let bad = check(ServiceActiveAssert::new("cw-bad").bus(systemd.address("bus"))).await;
    let message = told(&bad, Outcome::Failed);
    assert!(message.starts_with("systemd cannot load cw-bad.service: "), "{message}");
    // Whether it starts at boot.
    for (unit, enabled) in [("cw-ok", true), ("cw-once", false)] {
        let says = systemd.property(unit, "UnitFileState");
        let about = |enabled| ServiceActiveAssert::new(unit).enabled(enabled).bus(systemd.address("bus"));
        told(&check(about(enabled)).await, Outcome::Passed);
        let message = check(about(!enabled)).await.message.clone();
        assert!(message.contains(&says), "{message}");
    }
    assert_eq!(systemd.property("cw-ok", "UnitFileState"), "enabled");
    // A changed file is told.
    let path = systemd.root.path().join("config/systemd/user/cw-ok.service");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}# changed\n")).unwrap();
    output("touch", &["--date", "+1 hour", path.to_str().unwrap()]);
    if systemd.property("cw-ok", "NeedDaemonReload") == "yes" {
        let result = check(ServiceActiveAssert::new("cw-ok").bus(systemd.address("bus"))).await;
        assert!(
            told(&result, Outcome::Passed).ends_with("(`systemctl daemon-reload`)"),
            "{}",
            result.message
        );
    }
    // When it goes, nobody knows any more.
    let bus = systemd.address("bus");
    drop(systemd);
    let result = check(ServiceActiveAssert::new("cw-ok").bus(&bus)).await;
    assert!(
        told(&result, Outcome::Errored).starts_with("cannot connect to the bus at "),
        "{}",
        result.message
    );
}

/// A bus without a systemd on it, and a machine without one.
#[tokio::test]
async fn no_systemd_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let address = format!("unix:path={}/bus", root.path().display());
    fs::create_dir(root.path().join("none")).unwrap();
    let policy = "<policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/><allow user='*'/></policy>";
    let config = root.path().join("bus.conf");
    fs::write(
        &config,
        format!("<busconfig><listen>{address}</listen><auth>EXTERNAL</auth>{policy}</busconfig>"),
    )
    .unwrap();
    let mut bus = match Command::new("dbus-daemon")
        .args(["--nofork", "--nopidfile", "--config-file"])
        .arg(&config)
        .spawn()
    {
        Ok(bus) => bus,
        Err(error) => {
            skipped(&format!("dbus-daemon: {error}"));
            return;
        }
    };
    let began = Instant::now();
    while !root.path().join("bus").exists() && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let results = [
        check(ServiceActiveAssert::new("x").bus(&address)).await,
        check(ServiceActiveAssert::new("x").bus(&address).not()).await,
    ];
    let _ = bus.kill();
    let _ = bus.wait();
    for result in results {
        let message = told(&result, Outcome::Errored);
        assert!(message.starts_with("there is no systemd on the bus at "), "{message}");
    }
    let result = check(ServiceActiveAssert::new("cw-no-such-unit")).await;
    match Path::new("/run/systemd/system").exists() {
        true => assert_eq!(told(&result, Outcome::Failed), "there is no unit cw-no-such-unit.service"),
        false => assert!(told(&result, Outcome::Errored).starts_with("no systemd runs this machine; ")),
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    for (assertion, problem) in [
        (ServiceActiveAssert::new(""), "is empty"),
        (ServiceActiveAssert::new("getty@"), "is a template: name one of its instances"),
        (ServiceActiveAssert::new("a b"), "cannot be the name of a unit"),
        (ServiceActiveAssert::new("x").bus("/run/bus"), "is not a D-Bus address"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(assertion)).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error} for {problem}");
    }
}
