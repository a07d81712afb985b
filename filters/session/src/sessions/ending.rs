//! The end of sessions: rows that are replaced, logouts, and the memory of both.

use super::*;

impl Sessions {
    /// Returns the writes that end the rows which the session replaces, each once and after
    /// `stale_ttl` seconds. The session is in use, so its browser no longer needs the older ones.
    pub(crate) fn retire_replaced(&self, session: &Session) -> Vec<Write> {
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

    /// Forgets a write of [`Sessions::retire_replaced`] that failed, so that it is tried again.
    pub(crate) fn unretire(&self, write: &Write) {
        if let (Write::Shorten(name, _) | Write::End(name), Ok(mut shortened)) =
            (write, self.shortened.try_borrow_mut())
        {
            shortened.remove(name);
        }
    }

    /// Returns the writes that end the row of a session and the rows that it replaces. There are
    /// none if the session is in the cookies.
    pub(crate) fn end(&self, session: &Session) -> Vec<Write> {
        let Some((_, replaces)) = &session.row else { return Vec::new() };
        let own = row_of(&session.header.id);
        std::iter::once(own).chain(replaces.iter().copied()).map(Write::End).collect()
    }

    /// Returns the writes that record the end of the login of `holder`, and of the logins that the
    /// client has remembered. They are recorded for as long as anything of a login could live.
    /// `now` is in seconds since 1970.
    pub(crate) fn revoke(
        &self,
        session: &Header,
        holder: &Holder,
        remembered: &[Header],
        now: u64,
    ) -> Vec<Write> {
        let config = &self.config;
        let own = holder.login.unwrap_or(session.created);
        let mut logins = vec![own];
        logins.extend(remembered.iter().map(|header| header.created));
        logins.sort_unstable();
        logins.dedup();
        let write = |login: u64| {
            let mut ttl = config.timeouts.left(session.created.max(login), now);
            if config.remember {
                // Until now, a copy of the remembered session may have begun a new session.
                let remembered = config.remember_timeouts.left(login, now);
                ttl = ttl.max(remembered).max(config.timeouts.left(now, now));
            }
            Write::Revoke(self.login_at(login, holder), ttl)
        };
        logins.into_iter().map(write).collect()
    }

    /// Returns the cookies that make a browser forget the session of this kind.
    pub(crate) fn expire(&self, kind: Kind, jar: &Jar) -> Vec<SetCookie> {
        let name = self.config.name_of(kind);
        self.config.attributes.end(name, &jar.further(name))
    }

    /// Returns `true` if this VM has ended the row or login `name`.
    pub(crate) fn has_ended(&self, name: &Name) -> bool {
        self.ended.try_borrow_mut().is_ok_and(|mut ended| ended.get(name).is_some())
    }

    /// Remembers that `write` has ended a row or a login.
    pub(crate) fn note_end(&self, write: &Write) {
        if let (Write::End(name) | Write::Revoke(name, _), Ok(mut ended)) =
            (write, self.ended.try_borrow_mut())
        {
            ended.put(*name, ());
        }
    }
}
