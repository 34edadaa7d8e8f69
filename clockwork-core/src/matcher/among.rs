//! A matcher and several texts at once: the values of a header that repeats, the records of a name.
//!
//! One of them has to be as the matcher says, and `not` means that none is: a text too many must never make `not` hold.

use serde_json::Value;

use super::{
    Matcher, Mismatch, Operator, Type,
    judge::{Actual, Answer, all, any},
};
use crate::text::quote;

/// What an operator of a matcher asks about, where there are several texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// Each operator about a text: one that is as all of them say.
    Texts,
    /// As [`Among::Texts`], but `length`, an array to equal and `is: array` ask about the list: how many there are, and
    /// which, in any order.
    List,
    /// As [`Among::List`], and `contains` asks for a text of the list as a whole, and not for a part of one: `10.0.0.1`
    /// is no part of `10.0.0.12`.
    Elements,
}

/// How many texts a message shows.
const SHOWN: usize = 12;

impl Matcher {
    /// Compares several texts at once: at least one of them has to be as the matcher says, and none as what it negates.
    ///
    /// ```
    /// use clockwork_core::{Among, Matcher};
    ///
    /// let addresses = ["10.0.0.1", "10.0.0.12"];
    /// assert!(Matcher::equals("10.0.0.1").check_among(&addresses, Among::Elements).is_ok());
    /// let gone = Matcher::not(Matcher::equals("10.0.0.1"));
    /// assert!(gone.check_among(&addresses, Among::Elements).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`Matcher::check`]; with no texts at all, that there is no such value.
    pub fn check_among<T: AsRef<str>>(&self, texts: &[T], among: Among) -> Result<(), Mismatch> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        if texts.is_empty() {
            return self.check(None);
        }
        let (message, judged) = match self.among(&texts, among) {
            Answer::Holds => return Ok(()),
            Answer::Fails(message) => (message, true),
            Answer::Unfit(message) => (message, false),
        };
        Err(Mismatch { expected: self.to_string(), actual: show(&texts), message, judged })
    }

    fn among(&self, texts: &[&str], among: Among) -> Answer {
        let list = among != Among::Texts;
        // One and the same text has to be as all of these say.
        let mut each = Vec::new();
        let mut answers = Vec::new();
        for operator in &self.operators {
            let expected_got = || format!("expected {operator}, got {}", show(texts));
            answers.push(match operator {
                Operator::Not(matcher) => match matcher.among(texts, among) {
                    Answer::Holds => {
                        Answer::Fails(format!("expected {matcher} of none, got {}", show(texts)))
                    }
                    Answer::Fails(_) => Answer::Holds,
                    unfit => unfit,
                },
                Operator::AllOf(matchers) if !matchers.is_empty() => {
                    all(matchers.iter().map(|matcher| matcher.among(texts, among)))
                }
                Operator::AnyOf(matchers) => {
                    match any(matchers.iter().map(|matcher| matcher.among(texts, among))) {
                        Ok(()) => Answer::Holds,
                        Err(true) => Answer::Fails(expected_got()),
                        Err(false) => Answer::Unfit(expected_got()),
                    }
                }
                Operator::Length(matcher) if list => {
                    let count = Value::from(texts.len());
                    let told = || format!("expected {matcher} of them, got {}: {}", texts.len(), show(texts));
                    match matcher.answer((&count).into()) {
                        Answer::Holds => Answer::Holds,
                        Answer::Fails(_) => Answer::Fails(told()),
                        Answer::Unfit(_) => Answer::Unfit(told()),
                    }
                }
                Operator::Equals(Value::Array(expected)) if list => {
                    if same_elements(expected, texts) {
                        Answer::Holds
                    } else {
                        Answer::Fails(expected_got())
                    }
                }
                Operator::Is(Type::Array) if list => Answer::Holds,
                Operator::Contains(Value::String(part)) if among == Among::Elements => {
                    if texts.contains(&part.as_str()) { Answer::Holds } else { Answer::Fails(expected_got()) }
                }
                operator => {
                    each.push(operator);
                    continue;
                }
            });
        }
        if !each.is_empty() {
            answers.push(one_of(&each, texts, self));
        }
        all(answers.into_iter())
    }
}

/// One text has to be as all operators say.
fn one_of(operators: &[&Operator], texts: &[&str], matcher: &Matcher) -> Answer {
    let answer = |text: &&str| all(operators.iter().map(|operator| operator.answer(Actual::Text(text))));
    if let [text] = texts {
        return answer(text);
    }
    match any(texts.iter().map(answer)) {
        Ok(()) => Answer::Holds,
        Err(fits) => {
            let told = format!("expected {matcher} of at least one, got {}", show(texts));
            if fits { Answer::Fails(told) } else { Answer::Unfit(told) }
        }
    }
}

