//! Opening the sessions that a client presents.

use super::*;
use std::rc::Rc;

impl Sessions {
    /// Finds the first cookie of this kind, from copy number `from` on, whose header is valid at
    /// `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The client sent no such cookie, or none of them is valid.
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

    /// Opens a session whose contents are in the cookies.
    pub(crate) fn open(&self, presented: Presented, jar: &Jar) -> Result<Session, Unfit> {
        let name = self.config.name_of(presented.kind);
        let payload =
            jar.payload(name, presented.copy, presented.header.size).ok_or(Unfit::Invalid)?;
        let payload = String::from_utf8(payload).map_err(|_| Unfit::Invalid)?;
        if let Some(contents) = presented.proof.opened(&presented.header, payload.as_bytes()) {
            let Presented { kind, header, proof, .. } = presented;
            return Ok(Session { kind, header, proof, contents, payload, row: None });
        }
        let sealed = base64url::decode(&payload).ok_or(Unfit::Invalid)?;
        let session = self.unseal(presented, sealed, payload, None)?;
        let Session { proof, header, payload, contents, .. } = &session;
        proof.remember(header, payload.as_bytes(), contents);
        Ok(session)
    }

    /// Opens a stored session. `value` is its row, and `now` is in milliseconds since 1970.
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

    /// Returns the consumer that the session is for under this configuration's audience.
    pub(crate) fn holder(&self, session: &Session) -> Option<Rc<Held>> {
        session.contents.holder(&self.config.audience)
    }

    /// Returns the name of the login of `holder`, whose session has this header.
    pub(crate) fn login(&self, header: &Header, holder: &Holder) -> Name {
        self.login_at(holder.login.unwrap_or(header.created), holder)
    }

    /// Returns the name of a login of `holder` at `time`, in seconds since 1970.
    pub(crate) fn login_at(&self, time: u64, holder: &Holder) -> Name {
        login_of(time, &self.config.audience, &holder.consumer)
    }

    /// Returns `true` if a former secret sealed the session, so that it must be renewed.
    pub(crate) fn is_from_former_secret(&self, session: &Session) -> bool {
        session.proof.secret != 0
    }

    /// Returns `true` if another session has replaced this stored one: its row was shortened. It is
    /// valid until its row ends, but is not renewed. `now` is in seconds since 1970.
    pub(crate) fn is_superseded(&self, session: &Session, now: u64) -> bool {
        let Some((expires_at, _)) = &session.row else { return false };
        let stored = self.config.timeouts.stored(session.header.created, session.header.saved());
        let expected = session.header.saved().saturating_add(stored).saturating_mul(1000);
        let left = expires_at.saturating_sub(now.saturating_mul(1000));
        left <= self.config.stale_ttl.saturating_mul(1000).saturating_add(1000)
            && expires_at.saturating_add(MARGIN) < expected
    }
}
