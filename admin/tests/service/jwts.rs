//! JWT credentials: `/consumers/{c}/jwt`, `/jwts`, and the answers about them to gateways.

use serde_json::json;

use crate::client::segment;
use crate::on_both_databases;
use crate::program::{Program, text};

const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----\n";

fn the_curl_lines_of_the_requirement_document_work(program: &Program) {
    let form = "username=Ado&custom_id=ado";
    let id = program.form("POST", "/consumers", form).expect(201)["id"].clone();
    let made =
        program.form("POST", "/consumers/ado/jwt", "key=adokey&secret=supersecret").expect(201);
    assert_eq!(
        (&made["key"], &made["secret"], &made["algorithm"], &made["rsa_public_key"]),
        (&json!("adokey"), &json!("supersecret"), &json!("HS256"), &json!(null))
    );
    assert_eq!(made["consumer"], json!({ "id": id }));
    program.form("POST", "/consumers", "username=Auth0&custom_id=auth0").expect(201);
    let auth0 = "key=https://ado.auth0.com/&secret=aFGFzo9dRvT_jkw5ghisfnP_48NaBrovcJsq0M550eJnzujeb8Jr2tREoNePO1yQ";
    program.form("POST", "/consumers/auth0/jwt", auth0).expect(201);
    let key = segment("https://ado.auth0.com/");
    for path in [format!("/jwts/{key}"), format!("/consumers/auth0/jwt/{key}")] {
        assert_eq!(program.get(&path).expect(200)["key"], "https://ado.auth0.com/");
    }
    assert_eq!(program.get(&format!("/jwts/{}/consumer", text(&made["id"]))).expect(200)["id"], id);
    program.get("/consumers/ado/jwt/https%3A%2F%2Fado.auth0.com%2F").expect(404);
}

fn a_list_shows_no_secret(program: &Program) {
    program.consumer("ado");
    program.form("POST", "/consumers/ado/jwt", "key=adokey&secret=supersecret").expect(201);
    for path in ["/jwts", "/consumers/ado/jwt"] {
        let page = program.get(path).expect(200);
        assert_eq!(page["data"][0]["key"], "adokey");
        assert!(!page.to_string().contains("supersecret"), "{page}");
    }
}

fn a_missing_key_or_secret_is_made_at_random(program: &Program) {
    program.consumer("ado");
    let made = program.send("POST", "/consumers/ado/jwt", &[], b"").expect(201);
    assert_eq!((text(&made["key"]).len(), text(&made["secret"]).len()), (32, 32));
    assert_eq!(made["algorithm"], "HS256");
}

