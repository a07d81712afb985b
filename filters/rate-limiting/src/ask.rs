//! Counting at gatehouse-admin before each request: the call, and the meaning of its response.

use crate::bucket::Name;
use crate::usage::{Algorithm, Limit, Record, Usage};
use crate::verdict::Verdict;
use admin_api::{Increment, Increments, Previous, Totals};
use exchange::{Answer, Call};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// Returns the name under which all nodes count an identifier. It is a digest, because names have a
/// bounded length and addresses are private. With a token, nobody else can predict it.
pub(crate) fn shared_name(token: Option<&str>, namespace: &[u8], identifier: &[u8]) -> Name {
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    for part in [token.unwrap_or_default().as_bytes(), namespace, identifier] {
        hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.write(part);
    }
    hasher.finish128().as_bytes()
}

/// Returns the increment of one limit by `by` requests, at the time of the usage.
pub(crate) fn increment(name: &Name, usage: &Usage, by: u64, limit: Option<u64>) -> Increment {
    let (period, span) = (usage.limit.period, usage.span());
    let previous = (usage.limit.algorithm == Algorithm::SlidingWindow).then(|| {
        let before = period.before(span);
        Previous { window_start: before.start, window: before.length(), share: usage.share() }
    });
    let name = u128::from_be_bytes(*name);
    Increment {
        key: format!("{name:032x}:{}", period.name()),
        window_start: span.start,
        window: span.length(),
        by,
        limit,
        previous,
    }
}

/// Returns an increment that counts nothing: its answer says that gatehouse-admin is there.
pub(crate) fn probe() -> Increment {
    Increment { key: "probe".to_owned(), window: 1, ..Increment::default() }
}

/// Makes the call that counts one more request if it is within all limits.
pub(crate) fn question(name: &Name, limits: &[Limit], now: u64) -> Call {
    let increments = limits
        .iter()
        .map(|limit| increment(name, &Usage::new(*limit, None, now), 1, Some(limit.most)))
        .collect();
    send(&Increments { increments, all_or_nothing: true, id: None })
}

/// Makes the call that sends a batch.
pub(crate) fn send(batch: &Increments) -> Call {
    // The batch consists of texts and numbers, so JSON can always express it.
    let body = serde_json::to_vec(batch).unwrap_or_default();
    Call::get(admin_api::counters()).sending("POST", body)
}

/// Returns the totals in a complete response to `count` increments.
pub(crate) fn totals(answer: &Answer, count: usize) -> Option<Totals> {
    let totals: Totals = serde_json::from_slice(&answer.body).ok()?;
    (answer.status == 200 && totals.totals.len() == count).then_some(totals)
}

