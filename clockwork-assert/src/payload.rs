//! [`Payload`]: bytes as people write them: text, or, for binary protocols, `{ hex: "00 0f" }` or `{ base64: "AA8=" }`.

use std::{borrow::Cow, fmt};

use clockwork_core::{schemars, text::quote};
use serde::{Deserialize, Deserializer, de};

/// Bytes to send.
///
/// ```
/// use clockwork_assert::Payload;
///
/// assert_eq!(Payload::from("PING\r\n").bytes(), b"PING\r\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload(Vec<u8>);

impl Payload {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count, mut symbols) = (0_u32, 0, 0_usize);
    let trimmed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let body = trimmed.trim_end_matches('=');
    for c in body.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (bits, count, symbols) = (bits << 6 | u32::from(value), count + 6, symbols + 1);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    let padding = trimmed.len() - body.len();
    let padded = padding == 0 || (symbols + padding).is_multiple_of(4) && padding < 3;
    (symbols % 4 != 1 && padded && bits == 0).then_some(bytes)
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, `{ hex: \"00 0f\" }` or `{ base64: \"AA8=\" }`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Payload, E> {
        Ok(Payload::from(text))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Payload, A::Error> {
        const FIELDS: &[&str] = &["hex", "base64"];
        let one = || de::Error::custom("give the bytes in one form: `hex` or `base64`");
        let Some(key) = map.next_key::<String>()? else { return Err(one()) };
        let bytes = match key.as_str() {
            "hex" | "base64" => {
                let text: String = map.next_value()?;
                let bytes = if key == "hex" { from_hex(&text) } else { from_base64(&text) };
                bytes.ok_or_else(|| de::Error::custom(format!("{} is not {key}", quote(&text))))?
            }
            other => return Err(de::Error::unknown_field(other, FIELDS)),
        };
        if map.next_key::<String>()?.is_some() {
            return Err(one());
        }
        Ok(Payload(bytes))
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for Payload {
    fn schema_name() -> Cow<'static, str> {
        "Payload".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Bytes: text, { hex: \"00 0f\" } or { base64: \"AA8=\" }",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "hex": { "description": "Hexadecimal digits; spaces and colons between them do not count", "type": "string" },
                        "base64": { "description": "Base64", "type": "string" }
                    },
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_each_form_and_nothing_else_is() {
        for (json, expected) in [
            (r#""PING\r\n""#, Some(&b"PING\r\n"[..])),
            (r#"{"hex":"00 0F:ff"}"#, Some(&[0, 15, 255])),
            (r#"{"hex":"0"}"#, None),
            (r#"{"hex":"xy"}"#, None),
            (r#"{"base64":"AA//"}"#, Some(&[0, 15, 255])),
            (r#"{"base64":"AA8="}"#, Some(&[0, 15])),
            (r#"{"base64":"AA8"}"#, Some(&[0, 15])),
            (r#"{"base64":"AA==="}"#, None),
            (r#"{"base64":"A"}"#, None),
            (r#"{"base64":"AB"}"#, None),
            (r#"{"base64":"é"}"#, None),
            (r#"{"hex":"00","base64":"AA=="}"#, None),
            (r#"{"text":"a"}"#, None),
            ("{}", None),
            ("5", None),
        ] {
            let read = serde_json::from_str::<Payload>(json).ok();
            assert_eq!(read.as_ref().map(Payload::bytes), expected, "{json}");
        }
    }
}
