//! The filters in a declarative file of Kong or decK: in chains of services and routes, and (Kong
//! 3.9) as plugins.

use super::report::{Level, Part};
use super::{Found, Gateway, Handed, Named, filter_of};
use crate::documents::{Place, text, walk};
use serde_norway::Value;

pub(super) fn filters(document: &Value, part: &mut Part<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    walk(document, &Place::default(), &mut |value, place| {
        let last = place.as_str().rsplit('.').next().unwrap_or_default();
        let item_of = last.split('[').next().unwrap_or_default();
        let is_item = last.ends_with(']');
        match item_of {
            "filters" | "plugins" if is_item => {
                filter(value, place, part, &mut all);
                false
            }
            "config" | "_ignore" => false,
            _ => true,
        }
    });
    all
}

fn filter(value: &Value, place: &Place, part: &mut Part<'_>, all: &mut Vec<Found>) {
    let name = text(value, &["name"]);
    match filter_of(None, None, &[name]) {
        Named::Foreign => {}
        Named::Unknown => unknown(&place.member("name"), name.unwrap_or_default(), part),
        Named::Filter(entry) => {
            let config = value.get("config").unwrap_or(&Value::Null);
            let place = place.member("config");
            nulls(config, &place, entry.name, part);
            let settings = serde_json::to_vec(config).unwrap_or_default();
            let settings = if config.is_null() { Vec::new() } else { settings };
            let gateway = Gateway::Kong;
            all.push(Found { gateway, place, filter: entry, settings, handed: Handed::All });
        }
    }
}

/// Kong's own check, which comes first, knows no `null` in settings.
fn nulls(config: &Value, place: &Place, filter: &'static str, part: &mut Part<'_>) {
    walk(config, place, &mut |value, inner| {
        if value.is_null() && inner != place {
            let message = "found null, which Kong refuses, expected a value: leave the setting out";
            part.add(Level::Error, inner, Some(filter), message);
        }
        true
    });
}

pub(super) fn unknown(place: &Place, name: &str, part: &mut Part<'_>) {
    let names: Vec<&str> = all_filters::FILTERS.iter().map(|filter| filter.name).collect();
    let word = name.replace('-', "_");
    let word = word.trim_start_matches("gatehouse_");
    let nearest = super::judge::nearest(word, names.iter().copied());
    let meant = nearest.map(|name| format!(". Did you mean `gatehouse_{name}`?"));
    let message = format!(
        "found \"{name}\", expected one of Gatehouse's filters: {}{}",
        names.join(", "),
        meant.unwrap_or_default()
    );
    part.add(Level::Error, place, None, message);
}
