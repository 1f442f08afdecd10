//! Spans of time as rules write them, in PostgreSQL's words or in those of ISO 8601.

use std::fmt;

/// A span of time as PostgreSQL keeps one: a month has no fixed number of days, and a day none of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub microseconds: i64,
}

/// What a text must be to be read as one.
pub(crate) const EXPECTED: &str =
    "expected a span of time such as \"90 days\" or \"P90D\", longer than none and at most 1000 years";

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// A thousand years.
const MOST_MONTHS: i32 = 12_000;
const MOST_DAYS: i32 = 365_250;
const MOST_MICROSECONDS: i64 = 24 * HOUR * 365_250;

impl Interval {
    /// Reads whole numbers with units (`1 year 6 mons`, `90 days`, `12:00:00`) or an ISO 8601 duration (`P1Y6M`, `PT0.5S`);
    /// None for anything else, for nothing, and for more than a thousand years.
    pub fn parse(text: &str) -> Option<Self> {
        let read = match text.trim().strip_prefix('P') {
            Some(duration) => iso_8601(duration),
            None => words(text),
        };
        read.filter(|interval| interval.is_sensible())
    }

    fn is_sensible(self) -> bool {
        let is_some = self != Self::default();
        is_some
            && (0..=MOST_MONTHS).contains(&self.months)
            && (0..=MOST_DAYS).contains(&self.days)
            && (0..=MOST_MICROSECONDS).contains(&self.microseconds)
    }

    fn plus(self, count: i64, unit: Unit) -> Option<Self> {
        let small = |by: i64| i32::try_from(count.checked_mul(by)?).ok();
        Some(match unit {
            Unit::Months(months) => Self { months: self.months.checked_add(small(months)?)?, ..self },
            Unit::Days(days) => Self { days: self.days.checked_add(small(days)?)?, ..self },
            Unit::Time(time) => {
                let more = count.checked_mul(time)?;
                Self { microseconds: self.microseconds.checked_add(more)?, ..self }
            }
        })
    }
}

/// What is counted, in the part of an interval that it counts in.
#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Days(i64),
    Time(i64),
}

/// The names of units; each may have an `s` behind it.
const UNITS: &[(&str, Unit)] = &[
    ("year", Unit::Months(12)),
    ("yr", Unit::Months(12)),
    ("month", Unit::Months(1)),
    ("mon", Unit::Months(1)),
    ("week", Unit::Days(7)),
    ("day", Unit::Days(1)),
    ("hour", Unit::Time(HOUR)),
    ("hr", Unit::Time(HOUR)),
    ("minute", Unit::Time(MINUTE)),
    ("min", Unit::Time(MINUTE)),
    ("second", Unit::Time(SECOND)),
    ("sec", Unit::Time(SECOND)),
];

fn words(text: &str) -> Option<Interval> {
    let mut interval = Interval::default();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        interval = if word.contains(':') {
            interval.plus(clock(word)?, Unit::Time(1))?
        } else {
            let name = words.next()?.to_lowercase();
            let known = UNITS.iter().find(|(unit, _)| name == *unit || name.strip_suffix('s') == Some(unit));
            interval.plus(whole(word)?, known?.1)?
        };
    }
    Some(interval)
}

/// Microseconds of `hours:minutes` or `hours:minutes:seconds`.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    let minutes = whole(minutes).filter(|minutes| *minutes < 60)?;
    let seconds = fraction(seconds).filter(|seconds| *seconds < MINUTE)?;
    let hours = whole(hours)?.checked_mul(HOUR)?;
    parts.next().is_none().then(|| hours.checked_add(minutes * MINUTE + seconds)).flatten()
}

fn iso_8601(duration: &str) -> Option<Interval> {
    let (date, time) = duration.split_once('T').unwrap_or((duration, ""));
    if duration.ends_with('T') {
        return None;
    }
    let dates = [('Y', Unit::Months(12)), ('M', Unit::Months(1)), ('W', Unit::Days(7)), ('D', Unit::Days(1))];
    let times = [('H', Unit::Time(HOUR)), ('M', Unit::Time(MINUTE)), ('S', Unit::Time(SECOND))];
    designated(time, &times, designated(date, &dates, Interval::default())?)
}

