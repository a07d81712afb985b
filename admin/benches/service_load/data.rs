//! The content of a database with many consumers, which is the same in every run.

use sha2::{Digest as _, Sha256};

/// The time of the oldest item, in milliseconds since 1970.
const BEGIN: i64 = 1_700_000_000_000;
/// The number of groups. Each consumer is in one of them.
pub(crate) const GROUPS: u64 = 10;
/// The number of changes that the log keeps by default.
const HISTORY: u64 = 100_000;
/// The number of things that belong to each consumer and leave a change behind.
const CHANGES: u64 = 6;

/// A kind of row with an id.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Consumer = 1,
    Acl,
    AppId,
    Key,
    Jwt,
    Metadata,
}

/// A value of a column.
pub(crate) enum Value {
    Text(String),
    Number(i64),
}

/// A table with its columns, and a function that makes its row for one consumer.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) row: fn(&Data, u64) -> Vec<Value>,
}

/// The content: each consumer has a name, a group, and a credential of each kind.
#[derive(Clone, Copy)]
pub(crate) struct Data {
    pub(crate) consumers: u64,
    /// The end of each session, in milliseconds since 1970.
    pub(crate) expires_at: i64,
}

/// Returns a number that looks random and is another one for each `n`.
pub(crate) fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns the id of a row. Ids are in no order, as random ones are.
pub(crate) fn id(kind: Kind, n: u64) -> String {
    let high = scattered(n * 8 + kind as u64);
    let low = scattered(high);
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

/// Returns SHA-256 in lower-case hex.
pub(crate) fn digest(text: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(text.as_bytes()))
}

pub(crate) fn username(n: u64) -> String {
    format!("user-{n:07}")
}

pub(crate) fn custom_id(n: u64) -> String {
    format!("crm-{n:07}")
}

pub(crate) fn group(n: u64) -> String {
    format!("group-{}", n % GROUPS)
}

pub(crate) fn app_id(n: u64) -> String {
    format!("organisation{}.app{n}", n % 5000)
}

pub(crate) fn key(n: u64) -> String {
    format!("key-of-consumer-{n:012}")
}

pub(crate) fn jwt_key(n: u64) -> String {
    format!("issuer-{n:07}")
}

pub(crate) fn session(n: u64) -> String {
    digest(&format!("session {n}"))
}

pub(crate) fn revocation(n: u64) -> String {
    digest(&format!("revocation {n}"))
}

/// Returns the cursor of a list in the order of creation, behind the item of the consumer `n`.
pub(crate) fn cursor(kind: Kind, n: u64) -> String {
    use base64::Engine as _;
    let position = format!("{}:{}", created_at(n), id(kind, n));
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(position)
}

fn created_at(n: u64) -> i64 {
    BEGIN + n.cast_signed()
}

impl Data {
    /// Returns the number of the newest change.
    pub(crate) const fn seq(&self) -> u64 {
        self.consumers * CHANGES
    }

    /// Returns the number of changes that are in the log.
    pub(crate) fn logged(&self) -> u64 {
        self.seq().min(HISTORY)
    }

    /// Returns the tables in the order in which they are filled, each with its number of rows.
    pub(crate) fn tables(&self) -> [(Table, u64); 8] {
        let of = |name, columns, row| (Table { name, columns, row }, self.consumers);
        [
            of("consumers", "id, username, custom_id, created_at, updated_at", |_, n| {
                let time = Value::Number(created_at(n));
                let updated = Value::Number(created_at(n));
                vec![
                    text(id(Kind::Consumer, n)),
                    text(username(n)),
                    text(custom_id(n)),
                    time,
                    updated,
                ]
            }),
            of("acls", "id, consumer_id, group_name, created_at", |_, n| {
                owned(Kind::Acl, n, group(n))
            }),
            of("appids", "id, consumer_id, appid, created_at", |_, n| {
                owned(Kind::AppId, n, app_id(n))
            }),
            of("keyauth_credentials", "id, consumer_id, digest, created_at", |_, n| {
                owned(Kind::Key, n, digest(&key(n)))
            }),
            of("jwt_secrets", "id, consumer_id, jwt_key, created_at, algorithm, secret", |_, n| {
                let mut row = owned(Kind::Jwt, n, jwt_key(n));
                row.push(text("HS256"));
                row.push(text(format!("plain:a-secret-of-the-issuer-{n:012}")));
                row
            }),
            of("sessions", "id, data, expires_at", |data, n| {
                // Sealed data has the length that the session of a small application has.
                vec![text(session(n)), text("c2VhbGVk".repeat(25)), Value::Number(data.expires_at)]
            }),
            of("session_metadata", "id, session_id, audience, subject, created_at", |_, n| {
                let subject = username(n);
                let time = Value::Number(created_at(n));
                vec![
                    text(id(Kind::Metadata, n)),
                    text(session(n)),
                    text("portal"),
                    text(subject),
                    time,
                ]
            }),
            of("revocations", "id, expires_at", |data, n| {
                vec![text(revocation(n)), Value::Number(data.expires_at)]
            }),
        ]
    }

    /// Returns the table of changes, whose rows are the newest ones of a history in which App IDs
    /// came last.
    pub(crate) const fn changes() -> Table {
        Table {
            name: "changes",
            columns: "seq, mark, entity, operation, consumer_id, name",
            row: |data, n| {
                let seq = data.seq() - data.logged() + n + 1;
                let whose = seq % data.consumers;
                vec![
                    Value::Number(seq.cast_signed()),
                    text(format!("{:032x}", scattered(seq))),
                    text("appids"),
                    text("update"),
                    text(id(Kind::Consumer, whose)),
                    text(app_id(whose)),
                ]
            },
        }
    }
}

fn owned(kind: Kind, n: u64, name: String) -> Vec<Value> {
    vec![text(id(kind, n)), text(id(Kind::Consumer, n)), text(name), Value::Number(created_at(n))]
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// Returns the beginning of the present minute, in seconds since 1970.
pub(crate) fn minute() -> u64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.expect("a clock after 1970").as_secs() / 60 * 60
}
