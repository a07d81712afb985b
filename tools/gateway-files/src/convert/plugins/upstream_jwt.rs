//! The plugins `kong-upstream-jwt` and `kong-upstream-jwt-extended`.

use super::Context;
use crate::convert::secrets::Source;
use crate::convert::settings::Settings;
use crate::convert::values::{put, text};
use serde_norway::Value;

pub(super) fn extended(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.same(&["issuer", "key_id", "header", "include_bearer", "exp"]);
    settings.same(&["consumer", "credentials", "route", "service"]);
    settings.same(&["x5c", "aud", "iat", "jti", "body_hash", "query_hash"]);
    keys(context, settings);
    fraction(context, settings);
    if is(settings, "x5c") {
        put(&mut settings.out, "x5c_legacy", true);
        let how = "is the whole file in base64url, as the original writes it (`x5c_legacy`); without it, it is what \
                   RFC 7515 says";
        context.notes.differs(&settings.place.member("x5c"), how);
    }
    context.reads_body = is(settings, "body_hash");
    Some(())
}

pub(super) fn original(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.same(&["issuer", "key_id", "header"]);
    settings.renamed(&["include_credential_type"], "include_bearer");
    if settings.out.get("include_bearer").is_none() {
        put(&mut settings.out, "include_bearer", false);
    }
    if text(&settings.out, "header").is_none() {
        put(&mut settings.out, "header", "JWT");
    }
    let has_issuer = text(&settings.out, "issuer").is_some();
    for (name, value) in [
        ("exp", Value::from(60)),
        ("jti", true.into()),
        ("iat", has_issuer.into()),
        ("aud", true.into()),
        ("body_hash", true.into()),
    ] {
        put(&mut settings.out, name, value);
    }
    put(&mut settings.out, "x5c", true);
    put(&mut settings.out, "consumer", Value::Sequence(vec!["id".into(), "username".into()]));
    keys(context, settings);
    let why = "`payloadhash`, `consumerid` and `consumername` are under `kong` (`request.bodyhash`, `consumer.id`, \
               `consumer.username`): the upstream has to read them there";
    context.notes.lost(&context.plugin.place, why);
    let how =
        "`x5c` holds the certificate in base64, as RFC 7515 says; the original wrote base64url";
    context.notes.differs(&context.plugin.place, how);
    context.reads_body = true;
    Some(())
}

fn is(settings: &Settings, name: &str) -> bool {
    settings.out.get(name).and_then(Value::as_bool) == Some(true)
}

/// A filter reads no files: their content comes by the environment.
fn keys(context: &mut Context<'_>, settings: &mut Settings) {
    let names = [
        ("private_key_location", "GATEHOUSE_UPSTREAM_KEY"),
        ("public_key_location", "GATEHOUSE_UPSTREAM_CERTIFICATE"),
    ];
    for (name, stem) in names {
        let Some(Value::String(path)) = settings.take(name) else { continue };
        let variable = context.secrets.variable(stem, Source::File(path.clone()));
        put(&mut settings.out, name, format!("env://{variable}"));
        let how = format!(
            "a filter reads no files: put the content of {path} into the variable `{variable}`"
        );
        context.notes.differs(&settings.place.member(name), how);
    }
    if !settings.out.contains_key("private_key_location") {
        let why = Source::Operator(
            "the private key (PEM) that the original read from KONG_SSL_CERT_KEY".to_owned(),
        );
        let variable = context.secrets.variable("GATEHOUSE_UPSTREAM_KEY", why);
        put(&mut settings.out, "private_key_location", format!("env://{variable}"));
        let how = format!(
            "the original's variables name files: put the private key itself into `{variable}`"
        );
        context.notes.differs(&settings.place, how);
    }
    if is(settings, "x5c") && !settings.out.contains_key("public_key_location") {
        let why = Source::Operator(
            "the certificate (PEM) that the original read from KONG_SSL_CERT_DER".to_owned(),
        );
        let variable = context.secrets.variable("GATEHOUSE_UPSTREAM_CERTIFICATE", why);
        put(&mut settings.out, "public_key_location", format!("env://{variable}"));
    }
}

/// `exp` may have a fraction in the original.
fn fraction(context: &mut Context<'_>, settings: &mut Settings) {
    let exp = settings.out.get("exp").and_then(Value::as_f64).filter(|exp| exp.fract() != 0.0);
    if let Some(exp) = exp {
        let message =
            format!("found {exp}, and a filter takes whole seconds: {} it is", exp.ceil());
        context.notes.lost(&settings.place.member("exp"), message);
        put(&mut settings.out, "exp", exp.ceil() as i64);
    }
}
