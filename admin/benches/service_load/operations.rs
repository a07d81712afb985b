//! The requests that are measured: at least one for each method of each route.

use crate::client::Body;
use crate::data::{
    self, Kind, app_id, cursor, custom_id, digest, group, id, jwt_key, key, revocation, session,
    username,
};

/// The choice of the consumer that a request is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pick {
    /// Any of the half of the consumers that nothing changes.
    Any,
    /// One after the other of those that only this operation is about, again and again.
    Again,
    /// One after the other of those that only this operation is about, each once.
    Once,
}

/// The parts of which an operation makes a request.
pub(crate) struct Choice {
    /// The number of the consumer.
    pub(crate) n: u64,
    /// A number that no other request has.
    pub(crate) unique: u64,
    /// The number of the newest change.
    pub(crate) seq: u64,
}

/// A kind of request.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    /// The question in words, where a route answers several; otherwise it is empty.
    pub(crate) note: &'static str,
    pub(crate) status: u16,
    pub(crate) pick: Pick,
    /// `true` if the answer may be a list without items.
    pub(crate) may_be_empty: bool,
    /// Returns the target and the body.
    pub(crate) request: fn(&Choice) -> (String, Body),
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Returns all operations.
pub(crate) fn all() -> Vec<Operation> {
    let mut all = consumers();
    all.extend(app_ids());
    all.extend(groups());
    all.extend(api_keys());
    all.extend(jwts());
    all.extend(for_gateways());
    all.extend(sessions());
    all.extend(others());
    all
}

fn read(
    route: &'static str,
    note: &'static str,
    request: fn(&Choice) -> (String, Body),
) -> Operation {
    let (status, pick) = (200, Pick::Any);
    Operation { method: "GET", route, note, status, pick, may_be_empty: false, request }
}

fn write(
    method: &'static str,
    route: &'static str,
    status: u16,
    pick: Pick,
    request: fn(&Choice) -> (String, Body),
) -> Operation {
    Operation { method, route, note: "", status, pick, may_be_empty: false, request }
}

/// Makes a read whose answer may be a list without items.
fn read_of_few(
    route: &'static str,
    note: &'static str,
    request: fn(&Choice) -> (String, Body),
) -> Operation {
    Operation { may_be_empty: true, ..read(route, note, request) }
}

fn get(target: impl Into<String>) -> (String, Body) {
    (target.into(), None)
}

fn form(target: String, body: String) -> (String, Body) {
    (target, Some((FORM, body)))
}

fn json(target: String, body: String) -> (String, Body) {
    (target, Some((JSON, body)))
}

fn consumers() -> Vec<Operation> {
    use Pick::{Again, Any, Once};
    const ALL: &str = "/consumers";
    const ONE: &str = "/consumers/{consumer}";
    fn by_id(n: u64) -> String {
        format!("/consumers/{}", id(Kind::Consumer, n))
    }
    vec![
        read(ALL, "first page", |_| get("/consumers")),
        read(ALL, "a page in the middle", |it| {
            get(format!("/consumers?offset={}", cursor(Kind::Consumer, it.n)))
        }),
        read(ALL, "a username", |it| get(format!("/consumers?username={}", username(it.n)))),
        read(ALL, "a custom id", |it| get(format!("/consumers?custom_id={}", custom_id(it.n)))),
        read(ALL, "a beginning of names", |it| {
            let name = username(it.n);
            get(format!("/consumers?username_prefix={}", &name[..name.len() - 2]))
        }),
        write("POST", ALL, 201, Any, |it| {
            let body = format!("username=new-{0}&custom_id=new-crm-{0}", it.unique);
            form("/consumers".into(), body)
        }),
        read(ONE, "its id", |it| get(by_id(it.n))),
        read(ONE, "its username", |it| get(format!("/consumers/{}", username(it.n)))),
        read(ONE, "its custom id", |it| get(format!("/consumers/{}", custom_id(it.n)))),
        write("PATCH", ONE, 200, Again, |it| {
            form(by_id(it.n), format!("custom_id=amended-{}", it.unique))
        }),
        write("PUT", ONE, 200, Again, |it| {
            form(by_id(it.n), format!("username={}&custom_id=put-{}", username(it.n), it.unique))
        }),
        write("DELETE", ONE, 204, Once, |it| get(by_id(it.n))),
    ]
}

