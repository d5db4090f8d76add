//! Rule files and all that they include, in order.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::faults::Faults;
use super::parse::{Include, Item, items, source};
use super::tree::Directive;
use crate::config::{Files, has_wildcard};
use crate::diagnostic::{Diagnostic, Source, Span};

/// Files that include each other, at the most.
const DEEPEST: usize = 20;
/// Rule files of one policy, at the most.
const MOST_FILES: usize = 10_000;
/// Bytes of all of them together, at the most.
const MOST_BYTES: usize = 256 << 20;
/// Faults of all of them together after which no file is read any more.
const MOST_FAULTS: usize = 10_000;

/// Reads rule files, folders of them (every `.conf` file, sorted) and patterns of names, and all
/// that they include. Always a tree, and every fault. A file is read once, even if it is named
/// twice.
pub fn load(paths: &[PathBuf], files: &dyn Files) -> (Vec<Directive>, Vec<Diagnostic>) {
    let mut loader = Loader::new(files);
    for path in paths {
        loader.all(&Wanted { path, optional: false, by: None });
    }
    (loader.directives, loader.diagnostics)
}

/// A name of files.
struct Wanted<'a> {
    path: &'a Path,
    /// Whether there may be no such file.
    optional: bool,
    /// Who names it; none: the settings.
    by: Option<(&'a Arc<Source>, Span)>,
}

struct Loader<'a> {
    files: &'a dyn Files,
    directives: Vec<Directive>,
    diagnostics: Vec<Diagnostic>,
    /// The files that are being read, each included by the one before.
    open: Vec<PathBuf>,
    /// Every file that was named.
    seen: HashSet<PathBuf>,
    bytes: usize,
    /// Whether a bound was passed: nothing is read any more.
    full: bool,
}

