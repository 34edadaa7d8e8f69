//! The judgement of [`MigrationsAppliedAssert`] over what ran and what lies there.

use clockwork_drivers::sql::{Migration, Ran};
use serde_json::json;

use super::*;

/// `1`, `2!` (failed), `3#sum` (with a checksum), `R:views#sum` (repeatable).
fn parts(text: &str) -> (String, bool, Option<String>, bool) {
    let (rest, checksum) = match text.split_once('#') {
        Some((rest, sum)) => (rest, Some(sum.to_owned())),
        None => (text, None),
    };
    let (rest, repeatable) = rest.strip_prefix("R:").map_or((rest, false), |rest| (rest, true));
    let (version, failed) = rest.strip_suffix('!').map_or((rest, false), |rest| (rest, true));
    (version.to_owned(), failed, checksum, repeatable)
}

fn applied(list: &str) -> Applied {
    let ran = list.split_whitespace().map(|text| {
        let (version, failed, checksum, repeatable) = parts(text);
        Ran { version, failed, checksum, repeatable, ..Ran::default() }
    });
    Applied { migrations: ran.collect(), baseline: None }
}

/// `b<a` comes after `a`.
fn files(list: &str) -> MigrationFiles {
    let file = |text: &str| {
        let (text, after) = text.split_once('<').unwrap_or((text, ""));
        let (version, _, checksum, repeatable) = parts(text);
        let after = after.split(',').filter(|after| !after.is_empty()).map(str::to_owned).collect();
        Migration { version, checksum, repeatable, after, ..Migration::default() }
    };
    MigrationFiles { migrations: list.split_whitespace().map(file).collect() }
}

#[test]
fn pending_failed_late_and_changed_ones_are_told_apart() {
    use MigrationTool::{Alembic, Diesel, Flyway, GolangMigrate, Rails, Sqlx};
    for (tool, ran, lie_there, expected) in [
        (Sqlx, "1 2 3", "1 2 3", ""),
        (Sqlx, "1 2", "1 2 3", "sqlx: migration \"3\" is pending"),
        (Sqlx, "", "1 2", "sqlx: 2 migrations are pending: \"1\", \"2\""),
        (Sqlx, "1 3", "1 2 3", "sqlx: migration \"2\" has not run, and newer ones have (up to \"3\")"),
        (Sqlx, "1 2!", "1 2", "sqlx: migration \"2\" failed; repair what it left half-done"),
        (Sqlx, "1#aa", "1#aa", ""),
        (Sqlx, "1#aa", "1#bb", "sqlx: migration \"1\" ran with another content than its file has now"),
        (Sqlx, "1 2", "1", "sqlx: migration \"2\" ran, and has no file"),
        (Sqlx, "9", "9 10", "sqlx: migration \"10\" is pending"),
        (Rails, "1 2", "1", ""),
        (Diesel, "1 2", "1", ""),
        (Flyway, "1.9 1.10 R:views#1", "1.9 1.10 R:views#1", ""),
        (
            Flyway,
            "1.10",
            "1.9 1.10",
            "Flyway: migration \"1.9\" has not run, and newer ones have (up to \"1.10\")",
        ),
        (Flyway, "1 R:views#1", "1 R:views#2", "Flyway: migration \"views\" is pending"),
        (Alembic, "c", "a b<a c<b", ""),
        (Alembic, "b", "a b<a c<b", "Alembic: migration \"c\" is pending"),
        (Alembic, "m", "a b1<a b2<a m<b1,b2", ""),
        (Alembic, "b1", "a b1<a b2<a", "Alembic: migration \"b2\" is pending"),
        (Alembic, "x", "a", "Alembic: migration \"a\" is pending; migration \"x\" ran, and has no file"),
        (GolangMigrate, "3", "1 2 3", ""),
        (GolangMigrate, "2", "1 2 3", "golang-migrate: migration \"3\" is pending"),
        (
            GolangMigrate,
            "3!",
            "1 2 3",
            "golang-migrate: migration \"3\" failed; repair what it left half-done",
        ),
    ] {
        let assertion = MigrationsAppliedAssert::new("t").directory("d");
        let verdict = assertion.judge(tool, &applied(ran), Some(&files(lie_there)));
        assert_eq!(verdict.has_passed(), expected.is_empty(), "{tool:?} {ran} {lie_there}: {verdict:?}");
        assert!(verdict.is_judged());
        if !expected.is_empty() {
            assert_eq!(verdict.text(), expected, "{tool:?} {ran} {lie_there}");
        }
    }
}

#[test]
fn a_version_ran_or_did_not() {
    let ran = applied("1 2 3!");
    for (version, passed) in [("0001", false), ("2", false), ("4", false)] {
        // The failed one spoils it, whichever is asked for.
        let verdict =
            MigrationsAppliedAssert::new("t").version(version).judge(MigrationTool::Sqlx, &ran, None);
        assert_eq!(verdict.has_passed(), passed, "{verdict:?}");
    }
    let ran = applied("1 2");
    let judge =
        |version| MigrationsAppliedAssert::new("t").version(version).judge(MigrationTool::Sqlx, &ran, None);
    assert!(judge("0002").has_passed());
    assert_eq!(judge("3").text(), "sqlx: migration \"3\" has not run, the newest that has is \"2\"");
    assert_eq!(judge("2").details()["newest"], json!("2"));
}

#[test]
fn a_baseline_and_a_squashed_one_need_not_run() {
    let mut ran = applied("3");
    ran.baseline = Some("2".into());
    let assertion = MigrationsAppliedAssert::new("t").directory("d");
    assert!(assertion.judge(MigrationTool::Flyway, &ran, Some(&files("1 2 3"))).has_passed());
    let mut lie_there = files("shop.0001_squashed shop.0003");
    lie_there.migrations[0].replaces = vec!["shop.0001".into(), "shop.0002".into()];
    let ran = applied("auth.0001 shop.0001 shop.0002 shop.0003");
    assert!(assertion.judge(MigrationTool::Django, &ran, Some(&lie_there)).has_passed());
    let ran = applied("shop.0001 shop.0003");
    let verdict = assertion.judge(MigrationTool::Django, &ran, Some(&lie_there));
    assert_eq!(verdict.text(), "Django: migration \"shop.0001_squashed\" is pending");
}
