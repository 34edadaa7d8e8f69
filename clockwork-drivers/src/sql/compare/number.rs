//! [`Number`]: a number of a database, exactly, whatever type it had there: 1 is 1.0 is 1.00.

use std::{borrow::Cow, cmp::Ordering, fmt};

/// A number. Greater and less are as PostgreSQL has them, where NaN is one value, and greater than all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// Less than all others.
    NegativeInfinity,
    /// A whole one that fits.
    Whole(i64),
    /// Any other one with digits, and never one that is whole and fits.
    Decimal(Decimal),
    /// Greater than all that have digits.
    Infinity,
    /// What is no number, and yet the value of a column of numbers.
    NaN,
}

/// A number with digits: `0.d₁d₂d₃… × 10^exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    exponent: i64,
    /// 0 to 9 each; neither the first nor the last is 0. Zero has none.
    digits: Box<[u8]>,
}

/// How many digits are looked at to tell whether two numbers are near: more than any engine has.
const ROOM: i64 = 200_000;

impl Number {
    /// As engines write them: `-12.50`, `1e+300`, `NaN`, `-Infinity`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "NaN" => Some(Self::NaN),
            "Infinity" | "inf" => Some(Self::Infinity),
            "-Infinity" | "-inf" => Some(Self::NegativeInfinity),
            _ => match text.parse() {
                Ok(whole) => Some(Self::Whole(whole)),
                Err(_) => Decimal::parse(text).map(Self::of),
            },
        }
    }

    /// One number has one form.
    fn of(decimal: Decimal) -> Self {
        match decimal.whole() {
            Some(whole) => Self::Whole(whole),
            None => Self::Decimal(decimal),
        }
    }

    /// Its digits, where it has some.
    fn digits(&self) -> Option<Cow<'_, Decimal>> {
        match self {
            Self::Whole(whole) => Decimal::parse(&whole.to_string()).map(Cow::Owned),
            Self::Decimal(decimal) => Some(Cow::Borrowed(decimal)),
            _ => None,
        }
    }

    /// Whether they are at most this far apart.
    pub fn is_near(&self, other: &Self, tolerance: &Self) -> bool {
        self == other
            || match (self.digits(), other.digits(), tolerance.digits()) {
                (Some(one), Some(other), Some(tolerance)) => one.is_near(&other, &tolerance),
                _ => false,
            }
    }

    /// Whether it is no less than zero, and has digits.
    pub fn is_distance(&self) -> bool {
        self.digits().is_some_and(|decimal| !decimal.negative)
    }

    fn rank(&self) -> u8 {
        match self {
            Self::NegativeInfinity => 0,
            Self::Whole(_) | Self::Decimal(_) => 1,
            Self::Infinity => 2,
            Self::NaN => 3,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one.cmp(other),
            _ => match (self.digits(), other.digits()) {
                (Some(one), Some(other)) => one.cmp(&other),
                _ => self.rank().cmp(&other.rank()),
            },
        }
    }
}

