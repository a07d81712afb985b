//! Sessions under the settings: opening, saving, touching and ending them.

mod ending;
mod opening;

use crate::client::Client;
use crate::config::Config;
use crate::contents::{Contents, Held};
use crate::header::{self, FORGET, Header, STORED};
use crate::holder::Holder;
use crate::jar::{Jar, MAX_COOKIE};
use crate::keyring::{Draft, Keyring, Proof};
use crate::metadata::metadata;
use crate::properties::{Property, Told, headers};
use crate::rows::{Name, Row, Write, login_of, row_of};
use crate::secret::{Kind, Secret};
use crate::set_cookie::SetCookie;
use crate::times::Timeouts;
use exchange::{Bounded, Edit};
use jose::base64url;
use std::cell::{Cell, RefCell};

/// The number of rows and logins that this VM remembers to have ended, and of rows that it
/// remembers to have shortened.
const REMEMBERED: usize = 4096;
/// A row that ends this much earlier than expected has been shortened. In milliseconds.
const MARGIN: u64 = 5000;

/// One configuration of the filter, with its keys and its memory of ended sessions.
pub struct Sessions {
    pub(crate) config: Config,
    keyring: Keyring,
    tools: Tools,
    /// The rows and logins that this VM has ended. The cache learns of an end by a later poll; here
    /// it takes effect at once.
    ended: RefCell<Bounded<Name, ()>>,
    /// The rows that this VM has shortened or ended because a newer row replaces them.
    shortened: RefCell<Bounded<Name, ()>>,
    /// `true` once the operator was told that a `Set-Cookie` header is longer than some clients
    /// accept.
    reported_long_lines: Cell<bool>,
}

/// The functions of the gateway that sessions need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    /// Fills a slice with unpredictable bytes. Returns `false` if that failed.
    pub(crate) random: fn(&mut [u8]) -> bool,
    /// Logs a message for the operator.
    pub(crate) report: fn(&str),
}

/// A cookie whose header was made with one of the secrets and has not timed out. Its contents are
/// still closed.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) kind: Kind,
    /// The position among the cookies of this name.
    pub(crate) copy: usize,
    pub(crate) header: Header,
    proof: Proof,
}

/// The reason why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The client sent no cookie of this name.
    Absent,
    /// The cookie, or the row that it belongs to, is invalid or has expired.
    Invalid,
}

/// An open session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) kind: Kind,
    pub(crate) header: Header,
    proof: Proof,
    pub(crate) contents: Contents,
    /// The text after the header in the cookies; empty for a stored session.
    payload: String,
    /// For a stored session: the end of its row, in milliseconds since 1970, and the rows that it
    /// replaces.
    row: Option<(u64, Vec<Name>)>,
}

/// A new session. Its cookies may be sent once `write` has succeeded.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub(crate) session: Session,
    pub(crate) cookies: Vec<SetCookie>,
    pub(crate) write: Option<Write>,
}

/// The sessions that a new session replaces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    pub(crate) session: Option<Header>,
    /// The contents of that session for all audiences.
    pub(crate) contents: Contents,
    /// The remembered session.
    pub(crate) remember: Option<Header>,
    /// The numbers of the client's further cookies: of the session, and of the remembered session.
    pub(crate) further: [Vec<usize>; 2],
}

impl Sessions {
    pub(crate) fn new(config: Config, secrets: Vec<Secret>, tools: Tools) -> Self {
        Self {
            config,
            keyring: Keyring::new(secrets),
            tools,
            ended: RefCell::new(Bounded::new(REMEMBERED)),
            shortened: RefCell::new(Bounded::new(REMEMBERED)),
            reported_long_lines: Cell::new(false),
        }
    }

    // === Saving ===

