//! Durations as people write them: `200ms`, `5s`, `1m30s`, `2h`, `30d`, or a bare number of seconds.
//!
//! `#[serde(with = "clockwork_core::duration")]` for a field, `duration::optional` for an `Option`.

use std::{fmt, time::Duration};

use serde::{Deserializer, Serializer, de};

/// Reads a duration. Units are `ms`, `s`, `m`, `h` and `d`, largest first, each at most once; a bare number (with a
/// fraction, if need be) counts seconds.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a duration; write `200ms`, `5s`, `1m30s`, `2h`, `30d` or a number of seconds"
        )
    };
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return from_seconds(seconds).ok_or_else(wrong);
    }
    const UNITS: [(&str, f64); 5] = [("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)];
    let (mut rest, mut total, mut next_unit) = (text, 0.0, 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let letters =
            rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |n| digits + n);
        let unit = UNITS.iter().position(|(name, _)| *name == &rest[digits..letters]).ok_or_else(wrong)?;
        if unit < next_unit {
            return Err(wrong());
        }
        total += number * UNITS[unit].1;
        next_unit = unit + 1;
        rest = &rest[letters..];
    }
    if next_unit == 0 { Err(wrong()) } else { from_seconds(total).ok_or_else(wrong) }
}

fn from_seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| duration.as_secs() <= 100 * 365 * 86_400)
}

/// Shows a duration the way [`parse`] reads it, at a precision that a person needs: `1.2 ms`, `512 ms`, `5 s`,
/// `1m30s`.
pub fn show(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    match duration.as_secs() {
        0 if ms < 10.0 && ms.fract() != 0.0 => format!("{ms:.1} ms"),
        0 => format!("{ms:.0} ms"),
        seconds @ 1..60 if duration.subsec_millis() == 0 => format!("{seconds} s"),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => {
            let parts = [
                (seconds / 86_400, 'd'),
                (seconds / 3_600 % 24, 'h'),
                (seconds / 60 % 60, 'm'),
                (seconds % 60, 's'),
            ];
            let mut text = String::new();
            for (amount, unit) in parts.into_iter().filter(|(amount, _)| *amount > 0) {
                text.push_str(&format!("{amount}{unit}"));
            }
            text
        }
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration (`200ms`, `5s`, `1m30s`, `2h`, `30d` or a number of seconds)")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        parse(&seconds.to_string()).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        parse(&seconds.to_string()).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
        parse(&seconds.to_string()).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).map_err(E::custom)
    }
}

/// For `#[serde(with)]`.
///
/// # Errors
/// When it is not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Visitor)
}

/// For `#[serde(with)]`: the text that [`parse`] reads back.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}ms", duration.as_millis()))
}

/// The JSON Schema, for `#[schemars(with = "clockwork_core::duration::Schema")]`.
pub struct Schema;

impl schemars::JsonSchema for Schema {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "200ms, 5s, 1m30s, 2h, 30d, or a bare number of seconds",
            "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$|^\d+(\.\d+)?$|\$\{" }
            ]
        })
    }
}

/// The same for an `Option<Duration>`.
pub mod optional {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    /// For `#[serde(with)]`, beside `#[serde(default)]`.
    ///
    /// # Errors
    /// When it is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_nothing_else() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (text, expected) in [
            ("200ms", ms(200)),
            ("5s", ms(5_000)),
            ("1m30s", ms(90_000)),
            ("2h", ms(7_200_000)),
            ("30d", ms(2_592_000_000)),
            ("1.5s", ms(1_500)),
            ("7", ms(7_000)),
            ("0.5", ms(500)),
            ("", None),
            ("5 s", None),
            ("s", None),
            ("5x", None),
            ("30s1m", None),
            ("1s1s", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn shows_what_a_person_needs() {
        for (ms, expected) in [
            (0.0, "0 ms"),
            (1.25, "1.2 ms"),
            (512.3, "512 ms"),
            (5000.0, "5 s"),
            (1500.0, "1.5 s"),
            (90_000.0, "1m30s"),
            (7_200_000.0, "2h"),
        ] {
            assert_eq!(show(Duration::from_secs_f64(ms / 1000.0)), expected);
        }
    }
}