/// Makes the operations on the things of one kind. `$shown` is the name of the item `n` in a path,
/// or its id, and `$new` a body with a new name.
macro_rules! owned {
    ($under:literal, $own:literal, $kind:expr, $owner:literal, $shown:expr, $new:expr $(,)?) => {{
        const UNDER: &str = concat!("/consumers/{consumer}/", $under);
        const UNDER_ITEM: &str = concat!("/consumers/{consumer}/", $under, "/{item}");
        const OWN: &str = concat!("/", $own);
        const OWN_ITEM: &str = concat!("/", $own, "/{item}");
        fn under(n: u64) -> String {
            format!(concat!("/consumers/{}/", $under), username(n))
        }
        fn under_item(n: u64) -> String {
            format!("{}/{}", under(n), id($kind, n))
        }
        fn own_item(n: u64) -> String {
            format!(concat!("/", $own, "/{}"), id($kind, n))
        }
        fn new(it: &Choice) -> String {
            let new: fn(u64) -> String = $new;
            new(it.unique)
        }
        fn shown(it: &Choice) -> String {
            let shown: fn(u64) -> String = $shown;
            shown(it.n)
        }
        use Pick::{Again, Any, Once};
        vec![
            read(UNDER, "", |it| get(under(it.n))),
            write("POST", UNDER, 201, Any, |it| form(under(it.n), new(it))),
            read(UNDER_ITEM, "", |it| get(format!("{}/{}", under(it.n), shown(it)))),
            write("PATCH", UNDER_ITEM, 200, Again, |it| form(under_item(it.n), new(it))),
            write("PUT", UNDER_ITEM, 200, Again, |it| form(under_item(it.n), new(it))),
            write("DELETE", UNDER_ITEM, 204, Once, |it| get(under_item(it.n))),
            read(OWN, "first page", |_| get(OWN)),
            read(OWN, "a page in the middle", |it| {
                get(format!("{OWN}?offset={}", cursor($kind, it.n)))
            }),
            write("POST", OWN, 201, Any, |it| {
                let owner = id(Kind::Consumer, it.n);
                form(OWN.into(), format!(concat!("{}&", $owner, "={}"), new(it), owner))
            }),
            read(OWN_ITEM, "", |it| get(own_item(it.n))),
            write("PATCH", OWN_ITEM, 200, Again, |it| form(own_item(it.n), new(it))),
            write("PUT", OWN_ITEM, 200, Again, |it| form(own_item(it.n), new(it))),
            write("DELETE", OWN_ITEM, 204, Once, |it| get(own_item(it.n))),
            read(concat!("/", $own, "/{item}/consumer"), "", |it| {
                get(format!("{}/consumer", own_item(it.n)))
            }),
        ]
    }};
}

fn app_ids() -> Vec<Operation> {
    let mut all = owned!("appids", "appids", Kind::AppId, "consumer_id", app_id, |n| {
        format!("appid=new.app{n}")
    });
    all.extend([
        write("PUT", "/consumers/{consumer}/appids", 201, Pick::Any, |it| {
            let target = format!("/consumers/{}/appids", username(it.n));
            form(target, format!("appid=put.app{}", it.unique))
        }),
        read("/appids", "of a consumer, as a gateway asks", |it| {
            let (consumer, app_id) = (id(Kind::Consumer, it.n), app_id(it.n));
            get(format!("/appids?consumer_id={consumer}&app_id={app_id}"))
        }),
        read("/appids", "an App ID", |it| get(format!("/appids?appid={}", app_id(it.n)))),
    ]);
    all
}

fn groups() -> Vec<Operation> {
    let mut all =
        owned!("acls", "acls", Kind::Acl, "consumer.id", group, |n| format!("group=new-group-{n}"));
    all.extend([
        write("PUT", "/consumers/{consumer}/acls", 201, Pick::Any, |it| {
            let target = format!("/consumers/{}/acls", username(it.n));
            form(target, format!("group=put-group-{}", it.unique))
        }),
        read("/acls", "a group of a tenth of all", |it| {
            get(format!("/acls?group={}", group(it.n)))
        }),
        read("/acls", "a page in the middle of it", |it| {
            let offset = cursor(Kind::Acl, it.n / 2);
            get(format!("/acls?group={}&offset={offset}", group(it.n)))
        }),
    ]);
    all
}

