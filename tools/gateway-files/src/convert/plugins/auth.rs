//! Plugins that authenticate consumers, and those that ask who they are.

use super::Context;
use crate::convert::kong_file::Consumer;
use crate::convert::settings::Settings;
use crate::convert::values::{list, owned, put, texts};
use serde_norway::{Mapping, Value};

pub(super) fn key_auth(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.same(&[
        "key_names",
        "key_in_header",
        "key_in_query",
        "key_in_body",
        "hide_credentials",
    ]);
    settings.same(&["run_on_preflight", "realm"]);
    if let Some(names) = settings.out.get("key_names").cloned() {
        put(&mut settings.out, "key_names", list(&texts(Some(&names))));
    }
    settings.lose(
        &["identity_realms"],
        "realms of Konnect are not known to filters",
        context.notes,
    );
    context.reads_body = settings.out.get("key_in_body").and_then(Value::as_bool) == Some(true);
    let anonymous = context.anonymous(settings);
    preflight(context, settings);
    let mut admin = Mapping::new();
    if context.admin(&mut admin) {
        settings.out.extend(admin);
        return Some(());
    }
    let number = |consumer: &Consumer, anonymous: Option<usize>, all: &[Consumer]| {
        anonymous.and_then(|n| all.get(n)).is_some_and(|one| one.place == consumer.place)
    };
    let all = &context.file.consumers;
    context.people(
        &mut settings.out,
        |consumer| !consumer.keys.is_empty() || number(consumer, anonymous, all),
        keys,
    );
    Some(())
}

/// Adds the API keys of a consumer.
fn keys(context: &mut Context<'_>, consumer: &Consumer, out: &mut Mapping) {
    let mut all = Vec::new();
    for credential in &consumer.keys {
        let Some(key) = owned(&credential.value, "key") else {
            let why = "found no `key`, which Kong makes up: write it, or import it with `gatehouse-admin import`";
            context.notes.lost(&credential.place, why);
            continue;
        };
        let mut one = Mapping::new();
        if let Some(id) = owned(&credential.value, "id") {
            put(&mut one, "id", id);
        }
        if owned(&credential.value, "ttl").is_some_and(|ttl| ttl != "0") {
            let why = "a key in the settings does not end: `gatehouse-admin import` and `--admin` keep its `ttl`";
            context.notes.lost(&credential.place.member("ttl"), why);
        }
        let stem = format!("GATEHOUSE_KEY_{}", consumer.name());
        context.secrets.put(&mut one, "key", &stem, &key);
        all.push(Value::Mapping(one));
    }
    if !all.is_empty() {
        put(out, "keyauth_credentials", Value::Sequence(all));
    }
}

pub(super) fn jwt(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.same(&[
        "uri_param_names",
        "cookie_names",
        "header_names",
        "key_claim_name",
        "secret_is_base64",
    ]);
    settings.same(&["claims_to_verify", "maximum_expiration", "run_on_preflight", "realm"]);
    let anonymous = context.anonymous(settings);
    preflight(context, settings);
    let how = "tokens are read strictly: one whose base64 is padded, whose members are doubled or that has `crit` is \
               refused (`accept_padding: true` takes padding, as Kong 3.9 does)";
    context.notes.differs(&context.plugin.place, how);
    let mut admin = Mapping::new();
    if context.admin(&mut admin) {
        settings.out.extend(admin);
        return Some(());
    }
    let all = &context.file.consumers;
    let is_anonymous = |consumer: &Consumer| {
        anonymous.and_then(|n| all.get(n)).is_some_and(|one| one.place == consumer.place)
    };
    context.people(
        &mut settings.out,
        |consumer| !consumer.jwts.is_empty() || is_anonymous(consumer),
        jwt_secrets,
    );
    Some(())
}

/// Adds the JWT credentials of a consumer.
fn jwt_secrets(context: &mut Context<'_>, consumer: &Consumer, out: &mut Mapping) {
    let mut all = Vec::new();
    for credential in &consumer.jwts {
        let value = &credential.value;
        let algorithm = owned(value, "algorithm").unwrap_or_else(|| "HS256".to_owned());
        let is_hmac = algorithm.starts_with("HS");
        let Some(key) = owned(value, "key") else {
            let why = "found no `key`, which Kong makes up: write it, or import it with `gatehouse-admin import`";
            context.notes.lost(&credential.place, why);
            continue;
        };
        let mut one = Mapping::new();
        if let Some(id) = owned(value, "id") {
            put(&mut one, "id", id);
        }
        put(&mut one, "key", key.as_str());
        put(&mut one, "algorithm", algorithm);
        match (is_hmac, owned(value, "secret"), owned(value, "rsa_public_key")) {
            (true, Some(secret), _) => {
                let stem = format!("GATEHOUSE_JWT_{}", consumer.name());
                context.secrets.put(&mut one, "secret", &stem, &secret);
            }
            (false, _, Some(public_key)) => put(&mut one, "rsa_public_key", public_key),
            _ => {
                let why =
                    "found nothing that verifies a token, expected `secret` or `rsa_public_key`";
                context.notes.lost(&credential.place, why);
                continue;
            }
        }
        all.push(Value::Mapping(one));
    }
    if !all.is_empty() {
        put(out, "jwt_secrets", Value::Sequence(all));
    }
}

