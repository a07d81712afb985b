//! The command `export`: a declarative file of all consumers and what they own.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::{Failure, failure, open};
use crate::api::{App, secret_of};
use crate::settings::Export;
use crate::store::{Consumer, Cursor, Filter, Kind, Owned, Tx, now};

/// The number of consumers that are read at once.
const PAGE: i64 = 500;

/// Runs the command. Returns the number of consumers.
pub(crate) async fn export(flags: &Export, out: &mut (dyn Write + Send)) -> Result<usize, Failure> {
    write(&open(&flags.database, false).await?, out).await
}

/// Writes the file. Returns the number of consumers.
pub(super) async fn write(app: &App, out: &mut (dyn Write + Send)) -> Result<usize, Failure> {
    out.write_all(b"_format_version: '3.0'\nconsumers:\n").map_err(failure)?;
    let mut after = Cursor::start();
    let mut number = 0;
    let mut tx = app.store.read().await.map_err(failure)?;
    loop {
        let page = tx.consumers(&after, PAGE).await.map_err(failure)?;
        let Some(last) = page.last() else { return Ok(number) };
        after = Cursor { created_at: last.created_at, id: last.id.clone() };
        for consumer in page {
            let object = whole(app, &mut tx, consumer).await?;
            let yaml = serde_norway::to_string(&[object]).map_err(failure)?;
            out.write_all(yaml.as_bytes()).map_err(failure)?;
            number += 1;
        }
    }
}

/// Returns a consumer with what it owns.
async fn whole(app: &App, tx: &mut Tx, consumer: Consumer) -> Result<Value, Failure> {
    let id = consumer.id.clone();
    let mut object = Map::new();
    put(&mut object, "id", json!(consumer.id));
    put(&mut object, "username", json!(consumer.username));
    put(&mut object, "custom_id", json!(consumer.custom_id));
    put(&mut object, "tags", tags(consumer.tags.as_deref()));
    for (kind, list, name) in [
        (Kind::Acl, "acls", "group"),
        (Kind::AppId, "appids", "appid"),
        (Kind::Key, "keyauth_credentials", "key_digest"),
    ] {
        let filter = Filter { consumer_id: Some(id.clone()), ..Filter::default() };
        let mut items = Vec::new();
        let mut after = Cursor::start();
        loop {
            let page = tx.list_owned(kind, &filter, now(), &after, PAGE).await.map_err(failure)?;
            let Some(last) = page.last() else { break };
            after = Cursor { created_at: last.created_at, id: last.id.clone() };
            items.extend(page.into_iter().map(|item| owned(item, name)));
        }
        if !items.is_empty() {
            put(&mut object, list, Value::Array(items));
        }
    }
    let mut secrets = Vec::new();
    let mut after = Cursor::start();
    loop {
        let page = tx.jwt_secrets(Some(&id), &after, PAGE).await.map_err(failure)?;
        let Some(last) = page.last() else { break };
        after = Cursor { created_at: last.created_at, id: last.id.clone() };
        for stored in page {
            let mut one = Map::new();
            put(&mut one, "id", json!(stored.id));
            put(&mut one, "key", json!(stored.key));
            put(&mut one, "algorithm", json!(stored.algorithm));
            put(&mut one, "rsa_public_key", json!(stored.rsa_public_key));
            put(&mut one, "tags", tags(stored.tags.as_deref()));
            put(&mut one, "secret", json!(secret_of(&app.vault, stored)?));
            secrets.push(Value::Object(one));
        }
    }
    if !secrets.is_empty() {
        put(&mut object, "jwt_secrets", Value::Array(secrets));
    }
    Ok(Value::Object(object))
}

fn owned(item: Owned, name: &str) -> Value {
    let mut one = Map::new();
    put(&mut one, "id", json!(item.id));
    put(&mut one, name, json!(item.value));
    put(&mut one, "tags", tags(item.tags.as_deref()));
    put(&mut one, "expires_at", json!(item.expires_at));
    Value::Object(one)
}

fn tags(stored: Option<&str>) -> Value {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    if !value.is_null() {
        object.insert(name.to_owned(), value);
    }
}