/// Reads the response to [`question`]. Returns `None` if it is malformed.
pub(crate) fn verdict(answer: &Answer, limits: &[Limit], now: u64) -> Option<Verdict> {
    let totals = totals(answer, limits.len())?.totals;
    let admitted = totals.iter().map(|total| total.admitted).collect::<Option<Vec<bool>>>()?;
    let admitted = admitted.iter().all(|admitted| *admitted);
    let mut usages: Vec<(Usage, u64)> = limits
        .iter()
        .zip(&totals)
        .map(|(limit, total)| {
            // This is the count before the request.
            let count = total.total.saturating_sub(u64::from(admitted));
            let start = Usage::new(*limit, None, now).span().start;
            let previous = total.previous.unwrap_or(0);
            (Usage::new(*limit, Some(Record { start, count, previous }), now), 0)
        })
        .collect();
    let verdict = Verdict::of(&mut usages, 1);
    // The service has counted. If the arithmetic here differs, the service's decision stands.
    Some(Verdict { admitted, ..verdict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Period;
    use serde_json::{Value, json};

    const NOW: u64 = 1_795_305_600_000 + 90_500;

    fn limits(algorithm: Algorithm) -> [Limit; 2] {
        [(Period::Second, 2), (Period::Minute, 10)].map(|(period, most)| Limit {
            period,
            most,
            algorithm,
            burst: most,
        })
    }

    fn answer(status: u16, totals: Value) -> Answer {
        Answer::new(status, json!({ "totals": totals }).to_string())
    }

    fn remaining(verdict: &Verdict) -> Vec<u64> {
        verdict.statuses.iter().map(|status| status.remaining).collect()
    }

    #[test]
    fn one_question_is_for_all_limits() {
        let call = question(&[0xab; 16], &limits(Algorithm::FixedWindow), NOW);
        assert_eq!((call.method, call.segments), ("POST", vec![b"counters".to_vec()]));
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected = json!({
            "increments": [
                { "key": format!("{}:second", "ab".repeat(16)), "window_start": 1_795_305_690_u64, "window": 1, "by": 1, "limit": 2 },
                { "key": format!("{}:minute", "ab".repeat(16)), "window_start": 1_795_305_660_u64, "window": 60, "by": 1, "limit": 10 },
            ],
            "all_or_nothing": true,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_window_that_slides_asks_for_its_share_of_the_one_before() {
        let call = question(&[0xab; 16], &limits(Algorithm::SlidingWindow), NOW);
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected = json!({ "window_start": 1_795_305_600_u64, "window": 60, "share": 491_666 });
        assert_eq!(body["increments"][1]["previous"], expected);
    }

    #[test]
    fn what_the_service_says_holds() {
        let fixed = limits(Algorithm::FixedWindow);
        let yes = json!([{ "total": 1, "admitted": true }, { "total": 4, "admitted": true }]);
        let verdict = super::verdict(&answer(200, yes), &fixed, NOW).unwrap();
        assert_eq!((verdict.admitted, remaining(&verdict)), (true, vec![1, 6]));
        let no = json!([{ "total": 2, "admitted": false }, { "total": 4, "admitted": true }]);
        let verdict = super::verdict(&answer(200, no), &fixed, NOW).unwrap();
        assert_eq!((verdict.admitted, remaining(&verdict)), (false, vec![0, 6]));
        let sliding = limits(Algorithm::SlidingWindow);
        let yes = json!([{ "total": 1, "admitted": true, "previous": 0 },
            { "total": 4, "admitted": true, "previous": 5 }]);
        let verdict = super::verdict(&answer(200, yes), &sliding, NOW).unwrap();
        assert_eq!((verdict.admitted, remaining(&verdict)), (true, vec![1, 4]));
    }

    #[test]
    fn a_malformed_response_decides_nothing() {
        let fixed = limits(Algorithm::FixedWindow);
        let good = json!([{ "total": 1, "admitted": true }, { "total": 4, "admitted": true }]);
        for answer in [
            answer(503, good.clone()),
            answer(200, json!([good[0]])),
            answer(200, json!([{ "total": 1 }, { "total": 4 }])),
            answer(200, json!("x")),
            Answer::new(200, "{"),
        ] {
            assert_eq!(super::verdict(&answer, &fixed, NOW), None, "{answer:?}");
        }
    }

    #[test]
    fn shared_names_are_what_gatehouse_admin_looks_for() {
        // The tests of gatehouse-admin (`counter_names.rs`) have the same two names.
        let names = [Some("t"), None].map(|token| {
            let ana = b"c89a41fef-3b40-4bb0-b5af-33da57a7ffcf";
            format!("{:032x}", u128::from_be_bytes(shared_name(token, b"orders", ana)))
        });
        assert_eq!(names, ["69cd93a39d6b56706d09beaec55b866e", "de4a806ab102e2e74af6503517a29252"]);
    }

    #[test]
    fn names_differ_by_token_namespace_and_identifier() {
        let names = [
            shared_name(None, b"n", b"i"),
            shared_name(Some("t"), b"n", b"i"),
            shared_name(None, b"ni", b""),
            shared_name(None, b"", b"ni"),
        ];
        assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    }
}
