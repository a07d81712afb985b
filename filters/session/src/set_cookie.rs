//! `Set-Cookie` headers, character by character as lua-resty-session writes them.

use crate::jar::{chunk_name, chunks, room};
use exchange::{Date, Edit, Head};

/// The attributes that make a browser delete a cookie.
const EXPIRED: &str = "; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0";

/// The attributes of every cookie of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes(String);

/// A cookie that a response sets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(crate) name: String,
    /// The value of the `Set-Cookie` header, with name and attributes.
    pub(crate) line: String,
}

impl Attributes {
    pub(crate) fn new(
        domain: Option<&str>,
        path: &str,
        same_site: &str,
        secure: bool,
        http_only: bool,
    ) -> Self {
        let mut text = String::new();
        if let Some(domain) = domain.filter(|domain| *domain != "localhost") {
            text.push_str(&format!("; Domain={domain}"));
        }
        text.push_str(&format!("; Path={path}; SameSite={same_site}"));
        // Browsers accept a cookie for other sites only if it is secure.
        if secure || same_site == "None" {
            text.push_str("; Secure");
        }
        if http_only {
            text.push_str("; HttpOnly");
        }
        Self(text)
    }

    /// Makes the cookies of a session. `lasting` is the end of a persistent one, as a time and in
    /// seconds from now. Cookies of `further` that are no longer needed are expired. Returns `None`
    /// if the contents do not fit.
    pub(crate) fn cookies(
        &self,
        name: &str,
        header: &str,
        payload: &str,
        lasting: Option<(u64, u64)>,
        further: &[usize],
    ) -> Option<Vec<SetCookie>> {
        let lasting = lasting
            .map(|(end, seconds)| format!("; Expires={}; Max-Age={seconds}", http_date(end)));
        let lasting = lasting.unwrap_or_default();
        let count = chunks(name, payload.len())?;
        let mut rest = payload;
        let mut all = Vec::with_capacity(count);
        for n in 1..=count {
            let (part, tail) = rest.split_at_checked(room(name, n).min(rest.len()))?;
            rest = tail;
            let name = chunk_name(name, n);
            let header = if n == 1 { header } else { "" };
            let line = format!("{name}={header}{part}{}{lasting}", self.0);
            all.push(SetCookie { name, line });
        }
        all.extend(
            further.iter().filter(|n| **n > count).map(|n| self.expired(&chunk_name(name, *n))),
        );
        Some(all)
    }

    /// Makes the cookies that end a session in the browser.
    pub(crate) fn end(&self, name: &str, further: &[usize]) -> Vec<SetCookie> {
        let all = std::iter::once(&1).chain(further);
        all.map(|n| self.expired(&chunk_name(name, *n))).collect()
    }

    /// Makes the first cookie of a touched session. The others do not change.
    pub(crate) fn first(&self, name: &str, header: &str, payload: &str) -> Option<SetCookie> {
        let part = payload.get(..room(name, 1).min(payload.len()))?;
        let line = format!("{name}={header}{part}{}", self.0);
        Some(SetCookie { name: name.to_owned(), line })
    }

    fn expired(&self, name: &str) -> SetCookie {
        SetCookie { name: name.to_owned(), line: format!("{name}={}{EXPIRED}", self.0) }
    }
}

