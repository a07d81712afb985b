//! An upstream that judges what reaches it, and keeps nothing else.

use super::read::{IDENTITY, OWNED};
use super::reading::{can_lead_to, decoded, name};
use super::shape::{APP, MARK, PLANTED};
use crate::real::{Answer, Message, Server};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A running upstream.
pub struct Upstream {
    server: Server,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    count: AtomicU64,
    /// The number of each finding, and the first request that led to it.
    findings: Mutex<BTreeMap<&'static str, (u64, String)>>,
}

/// Returns the rules that a request at the upstream breaks.
pub type Rule = fn(&Message) -> Vec<&'static str>;

impl Upstream {
    /// Starts the upstream of the chain on a free port.
    pub fn start() -> Self {
        Self::judging(findings)
    }

    /// Starts an upstream that judges by this rule, on a free port.
    pub fn judging(rule: Rule) -> Self {
        let seen = Arc::new(Seen::default());
        let inner = Arc::clone(&seen);
        let server = Server::start(move |request| {
            inner.count.fetch_add(1, Ordering::Relaxed);
            for finding in rule(request) {
                let mut all = inner.findings.lock().unwrap_or_else(PoisonError::into_inner);
                let shown = || (0, format!("{} {:?}", request.start, shown(request)));
                all.entry(finding).or_insert_with(shown).0 += 1;
            }
            answer(request)
        });
        Self { server, seen }
    }

    /// The address that the upstream listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The number of requests so far.
    pub fn count(&self) -> u64 {
        self.seen.count.load(Ordering::Relaxed)
    }

    /// What should not have reached the upstream: one text for each kind of finding.
    pub fn findings(&self) -> Vec<String> {
        let all = self.seen.findings.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(what, (count, first))| format!("{count} times: {what}: {first}")).collect()
    }
}

pub(super) fn shown(request: &Message) -> Vec<String> {
    let all = request.headers.iter().chain(&request.trailers);
    let field = |(name, value): &(Vec<u8>, Vec<u8>)| {
        let value: Vec<u8> = value.iter().copied().take(200).collect();
        format!("{}: {}", name.escape_ascii(), value.escape_ascii())
    };
    all.take(40).map(field).collect()
}

/// The answer of the upstream.
pub(super) fn answer(request: &Message) -> Answer {
    if request.all("upgrade").iter().any(|value| value.eq_ignore_ascii_case("websocket")) {
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                    x-upstream: 1\r\n\r\n";
        return Answer::Bytes(head.into());
    }
    let mut headers = vec![("x-upstream".to_owned(), "1".to_owned())];
    let is_grpc =
        request.all("content-type").iter().any(|kind| kind.starts_with("application/grpc"));
    let (kind, body) = match (is_grpc, request.method()) {
        (true, _) => ("application/grpc", Vec::new()),
        (_, "HEAD") => ("application/json", Vec::new()),
        _ => ("application/json", b"{\"upstream\":\"torture\"}".to_vec()),
    };
    if is_grpc {
        headers.push(("grpc-status".to_owned(), "0".to_owned()));
    }
    headers.push(("content-type".to_owned(), kind.to_owned()));
    Answer::Reply { status: 200, headers, body }
}

/// The rules of the chain that a request at the upstream breaks.
pub(super) fn findings(request: &Message) -> Vec<&'static str> {
    let mut broken = Vec::new();
    let mut hold = |rule: &'static str, held: bool| {
        if !held {
            broken.push(rule);
        }
    };
    let target = request.start.split_once(' ').map_or("", |(_, rest)| rest);
    let target = target.rsplit_once(' ').map_or(target, |(target, _)| target).as_bytes();
    let fields = || request.headers.iter().chain(&request.trailers);
    // Kong empties the headers that it cannot remove.
    let values = |wanted: &str| {
        let same = move |(found, value): &&(Vec<u8>, Vec<u8>)| {
            !value.is_empty() && name(found) == wanted.as_bytes()
        };
        fields().filter(same).map(|(_, value)| value.as_slice()).collect::<Vec<_>>()
    };
    let marks = values(MARK);
    let has = |mark: &str| {
        marks.iter().any(|value| contains(value, mark)) || contains(target, &format!("case={mark}"))
    };
    hold("a request without credentials", has("may") && !has("never"));
    let planted = |name: &str| values(name).iter().any(|value| contains(value, PLANTED));
    let spoofed = IDENTITY.into_iter().chain(OWNED).any(planted);
    hold("a header of the gateway with the client's value", !spoofed);
    let username = values("x-consumer-username");
    let known: [&[u8]; 2] = [b"ana", b"ado"];
    hold("no identity, or several", username.len() == 1 && known.contains(&username[0]));
    hold("no token of the gateway, or several", values("x-upstream-jwt").len() == 1);
    hold("a key that was to be hidden", values("apikey").is_empty());
    let right: [&[u8]; 2] = [APP.as_bytes(), b"partners"];
    let apps = values("x-app-id");
    let apps_are_right = apps.iter().all(|app| right.contains(&app.trim_ascii()));
    hold("another App ID", !apps.is_empty() && apps_are_right);
    hold(
        "the operators' token",
        !values("x-gatehouse-debug").iter().any(|v| contains(v, "operators")),
    );
    hold("a header that was to be removed", values("x-debug").is_empty());
    hold("a path that some server reads as the refused one", !can_lead_to(target, b"retired"));
    let agents = request.all("user-agent");
    hold("a bot", !agents.iter().any(|agent| agent.contains("Googlebot")));
    hold("an address that was to be refused", !comes_from(request, "198.51.100."));
    hold(
        "a parameter that was to be taken out",
        !parameters(target)
            .any(|name| name == b"secret" || (name == b"apikey" && !contains(target, ";apikey"))),
    );
    broken
}

pub(super) fn contains(text: &[u8], wanted: &str) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

/// Returns `true` if the last address before the gateway's own entry begins like this.
fn comes_from(request: &Message, beginning: &str) -> bool {
    let all = request.all("x-forwarded-for").join(",");
    let mut hops: Vec<&str> = all.split(',').map(str::trim).collect();
    hops.pop();
    while hops.last().is_some_and(|hop| hop.starts_with("127.")) {
        hops.pop();
    }
    hops.last().is_some_and(|hop| hop.trim_start_matches("::ffff:").starts_with(beginning))
}

/// The names of the query's parameters.
pub(super) fn parameters(target: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let query = target.splitn(2, |b| *b == b'?').nth(1).unwrap_or_default();
    let pieces = query.split(|b| matches!(b, b'&' | b';' | b'#'));
    pieces.map(|piece| {
        let name = piece.split(|b| *b == b'=').next().unwrap_or_default();
        decoded(&name.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect::<Vec<_>>())
    })
}
