//! The families that exist in one protocol only: framing, smuggling, pipelines, and clients that
//! are slow or leave.

use super::drive::{http1_bytes, http2_request};
use super::shape::{Body, Case, End, Shape};
use crate::real::{Frame, Http2Request};

fn case(family: &'static str, bytes: Vec<u8>, answers: usize, end: End) -> Case {
    Case::Http1 { family, pieces: vec![bytes], answers, end }
}

/// A request that must not reach the upstream, hidden behind another one.
fn hidden() -> Vec<u8> {
    http1_bytes(&Shape::nobody("hidden").target("/hidden?case=never"))
}

/// Cases of HTTP/1.1.
pub fn http1_cases() -> Vec<Case> {
    let mut all = smuggling();
    all.extend(chunks());
    all.extend(pipelines());
    all.extend(leaving());
    all.extend(lines());
    all
}

/// Heads with several framings, each followed by a hidden request.
fn smuggling() -> Vec<Case> {
    let family = "smuggling";
    let mut all = Vec::new();
    let length = hidden().len();
    for shape in [Shape::known(family), Shape::nobody(family)] {
        let posted = shape.method("POST");
        for fields in [
            vec![("content-length", "4"), ("transfer-encoding", "chunked")],
            vec![("transfer-encoding", "chunked"), ("content-length", "4")],
            vec![("content-length", "0"), ("content-length", "4")],
            vec![("content-length", "4"), ("content-length", "4")],
            vec![("content-length", "4, 4")],
            vec![("content-length", "+4")],
            vec![("content-length", "-1")],
            vec![("content-length", "0x4")],
            vec![("content-length", "4 ")],
            vec![("content-length", "")],
            vec![("content-length", "99999999999999999999")],
            vec![("content_length", "4")],
            vec![("content-length ", "4")],
            vec![("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            vec![("transfer-encoding", "chunked"), ("transfer-encoding", "identity")],
            vec![("transfer-encoding", "identity"), ("transfer-encoding", "chunked")],
            vec![("transfer-encoding", "chunked, identity")],
            vec![("transfer-encoding", "identity, chunked")],
            vec![("transfer-encoding", "gzip, chunked")],
            vec![("transfer-encoding", "xchunked")],
            vec![("transfer-encoding", "chunked\x0b")],
            vec![("transfer-encoding", " chunked")],
            vec![("transfer-encoding", "Chunked")],
            vec![("transfer-encoding", "\"chunked\"")],
            vec![("transfer-encoding ", "chunked")],
            vec![("transfer_encoding", "chunked")],
            vec![("x-a", "b\r\n transfer-encoding: chunked")],
            vec![("x-a", "b\ntransfer-encoding: chunked")],
            vec![("x-a", "b\rtransfer-encoding: chunked")],
            vec![("transfer-encoding", "\r\n chunked")],
        ] {
            let head = fields
                .iter()
                .fold(posted.clone(), |shape, (name, value)| shape.header(name, value));
            for body in
                [b"0\r\n\r\n".to_vec(), b"4\r\nabcd\r\n0\r\n\r\n".to_vec(), b"abcd".to_vec()]
            {
                let bytes = [http1_bytes(&head), body, hidden()].concat();
                all.push(case(family, bytes, 3, End::Last));
            }
        }
        let whole = posted.clone().header("content-length", length.to_string());
        all.push(case(family, [http1_bytes(&whole), hidden()].concat(), 2, End::Last));
        // A GET with a body that is a request.
        let get = posted.clone().method("GET").header("content-length", length.to_string());
        all.push(case(family, [http1_bytes(&get), hidden()].concat(), 2, End::Last));
        // A refused upgrade, and one that nobody asked for, before a hidden request.
        for upgrade in ["websocket", "h2c"] {
            let up = posted.clone().method("GET").header("connection", "upgrade");
            let up = up.header("upgrade", upgrade);
            all.push(case(family, [http1_bytes(&up), hidden()].concat(), 2, End::Last));
        }
    }
    all
}

/// Chunks with extensions, odd sizes and broken ends.
fn chunks() -> Vec<Case> {
    let family = "chunks";
    let mut all = Vec::new();
    for shape in [Shape::known(family), Shape::nobody(family)] {
        let head = http1_bytes(&shape.method("POST").header("transfer-encoding", "chunked"));
        let long = format!("1;a={}\r\nx\r\n0\r\n\r\n", "b".repeat(20_000));
        for body in [
            "0\r\n\r\n",
            "1\r\nx\r\n0\r\n\r\n",
            "0001\r\nx\r\n000\r\n\r\n",
            "1;ext\r\nx\r\n0;last\r\n\r\n",
            "1;ext=\"a;b\"\r\nx\r\n0\r\n\r\n",
            "1 ;ext\r\nx\r\n0\r\n\r\n",
            "1\nx\n0\n\n",
            "1\r\nxy\r\n0\r\n\r\n",
            "2\r\nx\r\n0\r\n\r\n",
            "g\r\nx\r\n0\r\n\r\n",
            "-1\r\nx\r\n0\r\n\r\n",
            "0x1\r\nx\r\n0\r\n\r\n",
            "10000000000000001\r\nx\r\n0\r\n\r\n",
            "\r\nx\r\n0\r\n\r\n",
            "1\r\nx0\r\n\r\n",
            "1\r\nx\r\n0\r\nx-trailer: 1\r\n\r\n",
            "1\r\nx\r\n0\r\nx-consumer-id: planted\r\n\r\n",
            "1\r\nx\r\n0\r\nX_Consumer_Username: planted\r\nx-upstream-jwt: planted\r\n\r\n",
            "1\r\nx\r\n0\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
            "1\r\nx\r\n0\r\nno colon\r\n\r\n",
            "1\r\nx\r\n0\r\n: no name\r\n\r\n",
            "1;\x00\r\nx\r\n0\r\n\r\n",
            long.as_str(),
        ] {
            all.push(case(family, [&head, body.as_bytes()].concat(), 1, End::Last));
            all.push(case(family, [&head, body.as_bytes(), &hidden()].concat(), 2, End::Last));
            let pieces = [&head, body.as_bytes()].concat().chunks(61).map(<[u8]>::to_vec).collect();
            all.push(Case::Http1 { family, pieces, answers: 1, end: End::Last });
        }
        // A chunk that no client can fill.
        let endless = [&head, &b"ffffffffffffffff\r\nx\r\n"[..]].concat();
        all.push(case(family, endless, 0, End::Leave));
        for size in 1..40 {
            let body = vec![b'x'; 997];
            let chunks: Vec<u8> = body
                .chunks(size)
                .flat_map(|chunk| {
                    [format!("{:X}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()
                })
                .collect();
            let bytes = [&head, chunks.as_slice(), b"0\r\n\r\n"].concat();
            all.push(case(family, bytes, 1, End::Keep));
        }
    }
    all
}

/// Several requests in one write.
fn pipelines() -> Vec<Case> {
    let family = "pipelines";
    let (known, nobody) = (http1_bytes(&Shape::known(family)), http1_bytes(&Shape::nobody(family)));
    let posted = Shape::known(family).post("text/plain", Body::Whole(b"body".to_vec()));
    let posted = http1_bytes(&posted);
    let mut all = Vec::new();
    for number in 1..=20 {
        all.push(case(family, known.repeat(number), number, End::Keep));
        all.push(case(family, nobody.repeat(number), number, End::Keep));
        all.push(case(
            family,
            [&known[..], &nobody].concat().repeat(number),
            number * 2,
            End::Keep,
        ));
        all.push(case(
            family,
            [&nobody[..], &posted].concat().repeat(number),
            number * 2,
            End::Keep,
        ));
        all.push(case(family, known.repeat(number), number, End::Leave));
    }
    all.push(case(family, [&b"\r\n\r\n"[..], &known].concat(), 1, End::Last));
    all.push(case(family, [&known[..], b"\r\n", &nobody].concat(), 2, End::Last));
    let expecting = posted_with(&Shape::known(family), "expect", "100-continue");
    all.push(case(family, expecting, 1, End::Keep));
    for value in ["100-Continue", "200-ok", "100-continue, 100-continue", ""] {
        all.push(case(family, posted_with(&Shape::known(family), "expect", value), 1, End::Last));
        all.push(case(family, posted_with(&Shape::nobody(family), "expect", value), 1, End::Last));
    }
    all
}

fn posted_with(shape: &Shape, name: &str, value: &str) -> Vec<u8> {
    let posted = shape.clone().post("text/plain", Body::Whole(b"body".to_vec()));
    http1_bytes(&posted.header(name, value))
}

/// Clients that are slow, that end early, and that leave.
fn leaving() -> Vec<Case> {
    let family = "slow, cut off, gone";
    let mut all = Vec::new();
    for shape in [Shape::known(family), Shape::nobody(family)] {
        let posted = shape.clone().post("application/json", Body::Whole(vec![b'x'; 300]));
        let bytes = http1_bytes(&posted);
        for at in [1, 5, 20, 60, 100, 150, bytes.len() - 299, bytes.len() - 100, bytes.len() - 1] {
            let cut = bytes[..at.min(bytes.len())].to_vec();
            all.push(case(family, cut, 0, End::Leave));
        }
        all.push(case(family, bytes.clone(), 0, End::Leave));
        let chunked =
            http1_bytes(&shape.clone().post("text/plain", Body::Pieces(vec![vec![b'y'; 50]; 4])));
        for less in [1, 2, 5, 30, 60, 150] {
            all.push(case(family, chunked[..chunked.len() - less].to_vec(), 0, End::Leave));
        }
        let single = |bytes: &[u8]| bytes.iter().map(|byte| vec![*byte]).collect();
        let slow = http1_bytes(&shape);
        all.push(Case::Http1 { family, pieces: single(&slow), answers: 1, end: End::Keep });
        all.push(Case::Http1 { family, pieces: single(&chunked), answers: 1, end: End::Keep });
    }
    all
}

/// First lines and line ends that are none.
fn lines() -> Vec<Case> {
    let family = "lines";
    let mark = "host: a\r\nx-case: never\r\n";
    let mut all = Vec::new();
    for head in [
        format!("GET /orders HTTP/1.0\r\n{mark}\r\n"),
        format!("GET /orders HTTP/1.0\r\n{mark}connection: keep-alive\r\n\r\n"),
        format!("GET /orders HTTP/0.9\r\n{mark}\r\n"),
        format!("GET /orders HTTP/1.2\r\n{mark}\r\n"),
        format!("GET /orders HTTP/2.0\r\n{mark}\r\n"),
        format!("GET /orders HTTP/11.1\r\n{mark}\r\n"),
        format!("GET /orders http/1.1\r\n{mark}\r\n"),
        format!("GET  /orders HTTP/1.1\r\n{mark}\r\n"),
        format!("GET\t/orders\tHTTP/1.1\r\n{mark}\r\n"),
        format!(" GET /orders HTTP/1.1\r\n{mark}\r\n"),
        format!("GET /orders HTTP/1.1 \r\n{mark}\r\n"),
        format!("GET /orders HTTP/1.1\n{}\n", mark.replace("\r\n", "\n")),
        format!("GET /orders HTTP/1.1\r{}\r", mark.replace("\r\n", "\r")),
        "GET /orders\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}".to_owned(),
        "PRI * HTTP/2.0\r\n\r\n".to_owned(),
        format!("GET /orders HTTP/1.1\r\n{mark}no-colon\r\n\r\n"),
        format!("GET /orders HTTP/1.1\r\n{mark}: no name\r\n\r\n"),
        format!("GET /orders HTTP/1.1\r\n{mark}x-a : b\r\n\r\n"),
        format!("GET /orders HTTP/1.1\r\n{mark}x-a:b\r\n folded\r\n\r\n"),
        format!("GET /orders HTTP/1.1\r\n{mark}apikey: key-of\r\n -ana\r\n\r\n"),
        format!("GET /orders HTTP/1.1\r\n folded: first\r\n{mark}\r\n"),
        "GET /orders HTTP/1.1\r\nx-case: never\r\n\r\n".to_owned(),
        format!("GET /orders HTTP/1.1\r\n{mark}host: b\r\n\r\n"),
        "PROXY TCP4 198.51.100.7 1.1.1.1 1 1\r\nGET / HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        all.push(case(family, head.clone().into_bytes(), 1, End::Last));
        all.push(case(family, [head.as_bytes(), &hidden()].concat(), 2, End::Last));
    }
    all
}

/// Cases of HTTP/2.
pub fn http2_cases() -> Vec<Case> {
    let family = "frames";
    let mut all = Vec::new();
    let mut push = |frames: Vec<u8>, end| all.push(Case::Http2 { family, frames, end });
    let frame = |kind, flags, stream, payload: &[u8]| {
        Frame { kind, flags, stream, payload: payload.to_vec() }.bytes()
    };
    for shape in [Shape::known(family), Shape::nobody(family)] {
        let plain = http2_request(&shape);
        let frames = |request: &Http2Request| request.frames(1);
        let open = Http2Request { open: true, ..plain.clone() };
        let with = |more: &[(&str, &str)]| {
            let mut request = plain.clone();
            let more = more.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()));
            request.headers.extend(more);
            request
        };
        // Pseudo-headers that are absent, twice, late, unknown or of a response.
        for absent in [":method", ":path", ":scheme", ":authority"] {
            let mut request = plain.clone();
            request.headers.retain(|(name, _)| name != absent.as_bytes());
            push(frames(&request), End::Last);
        }
        for (name, value) in [
            (":path", "/retired"),
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "b"),
            (":status", "200"),
            (":unknown", "x"),
            (":protocol", "websocket"),
            (":", "x"),
            ("", "x"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("keep-alive", "1"),
            ("proxy-connection", "x"),
            ("te", "gzip"),
            ("host", "other.test"),
            ("content-length", "5"),
            ("content-length", "-1"),
            ("X-Consumer-ID", "planted"),
            ("x-a\r\nx-consumer-id", "planted"),
            ("x-a", "b\r\nx-consumer-id: planted"),
            ("x-a", "b\nx-consumer-id: planted"),
            ("x-a", "b\0c"),
            ("x-a: b", "c"),
            ("x a", "b"),
        ] {
            push(frames(&with(&[(name, value)])), End::Last);
            let mut first = plain.clone();
            first.headers.insert(0, (name.into(), value.into()));
            push(frames(&first), End::Last);
        }
        for path in
            ["", "*", "orders", "/a b", "/a\r\nx: y", "/\u{ff}", "/orders HTTP/1.1\r\nx: y\r\n\r\n"]
        {
            push(frames(&http2_request(&shape.clone().target(path))), End::Last);
        }
        for method in ["GET / HTTP/1.1\r\nx: y", "", "CONNECT", "a b"] {
            push(frames(&http2_request(&shape.clone().method(method))), End::Last);
        }
        // A length that the body does not have.
        for body in [vec![], vec![b"abcd".to_vec()], vec![b"ab".to_vec(), b"abcdef".to_vec()]] {
            let request = Http2Request { body, ..with(&[("content-length", "5")]) };
            push(frames(&request), End::Last);
        }
        // Clients that leave, in the middle or after everything.
        push([frames(&open), frame(3, 0, 1, &[0, 0, 0, 8])].concat(), End::Leave);
        push([frames(&plain), frame(3, 0, 1, &[0, 0, 0, 8])].concat(), End::Leave);
        push(frames(&plain), End::Leave);
        push(frames(&open), End::Leave);
        let half = frames(&plain);
        push(half[..half.len() / 2].to_vec(), End::Leave);
        // Frames of every type, also unknown ones, and of streams that are not there.
        for kind in 0..=12 {
            push([frame(kind, 0, 1, b"12345678"), frames(&plain)].concat(), End::Leave);
            push(
                [frames(&open), frame(kind, 0, 1, b""), frame(0, 1, 1, b"end")].concat(),
                End::Leave,
            );
            push([frame(kind, 0xff, 0, b"12345678"), frames(&plain)].concat(), End::Leave);
            push([frame(kind, 0, 2, b"1234"), frames(&plain)].concat(), End::Leave);
        }
        push([frames(&open), frame(0, 8, 1, &[200, 1]), frame(0, 1, 1, b"")].concat(), End::Leave);
        // Pseudo-headers in trailers, trailers that do not end, headers after the end.
        for trailer in
            [(":path", "/retired"), ("x-consumer-id", "planted"), ("x_consumer_id", "planted")]
        {
            let trailers = vec![(trailer.0.into(), trailer.1.into())];
            let request = Http2Request { body: vec![b"x".to_vec()], trailers, ..plain.clone() };
            push(frames(&request), End::Last);
            push(Http2Request { open: true, ..request }.frames(1), End::Leave);
        }
        push([frames(&plain), frames(&plain)].concat(), End::Leave);
        // A block that is cut into single bytes, and one that does not decompress.
        let block = frames(&plain)[9..].to_vec();
        let mut single = frame(1, 1, 1, &block[..1]);
        block[1..].iter().for_each(|byte| single.extend_from_slice(&frame(9, 0, 1, &[*byte])));
        single.extend_from_slice(&frame(9, 4, 1, b""));
        push(single, End::Leave);
        push(frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff"), End::Leave);
        push(frame(1, 5, 1, b"\xbe"), End::Leave);
        push(frame(1, 5, 1, b"\x3f\xff\xff\x03"), End::Leave);
        // Many streams at once.
        let many: Vec<u8> = (0..50).flat_map(|n| plain.frames(n * 2 + 1)).collect();
        push(many.clone(), End::Last);
        push(many, End::Leave);
    }
    all
}
