//! The base rules, built into the program: the files of `rules/base`.

use std::path::{Path, PathBuf};

/// The folder that they have in the program; on the disk there is none of that name.
const FOLDER: &str = "built-in:base";

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../rules/base/", $name)))
    };
}

/// Their names and texts, in the order in which the rules are loaded.
const FILES: &[(&str, &str)] = &[
    file!("00-setup.conf"),
    file!("10-protocol.conf"),
    file!("15-scanners.conf"),
    file!("20-files.conf"),
    file!("25-commands.conf"),
    file!("30-sql.conf"),
    file!("35-scripts.conf"),
    file!("40-code.conf"),
    file!("45-requests.conf"),
    file!("80-verdict.conf"),
    file!("90-leaks.conf"),
    file!("99-verdict.conf"),
    file!("scanners.data"),
];

/// The rule files, in order, by the paths that [`read`] knows.
pub(super) fn rule_files() -> Vec<PathBuf> {
    let names = FILES.iter().map(|(name, _)| Path::new(name));
    let rules = names.filter(|name| name.extension().is_some_and(|extension| extension == "conf"));
    rules.map(|name| Path::new(FOLDER).join(name)).collect()
}

/// Whether the path is of something built in, not of the disk.
pub(super) fn is_built_in(path: &Path) -> bool {
    path.starts_with(FOLDER)
}

/// What is built in under this path.
pub(super) fn read(path: &Path) -> Option<&'static [u8]> {
    let name = path.strip_prefix(FOLDER).ok()?;
    let (_, text) = FILES.iter().find(|(known, _)| Path::new(known) == name)?;
    Some(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{FILES, read, rule_files};
    use std::path::Path;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/base");
        let names = std::fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<String> =
            names.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "README.md");
        names.sort();
        assert_eq!(names, FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_built_in_is_found_by_its_path_and_nothing_else_is() {
        assert!(rule_files().iter().all(|path| read(path).is_some()));
        assert!(read(Path::new("built-in:base/scanners.data")).is_some());
        assert!(read(Path::new("built-in:base/../moongate.yaml")).is_none());
        assert!(read(Path::new("/built-in:base/scanners.data")).is_none());
    }
}
