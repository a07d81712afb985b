//! The header by which a gateway tells the service about itself when it asks for changes.

use std::fmt;

/// The name of the header.
pub const NODE_HEADER: &str = "gatehouse-node";

/// The maximum size of the header's value, in bytes.
pub const NODE_HEADER_MAX: usize = 1024;

/// The maximum number of filters that a header names.
const FILTERS_MAX: usize = 16;

/// A gateway's report on itself: `<id> <version> <filter>=<hits>/<stale>/<misses>/<failures> …`.
///
/// The numbers are those since the last time that the gateway asked for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// A random number that the gateway has chosen for itself, written as 16 lower-case hex digits.
    pub id: u64,
    /// The version of the filters: 1 to 40 letters, digits, dots, dashes and plus signs.
    pub version: String,
    /// The filters that have asked for something, at most 16.
    pub filters: Vec<FilterCounts>,
}

/// The counts of one filter of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterCounts {
    /// The name of the filter, such as `key_auth`: 1 to 32 lower-case letters, digits and `_`.
    pub name: String,
    /// The numbers since the last report.
    pub counts: NodeCounts,
}

/// The numbers of lookups by the source of their answers, and of callouts that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeCounts {
    /// Lookups that a fresh answer in the cache served.
    pub hits: u32,
    /// Lookups that an outdated answer in the cache served.
    pub stale: u32,
    /// Lookups for which the service had to be asked.
    pub misses: u32,
    /// Callouts to the service that failed.
    pub failures: u32,
}

impl NodeReport {
    /// Reads the value of the header. Returns `None` for anything that [`NodeReport`]'s `Display`
    /// does not write.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= NODE_HEADER_MAX)?;
        let mut words = text.split(' ');
        let id = words.next().filter(|id| id.len() == 16 && is_made_of(id, is_hex))?;
        let id = u64::from_str_radix(id, 16).ok()?;
        let version = words.next().filter(|version| is_word(version, 40, is_version))?.to_owned();
        let filters = words.map(FilterCounts::parse).collect::<Option<Vec<_>>>()?;
        let distinct: std::collections::BTreeSet<&str> =
            filters.iter().map(|filter| filter.name.as_str()).collect();
        let sound = filters.len() <= FILTERS_MAX && distinct.len() == filters.len();
        sound.then_some(Self { id, version, filters })
    }
}

impl FilterCounts {
    fn parse(text: &str) -> Option<Self> {
        let (name, counts) = text.split_once('=')?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let name = Some(name).filter(|name| is_word(name, 32, is_name))?.to_owned();
        let mut numbers = counts.split('/').map(number);
        let counts = NodeCounts {
            hits: numbers.next()??,
            stale: numbers.next()??,
            misses: numbers.next()??,
            failures: numbers.next()??,
        };
        numbers.next().is_none().then_some(Self { name, counts })
    }
}

impl NodeCounts {
    /// Adds other counts. A sum stays at the greatest number that it can hold.
    pub fn add(&mut self, other: Self) {
        let Self { hits, stale, misses, failures } = other;
        self.hits = self.hits.saturating_add(hits);
        self.stale = self.stale.saturating_add(stale);
        self.misses = self.misses.saturating_add(misses);
        self.failures = self.failures.saturating_add(failures);
    }
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} {}", self.id, self.version)?;
        for FilterCounts { name, counts } in &self.filters {
            let NodeCounts { hits, stale, misses, failures } = counts;
            write!(f, " {name}={hits}/{stale}/{misses}/{failures}")?;
        }
        Ok(())
    }
}

/// Reads a number without a sign or a leading zero.
fn number(text: &str) -> Option<u32> {
    let plain = is_word(text, 10, |byte| byte.is_ascii_digit());
    let number: u32 = text.parse().ok().filter(|_| plain)?;
    (text == "0" || !text.starts_with('0')).then_some(number)
}

fn is_word(text: &str, max: usize, fits: impl Fn(u8) -> bool) -> bool {
    (1..=max).contains(&text.len()) && is_made_of(text, fits)
}

fn is_made_of(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(fits)
}

const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

const fn is_version(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let filter = |name: &str, [hits, stale, misses, failures]: [u32; 4]| FilterCounts {
            name: name.into(),
            counts: NodeCounts { hits, stale, misses, failures },
        };
        let filters = vec![filter("key_auth", [12, 0, 3, u32::MAX]), filter("app_id", [0; 4])];
        let report = NodeReport { id: 0xab, version: "1.2.0-rc.1+x".into(), filters };
        let text = "00000000000000ab 1.2.0-rc.1+x key_auth=12/0/3/4294967295 app_id=0/0/0/0";
        assert_eq!(report.to_string(), text);
        assert_eq!(NodeReport::parse(text.as_bytes()), Some(report));
        assert!(NodeReport::parse(b"00000000000000ab 1").is_some());
    }

    #[test]
    fn anything_else_is_no_report() {
        let many = (0..17).map(|n| format!(" f{n}=0/0/0/0")).collect::<String>();
        let long = "9".repeat(NODE_HEADER_MAX);
        for tail in [
            "",
            " ",
            " 1 ",
            " 1  a=0/0/0/0",
            " 1 a",
            " 1 a=",
            " 1 a=0/0/0",
            " 1 a=0/0/0/0/0",
            " 1 a=0/0/0/-1",
            " 1 a=0/0/0/+1",
            " 1 a=0/0/0/01",
            " 1 a=0/0/0/4294967296",
            " 1 A=0/0/0/0",
            " 1 =0/0/0/0",
            " 1 a=0/0/0/0 a=0/0/0/0",
            " <b>",
            " 1\n",
            " \u{e4}",
            &format!(" 1{many}"),
            &format!(" {long}"),
        ] {
            let text = format!("00000000000000ab{tail}");
            assert_eq!(NodeReport::parse(text.as_bytes()), None, "{text:?}");
        }
        for text in [&b""[..], b"00000000000000AB 1", b"ab 1", b"\xff0000000000000a 1"] {
            assert_eq!(NodeReport::parse(text), None, "{}", text.escape_ascii());
        }
    }
}