/// In full where that is short, and otherwise with its power of ten.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NegativeInfinity => f.write_str("-Infinity"),
            Self::Whole(whole) => write!(f, "{whole}"),
            Self::Decimal(decimal) => write!(f, "{decimal}"),
            Self::Infinity => f.write_str("Infinity"),
            Self::NaN => f.write_str("NaN"),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let sign = if self.negative { "-" } else { "" };
        let length = digits.len() as i64;
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        match self.exponent {
            _ if digits.is_empty() => f.write_str("0"),
            before @ -5..=0 => write!(f, "{sign}0.{}{digits}", zeros(-before)),
            before if before > 0 && before < length => {
                let (whole, fraction) = digits.split_at(usize::try_from(before).unwrap_or(0));
                write!(f, "{sign}{whole}.{fraction}")
            }
            before @ 1..=40 => write!(f, "{sign}{digits}{}", zeros(before - length)),
            before => {
                let (first, rest) = digits.split_at(1);
                let point = if rest.is_empty() { "" } else { "." };
                write!(f, "{sign}{first}{point}{rest}e{}", before - 1)
            }
        }
    }
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_number(whole) && is_number(fraction)) || whole.len() + fraction.len() == 0 {
            return None;
        }
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        let trailing = digits[leading..].iter().rev().take_while(|digit| **digit == 0).count();
        digits.truncate(digits.len() - trailing);
        digits.drain(..leading.min(digits.len()));
        if digits.is_empty() {
            return Some(Self { negative: false, exponent: 0, digits: Box::default() });
        }
        let exponent = (whole.len() as i64 - leading as i64).checked_add(power)?;
        Some(Self { negative, exponent, digits: digits.into() })
    }

    /// As a whole number, if it is one that fits.
    fn whole(&self) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        if self.end() < 0 || self.exponent > 19 {
            return None;
        }
        let digits = self.digits.iter().chain(std::iter::repeat(&0));
        let mut digits = digits.take(usize::try_from(self.exponent).ok()?);
        // Below zero, where there is one more.
        let whole =
            digits.try_fold(0_i64, |whole, digit| whole.checked_mul(10)?.checked_sub(i64::from(*digit)))?;
        if self.negative { Some(whole) } else { whole.checked_neg() }
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits)),
        }
    }

    /// The place of its last digit.
    fn end(&self) -> i64 {
        self.exponent.saturating_sub(self.digits.len() as i64)
    }

    /// Its digits from the place `top` down to the place `end`.
    fn spread(&self, top: i64, end: i64) -> Vec<u8> {
        let mut spread = vec![0; usize::try_from(top - end).unwrap_or(0)];
        let at = usize::try_from(top - self.exponent).unwrap_or(0);
        if !self.is_zero() {
            spread[at..at + self.digits.len()].copy_from_slice(&self.digits);
        }
        spread
    }

    fn is_near(&self, other: &Self, tolerance: &Self) -> bool {
        let all = [self, other, tolerance];
        let given = || all.iter().filter(|number| !number.is_zero());
        let top = given().map(|number| number.exponent).max().unwrap_or(0).saturating_add(1);
        let end = given().map(|number| number.end()).min().unwrap_or(0);
        // No engine has numbers that span so much. Unproven is not near.
        if top.saturating_sub(end) > ROOM {
            return false;
        }
        let (mut far, mut less) = (self, other);
        if far.compare_size(less).is_lt() {
            std::mem::swap(&mut far, &mut less);
        }
        let mut distance = far.spread(top, end);
        let other = less.spread(top, end);
        let apart = far.negative != less.negative;
        let mut carry = 0_i8;
        for (digit, other) in distance.iter_mut().zip(&other).rev() {
            let (mine, theirs) = (*digit as i8, *other as i8);
            let sum = if apart { mine + theirs + carry } else { mine - theirs + carry };
            carry = i8::from(sum > 9) - i8::from(sum < 0);
            *digit = (sum - 10 * carry) as u8;
        }
        distance <= tolerance.spread(top, end)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value_and_in_order() {
        for (one, other) in [
            ("1", "1.00"),
            ("-0", "0.000"),
            ("100", "1e2"),
            ("0.001", "1E-3"),
            ("+7", "007"),
            ("-12.50", "-12.5"),
        ] {
            assert_eq!(number(one), number(other), "{one} {other}");
        }
        let sorted = [
            "-Infinity",
            "-1e300",
            "-10",
            "-9.99",
            "-0.5",
            "-1e-300",
            "0",
            "1e-300",
            "0.05",
            "0.5",
            "1",
            "1.5",
            "9",
            "10",
            "12345678901234567890123",
            "12345678901234567890124",
            "1e300",
            "Infinity",
            "NaN",
        ];
        for pair in sorted.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        for (text, shown) in [
            ("1.50", "1.5"),
            ("-0.0050", "-0.005"),
            ("1e2", "100"),
            ("12345678901234567890123.5", "12345678901234567890123.5"),
            ("92233720368547758070", "92233720368547758070"),
            ("-9223372036854775808.0", "-9223372036854775808"),
            ("9223372036854775808", "9223372036854775808"),
            ("1.5e300", "1.5e300"),
            ("-1e-300", "-1e-300"),
        ] {
            assert_eq!(number(text).to_string(), shown, "{text}");
            assert_eq!(number(shown), number(text));
        }
        for text in ["", "-", ".", "1.2.3", "1e", "x", "0x1", "1e999999999999999999999", " 1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_distance_is_exact() {
        for (one, other, tolerance, near) in [
            ("1.00", "1.01", "0.01", true),
            ("1.00", "1.0100000000000000000001", "0.01", false),
            ("-0.005", "0.005", "0.01", true),
            ("-0.005", "0.0051", "0.01", false),
            ("0.005", "-0.0051", "0.01", false),
            ("100", "99.5", "0.5", true),
            ("99.5", "100", "0.49", false),
            ("-100", "-99.5", "0.5", true),
            ("1000", "999", "1", true),
            ("0", "0.1", "0.1", true),
            ("0", "0", "0", true),
            ("5", "5.0", "0", true),
            ("1e300", "0", "1e299", false),
            ("1e300", "1e-300", "1e300", true),
            ("1e300000", "1e-300000", "1e300001", false), // wider than anybody looks
            ("NaN", "NaN", "1", true),
            ("NaN", "1", "1e300", false),
            ("Infinity", "1", "1e300", false),
            ("0.1", "0.3", "0.2", true),
        ] {
            let told = number(one).is_near(&number(other), &number(tolerance));
            assert_eq!(told, near, "{one} {other} {tolerance}");
            assert_eq!(number(other).is_near(&number(one), &number(tolerance)), near, "{other} {one}");
        }
    }
}
