//! The settings of the filter.

use settings::{Common, Fields, Rule};

/// Settings that passed every check.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) common: Common,
    /// The header's name in the operator's spelling, which refusals repeat.
    pub(crate) header_name: String,
    pub(crate) fail_open: bool,
    pub(crate) hide_app_id: bool,
    /// App IDs for each consumer, which its id or username identifies.
    pub(crate) mappings: Vec<(String, Vec<String>)>,
}

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).with_lookups(f);
        let header_name = f.text("header_name", Rule::HEADER_NAME);
        let fail_open = f.flag("fail_open", false);
        let hide_app_id = f.flag("hide_app_id", false);
        let mappings = f.lists_by_name("mappings", Rule::WORD);
        f.check(
            common.admin.is_some() || !mappings.is_empty(),
            "",
            "found neither `admin` nor `mappings`, expected one of them to say which App IDs there are",
        );
        let header_name = header_name.unwrap_or_else(|| "X-APP-ID".to_owned());
        Self { common, header_name, fail_open, hide_app_id, mappings }
    }

    /// Returns the App IDs that the settings give to a consumer.
    pub(crate) fn mapped<'a>(
        &'a self,
        id: &'a str,
        username: Option<&'a str>,
    ) -> impl Iterator<Item = &'a str> {
        let own = move |name: &str| name == id || Some(name) == username;
        self.mappings
            .iter()
            .filter(move |(name, _)| own(name))
            .flat_map(|(_, ids)| ids)
            .map(String::as_str)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config(json: &str) -> Config {
        settings::read(json.as_bytes(), &|_| None, Config::read).unwrap()
    }

    #[test]
    fn omitted_settings_get_the_documented_defaults() {
        let config = config(r#"{"admin":{"upstream":"admin"}}"#);
        assert_eq!(
            (config.header_name.as_str(), config.fail_open, config.hide_app_id),
            ("X-APP-ID", false, false)
        );
    }

    #[test]
    fn a_filter_that_could_know_no_app_id_is_refused() {
        let error = settings::read(b"{}", &|_| None, Config::read).unwrap_err();
        assert!(error.to_string().contains("`admin`"), "{error}");
    }

    #[test]
    fn mappings_are_by_id_or_username() {
        let config = config(r#"{"mappings":{"1":["a"],"ana":["b"],"bob":["c"]}}"#);
        assert_eq!(config.mapped("1", Some("ana")).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(config.mapped("2", None).count(), 0);
    }
}
