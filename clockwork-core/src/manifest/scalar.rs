//! What a plain scalar says: YAML 1.2's core schema, where `yes` is text and `0x1f` a number.
//!
//! It departs from the schema in one place: digits behind a leading zero (`0644`) are text. The schema reads them as
//! decimal, YAML 1.1 as octal, and whoever writes them means neither a number nor to have to know that.

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Plain<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// Infinity, not a number, or beyond what can be held.
    Unbounded,
    Text(&'a str),
}

pub(super) fn resolve(text: &str) -> Plain<'_> {
    match text.as_bytes() {
        text if is_null(text) => Plain::Null,
        b"true" | b"True" | b"TRUE" => Plain::Bool(true),
        b"false" | b"False" | b"FALSE" => Plain::Bool(false),
        [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => number(text).unwrap_or(Plain::Text(text)),
        _ => Plain::Text(text),
    }
}

pub(super) fn is_null(text: &[u8]) -> bool {
    matches!(text, [] | b"~" | b"null" | b"Null" | b"NULL")
}

fn number(text: &str) -> Option<Plain<'_>> {
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let based = |digits: &str, base| {
        let good = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
        good.then(|| u64::from_str_radix(digits, base).map_or(Plain::Unbounded, Plain::Unsigned))
    };
    match digits.as_bytes() {
        b".inf" | b".Inf" | b".INF" => return Some(Plain::Unbounded),
        b".nan" | b".NaN" | b".NAN" if digits.len() == text.len() => return Some(Plain::Unbounded),
        [b'0', b'x', ..] if digits.len() == text.len() => return based(&digits[2..], 16),
        [b'0', b'o', ..] if digits.len() == text.len() => return based(&digits[2..], 8),
        [b'0', b'0'..=b'9', ..] => return None,
        _ => {}
    }
    let (whole, rest) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
    if !whole.is_empty() && rest.is_empty() {
        return Some(match (negative, whole.parse::<u64>(), text.parse::<i64>()) {
            (false, Ok(number), _) => Plain::Unsigned(number),
            (true, _, Ok(number)) => Plain::Signed(number),
            _ => Plain::Unbounded,
        });
    }
    let fraction = rest.strip_prefix('.').unwrap_or("");
    let fraction = &fraction[..fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len())];
    let exponent = rest.strip_prefix('.').map_or(rest, |rest| &rest[fraction.len()..]);
    let good_exponent = exponent.is_empty() || {
        let digits = exponent.strip_prefix(['e', 'E']).unwrap_or("");
        let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if (whole.is_empty() && fraction.is_empty()) || !good_exponent {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Some(if number.is_finite() { Plain::Float(number) } else { Plain::Unbounded })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_core_schema() {
        for (text, expected) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("nULL", Plain::Text("nULL")),
            ("True", Plain::Bool(true)),
            ("yes", Plain::Text("yes")),
            ("0", Plain::Unsigned(0)),
            ("+12", Plain::Unsigned(12)),
            ("-12", Plain::Signed(-12)),
            ("18446744073709551615", Plain::Unsigned(u64::MAX)),
            ("18446744073709551616", Plain::Unbounded),
            ("-9223372036854775808", Plain::Signed(i64::MIN)),
            ("-9223372036854775809", Plain::Unbounded),
            ("0x1F", Plain::Unsigned(31)),
            ("0o17", Plain::Unsigned(15)),
            ("0x", Plain::Text("0x")),
            ("-0x1", Plain::Text("-0x1")),
            ("0644", Plain::Text("0644")),
            ("1.5", Plain::Float(1.5)),
            ("0.5", Plain::Float(0.5)),
            (".5", Plain::Float(0.5)),
            ("5.", Plain::Float(5.0)),
            ("-1e3", Plain::Float(-1000.0)),
            ("1e999", Plain::Unbounded),
            (".inf", Plain::Unbounded),
            ("-.inf", Plain::Unbounded),
            (".nan", Plain::Unbounded),
            ("1.2.3", Plain::Text("1.2.3")),
            ("1e", Plain::Text("1e")),
            ("5s", Plain::Text("5s")),
            (".", Plain::Text(".")),
            ("-", Plain::Text("-")),
            ("+e5", Plain::Text("+e5")),
            ("2024-01-31", Plain::Text("2024-01-31")),
            ("5432:5432", Plain::Text("5432:5432")),
            ("1_000", Plain::Text("1_000")),
        ] {
            assert_eq!(resolve(text), expected, "{text}");
        }
    }
}