/// The plugin `acl` becomes a refusal of the consumers who are not in its groups, as the file has
/// them.
pub(super) fn acl(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.renamed(&["allow", "whitelist"], "allow");
    settings.renamed(&["deny", "blacklist"], "deny");
    let (allow, deny) = (texts(settings.out.get("allow")), texts(settings.out.get("deny")));
    settings.out.clear();
    settings.ignore(&["hide_groups_header"]);
    settings.lose(
        &["include_consumer_groups"],
        "consumer groups of Kong Enterprise are not known to filters",
        context.notes,
    );
    let in_groups = |groups: &[String]| -> Vec<String> {
        let member =
            |consumer: &&Consumer| consumer.groups.iter().any(|group| groups.contains(group));
        context.file.consumers.iter().filter(member).map(Consumer::name).collect()
    };
    if allow.is_empty() {
        let members = in_groups(&deny);
        if members.is_empty() {
            context.notes.differs(
                &context.plugin.place,
                "nobody of this file is in its groups: it refuses nobody",
            );
            return None;
        }
        put(&mut context.matching, "consumers", list(&members));
    } else {
        put(&mut context.matching, "not_consumers", list(&in_groups(&allow)));
        if context.matching.get("not_consumers").is_some_and(|list| texts(Some(list)).is_empty()) {
            context.matching.clear();
        }
    }
    put(&mut settings.out, "status_code", 403);
    put(&mut settings.out, "message", "You cannot consume this service");
    let how = "the members of the groups are those of this file: whoever joins or leaves one later has to be added to \
               `match` or taken out of it. Kong's `X-Consumer-Groups` does not reach the upstream";
    context.notes.differs(&context.plugin.place, how);
    Some(())
}

pub(super) fn app_id(context: &mut Context<'_>, settings: &mut Settings) -> Option<()> {
    settings.same(&["header_name"]);
    let mut admin = Mapping::new();
    if context.admin(&mut admin) {
        settings.out.extend(admin);
        return Some(());
    }
    let mut mappings = Mapping::new();
    for consumer in context.file.consumers.iter().filter(|consumer| !consumer.app_ids.is_empty()) {
        put(&mut mappings, &consumer.name(), list(&consumer.app_ids));
    }
    if mappings.is_empty() {
        let why = "this file has no App IDs, so every one is refused: import them, and name gatehouse-admin with `--admin`";
        context.notes.lost(&context.plugin.place, why);
        put(&mut mappings, "gatehouse-nobody", list(&["none".to_owned()]));
    }
    put(&mut settings.out, "mappings", mappings);
    Some(())
}

fn preflight(context: &mut Context<'_>, settings: &Settings) {
    if settings.out.get("run_on_preflight").and_then(Value::as_bool) == Some(false) {
        let how = "a filter with `match.consumers` cannot judge an OPTIONS request that nobody has authenticated, and \
                   answers 500";
        context.notes.differs(&settings.place.member("run_on_preflight"), how);
    }
}

impl Context<'_> {
    /// Writes the setting `consumers`: those whom `wanted` chooses, with what `add` adds.
    pub(super) fn people(
        &mut self,
        out: &mut Mapping,
        wanted: impl Fn(&Consumer) -> bool,
        add: impl Fn(&mut Self, &Consumer, &mut Mapping),
    ) {
        let file = self.file;
        let mut all = Vec::new();
        for consumer in file.consumers.iter().filter(|consumer| wanted(consumer)) {
            let mut one = Mapping::new();
            let names = [
                ("id", &consumer.id),
                ("username", &consumer.username),
                ("custom_id", &consumer.custom_id),
            ];
            for (name, value) in names {
                if let Some(value) = value {
                    put(&mut one, name, value.as_str());
                }
            }
            if !consumer.groups.is_empty() {
                put(&mut one, "groups", list(&consumer.groups));
            }
            add(self, consumer, &mut one);
            all.push(Value::Mapping(one));
        }
        if all.is_empty() {
            let why = "this file has no consumer who could authenticate, so nobody can: import them, and name \
                       gatehouse-admin with `--admin`";
            self.notes.lost(&self.plugin.place, why);
            let mut nobody = Mapping::new();
            put(&mut nobody, "username", "gatehouse-nobody");
            all.push(Value::Mapping(nobody));
        }
        put(out, "consumers", Value::Sequence(all));
    }
}
