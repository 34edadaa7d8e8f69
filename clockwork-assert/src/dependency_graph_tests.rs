//! [`DependencyGraphAssert`]'s judgement, by tables.

use super::*;

fn link(from: &str, to: &str) -> Link {
    let (from, to) = (ResourceName::new(from), ResourceName::new(to));
    Link { from, to, port: 80, live: true, only_tried: false, sure: true }
}

fn declared(from: &str, to: &str, implied_by: Option<&str>, depends_on: bool) -> Relationship {
    let (from, to) = (ResourceName::new(from), ResourceName::new(to));
    Relationship { from, to, depends_on, implied_by: implied_by.map(str::to_owned) }
}

#[test]
fn what_is_seen_is_what_is_declared() {
    let all = DependencyGraphAssert::new;
    let needs = || vec![declared("web", "api", None, true)];
    let may = || vec![declared("web", "api", Some("x"), false)];
    let both = || vec![declared("web", "api", Some("x"), true)];
    let over = || Link { live: false, ..link("web", "api") };
    let tried = || Link { live: false, only_tried: true, ..link("web", "api") };
    let unsure = || Link { sure: false, ..link("api", "web") };
    let unused = "web depends on api, and no connection was seen in 1 s";
    for (kind, seen, declared, expected) in [
        (all(), vec![link("web", "api")], needs(), Ok("1 relationship, all declared")),
        (all(), vec![link("web", "api")], may(), Ok("1 relationship, all declared")),
        (all(), vec![link("web", "api")], vec![], Err("web reaches api at port 80, which is not declared")),
        (all(), vec![over()], vec![], Err("web reached api at port 80, which is not declared")),
        (all().allow("web", "api"), vec![link("web", "api")], vec![], Ok("1 relationship, all declared")),
        (all().allow("web", "*"), vec![link("web", "api")], vec![], Ok("1 relationship, all declared")),
        (
            all().allow("api", "web"),
            vec![link("web", "api")],
            vec![],
            Err("web reaches api at port 80, which is not declared"),
        ),
        (
            all().deny("web", "api"),
            vec![link("web", "api")],
            needs(),
            Err("web reaches api at port 80, which is denied"),
        ),
        (
            all().deny("*", "api"),
            vec![link("web", "api")],
            needs(),
            Err("web reaches api at port 80, which is denied"),
        ),
        (all().deny("api", "web"), vec![link("web", "api")], needs(), Ok("1 relationship, all declared")),
        // Used, or not.
        (all(), vec![], needs(), Err(unused)),
        (all(), vec![], may(), Ok("0 relationships, all declared")),
        (all().unused(Unused::Ignore), vec![], needs(), Ok("0 relationships, all declared")),
        (all(), vec![over()], needs(), Ok("1 relationship, all declared")),
        (all(), vec![over()], both(), Err(unused)), // a check may have been it
        (all(), vec![link("web", "api")], both(), Ok("1 relationship, all declared")),
        (
            all(),
            vec![tried()],
            needs(),
            Err("web depends on api, tries to connect at port 80, and is not answered"),
        ),
        (all(), vec![tried()], may(), Ok("0 relationships, all declared")),
        (all().deny("web", "api"), vec![tried()], may(), Ok("0 relationships, all declared")),
        // Which of the two is the client is not known.
        (all(), vec![unsure()], needs(), Ok("1 relationship, all declared")),
        (all(), vec![unsure()], vec![], Err("api and web are connected, which is not declared")),
        (
            all().deny("web", "api"),
            vec![unsure()],
            needs(),
            Err("api and web are connected, which is denied"),
        ),
    ] {
        let verdict = kind.judge(&Traffic { links: seen, ..Traffic::default() }, &declared);
        assert_eq!(verdict.text(), expected.unwrap_or_else(|message| message), "{kind:?}");
        assert_eq!((verdict.has_passed(), verdict.is_judged()), (expected.is_ok(), true), "{expected:?}");
    }
}

#[test]
fn what_does_not_run_cannot_be_seen() {
    let absent = vec![(ResourceName::new("api"), String::from("it is exited"))];
    let verdict = DependencyGraphAssert::new().judge(&Traffic { absent, ..Traffic::default() }, &[]);
    assert_eq!(verdict.text(), "api does not run (it is exited): its connections cannot be seen");
    assert!(!verdict.has_passed() && !verdict.is_judged());
}

#[test]
fn what_contradicts_itself_is_refused() {
    let both = DependencyGraphAssert::new().allow("web", "api").deny("web", "api").deny("web", "web");
    let told: Vec<_> = both.validate(None).into_iter().map(|problem| problem.message).collect();
    assert_eq!(
        told,
        ["web reaches itself: that is not looked at", "web → api is allowed, too: which of the two?"]
    );
}