    /// Makes a session for `holder` that replaces the sessions of `before`, and a remembered
    /// session if the settings have them. `now` is in seconds since 1970. The result is empty if
    /// the session cannot be saved; the reason is logged.
    pub(crate) fn start(
        &self,
        holder: &Holder,
        before: &Before,
        client: &Client,
        now: u64,
    ) -> Vec<Saved> {
        let audience = &self.config.audience;
        let held = before.contents.holder(audience);
        let other = held.as_ref().is_some_and(|held| held.consumer != holder.consumer);
        // A change of the same consumer belongs to the login that there is. A login with a time of
        // its own is not ended by the logout of an earlier one in the same cookie.
        let replaced = before.session.as_ref().or(before.remember.as_ref());
        let goes_on = held
            .filter(|_| !other)
            .and_then(|held| held.login.or_else(|| replaced.map(|header| header.created)));
        // Another consumer begins another session, unless the time of the first login matters to
        // other audiences of the session.
        let anew = other && before.contents.audiences() == 1;
        let created =
            before.session.as_ref().filter(|_| !anew).map_or(now, |header| header.created);
        let login = goes_on.unwrap_or(now);
        let is_told = self.config.logout.revokes && (self.config.remember || login != created);
        let holder = Holder { login: is_told.then_some(login), ..holder.clone() };
        let contents = before.contents.clone().with(audience, &holder);
        self.save_all(&contents, before, anew, client, now)
    }

    /// Makes a session with these contents for all audiences, as [`Sessions::start`] does for one.
    /// If `anew`, the time of the login begins now.
    pub(crate) fn save_all(
        &self,
        contents: &Contents,
        before: &Before,
        anew: bool,
        client: &Client,
        now: u64,
    ) -> Vec<Saved> {
        let forgets = before.session.as_ref().is_some_and(|header| header.has(FORGET));
        let remembers = self.config.remember && !forgets;
        let old = [before.session.as_ref(), before.remember.as_ref().filter(|_| remembers)];
        let replaces: Vec<&Header> = old.into_iter().flatten().collect();
        let [session, remember] = old.map(|header| header.filter(|_| !anew));
        let [further, further_remember] = &before.further;
        let forget = if forgets { FORGET } else { 0 };
        let draft = |login: Option<&Header>| self.draft(login, forget, now);
        let session = draft(session).and_then(|draft| {
            self.save(Kind::Session, contents, draft, &replaces, further, client, now)
        });
        let Some(session) = session else { return Vec::new() };
        let remember = draft(remember).filter(|_| remembers).and_then(|draft| {
            self.save(Kind::Remember, contents, draft, &[], further_remember, client, now)
        });
        std::iter::once(session).chain(remember).collect()
    }

    /// Makes the session again under a new id. Returns `None` if it cannot be saved.
    pub(crate) fn renew(
        &self,
        session: &Session,
        before: &Before,
        client: &Client,
        now: u64,
    ) -> Option<Saved> {
        let header = &session.header;
        let draft = self.draft(Some(header), header.flags & FORGET, now)?;
        let [further, _] = &before.further;
        self.save(session.kind, &session.contents, draft, &[header], further, client, now)
    }

    /// Makes a new session from a remembered one, and a remembered session that replaces `from`.
    pub(crate) fn restore(
        &self,
        from: &Session,
        before: &Before,
        client: &Client,
        now: u64,
    ) -> Vec<Saved> {
        let [further, further_remember] = &before.further;
        let header = &from.header;
        // The new session belongs to the login that is remembered, and ends with it.
        let contents = &match self.config.logout.revokes {
            true => from.contents.clone().with_login(&self.config.audience, header.created),
            false => from.contents.clone(),
        };
        let remember = self.draft(Some(header), 0, now).and_then(|draft| {
            self.save(Kind::Remember, contents, draft, &[], further_remember, client, now)
        });
        // The time of the new session begins now. A browser that uses it has received the new
        // remembered session too, so that the old one may end.
        let replaces: &[&Header] = if remember.is_some() { &[header] } else { &[] };
        let session = self.draft(None, 0, now).and_then(|draft| {
            self.save(Kind::Session, contents, draft, replaces, further, client, now)
        });
        remember.into_iter().chain(session).collect()
    }

