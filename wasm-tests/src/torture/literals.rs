//! The names that stand as texts in the code of the filters, so that a test can compare them with
//! those that the families try.

use std::path::{Path, PathBuf};

/// A text in the code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Literal {
    /// The text between the quotes, as it is written.
    pub text: String,
    /// `true` if it is an argument of a function by which a header is looked up.
    pub looked_up: bool,
    /// `true` if it is the whole value of a constant.
    pub constant: bool,
    /// The file, from the project's directory.
    pub file: String,
}

/// The functions of `exchange::Head` that take a name.
const LOOK_UPS: [&str; 5] = [".values(", ".first(", ".text(", ".spellings(", ".occurrence("];

/// Returns every text in the code that runs in a gateway: that of the filters and of the shared
/// crates, without their tests.
pub fn literals() -> Vec<Literal> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut files = Vec::new();
    for folder in ["filters", "shared"] {
        for package in entries(&root.join(folder)) {
            collect(&package.join("src"), &mut files);
        }
    }
    files.sort();
    let of = |file: &PathBuf| {
        let code =
            std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let name = file.strip_prefix(&root).unwrap_or(file).display().to_string();
        of_code(without_tests(&code), &name)
    };
    files.iter().flat_map(of).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Adds the files of a folder that are no tests.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in entries(folder) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_test =
            stem.ends_with("_tests") || matches!(&*stem, "testing" | "fixture" | "fuzzing");
        if is_test {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            files.push(path);
        }
    }
}

/// The code before the module of its tests, which stands last.
fn without_tests(code: &str) -> &str {
    let end = code.match_indices("#[cfg(test)]").map(|(at, _)| at).find(|at| {
        let rest = code[*at..].lines().nth(1).unwrap_or_default();
        rest.contains("mod ") && rest.trim_end().ends_with('{')
    });
    &code[..end.unwrap_or(code.len())]
}

/// Reads the texts of Rust code: plain, raw and byte strings, outside of comments.
fn of_code(code: &str, file: &str) -> Vec<Literal> {
    let mut all = Vec::new();
    let (bytes, mut at) = (code.as_bytes(), 0);
    while at < bytes.len() {
        let rest = &code[at..];
        at += if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            if rest.starts_with("'\"'") { 3 } else { 4 }
        } else if let Some((text, length)) = raw(rest).or_else(|| plain(rest)) {
            let before = code[..at].trim_end_matches(['b', '&', ' ', '\n']);
            // Functions of other types have more arguments.
            let alone = rest[length..].starts_with(')');
            let looked_up = alone && LOOK_UPS.iter().any(|call| before.ends_with(call));
            let line = before.lines().next_back().unwrap_or_default();
            let constant = line.contains("const ") && line.ends_with('=');
            all.push(Literal { text, looked_up, constant, file: file.to_owned() });
            length
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
    }
    all
}

/// A raw string at the beginning, with its length in the code.
fn raw(rest: &str) -> Option<(String, usize)> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = body.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some((body[..end].to_owned(), 1 + hashes + 1 + end + 1 + hashes))
}

/// A string with quotes at the beginning, with its length in the code.
fn plain(rest: &str) -> Option<(String, usize)> {
    let body = rest.strip_prefix('"')?;
    let mut escaped = false;
    let end = body.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some((body[..end].to_owned(), end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_and_comments_and_tests_are_not() {
        let code = "// \"no\"\nconst A: &str = \"one\";\nfn f() { head.first(\"two\"); let c = '\"'; \
                    x(b\"three\", r#\"fo\"ur\"#, \"fi\\\"ve\"); } /* \"no\" */\n#[cfg(test)]\nmod tests {\n\"no\" }";
        let found = of_code(without_tests(code), "f.rs");
        let texts: Vec<&str> = found.iter().map(|literal| literal.text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "three", "fo\"ur", "fi\\\"ve"]);
        assert!(found[0].constant && !found[0].looked_up);
        assert!(found[1].looked_up && !found[2].looked_up);
    }
}
