//! The commands for configuration files of gateways. They need neither a database nor a gateway.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use gateway_files::check::{Environment, Level, check as check_file};

use crate::settings::CheckConfig;

/// The exit code for a file that cannot be used at all.
const UNUSABLE: u8 = 2;

/// Checks the files, and prints what was found on standard output. Returns 0 if no filter refuses
/// its settings, 1 if one does, and 2 if a file cannot be read.
pub(crate) fn check(flags: &CheckConfig) -> ExitCode {
    let environment = Environment { get: &|name| std::env::var(name).ok(), complete: flags.env };
    let mut worst = 0;
    for file in &flags.files {
        let shown = file.display();
        let report = match text(file).and_then(|text| check_file(&text, environment)) {
            Ok(report) => report,
            Err(error) => {
                eprintln!("{shown}: {error}");
                worst = UNUSABLE;
                continue;
            }
        };
        for finding in &report.findings {
            println!("{shown}: {finding}");
        }
        let (errors, warnings) = (report.count(Level::Error), report.count(Level::Warning));
        println!(
            "{shown}: {}, {}, {}",
            number(report.filters, "filter"),
            number(errors, "error"),
            number(warnings, "warning")
        );
        worst = worst.max(u8::from(errors > 0));
    }
    worst.into()
}

fn number(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Reads a file, or the standard input for `-`.
fn text(file: &Path) -> Result<String, String> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| error.to_string())
}
