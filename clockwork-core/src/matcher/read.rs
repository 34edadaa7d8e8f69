//! Reading a matcher. By hand, so that an error points at the very key or value that is wrong.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Number, Value};

use super::{Comparison, Matcher, Operator, Type, compare_numbers};
use crate::Pattern;

const OPERATORS: [&str; 16] = [
    "equals",
    "not",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "one_of",
    "all_of",
    "any_of",
    "length",
    "is",
];
const SEMVER: &str = "semver";

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatcherVisitor)
    }
}

struct MatcherVisitor;

impl<'de> de::Visitor<'de> for MatcherVisitor {
    type Value = Matcher;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value (equal), a list (any of) or a map of operators")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Matcher, E> {
        Ok(Matcher::equals(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Matcher, E> {
        Ok(Matcher::equals(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Matcher, E> {
        Ok(Matcher::equals(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Matcher, E> {
        let number =
            Number::from_f64(value).ok_or_else(|| E::custom("nothing is comparable with this number"))?;
        Ok(Matcher::equals(Value::Number(number)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Matcher, E> {
        Ok(Matcher::equals(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Matcher, E> {
        Ok(Matcher::equals(Value::Null))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Matcher, A::Error> {
        let mut matchers = Vec::new();
        while let Some(matcher) = seq.next_element()? {
            matchers.push(matcher);
        }
        if matchers.is_empty() {
            return Err(de::Error::custom(
                "an empty list matches nothing; to compare with one, write `equals: []`",
            ));
        }
        Ok(Matcher::any_of(matchers))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Matcher, A::Error> {
        let mut operators = Vec::with_capacity(map.size_hint().unwrap_or(1).min(OPERATORS.len() + 1));
        while let Some(OperatorName(name)) = map.next_key()? {
            let compare = |comparison| move |Limit(limit)| Operator::Compare(comparison, limit);
            operators.push(match name {
                "equals" => Operator::Equals(map.next_value()?),
                "not" => Operator::Not(Box::new(map.next_value()?)),
                "gt" => compare(Comparison::Greater)(map.next_value()?),
                "gte" => compare(Comparison::GreaterOrEqual)(map.next_value()?),
                "lt" => compare(Comparison::Less)(map.next_value()?),
                "lte" => compare(Comparison::LessOrEqual)(map.next_value()?),
                "between" => {
                    let Between(low, high) = map.next_value()?;
                    Operator::Between(low, high)
                }
                "contains" => {
                    let Part(part) = map.next_value()?;
                    Operator::Contains(part)
                }
                "starts_with" => {
                    let Affix(text) = map.next_value()?;
                    Operator::StartsWith(text)
                }
                "ends_with" => {
                    let Affix(text) = map.next_value()?;
                    Operator::EndsWith(text)
                }
                "matches" => {
                    let Expression(pattern) = map.next_value()?;
                    Operator::Matches(pattern)
                }
                "one_of" => {
                    let Several(values) = map.next_value()?;
                    Operator::OneOf(values)
                }
                "all_of" => {
                    let Several(matchers) = map.next_value()?;
                    Operator::AllOf(matchers)
                }
                "any_of" => {
                    let Several(matchers) = map.next_value()?;
                    Operator::AnyOf(matchers)
                }
                "length" => {
                    let Length(matcher) = map.next_value()?;
                    Operator::Length(Box::new(matcher))
                }
                "is" => Operator::Is(map.next_value()?),
                _ => {
                    let Requirement(requirement) = map.next_value()?;
                    Operator::Semver(requirement)
                }
            });
        }
        if operators.is_empty() {
            return Err(de::Error::custom(
                "an empty map compares nothing; name an operator, or write `equals: {}`",
            ));
        }
        Ok(Matcher { operators })
    }
}

/// One of the names in [`OPERATORS`].
struct OperatorName(&'static str);

impl<'de> Deserialize<'de> for OperatorName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = OperatorName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an operator")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<OperatorName, E> {
                let mut known = OPERATORS.into_iter().chain([SEMVER]);
                if let Some(known) = known.find(|known| *known == name) {
                    return Ok(OperatorName(known));
                }
                let near = match crate::nearest(name, OPERATORS.into_iter().chain([SEMVER])) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}, {SEMVER}", OPERATORS.join(", ")),
                };
                let name = crate::text::quote(name);
                Err(E::custom(format!(
                    "unknown operator {name}; {near} (to compare with a map, write `equals: {{…}}`)"
                )))
            }
        }
        deserializer.deserialize_identifier(Visitor)
    }
}

/// A number that others are compared with.
struct Limit(Number);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Limit, E> {
                Ok(Limit(value.into()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Limit, E> {
                Ok(Limit(value.into()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Limit, E> {
                Number::from_f64(value)
                    .map(Limit)
                    .ok_or_else(|| E::custom("nothing is comparable with this number"))
            }
        }
        deserializer.deserialize_f64(Visitor)
    }
}

struct Between(Number, Number);

impl<'de> Deserialize<'de> for Between {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limits = Vec::<Limit>::deserialize(deserializer)?;
        match <[Limit; 2]>::try_from(limits) {
            Ok([Limit(low), Limit(high)]) if compare_numbers(&low, &high).is_le() => Ok(Self(low, high)),
            Ok([Limit(low), Limit(high)]) => Err(de::Error::custom(format!(
                "nothing is between {low} and {high}: the smaller number comes first"
            ))),
            Err(_) => Err(de::Error::custom("`between` takes two numbers: `[1, 5]`")),
        }
    }
}

/// A list with something in it.
struct Several<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::deserialize(deserializer)?;
        if values.is_empty() {
            return Err(de::Error::custom("the list is empty, so nothing would be compared"));
        }
        Ok(Self(values))
    }
}

/// Every string contains the empty one, so asking for it proves nothing.
fn not_empty<E: de::Error>(text: &str) -> Result<(), E> {
    if text.is_empty() {
        Err(E::custom("every string has the empty one in it, so this proves nothing"))
    } else {
        Ok(())
    }
}

struct Part(Value);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        value.as_str().map_or(Ok(()), not_empty)?;
        Ok(Self(value))
    }
}

struct Affix(String);

impl<'de> Deserialize<'de> for Affix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        not_empty(&text)?;
        Ok(Self(text))
    }
}

struct Expression(Pattern);

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pattern = Pattern::deserialize(deserializer)?;
        not_empty(pattern.as_str())?;
        Ok(Self(pattern))
    }
}

struct Length(Matcher);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let matcher = Matcher::deserialize(deserializer)?;
        match &*matcher.operators {
            [Operator::Equals(value)] if value.as_u64().is_none() => {
                Err(de::Error::custom("a length is a whole number, or a map of operators for it"))
            }
            _ => Ok(Self(matcher)),
        }
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Type;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, true, false, bool, number, integer, string, array or object")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Type, E> {
                Ok(Type::Null)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Type, E> {
                Ok(if value { Type::True } else { Type::False })
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Type, E> {
                let known = Type::ALL.iter().find(|(_, known)| *known == name);
                known.map(|(kind, _)| *kind).ok_or_else(|| E::invalid_value(de::Unexpected::Str(name), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

struct Requirement(semver::VersionReq);

impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|error| {
            let text = crate::text::quote(&text);
            de::Error::custom(format!("{text} is not a version requirement (`>=1.4, <2`): {error}"))
        })
    }
}

impl schemars::JsonSchema for Matcher {
    fn schema_name() -> Cow<'static, str> {
        "Matcher".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let matcher = generator.subschema_for::<Self>();
        let several = serde_json::json!({ "type": "array", "items": matcher, "minItems": 1 });
        let text = serde_json::json!({ "type": "string", "minLength": 1 });
        schemars::json_schema!({
            "description": "A value (equal), a list (any of), or a map of operators, all of which have to hold",
            "anyOf": [
                { "type": ["null", "boolean", "number", "string"] },
                several,
                {
                    "type": "object",
                    "properties": {
                        "equals": { "description": "Equal, and of the same type" },
                        "not": { "description": "The opposite, of what can be judged", "allOf": [matcher] },
                        "gt": { "description": "A number greater than this", "type": "number" },
                        "gte": { "description": "A number of at least this", "type": "number" },
                        "lt": { "description": "A number less than this", "type": "number" },
                        "lte": { "description": "A number of at most this", "type": "number" },
                        "between": {
                            "description": "A number from the first to the second, both included",
                            "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2
                        },
                        "contains": {
                            "description": "A string with this in it, an array with this element, or an object with this key"
                        },
                        "starts_with": text,
                        "ends_with": text,
                        "matches": { "description": "A regular expression that is found in it", "type": "string", "minLength": 1 },
                        "one_of": { "description": "Equal to one of these", "type": "array", "minItems": 1 },
                        "all_of": several,
                        "any_of": several,
                        "length": {
                            "description": "Characters of a string, elements of an array, keys of an object: a number, or a matcher for it",
                            "allOf": [matcher]
                        },
                        "is": {
                            "description": "Its type",
                            "enum": [
                                null, true, false, "null", "true", "false", "bool", "number", "integer", "string",
                                "array", "object"
                            ]
                        },
                        "semver": { "description": "A semantic version that meets this: >=1.4, <2", "type": "string" }
                    },
                    "additionalProperties": false,
                    "minProperties": 1
                }
            ]
        })
    }
}
