//! The settings, and what is done with them: sessions are opened, saved, touched and ended.

use crate::client::Client;
use crate::config::Config;
use crate::contents::{Contents, Holder};
use crate::header::{self, FORGET, Header, STORED};
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

/// Rows and logins that this VM has ended, and rows that it has shortened.
const REMEMBERED: usize = 4096;
/// How much earlier than expected, in milliseconds, a row ends that was shortened.
const MARGIN: u64 = 5000;

/// The filter's configuration, and what it remembers.
pub struct Sessions {
    pub(crate) config: Config,
    keyring: Keyring,
    tools: Tools,
    /// Answers in caches can be a poll behind; what ended here ends at once.
    ended: RefCell<Bounded<Name, ()>>,
    shortened: RefCell<Bounded<Name, ()>>,
    /// Whether the operator knows already that a cookie's line is longer than some front ends take.
    told_of_long_lines: Cell<bool>,
}

/// What the host gives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    /// Fills it with octets that nobody can foresee; `false` if it cannot.
    pub(crate) random: fn(&mut [u8]) -> bool,
    /// Tells the operator.
    pub(crate) report: fn(&str),
}

/// A cookie that one of our secrets made, and that is in time.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) kind: Kind,
    /// Which of the cookies of this name it is.
    pub(crate) copy: usize,
    pub(crate) header: Header,
    proof: Proof,
}

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    Absent,
    Invalid,
}

/// An open session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) kind: Kind,
    pub(crate) header: Header,
    proof: Proof,
    pub(crate) contents: Contents,
    /// What follows the header in its cookies.
    payload: String,
    /// When its row ends, in milliseconds since 1970, and the rows before it.
    row: Option<(u64, Vec<Name>)>,
}

/// A session that is ready to be given out, once `write` is done.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub(crate) session: Session,
    pub(crate) cookies: Vec<SetCookie>,
    pub(crate) write: Option<Write>,
}

