//! `GET /counters`: the counters of rate_limiting for one caller. It is for operators.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{Router, get};
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, json};
use super::counters::counter_name;
use super::query::Query;
use super::{App, consumers};
use crate::counting::{Batch, Entry};
use crate::store::now;

/// The maximum length of a namespace and of a value to count by, in characters.
const TEXT_MAX: usize = 1024;

/// The parameters that say what a request is counted by, with the byte that begins the identifiers
/// of their kind in rate_limiting.
const KINDS: [(&str, u8); 6] = [
    ("consumer", b'c'),
    ("credential", b'k'),
    ("service", b's'),
    ("header", b'h'),
    ("path", b'p'),
    ("ip", b'i'),
];

/// A period of the calendar in UTC: the beginning, and the beginning of the next one, in seconds
/// since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u64,
    end: u64,
}

pub(super) fn routes() -> Router<App> {
    Router::new().route("/counters", get(list))
}

async fn list(State(app): State<App>, mut query: Query) -> Answer {
    let namespace = query.text("namespace");
    let mut identifiers = KINDS.map(|(name, tag)| Some((name, tag, query.text(name)?)));
    let given = identifiers.iter().flatten().count();
    for (name, _, value) in identifiers.iter().flatten() {
        if value.is_empty() || value.chars().count() > TEXT_MAX {
            query.problem(name, format!("expected 1 to {TEXT_MAX} characters"));
        }
    }
    if namespace.as_ref().is_none_or(|text| text.is_empty() || text.chars().count() > TEXT_MAX) {
        query.problem("namespace", "required: the `namespace` in the settings of rate_limiting");
    }
    if given != 1 {
        let names = KINDS.map(|(name, _)| name).join(", ");
        query.problem("@entity", format!("expected exactly one of: {names}"));
    }
    query.finish()?;
    let Some((kind, tag, value)) = identifiers.iter_mut().find_map(Option::take) else {
        return Err(Refusal::Broken);
    };
    // A consumer may be named, and is counted by its id.
    let value = match kind {
        "consumer" => consumers::find(&mut app.store.read().await?, &value).await?.id,
        _ => value,
    };
    let identifier = [&[tag], value.as_bytes()].concat();
    let now = now();
    let windows = windows(now.unsigned_abs() / 1000);
    let names = app.auth.counter_names().of(namespace.unwrap_or_default().as_bytes(), &identifier);
    let wanted: Vec<(&str, Span, bool)> =
        names.iter().flat_map(|_| windows.iter().copied()).collect();
    let entries = names
        .iter()
        .flat_map(|name| windows.iter().map(move |window| (name, window)))
        .map(|(name, (period, span, _))| {
            let length = span.end.saturating_sub(span.start);
            let counter = counter_name(&format!("{name:032x}:{period}"), span.start, length);
            Entry { counter, by: 0, limit: None, previous: None, expires_at: 0 }
        })
        .collect();
    let batch = Batch { entries, all_or_nothing: false, id: None };
    let totals = app.counters.count(&app.store, &batch, now).await.map_err(Refusal::Counters)?;
    let data: Vec<Value> = wanted
        .iter()
        .zip(totals)
        .filter(|(_, total)| total.total > 0)
        .map(|((period, span, current), total)| {
            json!({
                "period": period,
                "window_start": span.start,
                "window_end": span.end,
                "current": current,
                "total": total.total,
            })
        })
        .collect();
    Ok(json(StatusCode::OK, &json!({ "data": data, "next": null })))
}

// === The calendar ===

/// Returns the windows that contain the second `now` and those before them: the name of the period,
/// the window, and `true` for the one that contains `now`.
fn windows(now: u64) -> Vec<(&'static str, Span, bool)> {
    let even = |length: u64| {
        let start = now.saturating_sub(now.checked_rem(length).unwrap_or(0));
        let current = Span { start, end: start.saturating_add(length) };
        [current, Span { start: start.saturating_sub(length), end: start }]
    };
    let (year, month) = year_and_month(now / DAY);
    let months = |back: u64| {
        let count = year.saturating_mul(12).saturating_add(month).saturating_sub(back);
        Span { start: first_of_month(count), end: first_of_month(count.saturating_add(1)) }
    };
    let years = |back: u64| {
        let count = year.saturating_sub(back).saturating_mul(12);
        Span { start: first_of_month(count), end: first_of_month(count.saturating_add(12)) }
    };
    let periods = [
        ("second", even(1)),
        ("minute", even(60)),
        ("hour", even(3600)),
        ("day", even(DAY)),
        ("month", [months(0), months(1)]),
        ("year", [years(0), years(1)]),
    ];
    let both = periods
        .into_iter()
        .flat_map(|(name, [current, before])| [(name, current, true), (name, before, false)]);
    both.collect()
}

/// The number of seconds of a day.
const DAY: u64 = 86_400;

/// Returns the year and the month (0 to 11) of a day, which is counted from 1970-01-01.
fn year_and_month(day: u64) -> (u64, u64) {
    let (mut year, mut left) = (1970_u64, day);
    while left >= days_of(year) {
        left = left.saturating_sub(days_of(year));
        year = year.saturating_add(1);
    }
    let mut month = 0;
    while left >= days_of_month(year, month) {
        left = left.saturating_sub(days_of_month(year, month));
        month += 1;
    }
    (year, month)
}

/// Returns the first second of a month, which is given as `12 * year + month` with months from 0.
fn first_of_month(count: u64) -> u64 {
    let (year, month) = (count / 12, count % 12);
    let years: u64 = (1970..year).map(days_of).sum();
    let months: u64 = (0..month).map(|month| days_of_month(year, month)).sum();
    years.saturating_add(months).saturating_mul(DAY)
}

fn days_of(year: u64) -> u64 {
    (0..12).map(|month| days_of_month(year, month)).sum()
}

/// Returns the number of days of a month from 0 to 11, in the Gregorian calendar.
const fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        1 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_calendar() {
        // 2028-03-01T00:00:30Z, the day after a leap day.
        let now = 1_835_481_630;
        let of = |period: &str| {
            let found = windows(now).into_iter().filter(|(name, ..)| *name == period);
            found.map(|(_, span, _)| (span.start, span.end)).collect::<Vec<_>>()
        };
        let midnight = now - 30;
        assert_eq!(of("second"), [(now, now + 1), (now - 1, now)]);
        assert_eq!(of("minute"), [(midnight, midnight + 60), (midnight - 60, midnight)]);
        assert_eq!(of("hour"), [(midnight, midnight + 3600), (midnight - 3600, midnight)]);
        assert_eq!(of("day"), [(midnight, midnight + DAY), (midnight - DAY, midnight)]);
        assert_eq!(of("month"), [(midnight, midnight + 31 * DAY), (midnight - 29 * DAY, midnight)]);
        let new_year = midnight - 60 * DAY;
        assert_eq!(
            of("year"),
            [(new_year, new_year + 366 * DAY), (new_year - 365 * DAY, new_year)]
        );
    }
}
