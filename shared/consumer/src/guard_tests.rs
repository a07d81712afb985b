use super::*;
use crate::identity::Credential;

fn common(json: &str) -> Common {
    settings::read(json.as_bytes(), &|_| None, Common::authenticating).unwrap()
}

fn head(fields: &[(&str, &str)]) -> Head {
    fields.iter().copied().collect()
}

fn identity(id: &str) -> Identity {
    let credential =
        Credential { id: "c".into(), kind: "key-auth".into(), ..Credential::default() };
    Identity { id: id.into(), credential: Some(credential), ..Identity::default() }
}

fn known(id: &str) -> Known {
    Known::Identity(Rc::new(identity(id)))
}

fn publish(identity: &Identity) -> Edit {
    Edit::publish(PROPERTY, identity.to_json())
}

/// Returns the edits on a gateway that can remove every copy of a header.
fn settled(owned: Owned, fields: &[(&str, &str)], known: Known, edits: Vec<Edit>) -> Vec<Edit> {
    let head = head(fields);
    let guard = Guard::new(Rc::new(owned), &common("{}"), &head, known, true);
    guard.unwrap().settle(&head, edits).unwrap()
}

#[test]
fn what_a_client_sends_under_an_owned_header_is_removed_whatever_the_filter_does() {
    let forged = [
        ("X-Consumer-ID", "evil"),
        ("x_consumer_username", "root"),
        ("X-Consumer_Custom-ID", "7"),
        ("x-authenticated-groups", "admin"),
        ("X_Role", "admin"),
        ("accept", "*/*"),
    ];
    assert_eq!(
        settled(Owned::identity().and(["X-Role"]), &forged, Known::Nobody, vec![]),
        [
            "x-consumer-id",
            "x_consumer_username",
            "x-consumer_custom-id",
            "x-authenticated-groups",
            "x_role"
        ]
        .map(Edit::remove)
    );
    assert_eq!(settled(Owned::nothing(), &forged, Known::Nobody, vec![]), []);
}

#[test]
fn the_identity_headers_are_made_equal_to_an_identity_that_is_known_already() {
    let fields =
        [("x-consumer-id", "2"), ("x-consumer-groups", "admin"), ("x-anonymous-consumer", "")];
    assert_eq!(
        settled(Owned::identity(), &fields, known("1"), vec![]),
        [
            Edit::remove("x-consumer-groups"),
            Edit::remove("x-anonymous-consumer"),
            Edit::set("x-consumer-id", "1"),
        ]
    );
    assert_eq!(settled(Owned::identity(), &[("X-Consumer-ID", "1")], known("1"), vec![]), []);
    assert_eq!(settled(Owned::headers(["x-role"]), &fields, known("1"), vec![]), []);
}

#[test]
fn a_new_identity_replaces_all_headers_and_claims_of_the_former() {
    let fields = [
        ("x-consumer-id", "root"),
        ("x-consumer-username", "root"),
        ("x-credential-identifier", "s"),
        ("x-authenticated-groups", "admin"),
    ];
    let ana = identity("1");
    assert_eq!(
        settled(Owned::identity(), &fields, known("root"), vec![publish(&ana)]),
        [
            Edit::remove("x-consumer-username"),
            Edit::remove("x-credential-identifier"),
            Edit::remove("x-authenticated-groups"),
            publish(&ana),
            Edit::publish(CLAIMS, vec![]),
            Edit::set("x-consumer-id", "1"),
        ]
    );
    let again = vec![publish(&ana)];
    let same = settled(Owned::identity(), &[("x-consumer-id", "1")], known("1"), again);
    assert_eq!(same, [publish(&ana)], "its claims are still its own");
    let own = vec![publish(&ana), Edit::publish(CLAIMS, b"{}".to_vec())];
    let fresh = settled(Owned::identity(), &[], known("root"), own.clone());
    assert_eq!(fresh[..2], own, "claims that come with it are its own, too");
}

#[test]
fn a_header_that_a_filter_sets_or_removes_is_so_in_every_spelling() {
    let fields = [("x_token", "a"), ("x-token", "b"), ("X_Key", "c"), ("x-other", "d")];
    assert_eq!(
        settled(
            Owned::nothing(),
            &fields,
            Known::Nobody,
            vec![Edit::set("X-Token", "t"), Edit::remove("x-key"), Edit::remove("absent")]
        ),
        [Edit::remove("x_token"), Edit::remove("x_key"), Edit::set("X-Token", "t")]
    );
}

