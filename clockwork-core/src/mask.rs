//! [`Mask`]: the secrets that a run has read, so that none of its results shows one, whoever repeats it: a server that
//! answers with the headers that it got, a database whose error quotes the connection string.
//!
//! A secret is known from the moment it is revealed in a check. What it looks like on the wire (in Base64, in a form) the
//! driver says that makes it so, with [`hide`]. Of what was asserted nothing is masked: secrets are not written down there.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::task::futures::TaskLocalFuture;

use crate::text::quote_unbounded;

/// What stands for a secret.
const MASK: &str = "[secret]";

/// Shorter ones are words of every message: to mask them would tell them.
const SHORTEST: usize = 4;

/// How much of a secret may stand before the point where a text was cut.
const SHORTEST_REST: usize = 3;

tokio::task_local! {
    /// That of the run whose check runs.
    static CURRENT: Arc<Mask>;
}

/// Hides this, too, in all results of the run that this is called from: what was made of a secret, and tells it. Outside
/// of a run it does nothing. What is shorter than four bytes is not hidden.
pub fn hide(secret: &SecretString) {
    let _ = CURRENT.try_with(|mask| mask.add(secret));
}

/// The secrets that a run has read, for a host whose own log masks values (`::add-mask::` of a CI server). Clones share
/// them. Results have none of them in any case.
#[derive(Clone, Default)]
pub struct Secrets(pub(crate) Arc<Mask>);

impl Secrets {
    /// Those that the run has read until now, in that order, without those that are too short to be masked.
    pub fn read_so_far(&self) -> Vec<SecretString> {
        self.0.plain.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How many they are; never what they are.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.read_so_far().len()).finish()
    }
}

/// The secrets that a run has read.
#[derive(Default)]
pub(crate) struct Mask {
    /// As they may stand in a message; the longest first, because one may be part of another.
    spellings: RwLock<Vec<SecretString>>,
    /// There is one: of most runs, nobody has to look.
    any: AtomicBool,
    /// As they are, in the order in which they were read.
    plain: RwLock<Vec<SecretString>>,
}

impl Mask {
    /// What reads secrets in there tells them to this mask.
    pub(crate) fn over<F: Future>(self: Arc<Self>, future: F) -> TaskLocalFuture<Arc<Self>, F> {
        CURRENT.scope(self, future)
    }

    fn add(&self, secret: &SecretString) {
        let plain = secret.expose_secret();
        if plain.len() < SHORTEST {
            return;
        }
        let mut known = self.plain.write().unwrap_or_else(PoisonError::into_inner);
        if known.iter().all(|other| other.expose_secret() != plain) {
            known.push(secret.clone());
        }
        drop(known);
        // As they are; within JSON; each of them quoted in a message.
        let json = serde_json::to_string(plain).unwrap_or_default();
        let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
        let spellings = [quote_unbounded(plain), quote_unbounded(&json), json, plain.to_owned()];
        let mut known = self.spellings.write().unwrap_or_else(PoisonError::into_inner);
        self.any.store(true, Ordering::Release);
        for spelling in spellings.map(SecretString::from) {
            let length = spelling.expose_secret().len();
            if known.iter().all(|other| other.expose_secret() != spelling.expose_secret()) {
                let place = known.partition_point(|other| other.expose_secret().len() >= length);
                known.insert(place, spelling);
            }
        }
    }

    /// The text without secrets, also without the beginning of one where it was cut.
    pub(crate) fn text(&self, text: String) -> String {
        let spellings = self.spellings.read().unwrap_or_else(PoisonError::into_inner);
        spellings.iter().fold(text, |text, secret| without(text, secret.expose_secret()))
    }

    /// The same for all texts in a JSON value, the names of members included.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(all) => all.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(map) => {
                map.into_iter().map(|(key, value)| (self.text(key), self.value(value))).collect()
            }
            other => other,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }
}

fn without(mut text: String, secret: &str) -> String {
    if text.contains(secret) {
        text = text.replace(secret, MASK);
    }
    if !text.contains('…') {
        return text;
    }
    let mut masked = String::with_capacity(text.len());
    for piece in text.split_inclusive('…') {
        let before = piece.strip_suffix('…').unwrap_or_default();
        let rests = secret.char_indices().map(|(end, _)| &secret[..end]).rev();
        match rests.take_while(|rest| rest.len() >= SHORTEST_REST).find(|rest| before.ends_with(rest)) {
            Some(rest) => masked.extend([&before[..before.len() - rest.len()], MASK, "…"]),
            None => masked.push_str(piece),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::quote;

    fn knowing(secrets: &[&str]) -> Mask {
        let mask = Mask::default();
        secrets.iter().for_each(|secret| mask.add(&SecretString::from(*secret)));
        mask
    }

    #[test]
    fn a_secret_is_masked_however_it_is_spelt() {
        let mask = knowing(&["pass\"wö\\rd", "hunter", "hunter22", "abc", ""]);
        for (text, masked) in [
            (String::from("hunter22 hunter hunter2"), "[secret] [secret] [secret]2"),
            (format!("said {}", quote("pass\"wö\\rd")), "said \"[secret]\""),
            (format!("said {}", quote(r#"{"p":"pass\"wö\\rd"}"#)), r#"said "{\"p\":\"[secret]\"}""#),
            (String::from(r#"{"p":"pass\"wö\\rd"}"#), r#"{"p":"[secret]"}"#),
            (String::from("abc is too short to be a secret"), "abc is too short to be a secret"),
            (String::from("nothing"), "nothing"),
        ] {
            assert_eq!(mask.text(text), masked);
        }
    }

    #[test]
    fn a_host_hears_each_secret_once_and_debug_shows_none() {
        let secrets = Secrets::default();
        for secret in ["hunter22", "abc", "other one", "hunter22"] {
            secrets.0.add(&SecretString::from(secret));
        }
        let read = secrets.clone().read_so_far();
        let read: Vec<_> = read.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(read, ["hunter22", "other one"]);
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
    }

    #[test]
    fn what_was_cut_shows_no_beginning_of_a_secret() {
        let mask = knowing(&["hunter22"]);
        let cut = |kept: usize| quote(&format!("{}hunter22", "x".repeat(200 - kept)));
        for kept in 3..8 {
            let masked = mask.text(cut(kept));
            assert!(!masked.contains("hun") && masked.contains("x[secret]…"), "{masked}");
        }
        assert!(mask.text(cut(2)).contains("xhu…"));
        assert_eq!(mask.text(String::from("a hunter22… b… c")), "a [secret]… b… c");
    }

    #[test]
    fn values_are_masked_in_their_texts_alone() {
        let mask = knowing(&["1234", "hunter22"]);
        let value = json!({ "n": 12345, "hunter22": ["x hunter22", null, { "a": "1234" }] });
        let masked = json!({ "n": 12345, "[secret]": ["x [secret]", null, { "a": "[secret]" }] });
        assert_eq!(mask.value(value), masked);
        assert!(Mask::default().is_empty() && !mask.is_empty());
    }
}
