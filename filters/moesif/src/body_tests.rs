use super::*;

fn treatment(masks: &[&str]) -> Treatment {
    let masks = Masks::new(masks.iter().map(|name| (*name).to_owned()));
    Treatment { masks, decompress: true, limit: 1000 }
}

fn head(headers: &[(&str, &str)]) -> Head {
    headers.iter().copied().collect()
}

fn body(bytes: &[u8], content_type: &str, masks: &[&str]) -> Body {
    Body::of(bytes, &head(&[("Content-Type", content_type)]), &treatment(masks))
}

fn json(text: &str) -> Body {
    Body::Json(text.to_owned())
}

#[test]
fn json_is_kept_as_it_is_written_whatever_it_is_called() {
    let text = " {\"b\":9007199254740993, \"a\":[ ],\"c\":1.50}\n";
    for content_type in
        ["application/json; charset=utf-8", "Application/Problem+JSON", "text/plain", ""]
    {
        assert_eq!(body(text.as_bytes(), content_type, &[]), json(text), "{content_type}");
    }
    assert_eq!(body(b"\xef\xbb\xbf[1]", "text/plain", &[]), json("[1]"));
    assert_eq!(body(b"\"x\"", "application/json", &[]), json("\"x\""));
}

#[test]
fn everything_else_is_kept_as_bytes() {
    for (bytes, content_type) in [
        (&b"{\"a\":NaN}"[..], "application/json"),
        (b"{\"a\":\xff}", "application/json"),
        (b"a=1&b=2", "application/x-www-form-urlencoded"),
        (b"<a/>", "text/xml"),
        (b"12", "text/plain"),
        (b"\0\x01\xff", ""),
    ] {
        assert_eq!(body(bytes, content_type, &[]), Body::Bytes(bytes.to_vec()));
    }
    assert_eq!(body(b"", "application/json", &[]), Body::None);
}

#[test]
fn with_masks_only_what_could_be_masked_is_kept() {
    assert_eq!(body(b"{\"a\":1,\"m\":2}", "text/plain", &["m"]), json("{\"a\":1}"));
    let form = "application/x-www-form-urlencoded";
    assert_eq!(body(b"a=1&m=2", form, &["m"]), Body::Bytes(b"a=1".to_vec()));
    for (bytes, content_type) in [
        (&b"{\"m\":NaN}"[..], "application/json"),
        (b"{\"m\":1", form),
        (b"<m>1</m>", "text/xml"),
        (b"m=1", "text/plain"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
    ] {
        let expected = Body::LeftOut(LeftOut::NotMaskable);
        assert_eq!(body(bytes, content_type, &["m"]), expected, "{content_type}");
    }
    let deep = "[".repeat(10_000);
    assert_eq!(
        body(deep.as_bytes(), "application/json", &["m"]),
        Body::LeftOut(LeftOut::NotMaskable)
    );
}

#[test]
fn packed_bodies_are_opened_within_ten_times_the_limit() {
    let of = |bytes: &[u8], coding: &str, masks: &[&str]| {
        Body::of(bytes, &head(&[("content-encoding", coding)]), &treatment(masks))
    };
    let text = br#"{"a":1,"m":2}"#;
    let packed = gzip::gzip(text);
    assert_eq!(of(&packed, "GZip", &[]), json(r#"{"a":1,"m":2}"#));
    assert_eq!(of(&packed, "x-gzip", &["m"]), json(r#"{"a":1}"#));
    let zlib = miniz_oxide::deflate::compress_to_vec_zlib(text, 6);
    assert_eq!(of(&zlib, "deflate", &[]), json(r#"{"a":1,"m":2}"#));
    let fits = gzip::gzip(&[b'x'; 10_000]);
    assert_eq!(of(&fits, "gzip", &[]), Body::Bytes(vec![b'x'; 10_000]));
    let bomb = gzip::gzip(&[b'x'; 10_001]);
    assert_eq!(of(&bomb, "gzip", &[]), Body::Bytes(bomb.clone()));
    for (bytes, coding) in
        [(&bomb[..], "gzip"), (text, "br"), (&packed, "gzip, gzip"), (text, "gzip")]
    {
        assert_eq!(of(bytes, coding, &["m"]), Body::LeftOut(LeftOut::NotMaskable), "{coding}");
        assert_eq!(of(bytes, coding, &[]), Body::Bytes(bytes.to_vec()), "{coding}");
    }
    let kept = Treatment { decompress: false, ..treatment(&[]) };
    let kept = Body::of(&packed, &head(&[("content-encoding", "gzip")]), &kept);
    assert_eq!(kept, Body::Bytes(packed));
}

#[test]
fn a_body_says_how_it_is_written() {
    let written = |body: &Body| {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        body.write(&mut object);
        object.close();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(&json("[1]")), r#"{"body":[1],"transfer_encoding":"json"}"#);
    let bytes = Body::Bytes(b"\xff\xfe".to_vec());
    assert_eq!(written(&bytes), r#"{"body":"//4=","transfer_encoding":"base64"}"#);
    assert_eq!(written(&Body::None), "{}");
    assert_eq!(written(&Body::LeftOut(LeftOut::TooLarge)), "{}");
}
