//! Any number of random requests, each of which follows from its number alone.

use super::read::{COOKIES, HEADERS, IDENTITY, OWNED, PARAMETERS};
use super::shape::{Body, PLANTED, Shape};

/// A generator of numbers (xorshift). Its sequence depends on the seed alone.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % bound.max(1)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        // Bytes that end a line would make another request of it, which other families do.
        let byte = |n: u64| u8::try_from(n % 256).unwrap_or(0);
        (0..length).map(|_| byte(self.next())).filter(|b| !matches!(b, 0 | b'\r' | b'\n')).collect()
    }
}

/// Returns the random request of this number.
pub fn mixed(number: u64) -> Shape {
    let family = "mixed";
    let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    (0..4).for_each(|_| _ = random.next());
    let known = random.below(3) > 0;
    let mut shape = if known { Shape::known(family) } else { Shape::nobody(family) };
    for _ in 0..random.below(6) + 1 {
        shape = changed(shape, &mut random, known);
    }
    shape
}

fn changed(shape: Shape, random: &mut Random, known: bool) -> Shape {
    let case = if known { "may" } else { "never" };
    match random.below(16) {
        0..=3 => {
            let (name, right, other) = random.one(&HEADERS);
            let value = match random.below(4) {
                0 if known || name != "apikey" => right.as_bytes().to_vec(),
                1 => random.bytes(40),
                _ => other.as_bytes().to_vec(),
            };
            let name = spelled(name, random);
            if random.below(2) == 0 { shape.header(name, value) } else { shape.first(name, value) }
        }
        4 | 5 => {
            let name =
                if random.below(4) == 0 { random.one(&OWNED) } else { random.one(&IDENTITY) };
            shape.header(spelled(name, random), PLANTED)
        }
        6 => {
            let name = format!("x-{}", random.below(1000));
            let most = if random.below(20) == 0 { 20_000 } else { 100 };
            shape.header(name, random.bytes(most))
        }
        7 | 8 => {
            let segments = [
                "/orders",
                "/retired",
                "/..",
                "/.",
                "//",
                "/%2e%2e",
                "/;a=b",
                "/%72etired",
                "\\",
                "/x",
                "/%252e",
                "/%00",
                "/%c0%af",
                "/retired;x",
                "%",
                "/a%20b",
            ];
            let path: String = (0..random.below(5) + 1).map(|_| random.one(&segments)).collect();
            shape.target(format!("{path}?case={case}"))
        }
        9 => {
            let (name, value) = random.one(&PARAMETERS);
            let separator = random.one(&["&", ";", "&&", "&%00", "&+"]);
            let more = [separator.as_bytes(), name.as_bytes(), b"=", value.as_bytes()].concat();
            let target = [shape.target.clone(), more].concat();
            // Nobody's mark may not become another one.
            if name == "case" { shape } else { shape.target(target) }
        }
        10 => {
            let (name, value) = random.one(&COOKIES);
            shape.header("cookie", format!("{name}={value}; a=b"))
        }
        11 | 12 => {
            let kind = random.one(&[
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=b",
                "application/grpc",
                "text/plain",
            ]);
            let body = random.bytes(2000);
            let body = match random.below(2) {
                0 => Body::Whole(body),
                _ => Body::Pieces(body.chunks(random.below(200) + 1).map(<[u8]>::to_vec).collect()),
            };
            Shape { headers: without_type(&shape), ..shape }.post(kind, body)
        }
        13 => match &shape.body {
            Body::Pieces(_) => {
                let name = random.one(&IDENTITY);
                shape.trailer(spelled(name, random), PLANTED)
            }
            _ => shape,
        },
        14 => {
            let method = random.one(&["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND"]);
            if shape.body == Body::None { shape.method(method) } else { shape }
        }
        _ => (0..random.below(60)).fold(shape, |shape, n| shape.header(format!("x-many-{n}"), "v")),
    }
    .unknown()
}

fn without_type(shape: &Shape) -> Vec<super::shape::Pair> {
    let others =
        shape.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"content-type"));
    others.cloned().collect()
}

fn spelled(name: &str, random: &mut Random) -> String {
    match random.below(5) {
        0 => name.to_uppercase(),
        1 => name.replace('-', "_"),
        2 => name.replacen('-', "_", 1).to_uppercase(),
        _ => name.to_owned(),
    }
}
