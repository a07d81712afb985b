//! What a build takes from the environment of the machine that builds.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push(path);
        }
    }
}

/// A module or program that took a variable at compile time would carry its value. Cargo's own
/// variables hold no secret.
#[test]
fn what_is_shipped_takes_no_variable_of_the_building_machine() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut all = Vec::new();
    for folder in ["filters", "shared", "admin/src", "tools"] {
        sources(&root.join(folder), &mut all);
    }
    assert!(all.len() > 300, "{}", all.len());
    let mut wrong = Vec::new();
    for path in all {
        let text = std::fs::read_to_string(&path).expect("a source");
        for macro_name in ["option_env!(", "env!("] {
            for (at, _) in text.match_indices(macro_name) {
                let name = text[at + macro_name.len()..].trim_start().trim_start_matches('"');
                if !name.starts_with("CARGO_") && !name.starts_with("OUT_DIR") {
                    wrong.push(format!("{}: {}", path.display(), &name[..name.len().min(40)]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
