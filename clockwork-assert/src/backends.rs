//! The fields of `LoadBalancerAssert`: [`Backends`], [`Identify`] and [`Skew`].

use std::{borrow::Cow, fmt};

use clockwork_core::{
    Invalid, Pattern,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    text::quote,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};

use crate::{answer_value::Place, json_path, one_or_many::OneOrMany};

/// Who stands behind a balancer: a list of names, or a map from names to how each is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backends(pub(crate) Vec<Backend>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) name: String,
    /// What an answer may tell that means this one, beside its name.
    pub(crate) ids: Vec<String>,
    /// Its part of all requests, beside those of the others.
    pub(crate) weight: u32,
}

impl Backend {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ids: Vec::new(), weight: 1 }
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Backends {
    fn from(names: [S; N]) -> Self {
        names.into_iter().collect()
    }
}

impl<S: Into<String>> From<Vec<S>> for Backends {
    fn from(names: Vec<S>) -> Self {
        names.into_iter().collect()
    }
}

impl<S: Into<String>> FromIterator<S> for Backends {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().map(Backend::new).collect())
    }
}

/// The value of a map of backends.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars", rename = "BackendFields")]
#[serde(deny_unknown_fields)]
struct Fields {
    /// What an answer tells that means this backend, beside its name: one text, or several.
    #[serde(default)]
    id: Option<OneOrMany<String>>,
    /// Its part of all requests, beside those of the others.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    weight: u32,
}

fn one() -> u32 {
    1
}

