//! The functions of a folder: `NAME.lua` each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::{Fault, push};

/// A function as a folder has it.
#[derive(Debug)]
pub(super) struct File {
    /// Its file's stem.
    pub(super) name: String,
    pub(super) text: Vec<u8>,
}

/// The functions of a folder, by name. What is in folders below, what is hidden and what does not
/// end in `.lua` is none.
pub(super) fn read(folder: &Path) -> Result<Vec<File>, Fault> {
    let fault =
        |error: io::Error| Fault::Told(format!("`{}` cannot be read: {error}", folder.display()));
    let entries = fs::read_dir(folder).map_err(fault)?;
    let paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    let mut paths: Vec<PathBuf> =
        paths.map_err(fault)?.into_iter().filter(|path| is_one(path)).collect();
    paths.sort();
    // A folder named by mistake must not take away what serves.
    if paths.is_empty() {
        let help = "a function is a file NAME.lua in it";
        return Err(Fault::Told(format!(
            "`{}` has no functions\n  = help: {help}",
            folder.display()
        )));
    }
    paths.iter().map(|path| file(path)).collect()
}

fn is_one(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|end| end == "lua") && path.is_file()
}

fn file(path: &Path) -> Result<File, Fault> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(File { name, text: push::read(path)? })
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::fs;

    #[test]
    fn only_lua_files_of_the_folder_itself_are_functions() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("has no functions"));
        for name in ["b.lua", "a.lua", ".hidden.lua", "readme.md"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir_all(folder.path().join("below.lua/c.lua")).unwrap();
        let files = read(folder.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(files[0].text, b"a.lua");
        assert!(read(&folder.path().join("none")).is_err());
    }
}