#[test]
fn a_header_that_was_set_or_removed_is_not_edited_again() {
    let head = head(&[("x-consumer-id", "evil"), ("x_role", "admin"), ("x-token", "t")]);
    let owned = Rc::new(Owned::identity().and(["x-role"]));
    let mut guard = Guard::new(owned, &common("{}"), &head, Known::Nobody, true).unwrap();
    let first = guard.settle(&head, vec![Edit::set("x-role", "user"), Edit::remove("x-token")]);
    assert_eq!(
        first.unwrap(),
        [
            Edit::remove("x-consumer-id"),
            Edit::remove("x_role"),
            Edit::remove("x-token"),
            Edit::set("x-role", "user")
        ]
    );
    let ana = identity("1");
    assert_eq!(
        guard.settle(&head, vec![publish(&ana), Edit::remove("x-token")]).unwrap(),
        [publish(&ana), Edit::set("x-consumer-id", "1")],
    );
    assert_eq!(guard.settle(&head, vec![]).unwrap(), []);
    assert_eq!(
        guard.settle(&head, vec![Edit::remove("x-role")]).unwrap(),
        [Edit::remove("x-role")]
    );
}

#[test]
fn a_copy_that_cannot_be_removed_is_refused() {
    let twice = head(&[("X-Consumer-ID", "a"), ("x-consumer-id", "b"), ("t", "1"), ("T", "2")]);
    let guard = |owned, can_remove| {
        Guard::new(Rc::new(owned), &common("{}"), &twice, Known::Nobody, can_remove)
    };
    assert_eq!(
        guard(Owned::identity(), false).err(),
        Some(Duplicate("x-consumer-id".into())),
        "also where the filter would not look at the request"
    );
    let edits = guard(Owned::identity(), true).unwrap().settle(&twice, vec![]);
    assert_eq!(edits, Ok(vec![Edit::remove("x-consumer-id")]));
    for edit in [Edit::remove("T"), Edit::set("T", "3")] {
        let mut kong = guard(Owned::nothing(), false).unwrap();
        assert_eq!(kong.settle(&twice, vec![edit]), Err(Duplicate("t".into())));
    }
}

#[test]
fn a_field_that_is_empty_is_gone_where_it_cannot_be_removed() {
    let head = head(&[("x-consumer-id", ""), ("x-role", "")]);
    let owned = || Rc::new(Owned::identity().and(["x-role"]));
    let mut kong = Guard::new(owned(), &common("{}"), &head, Known::Nobody, false).unwrap();
    assert_eq!(kong.settle(&head, vec![]).unwrap(), []);
    let mut envoy = Guard::new(owned(), &common("{}"), &head, Known::Nobody, true).unwrap();
    assert_eq!(envoy.settle(&head, vec![]).unwrap().len(), 2);
}

#[test]
fn trusted_headers_stay_and_everything_beside_them_goes() {
    let head = head(&[
        ("X-Consumer-ID", "1"),
        ("x_consumer_id", "2"),
        ("X-Authenticated-Groups", "admin"),
        ("X-Credential-Identifier", "c"),
    ]);
    let edits = |json| {
        let guard =
            Guard::new(Rc::new(Owned::identity()), &common(json), &head, Known::Nobody, false);
        guard.unwrap().settle(&head, vec![]).unwrap()
    };
    assert_eq!(
        edits(r#"{"trust_consumer_headers":true}"#),
        [Edit::remove("x_consumer_id"), Edit::remove("x-authenticated-groups")]
    );
    assert_eq!(
        edits(r#"{"trust_consumer_headers":true,"trust_group_headers":true}"#),
        [Edit::remove("x_consumer_id")]
    );
    assert_eq!(edits("{}").len(), 4);
}

#[test]
fn a_trailer_of_a_header_that_the_filter_answers_for_is_kept_out_and_the_header_stays() {
    let head = Head::from_iter([("x-app-id", "portal")]);
    let owned = Rc::new(Owned::nothing().answering_for(["X-APP-ID"]));
    let mut guard = Guard::new(owned, &common("{}"), &head, Known::Nobody, true).unwrap();
    assert_eq!(guard.settle(&head, Vec::new()).unwrap(), []);
    assert!(guard.keeps_out(b"x_app-id") && !guard.keeps_out(b"x-app-ids"));
}

#[test]
fn a_trailer_that_would_pass_for_an_owned_header_is_kept_out() {
    let head = Head::default();
    let owned = Rc::new(Owned::identity());
    let mut guard = Guard::new(owned, &common("{}"), &head, Known::Nobody, true).unwrap();
    let edits = vec![Edit::set("Authorization", "Bearer t"), Edit::remove("X-Key")];
    guard.settle(&head, edits).unwrap();
    for name in ["X_Consumer-ID", "x-authenticated-groups", "authorization", "x_key"] {
        assert!(guard.keeps_out(name.as_bytes()), "{name}");
    }
    assert!(!guard.keeps_out(b"grpc-status"));
}
