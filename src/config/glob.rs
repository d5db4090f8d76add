//! Patterns of file names: `/etc/*/rules/REQUEST-9[0-4]?-*.conf`.

use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Files that one pattern may match.
const MOST_FILES: usize = 10_000;

/// Whether there is a `*`, `?` or `[` in a path.
pub fn has_wildcard(path: &Path) -> bool {
    path.components().any(|part| is_pattern(part.as_os_str()))
}

/// Whether a path matches a pattern, part by part. `*` is any text, `?` one byte, `[a-z]` one of
/// these, `[!a-z]` one but these; none of them is a `.` at the beginning of a name.
pub fn matches(pattern: &Path, path: &Path) -> bool {
    let mut parts = path.components();
    let all = pattern.components().all(|pattern| {
        parts.next().is_some_and(|part| part_matches(pattern.as_os_str(), part.as_os_str()))
    });
    all && parts.next().is_none()
}

/// The files on the disk that match, sorted.
pub(super) fn files(pattern: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        found = step(found, part.as_os_str())?;
    }
    Ok(sorted(found))
}

/// The files right in a folder whose names match, sorted.
pub(super) fn files_in(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>> {
    step(vec![folder.to_owned()], OsStr::new(pattern)).map(sorted)
}

fn sorted(mut found: Vec<PathBuf>) -> Vec<PathBuf> {
    // A link that leads nowhere stays: that it cannot be read is worth a fault.
    found.retain(|path| !path.is_dir() && path.symlink_metadata().is_ok());
    found.sort();
    found
}

/// What the next part of a pattern leads to from these folders.
fn step(folders: Vec<PathBuf>, part: &OsStr) -> Result<Vec<PathBuf>> {
    if !is_pattern(part) {
        return Ok(folders.into_iter().map(|folder| folder.join(part)).collect());
    }
    let mut found = Vec::new();
    for folder in folders {
        let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let entries = match std::fs::read_dir(listed) {
            Ok(entries) => entries,
            Err(error) if is_no_folder(&error) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name();
            if part_matches(part, &name) {
                found.push(folder.join(name));
            }
            if found.len() > MOST_FILES {
                return Err(Error::other(format!("it matches more than {MOST_FILES} files")));
            }
        }
    }
    Ok(found)
}

/// A folder that may not be read is not one that is not there.
fn is_no_folder(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_pattern(part: &OsStr) -> bool {
    memchr::memchr3(b'*', b'?', b'[', part.as_encoded_bytes()).is_some()
}

fn part_matches(pattern: &OsStr, name: &OsStr) -> bool {
    let (pattern, name) = (pattern.as_encoded_bytes(), name.as_encoded_bytes());
    let hidden = name.starts_with(b".") && !pattern.starts_with(b".");
    !hidden && text_matches(pattern, name)
}

/// On a mismatch the last `*` takes one byte more: no other has to be tried again.
fn text_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern_rest, mut name_rest) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(after) = pattern_rest.strip_prefix(b"*") {
            retry = Some((after, name_rest));
            pattern_rest = after;
        } else if let Some((first, after)) = name_rest.split_first()
            && let Some(pattern_after) = one_matches(pattern_rest, *first)
        {
            (pattern_rest, name_rest) = (pattern_after, after);
        } else if pattern_rest.is_empty() && name_rest.is_empty() {
            return true;
        } else {
            let Some((after, [_, name_after @ ..])) = retry else { return false };
            retry = Some((after, name_after));
            (pattern_rest, name_rest) = (after, name_after);
        }
    }
}

/// What is left of a pattern after one byte matched.
fn one_matches(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => match set(rest) {
            Some((set, rest)) => set_has(set, byte).then_some(rest),
            None => (byte == b'[').then_some(rest),
        },
        [first, rest @ ..] => (*first == byte).then_some(rest),
        [] => None,
    }
}

/// What stands between brackets, and what after them. A `]` right at the beginning is one of the set.
fn set(inside: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = usize::from(matches!(inside, [b'!' | b'^', ..]));
    let end = first + 1 + memchr::memchr(b']', inside.get(first + 1..)?)?;
    Some((inside.get(..end)?, inside.get(end + 1..)?))
}

fn set_has(set: &[u8], byte: u8) -> bool {
    let (negated, mut rest) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let mut found = false;
    while let [first, after @ ..] = rest {
        let (last, after) = match after {
            [b'-', last, after @ ..] => (last, after),
            _ => (first, after),
        };
        found |= (*first..=*last).contains(&byte);
        rest = after;
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{files, files_in, has_wildcard, matches};

    #[test]
    fn patterns_match_part_by_part() {
        let cases = [
            ("a.conf", "a.conf", true),
            ("a.conf", "b.conf", false),
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("*.conf", "x/a.conf", false),
            ("/etc/*/r/*.conf", "/etc/waf/r/a.conf", true),
            ("/etc/*/r/*.conf", "/etc/waf/s/a.conf", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("R-9[0-4]?-*", "R-942-SQLI", true),
            ("R-9[!0-4]?-*", "R-942-SQLI", false),
            ("[]]", "]", true),
            ("[^]]", "]", false),
            ("[a", "[a", true),
            ("[z-a]", "b", false),
            ("a", "a/b", false),
            ("", "", true),
        ];
        for (pattern, path, expected) in cases {
            let found = matches(Path::new(pattern), Path::new(path));
            assert_eq!(found, expected, "{pattern} {path}");
        }
        assert!(has_wildcard(Path::new("/a/b?/c")));
        assert!(!has_wildcard(Path::new("/a/b/c")));
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = "*a".repeat(2000) + "b";
        let name = "a".repeat(4000);
        assert!(!matches(Path::new(&pattern), Path::new(&name)));
    }

    #[test]
    fn files_on_the_disk_come_sorted_and_folders_do_not_come() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", "a.data", ".a.conf.swp"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir_all(folder.path().join("d.conf")).unwrap();
        std::fs::write(folder.path().join("d.conf/c.conf"), "").unwrap();
        let found = |pattern: &str| -> Vec<String> {
            let found = files(&folder.path().join(pattern)).unwrap();
            let shown = found.iter().map(|path| path.strip_prefix(folder.path()).unwrap());
            shown.map(|path| path.display().to_string()).collect()
        };
        assert_eq!(found("*.conf"), ["a.conf", "b.conf"]);
        assert_eq!(found("*/*.conf"), ["d.conf/c.conf"]);
        assert_eq!(found("a.data"), ["a.data"]);
        assert_eq!(found("none.conf"), Vec::<String>::new());
        assert_eq!(found("none/*.conf"), Vec::<String>::new());
        assert_eq!(files_in(folder.path(), "*.conf").unwrap().len(), 2);
    }
}