impl<'a> Loader<'a> {
    fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            directives: Vec::new(),
            diagnostics: Vec::new(),
            open: Vec::new(),
            seen: HashSet::new(),
            bytes: 0,
            full: false,
        }
    }

    /// Reads all files of a name.
    fn all(&mut self, wanted: &Wanted<'_>) {
        if self.full {
            return;
        }
        let found = match self.files.matching(wanted.path) {
            Ok(found) => found,
            Err(error) => return self.unreadable(wanted, wanted.path, &error),
        };
        if found.is_empty() && !has_wildcard(wanted.path) {
            return self.one(wanted, wanted.path);
        }
        if found.is_empty() && !wanted.optional {
            let message = format!("no file matches `{}`", wanted.path.display());
            let help = "name files that are there, or say `IncludeOptional`";
            self.tell(wanted, Diagnostic::error("seclang::no-file", message).help(help));
        }
        for path in found {
            self.one(wanted, &path);
        }
    }

    fn one(&mut self, wanted: &Wanted<'_>, path: &Path) {
        if self.full || !self.is_new(wanted, path) || !self.fits(wanted) {
            return;
        }
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.seen.remove(&plain(path));
                return self.unreadable(wanted, path, &error);
            }
        };
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MOST_BYTES {
            let message = format!("the rule files are larger than {} MiB", MOST_BYTES >> 20);
            return self.stop(wanted, message);
        }
        self.open.push(plain(path));
        self.read(path, &bytes);
        self.open.pop();
    }

    fn read(&mut self, path: &Path, bytes: &[u8]) {
        let source = source(path.display().to_string(), bytes);
        let mut faults = Faults::new(&source);
        let items = items(bytes, &mut faults);
        faults.into_list().into_iter().for_each(|fault| self.note(fault));
        for item in items {
            match item {
                Item::Directive(directive) => self.directives.push(directive),
                Item::Include(include) => self.include(&source, path, &include),
            }
        }
    }

    fn include(&mut self, source: &Arc<Source>, from: &Path, include: &Include) {
        let named = Path::new(OsStr::from_bytes(&include.path.text));
        let path = from.parent().unwrap_or(Path::new("")).join(named);
        let by = Some((source, include.path.span));
        self.all(&Wanted { path: &path, optional: include.optional, by });
    }

    /// Whether a file is named for the first time; says so if not.
    fn is_new(&mut self, wanted: &Wanted<'_>, path: &Path) -> bool {
        let path = plain(path);
        let fault = if self.open.contains(&path) {
            self.circle(&path)
        } else if self.seen.contains(&path) {
            let message = format!("`{}` was already read", path.display());
            let help = "a file is read once, at the first place that names it";
            Diagnostic::warning("seclang::included-twice", message).help(help)
        } else {
            return self.seen.insert(path);
        };
        self.tell(wanted, fault);
        false
    }

    fn circle(&self, path: &Path) -> Diagnostic {
        let shown = path.display();
        let chain = self.open.iter().skip_while(|open| *open != path);
        let chain: Vec<_> = chain.map(|open| format!("`{}`", open.display())).collect();
        let help =
            format!("{} includes `{shown}`: take one of these away", chain.join(" includes "));
        Diagnostic::error("seclang::circular-include", format!("`{shown}` includes itself"))
            .help(help)
    }

    /// Whether the bounds leave room for one more file; says so if not.
    fn fits(&mut self, wanted: &Wanted<'_>) -> bool {
        if self.open.len() >= DEEPEST {
            let message = format!("files include each other more than {DEEPEST} deep");
            self.tell(wanted, Diagnostic::error("seclang::include-too-deep", message));
            return false;
        }
        if self.seen.len() > MOST_FILES {
            self.stop(wanted, format!("there are more than {MOST_FILES} rule files"));
        }
        !self.full
    }

    fn stop(&mut self, wanted: &Wanted<'_>, message: String) {
        let help = "name fewer files";
        self.tell(wanted, Diagnostic::error("seclang::too-many-rules", message).help(help));
        self.full = true;
    }

    fn unreadable(&mut self, wanted: &Wanted<'_>, path: &Path, error: &std::io::Error) {
        if wanted.optional && error.kind() == ErrorKind::NotFound {
            return;
        }
        let message = format!("cannot read `{}`: {error}", path.display());
        let help = match wanted.by {
            Some(_) => "the path is taken relative to the folder of the file that names it",
            None => "the path is taken relative to the folder of the settings",
        };
        self.tell(wanted, Diagnostic::error("seclang::unreadable-file", message).help(help));
    }

    fn tell(&mut self, wanted: &Wanted<'_>, fault: Diagnostic) {
        self.note(match wanted.by {
            Some((source, span)) => fault.at(source, span, "named here"),
            None => fault,
        });
    }

    fn note(&mut self, fault: Diagnostic) {
        let room = self.diagnostics.len() < MOST_FAULTS;
        // The first error past the bound ends the reading, so that it is also the last.
        if room || (fault.is_error() && !self.full) {
            self.full |= !room;
            self.diagnostics.push(fault);
        }
    }
}

