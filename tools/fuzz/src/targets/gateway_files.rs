//! Configuration files of gateways.

use gateway_files::check::{Environment, check as check_file};
use gateway_files::convert::{Admin, Options, Target, convert as convert_file};
use gateway_files::documents;

/// A declarative file of Kong or decK, converted to every kind of file; and any file, checked. The
/// first byte holds the options.
pub fn convert(data: &[u8]) {
    let Some((chosen, text)) = crate::input::choice(data, 32) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    // An alias that stands for an alias that stands for … makes a document without bound, and the
    // reader has a bound of its own for that; it need not be found again with each input.
    let _ = documents::read(text);
    let get = |name: &str| {
        name.len().is_multiple_of(2).then(|| "0123456789abcdef0123456789abcdef".into())
    };
    let environment = Environment { get: &get, complete: chosen & 16 != 0 };
    let _ = check_file(text, environment);

    let to = [Target::Kong, Target::Envoy, Target::Istio][chosen % 3];
    let admin = Admin::read("https://admin.internal:8001").expect("an address");
    let admin = (chosen & 4 != 0).then_some(admin);
    let options = Options { to, inline_secrets: chosen & 8 != 0, admin };
    if let Ok(converted) = convert_file(text, &options) {
        let read = documents::read(&converted.text).expect("what was written can be read");
        assert!(!read.is_empty());
        let checked = check_file(&converted.text, environment);
        assert!(converted.filters == 0 || checked.is_ok(), "a gateway knows what was written");
    }
}