/// A text, several, or [`Fields`].
struct Known(Vec<String>, u32);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Known;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "what an answer of this backend tells (a text, or several), or `{ id: …, weight: … }`",
                )
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<Known, E> {
                Ok(Known(vec![id.to_owned()], 1))
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Known, E> {
                Ok(Known(vec![id.to_string()], 1))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Known, E> {
                Ok(Known(Vec::new(), 1))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Known, A::Error> {
                let mut ids = Vec::new();
                while let Some(id) = seq.next_element::<String>()? {
                    ids.push(id);
                }
                Ok(Known(ids, 1))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Known, A::Error> {
                let Fields { id, weight } = Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Known(id.map(|ids| ids.as_slice().to_vec()).unwrap_or_default(), weight))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Backends {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Backends;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list of backends (`[api-1, api-2]`), or a map of them (`api-1: 10.0.0.1:8080`)",
                )
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Backends, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = seq.next_element::<String>()? {
                    all.push(Backend::new(name));
                }
                Ok(Backends(all))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Backends, A::Error> {
                let mut all = Vec::new();
                while let Some((name, Known(ids, weight))) = map.next_entry::<String, Known>()? {
                    all.push(Backend { name, ids, weight });
                }
                Ok(Backends(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Backends {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Backends".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<Fields>();
        json_schema!({
            "anyOf": [
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {
                        "anyOf": [
                            { "type": "string" },
                            { "type": "array", "items": { "type": "string" } },
                            fields
                        ]
                    }
                }
            ]
        })
    }
}

/// Where an answer tells which backend it is of: `{ header: NAME }`, `{ json: PATH }` or `{ body: REGEX }`. Short for
/// these: a header's name, and `body` for the whole body.
#[derive(Debug, Clone, Default)]
pub struct Identify {
    header: Option<String>,
    json: Option<String>,
    body: Option<Pattern>,
    whole_body: bool,
}

impl Identify {
    /// In the header of this name.
    pub fn header(name: impl Into<String>) -> Self {
        Self { header: Some(name.into()), ..Self::default() }
    }

    /// At this JSONPath of the body: `host` is short for `$.host`.
    pub fn json(path: impl Into<String>) -> Self {
        Self { json: Some(path.into()), ..Self::default() }
    }

    /// In the body: what the first group of this matches, or all that it matches.
    pub fn body(pattern: Pattern) -> Self {
        Self { body: Some(pattern), ..Self::default() }
    }

    /// The body is it, without the white space around it.
    pub fn whole_body() -> Self {
        Self { whole_body: true, ..Self::default() }
    }

    pub(crate) fn place(&self) -> Option<Place<'_>> {
        match (&self.header, &self.json, &self.body) {
            (Some(name), ..) => Some(Place::Header(name)),
            (None, Some(path), _) => Some(Place::Json(path)),
            (None, None, Some(pattern)) => Some(Place::Body(pattern)),
            (None, None, None) => self.whole_body.then_some(Place::WholeBody),
        }
    }

    pub(crate) fn problem(&self) -> Option<Invalid> {
        let given = [self.header.is_some(), self.json.is_some(), self.body.is_some(), self.whole_body]
            .map(usize::from);
        let whole = |message: &str| Some(Invalid::field("identify", message));
        match given.iter().sum() {
            0 => whole("does not say where an answer tells its backend: give `header`, `json` or `body`"),
            1_usize => {
                let wrong = self.json.as_deref().map(|path| json_path::one(&serde_json::Value::Null, path));
                wrong.and_then(Result::err).map(|problem| Invalid::field("identify.json", problem))
            }
            _ => whole("an answer tells its backend in one place: give `header`, `json` or `body`"),
        }
    }
}

/// [`Identify`] as a map.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars", rename = "Identify")]
#[serde(deny_unknown_fields)]
struct Places {
    /// The header that tells it.
    #[serde(default)]
    header: Option<String>,
    /// The JSONPath of the body that tells it: `host` is short for `$.host`.
    #[serde(default)]
    json: Option<String>,
    /// The regular expression that finds it in the body: its first group, or all that it matches.
    #[serde(default)]
    body: Option<Pattern>,
}

impl<'de> Deserialize<'de> for Identify {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Identify;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "`{ header: NAME }`, `{ json: PATH }`, `{ body: REGEX }`, a header's name, or `body`",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Identify, E> {
                match text {
                    "body" => Ok(Identify::whole_body()),
                    "header" | "json" => Err(E::custom(format!("say which: `{{ {text}: … }}`"))),
                    name => Ok(Identify::header(name)),
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Identify, A::Error> {
                let Places { header, json, body } = Places::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Identify { header, json, body, whole_body: false })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Identify {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Identify".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let places = generator.subschema_for::<Places>();
        json_schema!({ "anyOf": [{ "type": "string" }, places] })
    }
}

/// How unevenly a balancer may give: `20%` (or a number below 1), or `2x` (or a number from 1 on).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Skew {
    /// No backend's share is further from its even share than this part of that: 0.2 for `20%`.
    Deviation(f64),
    /// The busiest backend gets at most so many times what the quietest gets, each measured by its weight.
    Factor(f64),
}

impl Skew {
    fn read(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            let number = digits.trim().parse::<f64>().ok();
            let number = number.filter(|number| number.is_finite() && *number >= 0.0);
            number.ok_or_else(|| format!("{} is no skew: write `20%`, or `2x`", quote(text)))
        };
        match text.trim().strip_suffix(['%', 'x']) {
            Some(digits) if text.trim().ends_with('%') => {
                number(digits).map(|part| Self::Deviation(part / 100.0))
            }
            Some(digits) => number(digits).and_then(|factor| match factor >= 1.0 {
                true => Ok(Self::Factor(factor)),
                false => Err(String::from("the busiest gets at least `1x` what the quietest gets")),
            }),
            None => number(text).and_then(Self::plain),
        }
    }

    /// A number alone. From 10 on it may be meant as per cent.
    fn plain(number: f64) -> Result<Self, String> {
        match number {
            _ if number.is_nan() || number < 0.0 => Err(String::from("a skew is not negative")),
            _ if number < 1.0 => Ok(Self::Deviation(number)),
            _ if number < 10.0 => Ok(Self::Factor(number)),
            _ => Err(format!("is that a factor or per cent? write `{number}x` or `{number}%`")),
        }
    }

    /// Whether these numbers of requests, with the weights of who got them, are even enough.
    pub(crate) fn allows(self, counts: &[(u32, u32)]) -> bool {
        self.of(counts) <= self.limit() + 1e-9
    }

    fn limit(self) -> f64 {
        match self {
            Self::Deviation(limit) | Self::Factor(limit) => limit,
        }
    }

    /// How skewed these are, in the same measure.
    fn of(self, counts: &[(u32, u32)]) -> f64 {
        let shares = || counts.iter().map(|(count, weight)| f64::from(*count) / f64::from(*weight));
        let (requests, weights) =
            counts.iter().fold((0.0, 0.0), |(r, w), (c, k)| (r + f64::from(*c), w + f64::from(*k)));
        let even = requests / weights;
        match self {
            Self::Deviation(_) => shares().map(|share| (share - even).abs() / even).fold(0.0, f64::max),
            Self::Factor(_) => shares().fold(0.0, f64::max) / shares().fold(f64::INFINITY, f64::min),
        }
    }

    /// How skewed these are, in words that follow `is`.
    pub(crate) fn shown(self, counts: &[(u32, u32)]) -> String {
        Self::with(self, self.of(counts)).to_string()
    }

    fn with(self, number: f64) -> Self {
        match self {
            Self::Deviation(_) => Self::Deviation(number),
            Self::Factor(_) => Self::Factor(number),
        }
    }
}

/// `20%`, `1.5x`.
impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self {
            Self::Deviation(part) => (part * 100.0, '%'),
            Self::Factor(factor) => (*factor, 'x'),
        };
        let digits = format!("{number:.1}");
        write!(f, "{}{unit}", digits.strip_suffix(".0").unwrap_or(&digits))
    }
}

impl<'de> Deserialize<'de> for Skew {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Skew;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a skew: `20%` (or 0.2), or `2x` (or 2)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Skew, E> {
                Skew::read(text).map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Skew, E> {
                Skew::plain(number).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Skew, E> {
                Skew::plain(number as f64).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Skew, E> {
                Skew::plain(number as f64).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Skew {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Skew".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string", "pattern": "^ *[0-9.]+ *[%x]? *$" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn skews_are_read_as_people_write_them() {
        for (written, expected) in [
            (json!("20%"), "20%"),
            (json!(0.2), "20%"),
            (json!("2x"), "2x"),
            (json!(1.5), "1.5x"),
            (json!(2), "2x"),
            (json!(0), "0%"),
            (json!("150 %"), "150%"),
        ] {
            let skew: Skew = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(skew.to_string(), expected, "{written}");
        }
        for (written, why) in [
            (json!(20), "is that a factor or per cent? write `20x` or `20%`"),
            (json!(-1), "a skew is not negative"),
            (json!("0.5x"), "the busiest gets at least `1x`"),
            (json!("much"), "is no skew"),
            (json!("-5%"), "is no skew"),
            (json!("NaN"), "is no skew"),
        ] {
            let error = serde_json::from_value::<Skew>(written.clone()).unwrap_err().to_string();
            assert!(error.contains(why), "{written}: {error}");
        }
    }

    #[test]
    fn a_skew_is_measured_by_weight() {
        let counts = [(30, 1), (20, 1)];
        assert_eq!(Skew::Deviation(0.0).shown(&counts), "20%");
        assert_eq!(Skew::Factor(1.0).shown(&counts), "1.5x");
        assert!(Skew::Deviation(0.2).allows(&counts) && !Skew::Deviation(0.19).allows(&counts));
        assert!(Skew::Factor(1.5).allows(&counts) && !Skew::Factor(1.4).allows(&counts));
        assert!(Skew::Deviation(0.0).allows(&[(30, 3), (10, 1)]));
        assert!(!Skew::Factor(100.0).allows(&[(30, 1), (0, 1)]));
    }

    #[test]
    fn backends_are_a_list_or_a_map() {
        let read = |written: Value| serde_json::from_value::<Backends>(written).map(|backends| backends.0);
        assert_eq!(read(json!(["a", "b"])).unwrap(), [Backend::new("a"), Backend::new("b")]);
        let known = Backend { name: String::from("a"), ids: vec![String::from("x")], weight: 1 };
        assert_eq!(read(json!({ "a": "x" })).unwrap(), std::slice::from_ref(&known));
        assert_eq!(
            read(json!({ "a": { "id": ["x"], "weight": 3 } })).unwrap(),
            [Backend { weight: 3, ..known }]
        );
        for (written, why) in [
            (json!({ "a": { "wieght": 3 } }), "unknown field `wieght`"),
            (json!("a"), "a list of backends"),
            (json!([1]), "expected a string"),
        ] {
            let error = read(written.clone()).unwrap_err().to_string();
            assert!(error.contains(why), "{written}: {error}");
        }
    }

    #[test]
    fn where_an_answer_tells_it_is_one_place() {
        let read = |written: Value| serde_json::from_value::<Identify>(written);
        assert!(matches!(read(json!("X-Served-By")).unwrap().place(), Some(Place::Header("X-Served-By"))));
        assert!(matches!(read(json!("body")).unwrap().place(), Some(Place::WholeBody)));
        assert!(matches!(read(json!({ "json": "host" })).unwrap().place(), Some(Place::Json("host"))));
        assert_eq!(read(json!({ "json": "host" })).unwrap().problem(), None);
        for (written, why) in [
            (json!({}), "give `header`, `json` or `body`"),
            (json!({ "header": "a", "json": "b" }), "in one place"),
            (json!({ "json": "a[" }), "is no JSONPath"),
        ] {
            let problem = read(written.clone()).unwrap().problem().unwrap();
            assert!(problem.message.contains(why), "{written}: {problem:?}");
        }
        assert!(read(json!("header")).unwrap_err().to_string().contains("say which"));
    }
}