fn a_key_that_does_not_fit_is_refused(program: &Program) {
    program.consumer("ado");
    let post = |body| program.json("POST", "/consumers/ado/jwt", &body);
    let made = json!({ "key": "k", "algorithm": "ES256", "rsa_public_key": PUBLIC });
    assert_eq!(post(made).expect(201)["secret"], json!(null));
    for (body, field) in [
        (json!({ "algorithm": "none" }), "algorithm"),
        (json!({ "algorithm": "hs256" }), "algorithm"),
        (json!({ "algorithm": "RS256" }), "rsa_public_key"),
        (json!({ "algorithm": "ES256" }), "rsa_public_key"),
        (json!({ "algorithm": "RS256", "rsa_public_key": "test" }), "rsa_public_key"),
        (json!({ "algorithm": "RS256", "rsa_public_key": PUBLIC }), "rsa_public_key"),
        (json!({ "algorithm": "ES384", "rsa_public_key": PUBLIC }), "rsa_public_key"),
        (json!({ "secret": "" }), "secret"),
        (json!({ "secret": 5 }), "secret"),
        (json!({ "key": "a\r\nb" }), "key"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let refused = post(body.clone()).expect(400);
        assert!(refused["fields"].get(field).is_some(), "{body} {refused}");
    }
    post(json!({ "key": "k" })).expect(409);
}

fn a_credential_is_changed_and_replaced(program: &Program) {
    program.consumer("ado");
    let made = program.form("POST", "/consumers/ado/jwt", "key=one&secret=s").expect(201);
    let path = format!("/consumers/ado/jwt/{}", text(&made["id"]));
    let since = program.seq();
    let changed = program.form("PATCH", &path, "key=two").expect(200);
    assert_eq!((&changed["key"], &changed["secret"]), (&json!("two"), &json!("s")));
    assert_eq!(program.changes(since), ["jwt_secrets update one", "jwt_secrets update two"]);
    program.form("PATCH", &path, "algorithm=RS256").expect(400);
    let put = program.json("PUT", "/consumers/ado/jwt/three", &json!({ "secret": "t" }));
    assert_eq!(put.expect(201)["key"], "three");
    let put = program.json("PUT", "/jwts/three", &json!({ "secret": "u" })).expect(200);
    assert_eq!(put["secret"], "u");
    program.form("PATCH", "/jwts/three", "key=two").expect(409);
    let since = program.seq();
    program.delete("/consumers/ado/jwt/three").expect(204);
    program.get("/jwts/three").expect(404);
    assert_eq!(program.changes(since), ["jwt_secrets delete three"]);
    let since = program.seq();
    program.delete("/consumers/ado").expect(204);
    assert_eq!(program.changes(since), ["jwt_secrets delete two", "consumers delete ado"]);
}

fn a_gateway_reads_one_secret_by_its_exact_key(program: &Program) {
    let id = program.consumer("ado");
    program.group("ado", "gold");
    let made =
        program.form("POST", "/consumers/ado/jwt", "key=https://a/&secret=supersecret").expect(201);
    let path = format!("/identities/jwt/{}", segment("https://a/"));
    let expected = json!({
        "consumer": { "id": id, "username": "ado", "custom_id": null },
        "groups": ["gold"],
        "credential": { "id": made["id"], "type": "jwt", "identifier": "https://a/" },
        "jwt": { "algorithm": "HS256", "secret": "supersecret" },
        "seq": program.seq(),
    });
    assert_eq!(program.get(&path).expect(200), expected);
    let public =
        json!({ "key": "k", "algorithm": "ES256", "rsa_public_key": PUBLIC, "secret": "x" });
    program.json("POST", "/consumers/ado/jwt", &public).expect(201);
    let jwt = &program.get("/identities/jwt/k").expect(200)["jwt"];
    assert_eq!(*jwt, json!({ "algorithm": "ES256", "rsa_public_key": PUBLIC }));
    let nothing = json!({ "message": "Not found", "seq": program.seq() });
    assert_eq!(program.get("/identities/jwt/nobody").expect(404), nothing);
    assert_eq!(program.get("/identities/jwt/%00").expect(404), nothing);
    program.get("/identities/jwt").expect(404);
}

fn a_change_of_names_or_groups_changes_the_credentials(program: &Program) {
    program.consumer("ado");
    program.form("POST", "/consumers/ado/jwt", "key=adokey").expect(201);
    let row = "jwt_secrets update adokey".to_owned();
    let since = program.seq();
    program.group("ado", "gold");
    assert!(program.changes(since).contains(&row));
    let since = program.seq();
    program.form("PATCH", "/consumers/ado", "username=ada").expect(200);
    assert!(program.changes(since).contains(&row));
}

on_both_databases!(
    the_curl_lines_of_the_requirement_document_work,
    a_list_shows_no_secret,
    a_missing_key_or_secret_is_made_at_random,
    a_key_that_does_not_fit_is_refused,
    a_credential_is_changed_and_replaced,
    a_gateway_reads_one_secret_by_its_exact_key,
    a_change_of_names_or_groups_changes_the_credentials,
);

/// Writes an encryption key of one repeated byte, in hex, and returns the path of the file.
fn key_file(directory: &tempfile::TempDir, byte: &str) -> String {
    let file = directory.path().join(byte);
    std::fs::write(&file, byte.repeat(32)).unwrap();
    file.display().to_string()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_secret_lies_encrypted_in_the_database_and_opens_with_its_key_only() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("gatehouse.db");
    let url = format!("sqlite:{}", database.display());
    // This secret is stored while the service has no encryption key.
    let program = Program::start(&url, &[]);
    program.consumer("ado");
    program.form("POST", "/consumers/ado/jwt", "key=old&secret=secret-of-old").expect(201);
    assert!(contains(&program.end_and_read_files(), "secret-of-old"));
    let (right, wrong) = (key_file(&directory, "0f"), key_file(&directory, "1f"));
    let program = Program::start(&url, &["--encryption-key-file", &right]);
    program.form("POST", "/consumers/ado/jwt", "key=new&secret=secret-of-new").expect(201);
    for key in ["old", "new"] {
        let found = program.get(&format!("/identities/jwt/{key}")).expect(200);
        assert_eq!(found["jwt"]["secret"], json!(format!("secret-of-{key}")));
    }
    assert!(!contains(&program.end_and_read_files(), "secret-of-new"));
    for flags in [&[][..], &["--encryption-key-file", &wrong]] {
        let Err(refused) = Program::try_start(&url, flags) else { panic!("it started") };
        assert!(refused.contains("--encryption-key-file"), "{refused}");
    }
}
