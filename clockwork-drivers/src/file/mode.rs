//! [`FileMode`]: permission bits as people write them, `0644` or `u=rw,go=r`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// All permission bits: setuid, setgid and sticky, and those of owner, group and others.
const ALL: u32 = 0o7777;

/// Which permission bits are meant, and how they are set.
///
/// - Octal, `"0644"` or `"644"`: all twelve bits are meant, so setuid, setgid and sticky are off unless a fourth digit
///   sets them.
/// - Symbolic, as `chmod` writes it: `u=rw,go=r` means the named classes whole (with setuid for `u`, setgid for `g`,
///   sticky for `o`), `g-w` and `o+x` mean those bits alone. What is not named is not meant.
///
/// It is text. A manifest may leave the quotes off `0644`, but a number (`644`, `0o644`, which is 420) is refused
/// rather than guessed at.
///
/// ```
/// use clockwork_drivers::file::FileMode;
///
/// let mode: FileMode = "u=rw,go=r".parse()?;
/// assert!(mode.matches(0o644));
/// assert!(!mode.matches(0o4644), "setuid is part of what `u=` says");
/// # Ok::<(), clockwork_drivers::file::ModeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMode {
    mask: u32,
    bits: u32,
    text: String,
}

/// Something that is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is no mode: {problem}; write octal digits as in \"0644\", or symbols as in \"u=rw,go=r\"",
    clockwork_core::text::quote(text)
)]
pub struct ModeError {
    text: String,
    problem: &'static str,
}

impl FileMode {
    /// Exactly these twelve bits.
    pub fn exactly(bits: u32) -> Self {
        Self { mask: ALL, bits: bits & ALL, text: format!("{:04o}", bits & ALL) }
    }

    /// Whether a file's mode is as meant.
    pub fn matches(&self, mode: u32) -> bool {
        mode & self.mask == self.bits
    }

    /// The bits that `mode` has beyond these, when these are the most that is allowed.
    pub fn beyond(&self, mode: u32) -> u32 {
        mode & ALL & !self.bits
    }

    /// The bits that are set.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The bits that are meant at all.
    pub fn mask(&self) -> u32 {
        self.mask
    }
}

/// As it was written; where that was symbolic, the octal digits too.
impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octal = self.text.bytes().all(|b| b.is_ascii_digit());
        match (octal, self.mask) {
            (true, _) => write!(f, "{:04o}", self.bits),
            (false, ALL) => write!(f, "{:04o} ({})", self.bits, self.text),
            (false, _) => f.write_str(&self.text),
        }
    }
}

impl FromStr for FileMode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        let error = |problem| ModeError { text: text.to_owned(), problem };
        let parsed =
            if text.starts_with(|c: char| c.is_ascii_digit()) { octal(text) } else { symbolic(text) };
        let (mask, bits) = parsed.map_err(error)?;
        Ok(Self { mask, bits, text: text.to_owned() })
    }
}

fn octal(text: &str) -> Result<(u32, u32), &'static str> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    if !(3..=5).contains(&digits.len()) {
        return Err("three or four octal digits are a mode");
    }
    match u32::from_str_radix(digits, 8) {
        Ok(bits) if bits <= ALL => Ok((ALL, bits)),
        Ok(_) => Err("it is more than 7777"),
        Err(_) => Err("octal digits are 0 to 7"),
    }
}