/// Numbers, each with a letter behind it that says its unit.
fn designated(mut text: &str, units: &[(char, Unit)], mut interval: Interval) -> Option<Interval> {
    while !text.is_empty() {
        let (place, letter) = text.char_indices().find(|(_, letter)| letter.is_ascii_alphabetic())?;
        let unit = units.iter().find(|(designator, _)| *designator == letter)?.1;
        let number = text.get(..place)?;
        interval = match unit {
            Unit::Time(SECOND) => interval.plus(fraction(number)?, Unit::Time(1))?,
            unit => interval.plus(whole(number)?, unit)?,
        };
        text = text.get(place + 1..)?;
    }
    Some(interval)
}

fn whole(digits: &str) -> Option<i64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().ok()).flatten()
}

/// Microseconds of a number of seconds with at most six decimals.
fn fraction(seconds: &str) -> Option<i64> {
    let (whole_seconds, decimals) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let padded = if decimals.len() <= 6 { format!("{decimals:0<6}") } else { return None };
    whole(whole_seconds)?.checked_mul(SECOND)?.checked_add(whole(&padded)?)
}

/// As PostgreSQL writes it where `intervalstyle` is `postgres`; a part below zero makes it a text that is not read again.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")];
        let mut parts: Vec<String> = counted
            .into_iter()
            .filter(|(count, _)| *count != 0)
            .map(|(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
            .collect();
        if self.microseconds != 0 || parts.is_empty() {
            parts.push(time(self.microseconds));
        }
        f.write_str(&parts.join(" "))
    }
}

fn time(microseconds: i64) -> String {
    let sign = if microseconds < 0 { "-" } else { "" };
    let rest = microseconds.unsigned_abs();
    let seconds = rest / SECOND.unsigned_abs();
    let whole = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match rest % SECOND.unsigned_abs() {
        0 => whole,
        decimals => format!("{whole}.{decimals:06}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(months: i32, days: i32, microseconds: i64) -> Interval {
        Interval { months, days, microseconds }
    }

    #[test]
    fn spans_are_read_in_words_and_as_durations() {
        let cases = [
            ("90 days", of(0, 90, 0)),
            ("  1 Year 6 mons  ", of(18, 0, 0)),
            ("2 weeks 1 day", of(0, 15, 0)),
            ("12:00:00", of(0, 0, 12 * HOUR)),
            ("1 day 01:02:03.5", of(0, 1, HOUR + 2 * MINUTE + 3 * SECOND + SECOND / 2)),
            ("36 hours 5 min 1 sec", of(0, 0, 36 * HOUR + 5 * MINUTE + SECOND)),
            ("00:00:00.000001", of(0, 0, 1)),
            ("P90D", of(0, 90, 0)),
            ("P1Y6M2W1D", of(18, 15, 0)),
            ("PT12H30M5S", of(0, 0, 12 * HOUR + 30 * MINUTE + 5 * SECOND)),
            ("P1MT1M", of(1, 0, MINUTE)),
            ("PT0.5S", of(0, 0, SECOND / 2)),
            ("1000 years", of(12_000, 0, 0)),
        ];
        for (text, wanted) in cases {
            assert_eq!(Interval::parse(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        let texts = [
            "",
            "90",
            "days",
            "-90 days",
            "90 dayss",
            "1.5 days",
            "0 days",
            "00:00:00",
            "1:60:00",
            "1:00:60",
            "1:2:3:4",
            "00:00:00.0000001",
            "P",
            "PT",
            "P1DT",
            "P1H",
            "P1",
            "P-1D",
            "1001 years",
            "365251 days",
            "infinity",
            "99999999999999999999 days",
            "9223372036854775807 hours",
            "90 tage",
        ];
        for text in texts {
            assert_eq!(Interval::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(months in 0..12_000, days in 0..365_250, microseconds in 0..MOST_MICROSECONDS) {
            let interval = of(months, days, microseconds);
            prop_assume!(interval != Interval::default());
            prop_assert_eq!(Interval::parse(&interval.to_string()), Some(interval));
        }
    }

    #[test]
    fn it_is_written_as_postgresql_does() {
        let cases = [
            (of(0, 90, 0), "90 days"),
            (of(13, 1, 0), "1 year 1 mon 1 day"),
            (of(0, 0, HOUR), "01:00:00"),
            (of(0, 1, 1), "1 day 00:00:00.000001"),
            (of(0, -90, 0), "-90 days"),
        ];
        for (interval, wanted) in cases {
            assert_eq!(interval.to_string(), wanted);
        }
    }
}
