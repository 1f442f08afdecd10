//! Values read as wrappers read them: `defGetBoolean` (`commands/define.c`), `parse_int` and `parse_real` without
//! units (`utils/misc/guc.c`), the last two by way of C's `strtol` with base 0 and `strtod`.

use serde_json::{Number, Value};

/// The types that a schema can give an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueType {
    String,
    Integer,
    Number,
    Boolean,
}

impl ValueType {
    pub const ALL: [Self; 4] = [Self::String, Self::Integer, Self::Number, Self::Boolean];

    /// JSON Schema's name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value_type| value_type.name() == name)
    }

    /// Whether a JSON value is of the type.
    pub fn holds(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }

    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }
}

/// The value as an option of that type has it. What cannot be read so stays a string, and so fails the type.
pub fn read(value: &str, value_type: ValueType) -> Value {
    let read = match value_type {
        ValueType::String => None,
        ValueType::Boolean => boolean(value).map(Value::Bool),
        ValueType::Integer => integer(value).map(Value::from),
        ValueType::Number => number(value).and_then(json_number),
    };
    read.unwrap_or_else(|| Value::from(value))
}

fn json_number(value: f64) -> Option<Value> {
    // "1" and "1.0" are the same number, and const must find them so: JSON Schema compares mathematically.
    Number::from_f64(value).map(Value::Number)
}

/// `defGetBoolean` of a string: 1 and 0 are for integers of the grammar, which options are not.
pub fn boolean(value: &str) -> Option<bool> {
    let is = |word: &str| value.eq_ignore_ascii_case(word);
    if is("true") || is("on") {
        Some(true)
    } else if is("false") || is("off") {
        Some(false)
    } else {
        None
    }
}

/// `parse_int(value, &result, 0, NULL)`.
pub fn integer(value: &str) -> Option<i32> {
    let (whole, rest) = strtol(value);
    let (number, rest) = if rest.starts_with(['.', 'e', 'E']) || whole == Err(NoInteger::OutOfRange) {
        strtod(value)
    } else {
        (whole.ok().map(|whole| whole as f64), rest)
    };
    let number = number.filter(|_| rest.trim_start_matches(is_space).is_empty())?.round_ties_even();
    let in_range = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    // In range and whole, so nothing is lost.
    in_range.then_some(number as i32)
}

/// `parse_real(value, &result, 0, NULL)`. It takes infinity, which JSON cannot say. Of a hexadecimal number with more
/// digits than a double holds the last bit can differ from C's.
pub fn number(value: &str) -> Option<f64> {
    let (number, rest) = strtod(value);
    number.filter(|number| !number.is_nan() && rest.trim_start_matches(is_space).is_empty())
}

/// C's `isspace` in the C locale.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

fn signed(value: &str) -> (bool, &str) {
    let value = value.trim_start_matches(is_space);
    match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    }
}

/// Digits of the base at the beginning, and what follows.
fn digits(text: &str, base: u32) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_digit(base)).unwrap_or(text.len());
    text.split_at(end)
}

/// After a `0x` that digits (or for a floating number a point and digits) follow.
fn after_hexadecimal_prefix(text: &str, point: bool) -> Option<&str> {
    let rest = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let number = if point { rest.strip_prefix('.').unwrap_or(rest) } else { rest };
    number.starts_with(|character: char| character.is_ascii_hexdigit()).then_some(rest)
}

fn integer_digits(text: &str) -> (u32, &str, &str) {
    let (base, body) = match after_hexadecimal_prefix(text, false) {
        Some(body) => (16, body),
        None if text.starts_with('0') => (8, text),
        None => (10, text),
    };
    let (digits, rest) = digits(body, base);
    (base, digits, rest)
}

/// Why `strtol` gives no integer.
#[derive(Debug, PartialEq, Eq)]
enum NoInteger {
    NoDigits,
    OutOfRange,
}