/// Returns the edits that add `cookies` to a response. A cookie with one of their names is
/// replaced, and all others stay.
pub(crate) fn merge(head: &Head, cookies: &[SetCookie]) -> Vec<Edit> {
    let add = |line: &[u8]| Edit::Add("set-cookie".into(), line.to_vec());
    let same = |line: &[u8], cookie: &SetCookie| {
        line.strip_prefix(cookie.name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
    };
    let clash = |line: &[u8]| cookies.iter().any(|cookie| same(line, cookie));
    let there: Vec<&[u8]> = head.values("set-cookie").collect();
    let mut edits = Vec::new();
    if there.iter().any(|line| clash(line)) {
        edits.push(Edit::remove("set-cookie"));
        edits.extend(there.iter().filter(|line| !clash(line)).map(|line| add(line)));
    }
    edits.extend(cookies.iter().map(|cookie| add(cookie.line.as_bytes())));
    edits
}

/// Replaces those of `cookies` that have names of `new`.
pub(crate) fn replace(cookies: &mut Vec<SetCookie>, new: Vec<SetCookie>) {
    cookies.retain(|old| new.iter().all(|cookie| cookie.name != old.name));
    cookies.extend(new);
}

/// Formats a time by RFC 9110, section 5.6.7.
fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = |names: &[&'static str], n: u64| {
        usize::try_from(n).ok().and_then(|n| names.get(n).copied()).unwrap_or_default()
    };
    // No calendar needs the year 10000.
    let seconds = seconds.min(253_402_300_799);
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let weekday = name(&DAYS, days % 7);
    let Date { year, month, day } = Date::of_day(days);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let month = name(&MONTHS, month.saturating_sub(1));
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

impl std::fmt::Debug for SetCookie {
    /// Leaves the value out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SetCookie({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(cookies: &[SetCookie]) -> Vec<&str> {
        cookies.iter().map(|cookie| cookie.line.as_str()).collect()
    }

    #[test]
    fn attributes_stand_in_kongs_order() {
        let plain = Attributes::new(None, "/", "Strict", true, true);
        let cookies = plain.cookies("session", "H", "P", None, &[]).unwrap();
        assert_eq!(lines(&cookies), ["session=HP; Path=/; SameSite=Strict; Secure; HttpOnly"]);
        let other = Attributes::new(Some("example.com"), "/a", "None", false, false);
        assert_eq!(other.0, "; Domain=example.com; Path=/a; SameSite=None; Secure");
        let local = Attributes::new(Some("localhost"), "/", "Default", false, true);
        assert_eq!(local.0, "; Path=/; SameSite=Default; HttpOnly");
    }

    #[test]
    fn a_persistent_cookie_says_when_it_ends() {
        let plain = Attributes::new(None, "/", "Strict", true, true);
        let cookies =
            plain.cookies("remember", "H", "P", Some((1_700_003_600, 3600)), &[]).unwrap();
        assert_eq!(
            lines(&cookies),
            [
                "remember=HP; Path=/; SameSite=Strict; Secure; HttpOnly; Expires=Tue, 14 Nov 2023 23:13:20 GMT; Max-Age=3600"
            ]
        );
    }

    #[test]
    fn a_session_that_ends_is_expired_in_every_cookie() {
        let plain = Attributes::new(None, "/", "Strict", true, true);
        let end = "Path=/; SameSite=Strict; Secure; HttpOnly; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0";
        assert_eq!(
            lines(&plain.end("session", &[2])),
            [format!("session=; {end}"), format!("session2=; {end}")]
        );
        let shrunk = plain.cookies("session", "H", "P", None, &[2, 3]).unwrap();
        assert_eq!(lines(&shrunk)[1..], [format!("session2=; {end}"), format!("session3=; {end}")]);
    }

    #[test]
    fn a_long_session_is_spread_and_touched_in_its_first_cookie() {
        let plain = Attributes::new(None, "/", "Strict", true, true);
        let (header, payload) = ("H".repeat(110), "x".repeat(5000));
        let cookies = plain.cookies("session", &header, &payload, None, &[]).unwrap();
        assert_eq!(cookies.len(), 2);
        assert!(
            cookies[0].line.starts_with("session=HH") && cookies[1].line.starts_with("session2=xx")
        );
        let touched = plain.first("session", &header, &payload).unwrap();
        assert_eq!(touched, cookies[0]);
        assert!(plain.cookies("session", &header, &"x".repeat(40_000), None, &[]).is_none());
    }

    #[test]
    fn the_upstreams_cookies_stay_beside_ours() {
        let cookie =
            |name: &str| SetCookie { name: name.into(), line: format!("{name}=new; Path=/") };
        let add = |line: &str| Edit::Add("set-cookie".into(), line.into());
        let head: Head =
            [("set-cookie", "a=1"), ("x", "y"), ("set-cookie", "b=2")].into_iter().collect();
        assert_eq!(merge(&head, &[cookie("session")]), [add("session=new; Path=/")]);
        let head: Head =
            [("set-cookie", "a=1"), ("set-cookie", "session=old"), ("Set-Cookie", "session2=x")]
                .into_iter()
                .collect();
        assert_eq!(
            merge(&head, &[cookie("session")]),
            [Edit::remove("set-cookie"), add("a=1"), add("session2=x"), add("session=new; Path=/")]
        );
        let mut cookies = vec![cookie("a"), cookie("b")];
        let newer = SetCookie { name: "a".into(), line: "a=3".into() };
        replace(&mut cookies, vec![newer]);
        assert_eq!(lines(&cookies), ["b=new; Path=/", "a=3"]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(seconds), text);
        }
    }
}
