//! Changes at gatehouse-admin: the time until each worker knows them, and the effect of missed
//! ones.

use crate::admin::{Admin, digest};
use crate::gateways::{ADMIN, Gateway, asking, identified, refusal, settled};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{INVALID_APP_ID, NO_APP_ID, Proxy, Request, Stream, kept_for_a_day, refused_with};

/// `poll_interval`, the tick, and one second for the response.
const SOON: Duration = Duration::from_secs(5);

/// Settings under which nothing expires during a test, so that only `/changes` has an effect.
fn remembering() -> Value {
    asking(json!({"cache": kept_for_a_day()}))
}

/// A gateway with two workers, and the consumer `ana`.
struct Fixture {
    gateway: Gateway,
    admin: Admin,
    workers: [Proxy; 2],
    ana: String,
}

impl Fixture {
    fn new(gateway: Gateway) -> Self {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        let first = gateway.serving(&admin, &[("app_id", remembering())]);
        let workers = [first.worker(), first];
        settled(&[&workers[0], &workers[1]]);
        Self { gateway, admin, workers, ana }
    }

    fn all() -> impl Iterator<Item = Self> {
        Gateway::all().into_iter().map(Self::new)
    }

    fn later(&self) {
        self.workers[0].advance(SOON);
    }

    fn send(&self, worker: usize, consumer: &str, app_id: &str) -> Stream {
        self.workers[worker].send(identified(&self.gateway, consumer).header("X-APP-ID", app_id))
    }

    #[track_caller]
    fn passes(&self, app_id: &str) {
        for worker in 0..2 {
            self.send(worker, &self.ana, app_id).forwarded();
        }
    }

    #[track_caller]
    fn refuses(&self, app_id: &str, message: &str) {
        for worker in 0..2 {
            let stream = self.send(worker, &self.ana, app_id);
            assert_eq!(refusal(&stream), refused_with(403, message), "{}", self.gateway.name);
        }
    }
}

#[test]
fn a_new_app_id_is_accepted_where_there_was_none_and_where_there_were_others() {
    for fixture in Fixture::all() {
        fixture.refuses("portal", NO_APP_ID);
        fixture.admin.app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.passes("portal");
        fixture.refuses("mobile", INVALID_APP_ID);
        fixture.admin.app_id(&fixture.ana, "mobile");
        fixture.later();
        fixture.passes("mobile");
        fixture.passes("portal");
    }
}

#[test]
fn a_changed_app_id_goes_by_its_new_name_only() {
    for fixture in Fixture::all() {
        fixture.admin.app_id(&fixture.ana, "old");
        fixture.later();
        fixture.passes("old");
        fixture.refuses("new", INVALID_APP_ID);
        fixture.admin.update_app_id(&fixture.ana, "old", "new");
        fixture.later();
        fixture.passes("new");
        fixture.refuses("old", INVALID_APP_ID);
    }
}

#[test]
fn a_deleted_app_id_is_refused() {
    for fixture in Fixture::all() {
        fixture.admin.app_id(&fixture.ana, "one");
        fixture.admin.app_id(&fixture.ana, "two");
        fixture.later();
        fixture.passes("one");
        fixture.admin.remove_app_id(&fixture.ana, "one");
        fixture.later();
        fixture.refuses("one", INVALID_APP_ID);
        fixture.passes("two");
        fixture.admin.remove_app_id(&fixture.ana, "two");
        fixture.later();
        fixture.refuses("two", NO_APP_ID);
    }
}

#[test]
fn a_deleted_consumer_has_no_app_ids_and_a_new_one_may_have_some() {
    for fixture in Fixture::all() {
        fixture.admin.app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.passes("portal");
        fixture.admin.delete_consumer(&fixture.ana);
        fixture.later();
        fixture.refuses("portal", NO_APP_ID);
        // The consumer gets its earlier id again: its absence was not remembered either.
        assert_eq!(fixture.admin.consumer("ana"), fixture.ana);
        fixture.admin.app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.passes("portal");
    }
}

#[test]
fn a_change_of_one_consumer_leaves_the_others_cached() {
    for fixture in Fixture::all() {
        let bob = fixture.admin.consumer("bob");
        fixture.admin.app_id(&bob, "bobs");
        fixture.admin.app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.passes("portal");
        for worker in 0..2 {
            fixture.send(worker, &bob, "bobs").forwarded();
        }
        fixture.admin.remove_app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.admin.lookups();
        for worker in 0..2 {
            fixture.send(worker, &bob, "bobs").forwarded();
        }
        assert!(fixture.admin.lookups().is_empty(), "{}", fixture.gateway.name);
    }
}

