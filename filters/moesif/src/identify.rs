//! Identifies the caller: user, company and session.

use crate::token::{Credential, claim};
use consumer::Identity;
use exchange::Head;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The places to look for users and companies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) user_header: Option<String>,
    pub(crate) company_header: Option<String>,
    /// Headers with a credential, in order of precedence.
    pub(crate) credential_headers: Vec<String>,
    pub(crate) user_claim: Option<String>,
    pub(crate) company_claim: Option<String>,
}

/// The facts about the caller of one request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    pub(crate) identity: Option<&'a Identity>,
    /// The claims of a token that an earlier filter has verified.
    pub(crate) claims: Option<&'a [u8]>,
    pub(crate) request: Option<&'a Head>,
    /// The headers of the response, as soon as they are there.
    pub(crate) response: Option<&'a Head>,
}

/// User and company of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) user: Option<String>,
    pub(crate) company: Option<String>,
}

impl Sources {
    /// Looks in every place. The first text that is not empty counts.
    pub(crate) fn who(&self, known: &Known<'_>) -> Who {
        let request = |name: &Option<String>| header(known.request, name.as_deref());
        let response = |name: &Option<String>| header(known.response, name.as_deref());
        let mut who = Who {
            user: request(&self.user_header).or_else(|| consumer(known.identity)),
            company: request(&self.company_header),
        };
        if who.user.is_none() || (who.company.is_none() && self.company_claim.is_some()) {
            self.ask_tokens(known, &mut who);
        }
        who.user = who.user.or_else(|| response(&self.user_header));
        who.company = who.company.or_else(|| response(&self.company_header));
        who
    }

    fn ask_tokens(&self, known: &Known<'_>, who: &mut Who) {
        let (user, company) = (self.user_claim.as_deref(), self.company_claim.as_deref());
        // Only the verified token is believed, not another one beside it.
        if let Some(claims) = known.claims.and_then(|claims| std::str::from_utf8(claims).ok()) {
            who.user = who.user.take().or_else(|| claim(claims, user?));
            who.company = who.company.take().or_else(|| claim(claims, company?));
            return;
        }
        let Some(head) = known.request else { return };
        let values = self.credential_headers.iter().flat_map(|name| head.values(name));
        for credential in values.filter_map(Credential::read) {
            who.user = who.user.take().or_else(|| credential.user(user));
            who.company = who.company.take().or_else(|| credential.company(company));
            if who.user.is_some() && (who.company.is_some() || company.is_none()) {
                break;
            }
        }
    }
}

fn consumer(identity: Option<&Identity>) -> Option<String> {
    let identity = identity?;
    let names = [&identity.custom_id, &identity.username, &Some(identity.id.clone())];
    names.into_iter().flatten().find(|name| !name.is_empty()).cloned()
}

/// Returns the first value of a header that is not empty.
fn header(head: Option<&Head>, name: Option<&str>) -> Option<String> {
    let values = head?.values(name?);
    let mut texts = values.map(|value| String::from_utf8_lossy(value).trim().to_owned());
    texts.find(|text| !text.is_empty())
}

/// Returns a token that stands for the credential of a request. It is equal for all requests with
/// the credential, and useless to anybody else.
pub(crate) fn session_token(secret: &str, identity: Option<&Identity>) -> Option<String> {
    let credential = identity?.credential.as_ref()?;
    let name = credential.identifier.as_ref().unwrap_or(&credential.id);
    // HMAC accepts a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    for part in ["gatehouse session token", &credential.kind, name] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    let digest = mac.finalize().into_bytes();
    Some(base16ct::lower::encode_string(digest.get(..16)?))
}

#[cfg(test)]
#[path = "identify_tests.rs"]
mod tests;
