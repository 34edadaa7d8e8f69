//! [`LoadBalancerAssert`]'s judgement, by tables.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use serde_json::Value;

use super::*;

fn two() -> LoadBalancerAssert {
    LoadBalancerAssert::new("http://lb/", Identify::header("x")).backends(["a", "b"]).requests(10)
}

fn from(who: &str, count: usize) -> Vec<Sample> {
    (0..count).map(|_| Sample::From(Value::from(who), true)).collect()
}

fn known(kind: &LoadBalancerAssert) -> HashMap<String, usize> {
    let ids = |(index, backend): (usize, &Backend)| {
        let all: Vec<_> = backend.ids.iter().chain([&backend.name]).cloned().collect();
        all.into_iter().map(move |id| (id, index))
    };
    kind.backends.0.iter().enumerate().flat_map(ids).collect()
}

#[test]
fn every_backend_gets_its_share_and_nobody_else() {
    let bad = || {
        vec![
            Sample::Bad(Value::from("b"), String::from("500")),
            Sample::Bad(Value::from("b"), String::from("500")),
        ]
    };
    let none =
        |count| (0..count).map(|_| Sample::Unanswered(String::from("answered 502"))).collect::<Vec<_>>();
    let skewed = || two().max_skew(Skew::Factor(2.0));
    // the kind, what became of its requests; passed, judged, and what is said
    for (kind, samples, passed, judged, message) in [
        (two(), [from("a", 5), from("b", 5)].concat_all(), true, true, "10 requests: a 5, b 5"),
        (two(), [from("a", 9), from("b", 1)].concat_all(), true, true, "10 requests: a 9, b 1"),
        (skewed(), [from("a", 6), from("b", 4)].concat_all(), true, true, "10 requests: a 6, b 4"),
        (
            skewed(),
            [from("a", 8), from("b", 2)].concat_all(),
            false,
            true,
            "the busiest backend gets 4x what the quietest gets (a 8, b 2)",
        ),
        (
            two().max_skew(Skew::Deviation(0.2)),
            [from("a", 7), from("b", 3)].concat_all(),
            false,
            true,
            "a share is 40% from the even one (a 7, b 3)",
        ),
        (
            two(),
            from("a", 10),
            false,
            true,
            "b got none of 10 requests; does the balancer tie a client to one backend, by its address? (a 10, b 0)",
        ),
        (
            two(),
            [from("a", 5), from("b", 3), from("c", 2)].concat_all(),
            false,
            true,
            "\"c\" answered 2 of 10 requests and is not among the backends (a 5, b 3)",
        ),
        (
            two(),
            [from("a", 5), none(5)].concat_all(),
            false,
            false,
            "b got none of 10 requests; 5 of 10 requests: answered 502 (a 5, b 0)",
        ),
        (
            two(),
            [from("a", 5), from("b", 3), bad()].concat_all(),
            false,
            false,
            "2 of 10 requests: b answered 500 (a 5, b 5)",
        ),
        (two(), none(10), false, false, "10 of 10 requests: answered 502"),
        (
            two(),
            [from("a", 5), from("b, a", 1), from("b", 4)].concat_all(),
            false,
            true,
            "b failed 1 of 10 requests, which another one answered (a 6, b 4)",
        ),
    ] {
        let verdict = kind.judge(&samples, &known(&kind), None).unwrap();
        assert_eq!(verdict.text(), message);
        assert_eq!((verdict.has_passed(), verdict.is_judged()), (passed, judged), "{message}");
    }
}

#[test]
fn who_got_nothing_is_blamed_where_nothing_else_is_wrong() {
    let balancer = EndpointResource::new("lb").url("http://lb/");
    let none = || vec![Sample::Unanswered(String::from("answered 502"))];
    for (samples, at_fault) in [
        ([from("a", 5), from("b", 5)].concat_all(), &[][..]),
        (from("a", 10), &[("lb", "b")]),
        ([from("a", 9), none()].concat_all(), &[]),
        ([from("a", 9), from("c", 1)].concat_all(), &[]),
    ] {
        let seen = Seen::of(&samples, &known(&two()), &two().backends.0);
        assert_eq!(seen.at_fault(Some(&balancer), &two().backends.0), at_fault);
        assert!(seen.at_fault(None, &two().backends.0).is_empty());
    }
}

#[test]
fn requests_that_were_not_made_prove_nothing() {
    let mut samples = [from("a", 4), from("b", 4)].concat_all();
    samples.extend([Sample::NotMade, Sample::NotMade]);
    let error = two().judge(&samples, &known(&two()), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "only 8 of 10 requests were made in time (a 4, b 4); raise `timeout`, or make fewer `requests`"
    );
}

#[test]
fn addresses_are_known_with_a_port_and_without() {
    let known = HashMap::from([(String::from("10.0.0.1"), 0), (String::from("10.0.0.2:81"), 1)]);
    for (told, expected) in
        [("10.0.0.1", Some(0)), ("10.0.0.1:80", Some(0)), ("10.0.0.2:81", Some(1)), ("10.0.0.2:80", None)]
    {
        assert_eq!(whose(told, &known), expected, "{told}");
    }
}

#[test]
fn what_would_prove_nothing_is_refused() {
    for (kind, message) in [
        (
            two().requests(3),
            Some("3 requests prove too little about 2 backends: make at least 4, so that each is due two"),
        ),
        (two().requests(4), None),
        (two().backends(Vec::<String>::new()), Some("is empty: name at least one")),
        (two().backends(["a", "a"]), Some("\"a\" stands for two backends")),
        (two().backend_as("c", ["a"], 1), Some("\"a\" stands for two backends")),
        (two().backend_as("c", ["x"], 3), None),
        (
            two().backend_as("c", ["x"], 4),
            Some("10 requests prove too little about 3 backends: make at least 12, so that each is due two"),
        ),
        (two().max_skew(Skew::Deviation(0.0)), None),
        (
            two().requests(11).max_skew(Skew::Deviation(0.05)),
            Some(
                "even a perfect balancer cannot keep to 5% with 11 requests (9.1% at best): make more `requests`",
            ),
        ),
        (two().concurrency(0), Some("make at least 1 request at a time and at most 256")),
        (
            LoadBalancerAssert { identify: Identify::default(), ..two() },
            Some("does not say where an answer tells its backend: give `header`, `json` or `body`"),
        ),
    ] {
        let problems = kind.validate(None);
        assert_eq!(problems.first().map(|problem| problem.message.as_str()), message, "{problems:?}");
    }
}

/// Puts lists of what cannot be cloned together.
trait ConcatAll<T> {
    fn concat_all(self) -> Vec<T>;
}

impl<T, const N: usize> ConcatAll<T> for [Vec<T>; N] {
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}