#[test]
fn keys_consumers_and_groups_change_the_identity_at_once() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let ana = admin.holder("ana", "key-of-ana");
        let guest = admin.consumer("guest");
        let settings = wasm_tests::merged(remembering(), json!({"anonymous": "guest"}));
        let filters =
            [gateway.filter("key_auth", settings), crate::identity_probe::identity_probe(&gateway)];
        let proxy = Proxy::new(gateway.profile.clone(), filters);
        admin.serve(&proxy);
        let who = |key: &str| {
            let forwarded = proxy.send(Request::get("/").header("apikey", key)).forwarded();
            forwarded.header("x-consumer-username").unwrap_or_default()
        };
        settled(&[&proxy]);
        assert_eq!((who("key-of-ana"), who("new-key")), ("ana".to_owned(), "guest".to_owned()));

        admin.key(&ana, "new-key");
        proxy.advance(SOON);
        assert_eq!(who("new-key"), "ana", "{}: a key that was unknown", gateway.name);

        admin.rename(&ana, "anna");
        admin.rename(&guest, "visitor");
        admin.rename(&guest, "guest");
        proxy.advance(SOON);
        assert_eq!(who("key-of-ana"), "anna", "{}", gateway.name);

        admin.group(&ana, "gold");
        admin.group(&guest, "free");
        proxy.advance(SOON);
        who("key-of-ana");
        assert_eq!(
            crate::identity_probe::probed_identity(&proxy)["groups"],
            json!(["gold"]),
            "{}",
            gateway.name
        );
        who("unknown");
        assert_eq!(
            crate::identity_probe::probed_identity(&proxy)["groups"],
            json!(["free"]),
            "{}",
            gateway.name
        );

        admin.remove_key("key-of-ana");
        settled(&[&proxy]);
        assert_eq!((who("key-of-ana"), who("new-key")), ("guest".to_owned(), "anna".to_owned()));

        admin.delete_consumer(&ana);
        proxy.advance(SOON);
        assert_eq!(who("new-key"), "guest", "{}", gateway.name);
    }
}

#[test]
fn another_database_or_a_history_that_was_cut_drops_everything() {
    for how in [Admin::restore, Admin::forget_history] {
        for fixture in Fixture::all() {
            let bob = fixture.admin.consumer("bob");
            fixture.admin.app_id(&bob, "bobs");
            fixture.admin.app_id(&fixture.ana, "portal");
            fixture.later();
            fixture.passes("portal");
            fixture.send(0, &bob, "bobs").forwarded();
            fixture.admin.remove_app_id(&fixture.ana, "portal");
            how(&fixture.admin);
            fixture.later();
            fixture.refuses("portal", NO_APP_ID);
            fixture.admin.lookups();
            fixture.send(0, &bob, "bobs").forwarded();
            assert_eq!(
                fixture.admin.lookups().len(),
                1,
                "{}: nothing was kept",
                fixture.gateway.name
            );
        }
    }
}

#[test]
fn an_answer_that_a_change_has_overtaken_is_not_kept() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let settings = json!({
            "admin": {"upstream": ADMIN, "timeout": 60_000},
            "cache": kept_for_a_day(),
        });
        let proxy = gateway.serving(&admin, &[("app_id", settings)]);
        settled(&[&proxy]);
        admin.hold();
        let send = || proxy.send(identified(&gateway, &ana).header("X-APP-ID", "portal"));
        let waiting = send();
        let call = proxy.call();
        let old = admin.answer(&call);
        admin.remove_app_id(&ana, "portal");
        proxy.advance(SOON);
        admin.release();
        call.answer(old);
        // The lookup began before the change, and so its answer serves this request.
        waiting.forwarded();
        assert_eq!(refusal(&send()), refused_with(403, NO_APP_ID), "{}", gateway.name);
    }
}

#[test]
fn more_changes_than_the_ring_holds_drop_everything_for_whoever_has_not_read_them() {
    for fixture in Fixture::all() {
        fixture.admin.app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.passes("portal");
        for n in 0..400 {
            fixture.admin.app_id(&fixture.ana, &format!("filler-{n}"));
        }
        fixture.admin.remove_app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.refuses("portal", INVALID_APP_ID);
    }
}

