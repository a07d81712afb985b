//! A filter, which knows nothing of carriers.

use cache::Source;
use consumer::{Admitted, Owned};
use exchange::{Answer, Call, Edit, Event, Finding, Flow, Key, Reply, Started, Step, Unasked};
use runtime::Filter;
use settings::{Common, Fields, Rule};
use std::rc::Rc;

/// Lets requests on whose name the admin service knows, and numbers them over all threads.
pub(crate) struct Names;

pub(crate) struct Config {
    common: Common,
    header: String,
}

struct Entities;

impl Source for Entities {
    fn call(&self, key: &Key) -> Call {
        Call::get([b"names".as_slice(), &key.name])
    }

    fn read(&self, _: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        match answer.status {
            200 => Some((Finding::Value(answer.body.clone()), None)),
            404 => Some((Finding::Nothing, None)),
            _ => None,
        }
    }
}

struct Lookup;

impl Flow for Lookup {
    fn on(&mut self, event: Event) -> Step {
        match event {
            Event::Found(Ok(Finding::Value(title))) => {
                Step::forward(vec![Edit::set("x-title", title)])
            }
            Event::Found(Ok(Finding::Nothing)) => {
                Step::reply(Reply::message(403, "unknown", "Unknown"))
            }
            _ => Step::reply(Reply::unavailable()),
        }
    }

    fn on_unasked(&mut self, why: Unasked) -> Step {
        assert_eq!(why, Unasked::TooMany);
        Step::reply(Reply::message(429, "busy", "Busy"))
    }
}

impl Filter for Names {
    const NAME: &'static str = "names";
    const ID: u8 = 251;
    type Config = Config;

    fn settings(fields: &mut Fields<'_>) -> Config {
        let common = Common::identified(fields).with_lookups(fields);
        let header = fields.text("header", Rule::HEADER_NAME);
        Config { common, header: header.unwrap_or_else(|| "x-name".to_owned()) }
    }

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn owned(_: &Config) -> Owned {
        Owned::headers(["x-title"])
    }

    fn leaves(_: &Config) -> Vec<&'static str> {
        Vec::new()
    }

    fn source(_: &Rc<Config>) -> Option<Box<dyn Source>> {
        Some(Box::new(Entities))
    }

    fn start(config: &Rc<Config>, Admitted { request, .. }: Admitted) -> Started {
        match request.head.first(&config.header) {
            Some(name) => Started::new(Step::find(Key::new(1, name)), Lookup),
            None => Step::reply(Reply::message(400, "no_name", "No name")).into(),
        }
    }
}