/// `strtol(value, &rest, 0)`. Without digits it has read nothing, not even the blanks and the sign.
fn strtol(value: &str) -> (Result<i64, NoInteger>, &str) {
    let (negative, body) = signed(value);
    let (base, digits, rest) = integer_digits(body);
    if digits.is_empty() {
        return (Err(NoInteger::NoDigits), value);
    }
    let sign = if negative { "-" } else { "" };
    (i64::from_str_radix(&format!("{sign}{digits}"), base).map_err(|_| NoInteger::OutOfRange), rest)
}

/// `strtod(value, &rest)`; `None` where it finds no number or sets ERANGE.
fn strtod(value: &str) -> (Option<f64>, &str) {
    let (negative, body) = signed(value);
    let (magnitude, rest) = match after_hexadecimal_prefix(body, true) {
        Some(body) => hexadecimal(body),
        None if starts_with_word(body, "inf") || starts_with_word(body, "nan") => word(body),
        None => decimal(body),
    };
    (magnitude.map(|magnitude| if negative { -magnitude } else { magnitude }), rest)
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn word(text: &str) -> (Option<f64>, &str) {
    let words = [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)];
    let found = words.into_iter().find(|(word, _)| starts_with_word(text, word));
    found.map_or((None, text), |(word, value)| (Some(value), text.get(word.len()..).unwrap_or_default()))
}

/// Digits with at most one point, and what follows.
fn mantissa(text: &str, base: u32) -> (&str, &str, &str) {
    let (whole, rest) = digits(text, base);
    match rest.strip_prefix('.') {
        Some(after) => {
            let (fraction, rest) = digits(after, base);
            (whole, fraction, rest)
        }
        None => (whole, "", rest),
    }
}

/// The exponent after that letter, and what follows. A letter without digits belongs to what follows.
fn exponent(text: &str, letter: char) -> (&str, &str) {
    let Some(body) = text.strip_prefix(letter).or_else(|| text.strip_prefix(letter.to_ascii_uppercase())) else {
        return ("", text);
    };
    let sign = usize::from(body.starts_with(['+', '-']));
    let end = sign + digits(body.get(sign..).unwrap_or_default(), 10).0.len();
    if end == sign { ("", text) } else { body.split_at(end) }
}

fn decimal(text: &str) -> (Option<f64>, &str) {
    let (whole, fraction, rest) = mantissa(text, 10);
    if whole.is_empty() && fraction.is_empty() {
        return (None, text);
    }
    let (exponent, rest) = exponent(rest, 'e');
    let exponent = if exponent.is_empty() { "0" } else { exponent };
    let is_zero = whole.chars().chain(fraction.chars()).all(|digit| digit == '0');
    let value: Option<f64> = format!("{whole}.{fraction}e{exponent}").parse().ok();
    (value.filter(|value| in_range(*value, is_zero)), rest)
}

fn hexadecimal(text: &str) -> (Option<f64>, &str) {
    let (whole, fraction, rest) = mantissa(text, 16);
    let (exponent, rest) = exponent(rest, 'p');
    let power: i32 = if exponent.is_empty() { 0 } else { exponent.parse().unwrap_or(i32::MAX) };
    let digit = |value: f64, digit: char| value * 16.0 + f64::from(digit.to_digit(16).unwrap_or_default());
    let whole_part = whole.chars().fold(0.0, digit);
    let fraction_part = fraction.chars().rev().fold(0.0, |value, c| (value + digit(0.0, c)) / 16.0);
    let value = (whole_part + fraction_part) * 2f64.powi(power);
    (Some(value).filter(|value| in_range(*value, whole_part + fraction_part == 0.0)), rest)
}