    /// Drafts a header with the flags `more`. It keeps the creation time of `login`, if there is
    /// one.
    fn draft(&self, login: Option<&Header>, more: u16, now: u64) -> Option<Draft> {
        let created = login.map_or(now, |login| login.created);
        let rolling = u32::try_from(now.saturating_sub(created)).ok()?;
        let stored = if self.config.stored { STORED } else { 0 };
        Some(Draft { flags: self.config.bind | stored | more, created, rolling })
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "each of them is of one kind, and none belongs to another"
    )]
    fn save(
        &self,
        kind: Kind,
        contents: &Contents,
        draft: Draft,
        replaces: &[&Header],
        further: &[usize],
        client: &Client,
        now: u64,
    ) -> Option<Saved> {
        let config = &self.config;
        let Some(metadata) = metadata(config.noted, contents) else {
            self.report(
                "a session is not saved: its audiences are too many, or a subject too long, for the admin service's list",
            );
            return None;
        };
        let mut random = [0; 32];
        if !(self.tools.random)(&mut random) {
            self.report("a session is not saved: the proxy gives no random bytes");
            return None;
        }
        let json = contents.json();
        let Some((header, sealed)) =
            self.keyring.seal(kind, draft, json.as_bytes(), client, &random)
        else {
            self.report("a session is not saved: it holds too much");
            return None;
        };
        let timeouts = config.timeouts_of(kind);
        let lasting = (kind == Kind::Remember)
            .then(|| (draft.created.saturating_add(timeouts.lasting()), timeouts.lasting()));
        let payload = if config.stored { String::new() } else { base64url::encode(&sealed) };
        let name = config.name_of(kind);
        let cookies = config.attributes.cookies(name, &header.text(), &payload, lasting, further);
        let Some(cookies) = cookies else {
            self.report("a session is not saved: it does not fit nine cookies");
            return None;
        };
        let is_long = |cookie: &SetCookie| cookie.line.len() > MAX_COOKIE;
        if cookies.iter().any(is_long) && !self.reported_long_lines.replace(true) {
            self.report(
                "a cookie is longer than 4,096 bytes with its attributes, and some clients and proxies drop it: \
                 `storage` \"admin\" keeps cookies short",
            );
        }
        let (mut row, mut write) = (None, None);
        if config.stored {
            let replaces: Vec<Name> = replaces.iter().map(|header| row_of(&header.id)).collect();
            let ttl = timeouts.stored(draft.created, now);
            let bytes = Row::bytes(&sealed, &replaces);
            write = Some(Write::Keep(row_of(&header.id), bytes, ttl, metadata));
            row = Some((now.saturating_add(ttl).saturating_mul(1000), replaces));
        }
        let proof = self.keyring.prove(kind, &header, client)?;
        let session = Session { kind, header, proof, contents: contents.clone(), payload, row };
        Some(Saved { session, cookies, write })
    }

    /// Records in the session's first cookie that it was used at `now`, in seconds since 1970.
    pub(crate) fn touch(
        &self,
        session: &mut Session,
        client: &Client,
        now: u64,
    ) -> Option<SetCookie> {
        let idling = Timeouts::idling_offset(&session.header, now);
        session.header = self.keyring.touch(&session.header, &session.proof, idling, client);
        let name = self.config.name_of(session.kind);
        self.config.attributes.first(name, &session.header.text(), &session.payload)
    }

    // === Telling ===

    /// Returns the edits that set the headers with these properties of the session. `now` is in
    /// seconds since 1970.
    pub(crate) fn tell(&self, properties: &[Property], session: &Session, now: u64) -> Vec<Edit> {
        if properties.is_empty() {
            return Vec::new();
        }
        let holder = self.holder(session);
        let told = Told {
            header: &session.header,
            audience: &self.config.audience,
            subject: holder.as_ref().and_then(|holder| holder.subject.as_deref()),
            timeouts: self.config.timeouts,
            now,
        };
        headers(properties, &told)
    }

    pub(crate) fn report(&self, message: &str) {
        (self.tools.report)(&format!("gatehouse_session: {message}"));
    }
}

impl std::fmt::Debug for Sessions {
    /// Leaves the keys out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("config", &self.config).finish_non_exhaustive()
    }
}
