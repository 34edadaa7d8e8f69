//! Functions with the resources that they are about, as their types.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use serde_json::{Value, json};

use crate::{Common, Outcome, prelude::*};

use super::*;

#[derive(Debug, Clone)]
struct Shelf {
    common: Common,
    books: usize,
}

impl Shelf {
    fn new(name: &str, books: usize) -> Self {
        Self { common: Common::new(name), books }
    }
}

impl Resource for Shelf {
    fn kind(&self) -> &'static str {
        "ShelfResource"
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn spec(&self) -> Value {
        json!({ "books": self.books })
    }
}

async fn is_full(shelf: Arc<Shelf>, _: Context) -> (bool, String) {
    (shelf.books > 2, format!("{} has {} books", shelf.common().name(), shelf.books))
}

async fn nothing_else(_: Context) -> bool {
    true
}

#[tokio::test(start_paused = true)]
async fn functions_get_what_they_are_about_as_its_type() {
    let (full, empty) = (Shelf::new("full", 3), Shelf::new("empty", 0));
    let alike = across("hold as many", (&full, &empty), async |(one, other), _| {
        (one.books == other.books, format!("{} and {}", one.books, other.books))
    });
    let alone = across("is full", &full, async |full, _| full.books == 3);
    let project = Project::new("library")
        .with(
            full.assert(is_full)
                .assert(assertion_on("is a shelf", async |s: Arc<Shelf>, _: Context| s.books > 0)),
        )
        .with(empty.assert(is_full).assert(nothing_else))
        .assert(alike)
        .assert(alone);
    let report = Engine::standard().assert(&project).await.unwrap();
    let told: Vec<_> = report.results.iter().map(|one| (&*one.id, one.verdict, &*one.message)).collect();
    assert_eq!(
        told,
        [
            ("full/FunctionAssertion/is_full", Outcome::Passed, "full has 3 books"),
            ("full/FunctionAssertion/is a shelf", Outcome::Passed, ""),
            ("empty/FunctionAssertion/is_full", Outcome::Failed, "empty has 0 books"),
            ("empty/FunctionAssertion/nothing_else", Outcome::Passed, ""),
            (
                "cross/FunctionAssertion/hold as many",
                Outcome::Skipped,
                "empty/FunctionAssertion/is_full did not hold"
            ),
            ("cross/FunctionAssertion/is full", Outcome::Passed, ""),
        ]
    );
    assert_eq!(report.results[4].relationship.as_deref(), Some("full → empty"));
}

#[tokio::test(start_paused = true)]
async fn a_function_about_something_else_is_an_error_before_anything_runs() {
    let on_blank = Project::new("p").with(BlankResource::new("desk").assert(is_full));
    let nowhere = Project::new("p").assert(is_full);
    for (project, message) in [
        (on_blank, "is about a Shelf, and is declared on a BlankResource"),
        (nowhere, "is about a Shelf: declare it on one, or use `across` with the resources"),
    ] {
        let error = Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    // Another resource of that name.
    let about = across("full", &Shelf::new("desk", 1), async |shelf, _| shelf.books > 0);
    let project = Project::new("p").with(BlankResource::new("desk").assert(nothing_else)).assert(about);
    let report = Engine::standard().assert(&project).await.unwrap();
    assert_eq!(report.results[1].verdict, Outcome::Errored);
    assert!(report.results[1].message.starts_with("the project's desk is no Shelf; "), "{report}");
}

/// `?` on any error, which keeps what lies beneath it.
#[tokio::test(start_paused = true)]
async fn errors_are_never_a_pass_and_keep_their_sources() {
    let reads = assertion("reads", async |_: Context| {
        let number: u32 = "twelve".parse()?;
        Ok(number == 12)
    });
    let detailed = assertion("detailed", async |_: Context| {
        Verdict::failed("too few").expected(">= 3").actual("2").detail("books", 2)
    });
    let report = Engine::standard().assert(&Project::new("p").assert(reads).assert(detailed)).await.unwrap();
    let [reads, detailed] = report.results.as_slice() else { panic!("{report}") };
    assert_eq!((reads.verdict, &*reads.message), (Outcome::Errored, "invalid digit found in string"));
    assert_eq!((detailed.actual.as_deref(), detailed.details()), (Some("2"), json!({ "books": 2 })));
}
