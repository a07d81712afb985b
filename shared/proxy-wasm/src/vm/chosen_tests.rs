use super::*;
use consumer::{Admitted, Owned};
use exchange::{Started, Step};
use runtime::Filter;
use settings::{Common, Fields};
use std::rc::Rc;

/// A filter that only has a name.
struct Named<const ID: u8>;

impl<const ID: u8> Filter for Named<ID> {
    const NAME: &'static str = if ID == 1 { "cors" } else { "key_auth" };
    const ID: u8 = ID;
    type Config = Common;

    fn settings(fields: &mut Fields<'_>) -> Common {
        Common::identified(fields).alone(fields)
    }

    fn common(config: &Common) -> &Common {
        config
    }

    fn owned(_config: &Common) -> Owned {
        Owned::default()
    }

    fn leaves(_config: &Common) -> Vec<&'static str> {
        Vec::new()
    }

    fn start(_config: &Rc<Common>, _request: Admitted) -> Started {
        Step::forward(Vec::new()).into()
    }
}

const BOTH: &[Definition] = &[Definition::of::<Named<1>>(), Definition::of::<Named<2>>()];

fn on_envoy(root_id: &str) -> Result<&'static str, String> {
    let root_id = root_id.as_bytes().to_vec();
    chosen(BOTH, Host::Envoy, || Ok(root_id)).map(|definition| definition.name())
}

#[test]
fn a_root_id_is_a_filters_name_with_what_an_operator_adds() {
    for root_id in ["key_auth", "gatehouse_key_auth", "key_auth/portal", "gatehouse_key_auth/a/b"] {
        assert_eq!(on_envoy(root_id).as_deref(), Ok("key_auth"), "{root_id}");
    }
    assert_eq!(on_envoy("cors/").as_deref(), Ok("cors"));
}

#[test]
fn a_root_id_that_names_no_filter_chooses_none_and_is_told_which_there_are() {
    for root_id in
        ["", "/", "gatehouse", "gatehouse_", "key_aut", "key_auth_portal", "Key_auth", " cors"]
    {
        let message = on_envoy(root_id).expect_err(root_id);
        assert!(message.contains(&format!("found {root_id:?}")), "{message}");
        assert!(message.ends_with(": cors, key_auth"), "{message}");
    }
    let absent = chosen(BOTH, Host::Envoy, || Err(Status::NotFound)).map(|chosen| chosen.name());
    assert!(absent.is_err_and(|message| message.contains("found \"\"")));
}

#[test]
fn a_message_repeats_no_endless_root_id() {
    let message = on_envoy(&"x".repeat(100_000)).expect_err("no such filter");
    assert!(message.len() < 1000, "{}", message.len());
}

#[test]
fn no_property_is_read_where_that_could_end_the_worker() {
    for host in [Host::Unknown, Host::Kong(None), Host::Kong(Some((3, 9)))] {
        let chosen = chosen(BOTH, host, || panic!("Kong's root contexts must not read properties"));
        let message = chosen.map(|chosen| chosen.name()).expect_err("nothing to choose by");
        assert!(message.contains("gatehouse_key_auth.wasm"), "{message}");
    }
}

#[test]
fn the_only_filter_of_a_module_serves_whatever_the_root_id_is() {
    for host in [Host::Unknown, Host::Envoy, Host::Kong(None)] {
        let only = chosen(&BOTH[..1], host, || panic!("there is nothing to choose"));
        assert_eq!(only.map(|chosen| chosen.name()).as_deref(), Ok("cors"));
    }
}

#[test]
fn a_filter_fills_its_own_waiting_room_and_no_other() {
    let [cors, key_auth] = BOTH else { panic!("two filters") };
    let rooms = |definition: &Definition| {
        super::super::rooms(definition.id()).seat(cache::Room::Stranger, 8 << 20)
    };
    let all_of_cors = rooms(cors);
    assert!(all_of_cors.is_some() && rooms(cors).is_none(), "it is full");
    assert!(rooms(key_auth).is_some());
}

#[test]
fn a_configuration_that_goes_before_its_filter_is_chosen_leaves_nothing() {
    use super::super::{configure, create_stream, gone, hold, vm};
    hold(BOTH);
    assert!(configure(7, b"{}".to_vec()), "the host is not known yet");
    create_stream(8, 7);
    let kept = || vm(|vm| (vm.unchosen.len(), vm.early.len(), vm.streams.len()));
    assert_eq!(kept(), Some((1, 1, 0)));
    [8, 7].into_iter().for_each(gone);
    assert_eq!(kept(), Some((0, 0, 0)));
}
