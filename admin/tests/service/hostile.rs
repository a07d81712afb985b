//! Hostile paths: each segment is one name, is decoded once, and never leads to another path.

use crate::client::{exchange, request, segment};
use crate::on_both_databases;
use crate::program::Program;

const NAMES: [&str; 24] = [
    "..",
    ".",
    "../../consumers",
    "../status",
    "a/b",
    "/",
    "//",
    "a\r\nx: y",
    "x HTTP/1.1\r\nauthorization: z\r\n\r\n",
    "\0",
    "a\0b",
    "?size=1",
    "#x",
    "%",
    "%2F",
    "%252e%252e",
    "' OR '1'='1",
    "\"; DROP TABLE consumers; --",
    "$1",
    "ä€𝄞",
    "\u{202e}\u{feff}",
    " ",
    "*",
    "{consumer}",
];

const PLACES: [&str; 16] = [
    "/consumers/@",
    "/consumers/@/appids",
    "/consumers/@/acls",
    "/consumers/@/key-auth",
    "/consumers/fiona/appids/@",
    "/consumers/fiona/acls/@",
    "/consumers/fiona/key-auth/@",
    "/consumers/@/appids/@",
    "/appids/@",
    "/appids/@/consumer",
    "/acls/@",
    "/key-auths/@",
    "/identities/key-auth/@",
    "/identities/consumers/@",
    "/appids?appid=@",
    "/acls?group=@",
];

fn a_name_in_a_path_is_looked_up_and_not_found(program: &Program) {
    program.consumer("fiona");
    let seq = program.seq();
    for place in PLACES {
        for name in NAMES {
            let target = place.replace('@', &segment(name));
            for method in ["GET", "DELETE"] {
                let answer = program.send(method, &target, &[], b"");
                let empty = place.contains('?') && answer.status == 200;
                let refused = [400, 404, 405].contains(&answer.status);
                assert!(empty || refused, "{method} {target}: {} {}", answer.status, answer.text());
                // A look-up of a name that no consumer has is answered with the service's own 404.
                if place.starts_with("/consumers/@") && method == "GET" {
                    assert_eq!(answer.expect(404)["seq"], seq, "{target}");
                }
            }
        }
    }
    assert_eq!(program.seq(), seq);
}

fn an_encoded_slash_is_part_of_a_name(program: &Program) {
    program.consumer("fiona");
    program.app_id("fiona", "Portal");
    for target in [
        "/consumers%2Ffiona",
        "/consumers/fiona%2Fappids",
        "/consumers/fiona/appids%2fPortal",
        "/consumers/ana/../fiona",
        "/consumers/./fiona",
        "/./consumers/fiona",
        "//consumers/fiona",
        "/consumers/%2e%2e/consumers/fiona",
        "/consumers/fiona//",
    ] {
        program.get(target).expect(404);
    }
    program.get("/consumers/%66iona").expect(200);
    program.get("/%63onsumers/fiona").expect(404);
}

fn what_cannot_be_decoded_is_400(program: &Program) {
    for target in ["/consumers/%", "/consumers/%4", "/consumers/%zz", "/consumers/%ff", "/%c3%28"] {
        program.get(target).expect(400);
        program.form("POST", target, "username=x").expect(400);
    }
    for target in ["/appids?%ff=x", "/appids?appid=%", "/appids?appid=%ff"] {
        program.get(target).expect(400);
    }
}

/// Sends random variations of requests. The generator has a fixed seed, so that a failure can be
/// repeated.
fn arbitrary_bytes_never_make_it_fail(program: &Program) {
    program.consumer("fiona");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let pieces: [&[u8]; 24] = [
        b"/",
        b"%2F",
        b"%00",
        b"%",
        b"..",
        b"?",
        b"&",
        b"=",
        b"a",
        b"consumers",
        b"appids",
        b"fiona",
        b"\xff",
        b"\xc3",
        b" ",
        b"{",
        b"}",
        b"\"",
        b"size",
        b"offset",
        b"%ff",
        b"+",
        b"changes",
        b"since",
    ];
    for _ in 0..600 {
        let mut bytes = |most| {
            (0..random(most))
                .flat_map(|_| pieces[random(pieces.len())])
                .copied()
                .collect::<Vec<u8>>()
        };
        let (target, body) = (bytes(12), bytes(20));
        let kind = ["application/json", "application/x-www-form-urlencoded"][random(2)];
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE"][random(5)];
        let mut sent = format!("{method} /").into_bytes();
        sent.extend(target);
        let rest = request("X", "", &[("content-type", kind)], &body);
        sent.extend(&rest[2..]);
        // Bytes that are not HTTP get an error of the HTTP library or no answer.
        if let Some(answer) = exchange(program.address, &sent) {
            assert!(answer.status < 500, "{}: {}", sent.escape_ascii(), answer.text());
        }
    }
    program.get("/status").expect(200);
}

on_both_databases!(
    a_name_in_a_path_is_looked_up_and_not_found,
    an_encoded_slash_is_part_of_a_name,
    what_cannot_be_decoded_is_400,
    arbitrary_bytes_never_make_it_fail,
);