/// Without `.`; a `..` stays, for what stands before it may be a link.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Error, ErrorKind, Result};
    use std::path::{Path, PathBuf};

    use super::super::tree::DirectiveKind;
    use super::{DEEPEST, MOST_FILES, load};
    use crate::config::{Files, matches};
    use crate::diagnostic::render;

    /// Files that are not on the disk.
    struct Fake(BTreeMap<PathBuf, String>);

    impl Files for Fake {
        fn read(&self, path: &Path) -> Result<Vec<u8>> {
            let found = self.0.get(path).ok_or_else(|| Error::from(ErrorKind::NotFound))?;
            Ok(found.clone().into_bytes())
        }

        fn matching(&self, pattern: &Path) -> Result<Vec<PathBuf>> {
            let in_folder = pattern.join("*.conf");
            let fits = |path: &&PathBuf| matches(pattern, path) || matches(&in_folder, path);
            Ok(self.0.keys().filter(fits).cloned().collect())
        }
    }

    /// The markers in the order in which they were read, and the faults as shown.
    fn read(paths: &[&str], files: &[(&str, &str)]) -> (Vec<String>, String) {
        let files = files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let (directives, faults) = load(&paths, &Fake(files));
        let markers = directives.iter().filter_map(|directive| match &directive.kind {
            DirectiveKind::Marker(word) => {
                Some(format!("{} {}", directive.source.name, word.as_str()))
            }
            _ => None,
        });
        (markers.collect(), render(&faults))
    }

    #[test]
    fn files_are_read_where_they_are_included_relative_to_who_names_them() {
        let files = [
            (
                "/w/a.conf",
                "SecMarker 1\nInclude \"r/*.conf\"\nSecMarker 2\nIncludeOptional no/*\nIncludeOptional no",
            ),
            ("/w/r/y.conf", "SecMarker y\ninclude ../x.conf"),
            ("/w/r/b.conf", "SecMarker b"),
            ("/w/r/b.data", "no rules"),
            ("/w/r/../x.conf", "SecMarker x"),
            ("/c/z.conf", "SecMarker z"),
        ];
        let (markers, faults) = read(&["/w/a.conf", "/c"], &files);
        assert_eq!(faults, "");
        let expected = [
            "/w/a.conf 1",
            "/w/r/b.conf b",
            "/w/r/y.conf y",
            "/w/r/../x.conf x",
            "/w/a.conf 2",
            "/c/z.conf z",
        ];
        assert_eq!(markers, expected);
    }

    #[test]
    fn a_file_that_is_not_there_is_a_fault_at_the_place_that_names_it() {
        let (markers, faults) =
            read(&["a", "none"], &[("a", "Include no.conf\nInclude no/*.conf\nSecMarker 1")]);
        assert_eq!(markers, ["a 1"]);
        let expected = "\
error[seclang::unreadable-file]: cannot read `no.conf`: entity not found
 --> a:1:9
  |
1 | Include no.conf
  |         ^^^^^^^ named here
  |
  = help: the path is taken relative to the folder of the file that names it
error[seclang::no-file]: no file matches `no/*.conf`
 --> a:2:9
  |
2 | Include no/*.conf
  |         ^^^^^^^^^ named here
  |
  = help: name files that are there, or say `IncludeOptional`
error[seclang::unreadable-file]: cannot read `none`: entity not found
 |
 = help: the path is taken relative to the folder of the settings
";
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_file_that_includes_itself_is_a_fault_that_shows_the_way() {
        let files =
            [("a", "SecMarker 1\nInclude b"), ("b", "Include c"), ("c", "Include b\nSecMarker 2")];
        let (markers, faults) = read(&["a"], &files);
        assert_eq!(markers, ["a 1", "c 2"]);
        assert!(
            faults.contains("error[seclang::circular-include]: `b` includes itself"),
            "{faults}"
        );
        assert!(faults.contains("help: `b` includes `c` includes `b`"), "{faults}");
    }

    #[test]
    fn a_file_named_twice_is_read_once() {
        let (markers, faults) = read(&["a", "./b"], &[("a", "Include b"), ("b", "SecMarker 1")]);
        assert_eq!(markers, ["b 1"]);
        assert!(faults.starts_with("warning[seclang::included-twice]: `b` was"), "{faults}");
    }

    #[test]
    fn depth_and_number_of_files_are_bounded() {
        let deep: Vec<_> = (0..30)
            .map(|at| (format!("{at}"), format!("SecMarker x\nInclude {}", at + 1)))
            .collect();
        let deep: Vec<_> = deep.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (markers, faults) = read(&["0"], &deep);
        assert_eq!(markers.len(), DEEPEST);
        assert!(faults.starts_with("error[seclang::include-too-deep]"), "{faults}");

        let many: Vec<_> = (0..MOST_FILES + 2).map(|at| format!("r/{at}.conf")).collect();
        let many: Vec<_> = many.iter().map(|path| (path.as_str(), "SecMarker x")).collect();
        let (markers, faults) = read(&["r"], &many);
        assert_eq!(markers.len(), MOST_FILES);
        assert!(faults.starts_with("error[seclang::too-many-rules]"), "{faults}");
    }
}
