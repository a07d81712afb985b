//! The commands for configuration files of gateways. They need neither a database nor a gateway.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;

use gateway_files::check::{Environment, Level, check as check_file};
use gateway_files::convert::{Converted, Kind, Options, Target, as_shell, convert as convert_file};

use crate::settings::{CheckConfig, Convert, To};

/// The exit code for a file that cannot be used at all.
const UNUSABLE: u8 = 2;
/// The permissions of a file with secrets.
const OWNER_ONLY: u32 = 0o600;

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

/// Converts a file. The new one goes to standard output or to a file, and what was not carried over
/// and what differs to standard error. Returns 1 if something was not carried over and the operator
/// wants to know that by the exit code, and 2 if nothing was written.
pub(crate) fn convert(flags: &Convert) -> ExitCode {
    match converted(flags) {
        Ok(converted) => {
            let lost =
                converted.notes.iter().filter(|note| note.kind == Kind::NotCarriedOver).count();
            for note in &converted.notes {
                eprintln!("{}: {note}", flags.file.display());
            }
            eprintln!(
                "{}: {}, {} not carried over, {} different",
                flags.file.display(),
                number(converted.filters, "filter"),
                number(lost, "thing"),
                number(converted.notes.len() - lost, "thing"),
            );
            let names: Vec<&str> = converted.variables.keys().map(String::as_str).collect();
            if flags.secrets.is_none() && !names.is_empty() {
                eprintln!(
                    "{}: set in the gateway's environment (`--secrets FILE` writes them): {}",
                    flags.file.display(),
                    names.join(", ")
                );
            }
            u8::from(flags.check && lost > 0).into()
        }
        Err(error) => unusable(&format!("{}: {error}", flags.file.display())),
    }
}

/// Tells that a command ends early, and returns its exit code.
pub(crate) fn unusable(error: &str) -> ExitCode {
    eprintln!("gatehouse-admin: {error}");
    UNUSABLE.into()
}

/// Opens a file for secrets, which only its owner can read, or the standard output.
pub(crate) fn private(file: Option<&Path>) -> Result<Box<dyn std::io::Write + Send>, String> {
    let Some(file) = file else { return Ok(Box::new(std::io::stdout())) };
    Ok(Box::new(std::io::BufWriter::new(create(file, OWNER_ONLY)?)))
}

fn converted(flags: &Convert) -> Result<Converted, String> {
    let to = match flags.to {
        To::Kong => Target::Kong,
        To::Envoy => Target::Envoy,
        To::Istio => Target::Istio,
    };
    let options = Options { to, inline_secrets: flags.inline_secrets, admin: flags.admin.clone() };
    let converted = convert_file(&text(&flags.file)?, &options)?;
    if let Some(file) = &flags.secrets {
        write(file, &as_shell(&converted.variables), OWNER_ONLY)?;
    }
    match &flags.output {
        Some(file) => {
            // The file has the settings of plugins that are not converted, which may be secrets.
            let old = || std::fs::metadata(&flags.file).map_or(0o644, |it| it.permissions().mode());
            let mode = if flags.inline_secrets { OWNER_ONLY } else { old() & 0o644 };
            write(file, &converted.text, mode)?;
        }
        None => print!("{}", converted.text),
    }
    Ok(converted)
}

fn write(file: &Path, text: &str, mode: u32) -> Result<(), String> {
    create(file, mode)?
        .write_all(text.as_bytes())
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// Opens a new, empty file. With [`OWNER_ONLY`], one that was there before loses the permissions of
/// others before anything is written.
fn create(file: &Path, mode: u32) -> Result<std::fs::File, String> {
    let open =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(file);
    let restrict = |open: std::fs::File| {
        if mode == OWNER_ONLY && open.metadata()?.is_file() {
            open.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        Ok(open)
    };
    open.and_then(restrict).map_err(|error: std::io::Error| format!("{}: {error}", file.display()))
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
