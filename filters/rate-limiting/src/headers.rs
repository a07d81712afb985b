//! The headers that tell a client its limits, as in Kong.

use crate::period::Period;
use crate::verdict::{LimitStatus, Verdict};

/// Returns the headers of a response. `Retry-After` is among them if the request is refused.
pub(crate) fn headers(verdict: &Verdict, refused: bool) -> Vec<(&'static str, Vec<u8>)> {
    let text = |number: u64| number.to_string().into_bytes();
    let mut headers =
        Vec::with_capacity(verdict.statuses.len().saturating_mul(2).saturating_add(4));
    for LimitStatus { period, limit, remaining, .. } in &verdict.statuses {
        let (limit_name, remaining_name) = names(*period);
        headers.push((limit_name, text(*limit)));
        headers.push((remaining_name, text(*remaining)));
    }
    if let Some(LimitStatus { limit, remaining, reset, .. }) = verdict.tightest() {
        headers.push(("RateLimit-Limit", text(*limit)));
        headers.push(("RateLimit-Remaining", text(*remaining)));
        headers.push(("RateLimit-Reset", text(*reset)));
        if refused {
            headers.push(("Retry-After", text(*reset)));
        }
    }
    headers
}

const fn names(period: Period) -> (&'static str, &'static str) {
    match period {
        Period::Second => ("X-RateLimit-Limit-Second", "X-RateLimit-Remaining-Second"),
        Period::Minute => ("X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute"),
        Period::Hour => ("X-RateLimit-Limit-Hour", "X-RateLimit-Remaining-Hour"),
        Period::Day => ("X-RateLimit-Limit-Day", "X-RateLimit-Remaining-Day"),
        Period::Month => ("X-RateLimit-Limit-Month", "X-RateLimit-Remaining-Month"),
        Period::Year => ("X-RateLimit-Limit-Year", "X-RateLimit-Remaining-Year"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_its_headers_and_the_tightest_has_three_more() {
        let status =
            |period, limit, remaining, reset| LimitStatus { period, limit, remaining, reset };
        let statuses = vec![status(Period::Minute, 5, 4, 60), status(Period::Hour, 20, 2, 3600)];
        let verdict = Verdict { admitted: true, statuses };
        let shown = |refused| -> Vec<String> {
            let headers = headers(&verdict, refused).into_iter();
            headers.map(|(n, v)| format!("{n}: {}", String::from_utf8(v).unwrap())).collect()
        };
        let expected = [
            "X-RateLimit-Limit-Minute: 5",
            "X-RateLimit-Remaining-Minute: 4",
            "X-RateLimit-Limit-Hour: 20",
            "X-RateLimit-Remaining-Hour: 2",
            "RateLimit-Limit: 20",
            "RateLimit-Remaining: 2",
            "RateLimit-Reset: 3600",
        ];
        assert_eq!(shown(false), expected);
        assert_eq!(shown(true)[7], "Retry-After: 3600");
    }
}