/// In any order, each as often.
fn same_elements(expected: &[Value], texts: &[&str]) -> bool {
    let mut rest = texts.to_vec();
    expected.len() == rest.len()
        && expected.iter().all(|value| {
            let at = rest.iter().position(|text| value.as_str() == Some(text));
            at.map(|at| rest.swap_remove(at)).is_some()
        })
}

fn show(texts: &[&str]) -> String {
    let mut shown: Vec<_> = texts.iter().take(SHOWN).map(|text| quote(text)).collect();
    if texts.len() > SHOWN {
        shown.push(format!("… ({} in all)", texts.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::json;

    use super::*;

    #[test]
    fn one_has_to_be_so_and_none_as_what_is_negated() {
        use Among::{Elements, List, Texts};
        let two = &["10.0.0.1", "10.0.0.12"][..];
        let one = &["10.0.0.12"][..];
        // the matcher, how, the texts, whether it holds, whether it was judged
        for (matcher, among, texts, holds, judged) in [
            (json!("10.0.0.1"), Elements, two, true, true),
            (json!("10.0.0.1"), Elements, one, false, true),
            (json!(["10.0.0.1", "10.0.0.2"]), Elements, two, true, true),
            (json!({ "contains": "10.0.0.1" }), Elements, one, false, true),
            (json!({ "contains": "10.0.0.1" }), List, one, true, true),
            (json!({ "not": { "contains": "10.0.0.1" } }), Elements, two, false, true),
            (json!({ "not": { "contains": "10.0.0.1" } }), Elements, one, true, true),
            (json!({ "not": "10.0.0.12" }), Texts, two, false, true),
            (json!({ "not": { "starts_with": "192." } }), Texts, two, true, true),
            (json!({ "starts_with": "10.", "ends_with": ".12" }), Texts, two, true, true),
            (json!({ "starts_with": "10.0.0.12", "ends_with": ".1" }), Texts, two, false, true),
            (json!({ "starts_with": "10.", "not": "10.0.0.1" }), Texts, two, false, true),
            (json!({ "length": 2 }), List, two, true, true),
            (json!({ "length": { "gt": 2 } }), List, two, false, true),
            (json!({ "length": 9 }), Texts, one, true, true),
            (json!({ "equals": ["10.0.0.12", "10.0.0.1"] }), List, two, true, true),
            (json!({ "equals": ["10.0.0.1", "10.0.0.1"] }), List, two, false, true),
            (json!({ "equals": ["10.0.0.1"] }), List, two, false, true),
            (json!({ "any_of": [{ "length": 1 }, "10.0.0.1"] }), List, two, true, true),
            (json!({ "all_of": ["10.0.0.1", "10.0.0.12"] }), List, two, true, true),
            (json!({ "gt": 5 }), List, two, false, false),
            (json!({ "not": { "gt": 5 } }), List, two, false, false),
            (json!("x"), List, &[], false, false),
            (json!({ "not": "x" }), List, &[], false, false),
        ] {
            let read: Matcher = serde_json::from_value(matcher.clone()).unwrap();
            let told = read.check_among(texts, among);
            assert_eq!(told.is_ok(), holds, "{matcher} {among:?} {texts:?}: {told:?}");
            assert_eq!(told.map_or_else(|mismatch| mismatch.judged, |()| true), judged, "{matcher}");
        }
    }

    #[test]
    fn a_failure_shows_all_of_them() {
        let many: Vec<_> = (0..20).map(|n| format!("10.0.0.{n}")).collect();
        let told = |matcher: serde_json::Value, texts: &[String]| {
            let matcher: Matcher = serde_json::from_value(matcher).unwrap();
            matcher.check_among(texts, Among::Elements).unwrap_err().message
        };
        assert_eq!(
            told(json!("x"), &many[..2]),
            r#"expected "x" of at least one, got "10.0.0.0", "10.0.0.1""#
        );
        assert_eq!(told(json!("x"), &many[..1]), r#"expected "x", got "10.0.0.0""#);
        assert_eq!(
            told(json!({ "length": 1 }), &many[..2]),
            r#"expected 1 of them, got 2: "10.0.0.0", "10.0.0.1""#
        );
        assert!(told(json!({ "contains": "x" }), &many).ends_with("… (20 in all)"));
    }
}
