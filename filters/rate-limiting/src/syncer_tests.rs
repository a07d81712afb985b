#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::config::tests::config;
use crate::usage::Limit;
use exchange::{Answer, CallError};
use serde_json::{Value, json};

const NOW: u64 = 1_795_305_600_000;

fn start() -> (Rc<Config>, Syncer) {
    let config = Rc::new(config(
        r#"{"minute":5,"policy":"cluster","sync_rate":1,"admin":{"upstream":"admin"}}"#,
    ));
    let random: Random = |out| {
        out.fill(0xab);
        true
    };
    let syncer = Syncer::new(&config, random, |_| {}).unwrap();
    (config, syncer)
}

fn take(config: &Config) {
    let limits: &[Limit] = &config.limits;
    config.limiter.ledger(|ledger| ledger.count(&[1; 16], &[2; 16], limits, NOW, 10)).unwrap();
}

fn body(call: &BackgroundCall) -> Value {
    serde_json::from_slice(&call.call.body).unwrap()
}

#[test]
fn a_batch_has_its_own_name_and_keeps_it_when_sent_again() {
    let (config, mut syncer) = start();
    assert!(syncer.due(NOW).is_empty());
    take(&config);
    let first = syncer.due(NOW + 1000);
    let prefix = "ab".repeat(16);
    let key = format!("{}:minute", "01".repeat(16));
    let expected = json!({
        "increments": [{ "key": key, "window_start": NOW / 1000, "window": 60, "by": 1 }],
        "id": format!("{prefix}-1"),
    });
    assert_eq!(body(&first[0]), expected);
    syncer.answered(first[0].id, Err(CallError::NoAnswer), NOW + 1000);
    let again = syncer.due(NOW + 2000);
    assert_eq!(again, first);
    syncer.answered(again[0].id, Ok(Answer::new(200, r#"{"totals":[{"total":1}]}"#)), NOW + 2000);
    take(&config);
    let next = syncer.due(NOW + 3000);
    assert_eq!(body(&next[0])["id"], json!(format!("{prefix}-2")));
    let counted = [("sync_failed", 1), ("synced", 1)];
    assert_eq!(syncer.tally(), counted.map(|(what, by)| Tally::Count(what.into(), by)));
}

#[test]
fn after_a_malformed_response_the_batch_is_sent_again() {
    for answer in [
        Ok(Answer::new(503, r#"{"totals":[{"total":1}]}"#)),
        Ok(Answer::new(200, r#"{"totals":[]}"#)),
        Ok(Answer::new(200, "{")),
        Err(CallError::Truncated),
    ] {
        let (config, mut syncer) = start();
        take(&config);
        let first = syncer.due(NOW);
        syncer.answered(first[0].id, answer, NOW);
        assert_eq!(syncer.due(NOW + 1000), first);
    }
}

#[test]
fn a_probe_tells_that_the_service_is_back_when_all_batches_were_given_up() {
    let (config, mut syncer) = start();
    take(&config);
    let away = |config: &Config| config.limiter.ledger(|ledger| ledger.is_away()).unwrap();
    for second in 0..120 {
        let now = NOW + second * 1000;
        let calls = syncer.due(now);
        assert_eq!(calls.len(), 1);
        syncer.answered(calls[0].id, Err(CallError::NoAnswer), now);
        assert!(away(&config));
    }
    let calls = syncer.due(NOW + 120_000);
    let probe = json!([{ "key": "probe", "window_start": 0, "window": 1, "by": 0 }]);
    assert_eq!(body(&calls[0])["increments"], probe);
    let answer = Answer::new(200, r#"{"totals":[{"total":0}]}"#);
    syncer.answered(calls[0].id, Ok(answer), NOW + 120_000);
    assert!(!away(&config));
}

#[test]
fn the_last_counts_are_sent_when_the_configuration_goes() {
    let (config, mut syncer) = start();
    syncer.due(NOW);
    take(&config);
    assert_eq!(syncer.leave(NOW + 1).len(), 1);
}

#[test]
fn without_a_comparison_there_is_no_worker() {
    for json in
        [r#"{"minute":5}"#, r#"{"minute":5,"policy":"cluster","admin":{"upstream":"admin"}}"#]
    {
        assert!(Syncer::new(&Rc::new(config(json)), |_| true, |_| {}).is_none());
    }
}
