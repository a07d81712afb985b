//! `/ui`: the page for operators. Its files are part of the program.
//!
//! The page itself holds no data. It asks the API, with the token that a person types in.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{Router, get};
use sha2::{Digest as _, Sha256};

use super::App;
use super::answer::{Answer, Refusal};

/// A file of the page: its name, its media type and its content.
type File = (&'static str, &'static str, &'static [u8]);

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! files {
    ($($name:literal: $kind:expr),* $(,)?) => {
        [$(($name, $kind, include_bytes!(concat!("../../ui/", $name)) as &[u8])),*]
    };
}

/// The files below `/ui/`. The first one is the page.
const FILES: [File; 18] = files![
    "index.html": HTML,
    "api.js": SCRIPT,
    "app.js": SCRIPT,
    "appids.js": SCRIPT,
    "changes.js": SCRIPT,
    "charts.js": SCRIPT,
    "consumer.js": SCRIPT,
    "consumers.js": SCRIPT,
    "counters.js": SCRIPT,
    "dialogs.js": SCRIPT,
    "gateways.js": SCRIPT,
    "parts.js": SCRIPT,
    "service.js": SCRIPT,
    "sessions.js": SCRIPT,
    "ui.css": STYLE,
    "vendor/htm.mjs": SCRIPT,
    "vendor/pico.css": STYLE,
    "vendor/preact.mjs": SCRIPT,
];

/// The tag of each file, by which a browser asks whether it has changed.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |(_, _, content): &File| {
        format!("\"{}\"", base16ct::lower::encode_string(&Sha256::digest(content)))
    };
    FILES.iter().map(tag).collect()
});

/// The headers of every file. Nothing is loaded from elsewhere, no other page can show this one in
/// a frame, and no text becomes a script.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // A browser keeps a file and asks each time whether it has changed: after an update of the
    // service, no old script meets a new page.
    (CACHE_CONTROL, "no-cache"),
];

pub(super) fn routes() -> Router<App> {
    Router::new().route("/ui", get(page)).route("/ui/{*file}", get(file))
}

/// `true` if `path` is one of the page, whether there is such a file or not.
pub(super) fn has(path: &str) -> bool {
    path == "/ui" || path.starts_with("/ui/")
}

async fn page(headers: HeaderMap) -> Answer {
    answer("index.html", &headers)
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Answer {
    answer(&name, &headers)
}

fn answer(name: &str, headers: &HeaderMap) -> Answer {
    let found = FILES.iter().zip(TAGS.iter()).find(|((known, ..), _)| *known == name);
    let Some(((_, kind, content), tag)) = found else { return Err(Refusal::NotFound(None)) };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tags| tags.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(*content));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    };
    let answered = response.headers_mut();
    for (header, value) in HEADERS {
        answered.insert(header, HeaderValue::from_static(value));
    }
    // A digest in hex is always a valid header.
    answered.extend(HeaderValue::from_str(tag).ok().map(|tag| (ETAG, tag)));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
        let mut there = Vec::new();
        for (folder, prefix) in [(folder.clone(), ""), (folder.join("vendor"), "vendor/")] {
            for file in std::fs::read_dir(folder).unwrap() {
                let file = file.unwrap();
                let name = format!("{prefix}{}", file.file_name().to_str().unwrap());
                let is_document = name.contains("LICENSE") || name.ends_with(".md");
                if file.file_type().unwrap().is_file() && !is_document {
                    there.push(name);
                }
            }
        }
        there.sort();
        let mut served: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        served.sort_unstable();
        assert_eq!(there, served);
    }

    #[test]
    fn foreign_files_are_exactly_those_of_their_packages() {
        let readme = include_str!("../../ui/vendor/README.md");
        for ((name, ..), tag) in FILES.iter().zip(TAGS.iter()) {
            if let Some(name) = name.strip_prefix("vendor/") {
                let digest = tag.trim_matches('"');
                let line = readme.lines().find(|line| line.contains(&format!("`{name}`")));
                assert!(line.is_some_and(|line| line.contains(digest)), "{name} {digest}");
            }
        }
    }

    /// Trusted Types refuse these in browsers that know them; the others need this test.
    #[test]
    fn no_script_of_ours_makes_markup_of_text() {
        for (name, _, content) in FILES.iter().filter(|(name, ..)| !name.starts_with("vendor/")) {
            let text = std::str::from_utf8(content).unwrap();
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
                "localStorage",
                "sessionStorage",
                "document.cookie",
                "style=",
            ] {
                assert!(!text.contains(word), "{name}: {word}");
            }
        }
    }
}
