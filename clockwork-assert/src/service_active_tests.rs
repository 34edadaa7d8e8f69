use super::*;

fn state(load: &str, active: &str, sub: &str, file: &str) -> UnitState {
    let text = str::to_owned;
    UnitState {
        load: text(load),
        active: text(active),
        sub: text(sub),
        file: text(file),
        ..UnitState::default()
    }
}

fn ran(state: UnitState, result: &str, ended: Option<&str>, restarts: u32) -> UnitState {
    let last_run = LastRun { result: result.to_owned(), ended: ended.map(str::to_owned), restarts };
    UnitState { last_run: Some(last_run), ..state }
}

#[test]
fn every_state_has_its_words() {
    let x = ServiceActiveAssert::new("x");
    let loaded = |active: &str, sub: &str| state("loaded", active, sub, "enabled");
    let stale = UnitState { stale: true, ..loaded("active", "running") };
    let bad =
        UnitState { load_error: Some("line 3".to_owned()), ..state("bad-setting", "inactive", "dead", "") };
    for (seen, passes, message) in [
        (ran(loaded("active", "running"), "success", None, 0), true, "x.service is active (running)"),
        (
            ran(loaded("active", "running"), "success", None, 3),
            true,
            "x.service is active (running, restarted 3 times)",
        ),
        (loaded("active", "exited"), true, "x.service is active (exited)"),
        (loaded("reloading", "reload"), true, "x.service is reloading (reload)"),
        (
            state("masked", "active", "running", "masked"),
            true,
            "x.service is active (running), though masked",
        ),
        (
            stale,
            true,
            "x.service is active (running); its file changed since systemd read it (`systemctl daemon-reload`)",
        ),
        (
            ran(loaded("failed", "failed"), "exit-code", Some("exited with code 3"), 0),
            false,
            "x.service failed (exit-code): its process exited with code 3; `journalctl -u x.service` tells more",
        ),
        (
            ran(loaded("failed", "failed"), "oom-kill", Some("was killed by SIGKILL"), 0),
            false,
            "x.service failed for want of memory (oom-kill): its process was killed by SIGKILL; `journalctl -u x.service` \
             tells more",
        ),
        (
            ran(loaded("failed", "failed"), "start-limit-hit", None, 5),
            false,
            "x.service failed too often, and systemd gave up (start-limit-hit); `journalctl -u x.service` tells more",
        ),
        (
            ran(loaded("activating", "auto-restart"), "exit-code", Some("exited with code 1"), 4),
            false,
            "x.service keeps ending and waits to be restarted (4 restarts so far): its process exited with code 1",
        ),
        (
            ran(loaded("activating", "start"), "success", None, 0),
            false,
            "x.service is still starting (start)",
        ),
        (loaded("deactivating", "stop-sigterm"), false, "x.service is stopping (stop-sigterm)"),
        (
            loaded("inactive", "dead"),
            false,
            "x.service is not running; `systemctl start x.service` starts it",
        ),
        (
            ran(loaded("inactive", "dead"), "success", Some("exited with code 0"), 0),
            false,
            "x.service is not running: its process exited with code 0, and nothing restarts it",
        ),
        (state("not-found", "inactive", "dead", ""), false, "there is no unit x.service"),
        (
            state("masked", "inactive", "dead", "masked"),
            false,
            "x.service is masked: it cannot be started until `systemctl unmask x.service`",
        ),
        (
            bad,
            false,
            r#"systemd cannot load x.service: "line 3"; `systemd-analyze verify x.service` tells more"#,
        ),
        (loaded("mainte\x1bnance", "x"), false, r#"x.service is "mainte\u{1b}nance" (x)"#),
    ] {
        let verdict = x.judge("x.service", &seen);
        assert_eq!((verdict.has_passed(), verdict.text()), (passes, message));
        assert!(verdict.is_judged());
    }
}

#[test]
fn enabled_is_what_starts_at_boot() {
    let boot = |enabled: bool, file: &str| {
        let seen = state("loaded", "active", "running", file);
        let verdict = ServiceActiveAssert::new("x").enabled(enabled).judge("x.service", &seen);
        (verdict.has_passed(), verdict.text().to_owned())
    };
    for file in ["enabled", "alias", "generated"] {
        assert!(boot(true, file).0, "{file}");
        assert_eq!(boot(false, file).1, format!("x.service is active, but is {file}: it starts at boot"));
    }
    for (file, message) in [
        ("disabled", "is not enabled (disabled): it does not start at boot"),
        ("static", "is static: it does not start at boot by itself"),
        ("indirect", "is indirect: it does not start at boot by itself"),
        ("enabled-runtime", "is enabled until the next boot only"),
        ("masked", "is not enabled (masked): it does not start at boot"),
        ("", "has no file, so that it is gone after the next boot"),
    ] {
        assert_eq!(boot(true, file), (false, format!("x.service is active, but {message}")));
        assert!(boot(false, file).0, "{file}");
    }
    let seen = state("loaded", "inactive", "dead", "disabled");
    let verdict = ServiceActiveAssert::new("x").enabled(true).judge("x.service", &seen);
    assert!(verdict.text().ends_with("; and it is not enabled (disabled): it does not start at boot"));
}
