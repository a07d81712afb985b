//! The properties of a session that `Session-*` headers tell the upstream and the client.

use crate::header::Header;
use crate::times::Timeouts;
use exchange::Edit;
use jose::base64url;

/// A property of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    Id,
    Audience,
    Subject,
    Timeout,
    IdlingTimeout,
    RollingTimeout,
    AbsoluteTimeout,
}

impl Property {
    pub(crate) const NAMES: [(&'static str, Self); 7] = [
        ("id", Self::Id),
        ("audience", Self::Audience),
        ("subject", Self::Subject),
        ("timeout", Self::Timeout),
        ("idling-timeout", Self::IdlingTimeout),
        ("rolling-timeout", Self::RollingTimeout),
        ("absolute-timeout", Self::AbsoluteTimeout),
    ];

    /// Returns the name of the header.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Id => "session-id",
            Self::Audience => "session-audience",
            Self::Subject => "session-subject",
            Self::Timeout => "session-timeout",
            Self::IdlingTimeout => "session-idling-timeout",
            Self::RollingTimeout => "session-rolling-timeout",
            Self::AbsoluteTimeout => "session-absolute-timeout",
        }
    }

    fn value(self, told: &Told<'_>) -> Option<String> {
        let [idling, rolling, absolute] = told.timeouts.remaining(told.header, told.now);
        match self {
            Self::Id => Some(base64url::encode(told.header.id)),
            Self::Audience => Some(told.audience.to_owned()),
            Self::Subject => told.subject.map(str::to_owned),
            Self::Timeout => {
                let nearest = [idling, rolling, absolute].into_iter().flatten().min();
                nearest.map(|left| left.to_string())
            }
            Self::IdlingTimeout => idling.map(|left| left.to_string()),
            Self::RollingTimeout => rolling.map(|left| left.to_string()),
            Self::AbsoluteTimeout => absolute.map(|left| left.to_string()),
        }
    }
}

/// A session with the values of its properties.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) header: &'a Header,
    pub(crate) audience: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) timeouts: Timeouts,
    /// The current time in seconds since 1970.
    pub(crate) now: u64,
}

/// Returns the headers for `properties`. A property without a value is left out.
pub(crate) fn headers(properties: &[Property], told: &Told<'_>) -> Vec<Edit> {
    let value = |property: &Property| Some((property.header(), property.value(told)?));
    let plain = |text: &String| !text.bytes().any(|byte| byte.is_ascii_control());
    let all = properties.iter().filter_map(value).filter(|(_, value)| plain(value));
    all.map(|(name, value)| Edit::set(name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_its_header() {
        let text = format!("AQ{}", "A".repeat(108));
        let header = Header { created: 1000, ..Header::read(text.as_bytes()).unwrap() };
        let told = Told {
            header: &header,
            audience: "default",
            subject: Some("coop"),
            timeouts: Timeouts { idling: 900, rolling: 3600, absolute: 0 },
            now: 1100,
        };
        let all = Property::NAMES.map(|(_, property)| property);
        assert_eq!(
            headers(&all, &told),
            [
                Edit::set("session-id", "A".repeat(43)),
                Edit::set("session-audience", "default"),
                Edit::set("session-subject", "coop"),
                Edit::set("session-timeout", "800"),
                Edit::set("session-idling-timeout", "800"),
                Edit::set("session-rolling-timeout", "3500"),
            ],
            "there is no absolute timeout, and so no header for it"
        );
        let odd = Told { subject: Some("a\r\nb: c"), ..told };
        assert_eq!(headers(&[Property::Subject], &odd), []);
    }
}
