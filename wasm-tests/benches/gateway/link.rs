//! One filter of a measured chain, for a real Envoy and for the pretend one alike.

use serde_json::Value;
use std::path::PathBuf;
use wasm_tests::real::Filter;
use wasm_tests::{filters_directory, sdk_module};

/// The `vm_id` of the filters in the module that holds all of them.
const ALL: &str = "gatehouse";

/// A filter in a chain.
#[derive(Clone)]
pub(crate) enum Link {
    /// A filter of this repository.
    Ours {
        /// The name, for example `key_auth`.
        name: &'static str,
        /// The settings.
        settings: Value,
        /// The value of Envoy's option `allow_on_headers_stop_iteration`.
        holds_headers: bool,
        /// `true` if the filter is taken from the module that holds all of them.
        shares_module: bool,
    },
    /// A filter of `wasm-tests/sdk-filter`, written with the crate `proxy-wasm`.
    Sdk(&'static str),
    /// A filter that is a part of Envoy.
    Native(Filter),
    /// A Lua plugin of Kong, by its name, with its configuration.
    Plugin(&'static str, Value),
}

impl Link {
    /// The filter of this name, from its own file.
    pub(crate) fn ours(name: &'static str, settings: Value) -> Self {
        Self::Ours { name, settings, holds_headers: false, shares_module: false }
    }

    /// A filter that is a part of Envoy, by its configuration with `@type`.
    pub(crate) fn native(configuration: Value) -> Self {
        Self::Native(Filter::native(configuration))
    }

    /// Sets Envoy's option `allow_on_headers_stop_iteration`.
    pub(crate) fn holding_headers(mut self) -> Self {
        if let Self::Ours { holds_headers, .. } = &mut self {
            *holds_headers = true;
        }
        self
    }

    /// Takes a filter of this repository from the module that holds all of them.
    pub(crate) fn in_one_module(mut self) -> Self {
        if let Self::Ours { shares_module, .. } = &mut self {
            *shares_module = true;
        }
        self
    }

    /// The file of the module. A filter of Envoy has none.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Ours { shares_module: true, .. } => Some(module_of_all()),
            Self::Ours { name, .. } => {
                Some(filters_directory().join(format!("gatehouse_{name}.wasm")))
            }
            Self::Sdk(name) => Some(sdk_module(name)),
            Self::Native(_) | Self::Plugin(..) => None,
        }
    }

    /// The filter for a real gateway. A plugin of Kong is none.
    pub(crate) fn real(&self) -> Option<Filter> {
        Some(match self {
            Self::Ours { name, settings, holds_headers, shares_module: true } => {
                Filter::new(name, settings).of_all().vm_id(ALL).holding_headers(*holds_headers)
            }
            Self::Ours { name, settings, holds_headers, .. } => {
                Filter::new(name, settings).holding_headers(*holds_headers)
            }
            // Without a description, Kong takes a text and no object for the settings.
            Self::Sdk(name) => Filter::module(name, &sdk_module(name)).raw_config("none"),
            Self::Native(filter) => filter.clone(),
            Self::Plugin(..) => return None,
        })
    }

    /// The filter for the pretend Envoy. A filter of Envoy has none.
    pub(crate) fn pretend(&self) -> Option<wasm_tests::Filter> {
        match self {
            Self::Ours { name, settings, shares_module: true, .. } => {
                let filter = wasm_tests::Filter::of_all(name).vm_id(ALL);
                Some(filter.config(settings.to_string()))
            }
            Self::Ours { name, settings, .. } => {
                Some(wasm_tests::Filter::built(name).config(settings.to_string()))
            }
            Self::Sdk(name) => Some(wasm_tests::Filter::sdk(name)),
            Self::Native(_) | Self::Plugin(..) => None,
        }
    }
}

/// The path of the module that holds all filters. It need not be there.
pub(crate) fn module_of_all() -> PathBuf {
    filters_directory().with_file_name("gatehouse.wasm")
}