#[test]
fn one_worker_asks_for_changes_and_another_takes_over_when_it_dies() {
    for gateway in Gateway::sharing() {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let first = gateway.serving(&admin, &[("app_id", remembering())]);
        let second = first.worker();
        let third = first.worker();
        let pass = |worker: &Proxy| {
            worker.send(identified(&gateway, &ana).header("X-APP-ID", "portal")).forwarded();
        };
        let mut polls = 0;
        for _ in 0..60 {
            for worker in [&first, &second, &third] {
                pass(worker);
            }
            first.advance(Duration::from_secs(1));
            polls += admin.polls();
        }
        assert!((20..=26).contains(&polls), "{}: {polls}", gateway.name);

        drop(first);
        for _ in 0..15 {
            pass(&second);
            pass(&third);
            second.advance(Duration::from_secs(1));
        }
        assert!(admin.polls() >= 2, "{}", gateway.name);
        admin.remove_app_id(&ana, "portal");
        second.advance(SOON);
        for worker in [&second, &third] {
            let stream = worker.send(identified(&gateway, &ana).header("X-APP-ID", "portal"));
            assert_eq!(refusal(&stream), refused_with(403, NO_APP_ID), "{}", gateway.name);
        }
    }
}

#[test]
fn on_kong_without_shared_data_each_worker_asks_for_itself() {
    let gateway = Gateway::kong();
    let admin = Admin::default();
    let ana = admin.consumer("ana");
    admin.app_id(&ana, "portal");
    let first = gateway.serving(&admin, &[("app_id", remembering())]);
    let second = first.worker();
    for worker in [&first, &second] {
        worker.send(identified(&gateway, &ana).header("X-APP-ID", "portal")).forwarded();
    }
    assert_eq!(admin.lookups().len(), 2);
    first.advance(Duration::from_secs(30));
    let polls = admin.polls();
    assert!((20..=26).contains(&polls), "{polls}");
    assert_eq!(first.shared_entries(), 0);
}

#[test]
fn a_gateway_without_requests_stops_asking_and_then_trusts_nothing_that_it_may_have_missed() {
    for fixture in Fixture::all() {
        fixture.admin.app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.passes("portal");
        fixture.workers[0].advance(Duration::from_secs(70));
        fixture.admin.asked();
        fixture.workers[0].advance(Duration::from_secs(3600));
        assert_eq!(fixture.admin.asked(), [""; 0], "{}: nobody asks", fixture.gateway.name);

        fixture.admin.remove_app_id(&fixture.ana, "portal");
        fixture.workers[0].advance(Duration::from_secs(3600));
        fixture.refuses("portal", NO_APP_ID);
        // The gateway polls again.
        fixture.admin.app_id(&fixture.ana, "portal");
        fixture.later();
        fixture.passes("portal");
    }
}

#[test]
fn a_worker_that_starts_later_trusts_shared_entries_only_if_a_worker_polled_meanwhile() {
    for gateway in Gateway::sharing() {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let first = gateway.serving(&admin, &[("app_id", remembering())]);
        let send =
            |worker: &Proxy| worker.send(identified(&gateway, &ana).header("X-APP-ID", "portal"));
        settled(&[&first]);
        send(&first).forwarded();
        admin.lookups();

        let second = first.worker();
        send(&second).forwarded();
        assert!(admin.lookups().is_empty(), "{}: what is shared is shared", gateway.name);

        // Every worker is idle for an hour, in which a change happens.
        first.advance(Duration::from_secs(3600));
        admin.remove_app_id(&ana, "portal");
        let third = first.worker();
        assert_eq!(refusal(&send(&third)), refused_with(403, NO_APP_ID), "{}", gateway.name);
    }
}

#[test]
fn a_key_is_known_by_its_digest_in_the_list_of_changes() {
    let admin = Admin::default();
    admin.holder("ana", "key-of-ana");
    let gateway = Gateway::envoy();
    let proxy = gateway.serving(&admin, &[("key_auth", remembering())]);
    let send = || proxy.send(Request::get("/").header("apikey", "key-of-ana"));
    settled(&[&proxy]);
    send().forwarded();
    admin.remove_key("key-of-ana");
    proxy.advance(SOON);
    admin.lookups();
    assert_eq!(send().refused().status, 401);
    assert_eq!(admin.lookups(), [format!("/identities/key-auth/{}", digest("key-of-ana"))]);
}
