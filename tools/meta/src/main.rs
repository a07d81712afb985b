//! Writes the JSON Schema of each filter's settings beside its Wasm, where Kong looks for it:
//! `gatehouse-meta dist/filters`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: gatehouse-meta <directory>");
        return ExitCode::FAILURE;
    };
    if let Err(error) = std::fs::create_dir_all(&directory) {
        eprintln!("{}: {error}", directory.display());
        return ExitCode::FAILURE;
    }
    for filter in all_filters::FILTERS {
        let path = directory.join(format!("gatehouse_{}.meta.json", filter.name));
        let text = format!("{:#}\n", (filter.meta)());
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