/// Whether glibc would not set ERANGE: neither overflow nor underflow.
fn in_range(value: f64, is_zero: bool) -> bool {
    value.is_finite() && (is_zero || value.abs() >= f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn booleans_are_four_words() {
        for (word, wanted) in [("true", true), ("ON", true), ("False", false), ("oFF", false)] {
            assert_eq!(boolean(word), Some(wanted));
        }
        for word in ["1", "0", "yes", "no", "t", "", " true", "tru"] {
            assert_eq!(boolean(word), None, "{word}");
        }
    }

    #[test]
    fn integers_are_read_as_parse_int_reads_them() {
        let cases: &[(&str, Option<i32>)] = &[
            ("0", Some(0)),
            ("5432", Some(5432)),
            ("-5", Some(-5)),
            ("+5", Some(5)),
            (" \t5\n ", Some(5)),
            ("0x1F", Some(31)),
            ("0X1f", Some(31)),
            ("-0x10", Some(-16)),
            ("010", Some(8)),
            ("08", None),
            ("0x", None),
            ("0xg", None),
            ("1.5", Some(2)),
            ("2.5", Some(2)),
            ("0.4", Some(0)),
            (".6", Some(1)),
            (" .6", None),
            ("-.6", None),
            ("5.", Some(5)),
            ("-1.5", Some(-2)),
            ("010.5", Some(10)),
            ("1e3", Some(1000)),
            ("1E3 ", Some(1000)),
            ("1e", None),
            ("e5", None),
            (".", None),
            (".e1", None),
            ("0x1.8", Some(2)),
            ("0x1.8p1", Some(3)),
            ("0x1p3", None),
            ("0x1e", Some(30)),
            ("1e400", None),
            ("1e-400", None),
            ("0e400", Some(0)),
            ("99999999999999999999", None),
            ("0.00000000000000000000001", Some(0)),
            ("2147483647", Some(i32::MAX)),
            ("2147483647.4", Some(i32::MAX)),
            ("2147483648", None),
            ("-2147483648", Some(i32::MIN)),
            ("-2147483649", None),
            ("", None),
            (" ", None),
            ("5 kB", None),
            ("5x", None),
            ("5 5", None),
            ("--5", None),
            ("- 5", None),
            ("inf", None),
            ("nan", None),
            ("٥", None),
            ("5\u{a0}", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(integer(text), *wanted, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_parse_real_reads_them() {
        let cases: &[(&str, Option<f64>)] = &[
            ("1.5", Some(1.5)),
            ("-1e3", Some(-1000.0)),
            (" 0.1 ", Some(0.1)),
            ("010", Some(10.0)),
            ("0x1p3", Some(8.0)),
            ("0x.8", Some(0.5)),
            ("1e308", Some(1e308)),
            ("1e309", None),
            ("1e-320", None),
            ("0e-999", Some(0.0)),
            ("infinity", Some(f64::INFINITY)),
            ("-Inf", Some(f64::NEG_INFINITY)),
            ("nan", None),
            ("1.2.3", None),
            ("1e", None),
            ("", None),
            ("abc", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(number(text), *wanted, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_stays_a_string() {
        assert_eq!(read("yes", ValueType::Boolean), Value::from("yes"));
        assert_eq!(read("off", ValueType::Boolean), Value::from(false));
        assert_eq!(read("0x10", ValueType::Integer), Value::from(16));
        assert_eq!(read("16", ValueType::String), Value::from("16"));
        assert_eq!(read("infinity", ValueType::Number), Value::from("infinity"));
        assert_eq!(read("1.5", ValueType::Number), Value::from(1.5));
    }

    proptest! {
        #[test]
        fn every_integer_reads_as_itself_in_every_notation(value: i32) {
            prop_assert_eq!(integer(&value.to_string()), Some(value));
            let (sign, magnitude) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
            prop_assert_eq!(integer(&format!("{sign}{magnitude:#x}")), Some(value));
            prop_assert_eq!(integer(&format!("{sign}0{magnitude:o}")), Some(value));
            prop_assert_eq!(integer(&format!(" {value}.0 ")), Some(value));
            prop_assert_eq!(number(&value.to_string()), Some(f64::from(value)));
        }

        #[test]
        fn every_normal_number_reads_as_itself(value in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
            prop_assert_eq!(number(&format!("{value:e}")), Some(value));
        }

        #[test]
        fn nothing_makes_the_readers_fail(text in "[ +\\-0-9a-fA-FxXpPeE.inty]{0,12}|\\PC{0,12}") {
            let _ = (integer(&text), number(&text), boolean(&text));
        }
    }
}
