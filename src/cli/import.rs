//! `moongate import`: an OpenResty configuration as `moongate.yaml` and Lua files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::terminal;
use crate::config::DiskFiles;
use crate::nginx::{self, Left, Translation};

const EXAMPLES: &str = "\
Examples:
  moongate import /etc/openresty/nginx.conf               writes ./moongate.yaml and ./lua/
  moongate import nginx.conf --to /etc/moongate && moongate check -c /etc/moongate/moongate.yaml

To run such a file as it is: moongate run --nginx FILE";

/// Turn an OpenResty configuration into moongate.yaml and Lua files, and list what is left to do
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The configuration, such as nginx.conf; what it includes is read too
    file: PathBuf,
    /// The folder to write to
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let translation = match nginx::translate(&arguments.file, &DiskFiles) {
        Ok(translation) => translation,
        Err(emerg) => return terminal::refuse_as("nginx", &emerg.to_string()),
    };
    let files = files(translation_for_people(&translation), &translation.left);
    match write(&arguments.to, &files, arguments.force) {
        Ok(()) => {
            terminal::tell(&report(&arguments.to, &files, &translation.left));
            ExitCode::SUCCESS
        }
        Err(fault) => terminal::refuse(&fault),
    }
}

/// The settings without what only stands for nginx's own carelessness: scripts are compiled before
/// they serve, and a changed file is in force at once.
fn translation_for_people(translation: &Translation) -> Value {
    let mut settings = translation.settings.clone();
    if let Some(settings) = settings.as_object_mut() {
        settings.remove("watch");
        settings.remove("grace");
        if let Some(lua) = settings.get_mut("lua").and_then(Value::as_object_mut) {
            lua.remove("load");
        }
    }
    settings
}

/// What is written, by path below the folder.
fn files(mut settings: Value, left: &[Left]) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    take_scripts(&mut settings, &mut files);
    let mut text = String::from("# From an OpenResty configuration, by `moongate import`.\n");
    for Left { directive, file, line, instead } in left {
        let _ = writeln!(text, "# not carried over, {file}:{line}: {directive}\n#   {instead}");
    }
    text.push_str(&nginx::text(&settings));
    files.insert("moongate.yaml".into(), text);
    files
}

/// Scripts become files of their own.
fn take_scripts(value: &mut Value, files: &mut BTreeMap<PathBuf, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| take_scripts(item, files)),
        Value::Object(map) => take_from(map, files),
        _ => {}
    }
}

fn take_from(map: &mut Map<String, Value>, files: &mut BTreeMap<PathBuf, String>) {
    let keys: Vec<String> = map.keys().cloned().collect();
    for key in keys {
        let Some(inner) = map.get_mut(&key) else { continue };
        let Some((name, code)) = script(inner) else {
            take_scripts(inner, files);
            continue;
        };
        let path = path_of(&name, &code, files);
        let shown = json!(path.to_string_lossy());
        files.insert(path, code);
        match key.strip_suffix("_block") {
            Some(phase) => {
                map.remove(&key);
                map.insert(format!("{phase}_file"), shown);
            }
            None => {
                if let Some(script) = inner.as_object_mut() {
                    script.remove("name");
                    script.remove("code");
                    script.insert("file".into(), shown);
                }
            }
        }
    }
}

/// A script that has a name.
fn script(value: &Value) -> Option<(String, String)> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    Some((text("name")?, text("code")?))
}

/// `content_by_lua(nginx.conf:40)` becomes `lua/content_by_lua-nginx.conf-40.lua`.
fn path_of(name: &str, code: &str, files: &BTreeMap<PathBuf, String>) -> PathBuf {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let words: Vec<&str> =
        name.split(|letter| !plain(letter)).filter(|word| !word.is_empty()).collect();
    let base = words.join("-");
    let mut path = PathBuf::from(format!("lua/{base}.lua"));
    let mut more = 2;
    while files.get(&path).is_some_and(|known| known != code) {
        path = PathBuf::from(format!("lua/{base}-{more}.lua"));
        more += 1;
    }
    path
}

fn write(folder: &Path, files: &BTreeMap<PathBuf, String>, force: bool) -> Result<(), String> {
    let there = files.keys().map(|path| folder.join(path)).find(|path| path.exists());
    if let Some(path) = there.filter(|_| !force) {
        let path = path.display();
        return Err(format!("`{path}` is there already; name another folder, or say --force"));
    }
    for (path, text) in files {
        let path = folder.join(path);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
    }
    Ok(())
}

fn report(folder: &Path, files: &BTreeMap<PathBuf, String>, left: &[Left]) -> String {
    let mut text = String::new();
    for path in files.keys() {
        let _ = writeln!(text, "wrote {}", folder.join(path).display());
    }
    if left.is_empty() {
        text.push_str("everything was carried over\n");
    } else {
        let _ = writeln!(text, "not carried over ({}):", left.len());
    }
    for Left { directive, file, line, instead } in left {
        let _ = writeln!(text, "  {file}:{line}: {directive}\n    {instead}");
    }
    let settings = folder.join("moongate.yaml");
    let _ = writeln!(text, "next: moongate check -c {}", settings.display());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_become_files_of_their_own() {
        let block = json!({ "name": "content_by_lua(nginx.conf:40)", "code": "ngx.say(1)" });
        let step = json!({ "script": { "variable": "a", "name": "set_by_lua(nginx.conf:9)", "code": "return 1" } });
        let settings = json!({ "sites": [{ "content_by_lua_block": block, "steps": [step] }] });
        let files = files(settings, &[]);
        let names: Vec<String> = files.keys().map(|path| path.display().to_string()).collect();
        let wanted = [
            "lua/content_by_lua-nginx.conf-40.lua",
            "lua/set_by_lua-nginx.conf-9.lua",
            "moongate.yaml",
        ];
        assert_eq!(names, wanted);
        let text = &files[Path::new("moongate.yaml")];
        assert!(
            text.contains("content_by_lua_file: lua/content_by_lua-nginx.conf-40.lua"),
            "{text}"
        );
        assert!(!text.contains("ngx.say"), "{text}");
    }
}