/// What a new session takes the place of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    pub(crate) session: Option<Header>,
    /// What it held for all audiences.
    pub(crate) contents: Contents,
    pub(crate) remember: Option<Header>,
    /// Further cookies that the client has, of both kinds.
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
            told_of_long_lines: Cell::new(false),
        }
    }

    // === Opening ===

    /// The first cookie of this kind that is valid as far as it says by itself, from the copy of this number on.
    pub(crate) fn present(
        &self,
        kind: Kind,
        jar: &Jar,
        from: usize,
        client: &Client,
        now: u64,
    ) -> Result<Presented, Unfit> {
        let copies = jar.copies(self.config.name_of(kind));
        if copies.is_empty() {
            return Err(Unfit::Absent);
        }
        let presented = |(copy, cookie): (usize, &Vec<u8>)| {
            let header = Header::read(cookie)?;
            let fits = header.has(STORED) == self.config.stored
                && self.config.timeouts_of(kind).hold(&header, now, kind);
            let proof = fits.then(|| self.keyring.prove(kind, &header, client)).flatten()?;
            Some(Presented { kind, copy, header, proof })
        };
        copies.iter().enumerate().skip(from).find_map(presented).ok_or(Unfit::Invalid)
    }

    /// The session in the cookies themselves.
    pub(crate) fn open(&self, presented: Presented, jar: &Jar) -> Result<Session, Unfit> {
        let name = self.config.name_of(presented.kind);
        let payload =
            jar.payload(name, presented.copy, presented.header.size).ok_or(Unfit::Invalid)?;
        let sealed = base64url::decode(&payload).ok_or(Unfit::Invalid)?;
        let payload = String::from_utf8(payload).map_err(|_| Unfit::Invalid)?;
        self.unseal(presented, sealed, payload, None)
    }

    /// The session whose row this is, at `now` in milliseconds.
    pub(crate) fn open_row(
        &self,
        presented: Presented,
        value: &[u8],
        now: u64,
    ) -> Result<Session, Unfit> {
        let row = Row::read(value).filter(|row| row.expires_at > now).ok_or(Unfit::Invalid)?;
        if header::encoded_length(row.sealed.len()) != presented.header.size {
            return Err(Unfit::Invalid);
        }
        let meta = Some((row.expires_at, row.replaces));
        self.unseal(presented, row.sealed, String::new(), meta)
    }

    fn unseal(
        &self,
        presented: Presented,
        sealed: Vec<u8>,
        payload: String,
        row: Option<(u64, Vec<Name>)>,
    ) -> Result<Session, Unfit> {
        let Presented { kind, header, proof, .. } = presented;
        let contents = self.keyring.open(kind, &header, &proof, sealed);
        let contents = contents.and_then(|json| Contents::read(&json)).ok_or(Unfit::Invalid)?;
        Ok(Session { kind, header, proof, contents, payload, row })
    }

    /// Whom the session is for.
    pub(crate) fn holder(&self, session: &Session) -> Option<Holder> {
        session.contents.holder(&self.config.audience)
    }

    /// The login that a session for `holder` comes from, if it was created then.
    pub(crate) fn login(&self, created: u64, holder: &Holder) -> Name {
        login_of(created, &self.config.audience, &holder.consumer)
    }

    /// Whether a secret of before made it, so that it has to be made again.
    pub(crate) fn is_of_before(&self, session: &Session) -> bool {
        session.proof.secret != 0
    }

    /// Whether another session has taken its place: it lives on for a moment, and is not renewed.
    pub(crate) fn is_superseded(&self, session: &Session, now: u64) -> bool {
        let Some((expires_at, _)) = &session.row else { return false };
        let stored = self.config.timeouts.stored(session.header.created, session.header.saved());
        let expected = session.header.saved().saturating_add(stored).saturating_mul(1000);
        let left = expires_at.saturating_sub(now.saturating_mul(1000));
        left <= self.config.stale_ttl.saturating_mul(1000).saturating_add(1000)
            && expires_at.saturating_add(MARGIN) < expected
    }

    // === Saving ===

    /// A session for `holder` in the place of what was before, and what is to be remembered of it.
    pub(crate) fn start(
        &self,
        holder: &Holder,
        before: &Before,
        client: &Client,
        now: u64,
    ) -> Vec<Saved> {
        let audience = &self.config.audience;
        let contents = before.contents.clone().with(audience, holder);
        // Somebody else's login is another one, unless other audiences count on the time of the first.
        let held = before.contents.holder(audience);
        let other = held.is_some_and(|held| held.consumer != holder.consumer);
        let anew = other && contents.audiences() == 1;
        self.save_all(&contents, before, anew, client, now)
    }

    /// The same with all contents given; `anew` if the time of the login begins now.
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

    /// The session again, under a new id.
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

    /// A new session from one that was remembered, which is remembered anew.
    pub(crate) fn restore(
        &self,
        from: &Session,
        before: &Before,
        client: &Client,
        now: u64,
    ) -> Vec<Saved> {
        let [further, further_remember] = &before.further;
        let (header, contents) = (&from.header, &from.contents);
        let remember = self.draft(Some(header), 0, now).and_then(|draft| {
            self.save(Kind::Remember, contents, draft, &[], further_remember, client, now)
        });
        // Its own time begins now. When the browser has it, it has the other one too, and the old one may end.
        let replaces: &[&Header] = if remember.is_some() { &[header] } else { &[] };
        let session = self.draft(None, 0, now).and_then(|draft| {
            self.save(Kind::Session, contents, draft, replaces, further, client, now)
        });
        remember.into_iter().chain(session).collect()
    }

    /// What a new header says. It keeps the time of the login that it comes from.
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
            self.report("a session is not saved: the proxy gives no random octets");
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
        let is_long = |cookie: &SetCookie| cookie.field.len() > MAX_COOKIE;
        if cookies.iter().any(is_long) && !self.told_of_long_lines.replace(true) {
            self.report(
                "a cookie is longer than 4,096 bytes with its attributes, and some clients and proxies drop it: \
                 `storage` \"admin\" keeps cookies short",
            );
        }
        let (mut row, mut write) = (None, None);
        if config.stored {
            let replaces: Vec<Name> = replaces.iter().map(|header| row_of(&header.id)).collect();
            let ttl = timeouts.stored(draft.created, now);
            let octets = Row::bytes(&sealed, &replaces);
            write = Some(Write::Keep(row_of(&header.id), octets, ttl, metadata));
            row = Some((now.saturating_add(ttl).saturating_mul(1000), replaces));
        }
        let proof = self.keyring.prove(kind, &header, client)?;
        let session = Session { kind, header, proof, contents: contents.clone(), payload, row };
        Some(Saved { session, cookies, write })
    }

    /// Notes in the session's cookie that it was used at `now`.
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

    // === Ending ===

    /// Lets the rows before the session's own end soon, now that the session is in use: its browser has it.
    pub(crate) fn settle(&self, session: &Session) -> Vec<Write> {
        let Some((_, replaces)) = &session.row else { return Vec::new() };
        let Ok(mut shortened) = self.shortened.try_borrow_mut() else { return Vec::new() };
        let mut writes = Vec::new();
        for name in replaces {
            if shortened.get(name).is_none() {
                shortened.put(*name, ());
                writes.push(match self.config.stale_ttl {
                    0 => Write::End(*name),
                    ttl => Write::Shorten(*name, ttl),
                });
            }
        }
        writes
    }

    /// It could not be shortened, and has to be tried again.
    pub(crate) fn unsettle(&self, write: &Write) {
        if let (Write::Shorten(name, _) | Write::End(name), Ok(mut shortened)) =
            (write, self.shortened.try_borrow_mut())
        {
            shortened.remove(name);
        }
    }

    /// What ends the row of a session, and those before it, if there are any.
    pub(crate) fn end(&self, session: &Session) -> Vec<Write> {
        let Some((_, replaces)) = &session.row else { return Vec::new() };
        let own = row_of(&session.header.id);
        std::iter::once(own).chain(replaces.iter().copied()).map(Write::End).collect()
    }

    /// What a browser is told so that it forgets the session of this kind.
    pub(crate) fn expire(&self, kind: Kind, jar: &Jar) -> Vec<SetCookie> {
        let name = self.config.name_of(kind);
        self.config.attributes.end(name, &jar.further(name))
    }

    /// Whether a row or a login was ended here.
    pub(crate) fn has_ended(&self, name: &Name) -> bool {
        self.ended.try_borrow_mut().is_ok_and(|mut ended| ended.get(name).is_some())
    }

    /// Remembers that it has ended.
    pub(crate) fn note_end(&self, write: &Write) {
        if let (Write::End(name) | Write::Revoke(name, _), Ok(mut ended)) =
            (write, self.ended.try_borrow_mut())
        {
            ended.put(*name, ());
        }
    }

    // === Telling ===

    /// The headers that tell `properties` of the session.
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
    /// Without a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("config", &self.config).finish_non_exhaustive()
    }
}
