//! [`ByteSize`]: sizes as people write them: `512MB`, `1GiB`, or a bare number of bytes.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// A number of bytes.
///
/// `kB`, `MB`, `GB` and `TB` count in thousands, `KiB`, `MiB`, `GiB` and `TiB` in 1024s, whatever the case of the
/// letters.
///
/// ```
/// use clockwork_core::ByteSize;
///
/// assert_eq!("1.5 GiB".parse(), Ok(ByteSize(1_610_612_736)));
/// assert_eq!(ByteSize(512_000_000).to_string(), "512 MB");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

const DECIMAL: [(&str, u64); 4] =
    [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
const BINARY: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl ByteSize {
    /// The number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = String;

    /// Says what is accepted when it is none.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{} is not a size; write `512MB`, `1GiB` or a number of bytes", crate::text::quote(text))
        };
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = (&trimmed[..digits], trimmed[digits..].trim_start());
        let scale = match unit {
            "" => 1,
            unit if unit.eq_ignore_ascii_case("B") => 1,
            unit => DECIMAL
                .iter()
                .chain(&BINARY)
                .find_map(|(name, scale)| unit.eq_ignore_ascii_case(name).then_some(*scale))
                .ok_or_else(wrong)?,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        // Eighteen digits are more than a fraction of a terabyte needs, and they fit.
        if whole.is_empty() || fraction.is_empty() || fraction.len() > 18 || fraction.contains('.') {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let part: u128 = fraction.parse().map_err(|_| wrong())?;
        let part = part * u128::from(scale) / 10_u128.pow(fraction.len() as u32);
        let bytes = u128::from(whole) * u128::from(scale) + part;
        u64::try_from(bytes).map(Self).map_err(|_| wrong())
    }
}

/// In the unit in which it is a short number: `512 MB`, `1.5 GiB`, `37 B`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        let exact = |(_, scale): &&(&str, u64)| bytes >= *scale && bytes.is_multiple_of(*scale);
        let (binary, decimal) = (BINARY.iter().find(exact), DECIMAL.iter().find(exact));
        let short = |unit: Option<&(&str, u64)>| unit.map_or(u64::MAX, |(_, scale)| bytes / scale);
        let exact = if short(decimal) < short(binary) { decimal } else { binary };
        if let Some((name, scale)) = exact.filter(|(_, scale)| bytes / scale < 100_000) {
            return write!(f, "{} {name}", bytes / scale);
        }
        match BINARY.iter().find(|(_, scale)| bytes >= *scale) {
            Some((name, scale)) => write!(f, "{:.1} {name}", bytes as f64 / *scale as f64),
            None => write!(f, "{bytes} B"),
        }
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size (`512MB`, `1GiB` or a number of bytes)")
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "512MB, 1GiB, or a number of bytes",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgGtT][iI]?)?[bB]?\s*$|\$\{" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn reads_what_people_write_and_nothing_else() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1048576", Some(1 << 20)),
            ("512MB", Some(512_000_000)),
            ("512mb", Some(512_000_000)),
            ("1GiB", Some(1 << 30)),
            ("1.5 GiB", Some(3 << 29)),
            ("0.001kB", Some(1)),
            ("2KiB", Some(2048)),
            ("37B", Some(37)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999 TB", None),
            ("", None),
            ("MB", None),
            ("-1", None),
            ("1.", None),
            (".5MB", None),
            ("1.2.3MB", None),
            ("512M", None),
            ("1e3", None),
            ("NaN", None),
        ] {
            assert_eq!(text.parse().ok(), expected.map(ByteSize), "{text}");
        }
    }

    #[test]
    fn shows_what_a_person_needs() {
        for (bytes, expected) in [
            (0, "0 B"),
            (37, "37 B"),
            (1000, "1 kB"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (512_000_000, "512 MB"),
            (512 << 20, "512 MiB"),
            (1 << 30, "1 GiB"),
            (1_234_567_890, "1.1 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), expected);
        }
    }

    #[test]
    fn comes_from_numbers_and_text() {
        let read = |json: &str| serde_json::from_str::<ByteSize>(json);
        assert_eq!(read("512").unwrap(), ByteSize(512));
        assert_eq!(read("\"1MiB\"").unwrap(), ByteSize(1 << 20));
        for wrong in ["-1", "1.5", "null", "true", "\"many\"", "[]"] {
            let message = read(wrong).unwrap_err().to_string();
            assert!(message.contains("`512MB`, `1GiB` or a number of bytes"), "{message}");
        }
    }
}
