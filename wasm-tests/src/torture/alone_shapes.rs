//! The requests for a single filter: every byte in what it reads, in several spellings, and bodies
//! of every kind.

use super::alone::Alone;
use super::alone_rules::HIDDEN;
use super::families::{bodies, grpc, spoofed};
use super::shape::{Body, KEY, PLANTED, Shape, Want};

/// The header of a request whose body comes in pieces, without a length.
pub(super) const PIECES: &str = "x-pieces";

/// A way to write the fields of a body: the type, and the body with one field.
type Written = (&'static str, fn(&[u8], &[u8]) -> Vec<u8>);

const WRITTEN: [Written; 3] = [
    ("application/x-www-form-urlencoded", form),
    ("application/json", json),
    ("multipart/form-data; boundary=b", multipart),
];

fn form(name: &[u8], value: &[u8]) -> Vec<u8> {
    [b"a=1&", name, b"=", value].concat()
}

fn json(name: &[u8], value: &[u8]) -> Vec<u8> {
    [b"{\"a\":1,\"", name, b"\":\"", value, b"\"}"].concat()
}

fn multipart(name: &[u8], value: &[u8]) -> Vec<u8> {
    let head = [b"--b\r\nContent-Disposition: form-data; name=\"", name, b"\"\r\n\r\n"].concat();
    [&head, value, b"\r\n--b--\r\n"].concat()
}

/// Returns every request for this filter. Where it lets everybody pass, every one may pass.
pub(super) fn of(alone: &Alone) -> Vec<Shape> {
    let mut all = vec![proved(alone, base(alone))];
    all.extend(heads(alone));
    all.extend(fields(alone));
    // Filters that read no body get every tenth of these.
    let step = if alone.fields.is_empty() { 10 } else { 1 };
    let general =
        bodies().into_iter().step_by(step).chain(grpc()).chain(spoofed().into_iter().step_by(5));
    for mut shape in general {
        if shape.may_pass && alone.prove.is_some() {
            // It has one proof, not two.
            shape.headers.retain(|(name, _)| name != b"apikey");
            shape = proved(alone, shape);
        }
        all.push(shape);
    }
    for shape in &mut all {
        shape.may_pass |= alone.prove.is_none();
    }
    all
}

fn base(alone: &Alone) -> Shape {
    Shape::somebody(alone.name)
}

fn proved(alone: &Alone, shape: Shape) -> Shape {
    alone.prove.map_or(shape.clone(), |prove| prove(shape))
}

/// A request of nobody. What the filter reads comes from nobody, too.
fn stranger(alone: &Alone) -> Shape {
    Shape::nobody(alone.name)
}

/// Every byte for the first of the names that a filter reads, and some for the others.
fn some_bytes(number: usize) -> impl Iterator<Item = u8> {
    (0..=u8::MAX).step_by(if number == 0 { 1 } else { 15 })
}

/// A value in place of one that a filter has to hide, where the filter does not look for it.
fn harmless(value: &str) -> &str {
    if value == KEY || value == HIDDEN { "v" } else { value }
}

/// The value as this client knows it: nobody has a key.
fn guessed(shape: &Shape, value: &str) -> String {
    let knows = shape.may_pass || value != KEY;
    if knows { value.to_owned() } else { "guess".to_owned() }
}

/// Returns the value with the byte in its middle.
fn with_byte(value: &str, byte: u8) -> Vec<u8> {
    let (before, after) = value.as_bytes().split_at(value.len() / 2);
    [before, &[byte], after].concat()
}

/// Every byte in headers, cookies and parameters; repeated ones; several spellings.
fn heads(alone: &Alone) -> Vec<Shape> {
    let mut all = Vec::new();
    let known = || proved(alone, base(alone));
    for (number, (name, value)) in alone.headers.iter().enumerate() {
        for byte in some_bytes(number) {
            all.push(known().header(name, with_byte(value, byte)));
            if byte % 4 == 0 {
                all.push(stranger(alone).header(name, with_byte(value, byte)));
            }
        }
        for spelling in [name.to_uppercase(), name.replace('-', "_"), name.replacen('-', "_", 1)] {
            all.push(known().header(&spelling, value));
            all.push(known().header(&spelling, PLANTED).header(name, value));
            all.push(known().first(name, value).header(&spelling, value).header(&spelling, ""));
            all.push(known().header(&spelling, format!("{value}, {value}; {value}")));
        }
        all.push((0..40).fold(known(), |shape, _| shape.header(name, value)));
    }
    let case = |shape: &Shape| if shape.may_pass { "may" } else { "never" };
    for (number, (name, value)) in alone.parameters.iter().enumerate() {
        for shape in [known(), stranger(alone)] {
            let (value, harmless) = (&guessed(&shape, value), harmless(value));
            let with = |query: Vec<u8>| {
                let start = format!("/orders?case={}&", case(&shape));
                shape.clone().target([start.as_bytes(), &query].concat())
            };
            for byte in some_bytes(number).filter(|byte| shape.may_pass || byte % 8 == 0) {
                let pair = [name.as_bytes(), b"="].concat();
                all.push(with([pair.as_slice(), &with_byte(value, byte)].concat()));
                let escaped = format!("{name}={value}%{byte:02x}");
                all.push(with(escaped.into_bytes()));
            }
            let first = name.as_bytes()[0];
            for query in [
                (*name).to_owned(),
                format!("{name}=&{name}={value}"),
                format!("%{first:02x}{}={value}", &name[1..]),
                format!("{name}[]={harmless}&{name}%00={harmless}"),
                format!("a;{name}={harmless}"),
                format!("{name}={value}&").repeat(200),
            ] {
                all.push(with(query.into_bytes()));
            }
        }
    }
    for (number, (name, value)) in alone.cookies.iter().enumerate() {
        for byte in some_bytes(number) {
            let cookie =
                [b"a=b; ", name.as_bytes(), b"=", &with_byte(value, byte), b"; c=d"].concat();
            all.push(known().header("cookie", cookie));
        }
        for cookie in [
            format!("{name}={value}; {name}={value}"),
            format!("{name}=\"{value}\""),
            format!("{name}; ={value};;; {name} = {value}"),
        ] {
            all.push(known().header("cookie", &cookie).header("Cookie", &cookie));
            all.push(stranger(alone).header("cookie", cookie));
        }
    }
    all
}

/// Every byte in the names and values of a body's fields; repeated fields; odd types and encodings.
fn fields(alone: &Alone) -> Vec<Shape> {
    let mut all = Vec::new();
    for (number, (name, value)) in alone.fields.iter().enumerate() {
        let harmless = harmless(value);
        for (kind, write) in WRITTEN {
            let plain = write(name.as_bytes(), value.as_bytes());
            let posted = |shape: Shape, body: Vec<u8>| shape.post(kind, Body::Whole(body));
            // The field is the only credential, if it is one.
            let by_body = posted(base(alone), plain.clone());
            let proves = *value == KEY;
            all.push(if proves { by_body.want(Want::Passes) } else { by_body });
            for byte in some_bytes(number) {
                let in_value = write(name.as_bytes(), &with_byte(value, byte));
                let in_name = write(&with_byte(name, byte), harmless.as_bytes());
                all.push(posted(proved(alone, base(alone)), in_value.clone()));
                all.push(posted(proved(alone, base(alone)), in_name.clone()));
                if byte % 8 == 0 {
                    all.push(posted(stranger(alone), in_value));
                    all.push(posted(stranger(alone), in_name));
                    let inside = write(name.as_bytes(), harmless.as_bytes());
                    let around = [&[byte], inside.as_slice(), &[byte]].concat();
                    all.push(posted(proved(alone, base(alone)), around));
                }
            }
            for shape in [proved(alone, base(alone)), stranger(alone)] {
                let value = guessed(&shape, value);
                for body in repeated(kind, name, &value, harmless) {
                    all.push(posted(shape.clone(), body));
                }
                let plain = write(name.as_bytes(), value.as_bytes());
                let pieces = plain.iter().map(|byte| vec![*byte]).collect();
                let slow = shape.clone().header(PIECES, "1").post(kind, Body::Pieces(pieces));
                all.push(slow.clone());
                all.push(slow.trailer(name, harmless));
                for (place, other) in odd_types(kind).into_iter().enumerate() {
                    // The first ones are the same type, in other words.
                    let value = if place < 2 { value.as_str() } else { harmless };
                    let body = Body::Whole(write(name.as_bytes(), value.as_bytes()));
                    all.push(shape.clone().post(&other, body));
                }
            }
        }
    }
    all
}

/// Bodies in which a field comes twice, in other spellings, or where servers disagree. `found` is a
/// value that every filter has to find in a body of this type, `value` another one.
fn repeated(kind: &str, name: &str, found: &str, value: &str) -> Vec<Vec<u8>> {
    let of = |wanted: &str| if kind.ends_with(wanted) { found } else { value };
    let (form, json) = (of("-urlencoded"), of("/json"));
    let first = name.as_bytes()[0];
    let rest = &name[1..];
    let texts = [
        format!("{name}={form}&{name}={form}&{name}"),
        format!("%{first:02x}{rest}={form}&a=1"),
        format!("a=1;{name}={value}"),
        format!("a=1& {name} ={value}&+{name}={value}"),
        format!("{name}[]={value}&{name}[0]={value}&{name}.x={value}"),
        format!("{name}%00={value}"),
        format!("{{\"{name}\":1,\"{name}\":\"{json}\"}}"),
        format!("{{\"\\u{first:04x}{rest}\":\"{json}\"}}"),
        format!("{{\"{name}\":{{\"{name}\":[\"{value}\"]}}}}"),
        format!("\u{feff}{{\"{name}\":\"{value}\"}}"),
        format!("{{\"{name}\":\"{value}\"}} {{}}"),
        format!("[{{\"{name}\":\"{value}\"}}]"),
        format!(
            "--b\r\nContent-Disposition: form-data; name={name}; name=\"other\"\r\n\r\n{value}\r\n--b--\r\n"
        ),
        format!("--b\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n--b--\n"),
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n{value}\r\n--b\r\n\
             content-disposition: form-data; name=\"{name}\"\r\n\r\nother\r\n--b--\r\n--b\r\n"
        ),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

/// Other ways to write a type, and other types.
fn odd_types(kind: &str) -> Vec<String> {
    let plain = kind.split(';').next().unwrap_or(kind);
    let mut all: Vec<String> = [
        kind.replace(plain, &plain.to_uppercase()),
        format!("{kind}; charset=utf-8"),
        format!("{kind}; charset=utf-16"),
        format!("{kind}; boundary=\"b"),
        format!("{kind}, text/plain"),
        format!(" {kind} ;"),
        format!("{kind}\\"),
    ]
    .into();
    all.extend(
        ["text/plain", "application/x-json", "multipart/mixed; boundary=b"].map(str::to_owned),
    );
    all
}