fn symbolic(text: &str) -> Result<(u32, u32), &'static str> {
    let (mut mask, mut bits) = (0, 0);
    for clause in text.split(',').map(str::trim) {
        let Some(split) = clause.find(['=', '+', '-']) else {
            return Err("a clause is made of classes (u, g, o, a), one of = + -, and permissions");
        };
        let (classes, rest) = clause.split_at(split);
        let (operator, permissions) = rest.split_at(1);
        let mut class_mask = 0;
        for class in classes.chars() {
            class_mask |= match class {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => ALL,
                _ => return Err("classes are u, g, o and a"),
            };
        }
        if classes.is_empty() {
            class_mask = ALL;
        }
        let mut meant = 0;
        for permission in permissions.chars() {
            meant |= class_mask
                & match permission {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    's' if class_mask & 0o6000 != 0 => 0o6000,
                    't' if class_mask & 0o1000 != 0 => 0o1000,
                    's' => return Err("s goes with u or g"),
                    't' => return Err("t goes with o or a"),
                    _ => return Err("permissions are r, w, x, s and t"),
                };
        }
        // `a=rw` says nothing of setuid with a letter, and yet that it is off.
        match operator {
            "=" => (mask, bits) = (mask | class_mask, (bits & !class_mask) | meant),
            _ if meant == 0 => return Err("+ and - need a permission"),
            "+" => (mask, bits) = (mask | meant, bits | meant),
            _ => (mask, bits) = (mask | meant, bits & !meant),
        }
    }
    Ok((mask, bits))
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = FileMode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mode, as in \"0644\" or \"u=rw,go=r\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FileMode, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<FileMode, E> {
                Err(E::custom(unquoted(number)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<FileMode, E> {
                Err(E::custom(unquoted(number)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Why a number is no mode.
fn unquoted(number: impl fmt::Display) -> String {
    format!(
        "a mode is text, as in \"0644\": the number {number} may be other digits than were written (0o644 is 420)"
    )
}

impl JsonSchema for FileMode {
    fn schema_name() -> Cow<'static, str> {
        "FileMode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Permission bits: octal digits as in \"0644\", or symbols as in \"u=rw,go=r\".",
            "pattern": "^((0o)?[0-7]{3,5}|[ugoa]*[=+-][rwxst]*( *, *[ugoa]*[=+-][rwxst]*)*)$",
            "examples": ["0644", "u=rw,go=r"]
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn modes_mean_what_chmod_makes_of_them() {
        // what is written, what it allows, what it does not
        let table: [(&str, &[u32], &[u32]); 14] = [
            ("0644", &[0o644], &[0o640, 0o4644, 0o2644, 0o1644, 0o664]),
            ("644", &[0o644], &[0o4644]),
            ("0o644", &[0o644], &[0o1204]),
            ("4755", &[0o4755], &[0o755]),
            ("01777", &[0o1777], &[0o777]),
            ("u=rw,go=r", &[0o644], &[0o645, 0o4644, 0o1644]),
            ("u=rw, g=r, o=", &[0o640], &[0o644]),
            ("a=r", &[0o444], &[0o4444, 0o644]),
            ("u=rw", &[0o600, 0o677], &[0o4600, 0o700]),
            ("o-w", &[0o775, 0o4770], &[0o777, 0o002]),
            ("u+x,g+x", &[0o710, 0o7777], &[0o700]),
            ("u=rwxs,go=rx", &[0o4755], &[0o755]),
            ("a=rwx,o+t", &[0o1777], &[0o777]),
            ("u=rwx,u-w", &[0o500], &[0o700]),
        ];
        for (text, good, bad) in table {
            let mode: FileMode = text.parse().unwrap();
            for bits in good {
                assert!(mode.matches(*bits), "{text} allows {bits:04o}");
            }
            for bits in bad {
                assert!(!mode.matches(*bits), "{text} does not allow {bits:04o}");
            }
        }
        assert_eq!(FileMode::from_str("0640").unwrap().beyond(0o4664), 0o4024);
    }

    #[test]
    fn what_is_no_mode_is_refused_with_the_way_out() {
        for text in [
            "",
            "0",
            "64",
            "0888",
            "77777",
            "u",
            "u=q",
            "z=r",
            "rw-r--r--",
            "u+",
            "o+s",
            "u+t",
            "0644x",
            "-1",
            " 644",
        ] {
            let error = text.parse::<FileMode>().unwrap_err().to_string();
            assert!(
                error.ends_with("write octal digits as in \"0644\", or symbols as in \"u=rw,go=r\""),
                "{error}"
            );
        }
    }

    #[test]
    fn a_number_is_never_guessed_at() {
        let error = serde_json::from_str::<FileMode>("644").unwrap_err().to_string();
        assert!(error.starts_with("a mode is text, as in \"0644\": the number 644 may be"), "{error}");
        assert_eq!(serde_json::from_str::<FileMode>("\"644\"").unwrap(), "644".parse().unwrap());
    }

    #[test]
    fn a_mode_is_shown_with_its_octal_digits() {
        let shown: Vec<_> =
            ["644", "u=rw,go=r", "g-w"].map(|text| text.parse::<FileMode>().unwrap().to_string()).into();
        assert_eq!(shown, ["0644", "0644 (u=rw,go=r)", "g-w"]);
    }
}