fn api_keys() -> Vec<Operation> {
    let mut all = owned!("key-auth", "key-auths", Kind::Key, "consumer.id", key, |n| {
        format!("key=new-key-{n:012}&ttl=86400")
    });
    all.push(read("/key-auths/{item}", "the key itself", |it| {
        get(format!("/key-auths/{}", key(it.n)))
    }));
    all
}

fn jwts() -> Vec<Operation> {
    owned!("jwt", "jwts", Kind::Jwt, "consumer.id", jwt_key, |n| format!("key=new-issuer-{n}"))
}

fn for_gateways() -> Vec<Operation> {
    vec![
        read("/identities/key-auth/{digest}", "", |it| {
            get(format!("/identities/key-auth/{}", digest(&key(it.n))))
        }),
        Operation {
            status: 404,
            ..read("/identities/key-auth/{digest}", "a key that does not exist", |it| {
                get(format!("/identities/key-auth/{}", digest(&it.unique.to_string())))
            })
        },
        read("/identities/key-auth", "first page", |_| get("/identities/key-auth?size=1000")),
        read("/identities/key-auth", "a page in the middle", |it| {
            get(format!("/identities/key-auth?size=1000&offset={}", cursor(Kind::Key, it.n)))
        }),
        read("/identities/jwt/{key}", "", |it| get(format!("/identities/jwt/{}", jwt_key(it.n)))),
        read("/identities/consumers/{consumer}", "", |it| {
            get(format!("/identities/consumers/{}?by=username", username(it.n)))
        }),
        read("/appids", "a page of a snapshot", |it| {
            get(format!("/appids?size=1000&offset={}", cursor(Kind::AppId, it.n)))
        }),
        read_of_few("/changes", "nothing new", |it| get(format!("/changes?since={}", it.seq))),
        read("/changes", "1,000 changes", |it| {
            get(format!("/changes?since={}", it.seq.saturating_sub(1000)))
        }),
    ]
}

fn sessions() -> Vec<Operation> {
    use Pick::{Again, Any, Once};
    const ONE: &str = "/sessions/{id}";
    fn one(n: u64) -> String {
        format!("/sessions/{}", session(n))
    }
    fn of_subject(n: u64) -> String {
        format!("/sessions?subject={}", username(n))
    }
    vec![
        read(ONE, "", |it| get(one(it.n))),
        write("PUT", ONE, 200, Any, |it| {
            let target = format!("/sessions/{}", digest(&format!("new {}", it.unique)));
            let data = "c2VhbGVk".repeat(25);
            let subject = username(it.n);
            let metadata = format!(r#"[{{"audience":"portal","subject":"{subject}"}}]"#);
            json(target, format!(r#"{{"data":"{data}","ttl":86400,"metadata":{metadata}}}"#))
        }),
        write("PATCH", ONE, 200, Again, |it| {
            json(
                one(it.n),
                format!(r#"{{"ttl":{}}}"#, 2_000_000_u64.saturating_sub(it.unique).max(1000)),
            )
        }),
        write("DELETE", ONE, 204, Once, |it| get(one(it.n))),
        read("/sessions", "", |it| get(of_subject(it.n))),
        write("DELETE", "/sessions", 204, Once, |it| get(of_subject(it.n))),
        read("/revocations/{id}", "", |it| get(format!("/revocations/{}", revocation(it.n)))),
        write("PUT", "/revocations/{id}", 200, Any, |it| {
            let target = format!("/revocations/{}", digest(&format!("new {}", it.unique)));
            json(target, r#"{"ttl":86400}"#.into())
        }),
    ]
}

fn others() -> Vec<Operation> {
    vec![
        write("POST", "/counters", 200, Pick::Any, |it| {
            // All requests of a minute count in one window, as those of gateways do.
            let start = data::minute();
            let increment = format!(
                r#"{{"key":"{}","window_start":{start},"window":60,"by":1,"limit":100}}"#,
                username(it.n)
            );
            json("/counters".into(), format!(r#"{{"increments":[{increment}]}}"#))
        }),
        read_of_few("/counters", "", |it| {
            get(format!("/counters?namespace=orders&consumer={}", username(it.n)))
        }),
        read_of_few("/gateways", "", |_| get("/gateways")),
        read("/status", "", |_| get("/status")),
        read("/metrics", "", |_| get("/metrics")),
    ]
}
