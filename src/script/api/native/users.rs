//! `waf.user_list`: names and password hashes, from settings and from files as `htpasswd` writes them.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{IntoLuaMulti, Lua, MultiValue, UserData, UserDataMethods};

use super::ballast::Ballast;
use super::passwords::{Hash, decoy};
use super::settings::{self, File};
use super::shelf::{Shelf, digest};
use crate::script::Call;

/// Bytes that a user takes besides name and hash, about.
const USER: usize = 64;

static LISTS: Shelf<Users> = Shelf::new();

/// Password hashes by user name.
#[derive(Debug)]
struct Users {
    hashes: HashMap<String, String>,
    /// What a name that is not there is checked against: as dear as a real one, and never right.
    decoy: String,
}

/// `waf.user_list{ users = { name = hash }, files = {...} }`
///
/// # Errors
/// Every line that has no name and no hash of a known kind, with its file.
pub fn user_list(lua: &Lua, _call: &Rc<Call>, args: MultiValue) -> mlua::Result<MultiValue> {
    let table = settings::table(lua, &args, "user_list")?;
    let users = settings::pairs(&table, "users")?;
    let files = settings::files(lua, &table, "files")?;
    let pairs = users.iter().flat_map(|(name, hash)| [name.as_bytes(), hash.as_bytes()]);
    let parts = pairs.chain([&b""[..]]).chain(files.iter().map(|file| &file.digest[..]));
    let list = LISTS.take(digest(parts), || build(&users, &files))?;
    let bytes = list.hashes.iter().map(|(name, hash)| name.len() + hash.len() + USER);
    let ballast = Ballast::take(lua, bytes.sum())?;
    Handle(list, ballast).into_lua_multi(lua)
}

/// A list in the hands of a script.
struct Handle(Arc<Users>, #[expect(dead_code, reason = "it counts while it is held")] Ballast);

impl UserData for Handle {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("find", |_, users, name: mlua::LuaString| {
            let name = name.as_bytes();
            let known = std::str::from_utf8(&name).ok().and_then(|name| users.0.hashes.get(name));
            let hash = known.unwrap_or(&users.0.decoy).clone();
            Ok((hash, known.is_some()))
        });
        methods.add_method("len", |_, users, ()| Ok(users.0.hashes.len()));
    }
}

fn build(users: &[(String, String)], files: &[File]) -> mlua::Result<Users> {
    let (mut hashes, mut complaints) = (HashMap::new(), Vec::new());
    for (name, hash) in users {
        if let Err(message) = add(&mut hashes, name, hash) {
            complaints.push(format!("user `{name}`: {message}"));
        }
    }
    for File { path, bytes, .. } in files {
        for (line, content) in settings::lines(bytes) {
            let added = match content.split_once(':') {
                Some((name, hash)) => add(&mut hashes, name, hash),
                None => Err("no `:` in this line; write `user:hash`".to_owned()),
            };
            if let Err(message) = added {
                complaints.push(format!("{path}:{line}: {message}"));
            }
        }
    }
    if !complaints.is_empty() {
        return Err(settings::faults(&complaints));
    }
    let decoy = decoy(hashes.values());
    Ok(Users { hashes, decoy })
}

fn add(hashes: &mut HashMap<String, String>, name: &str, hash: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty; write `user:hash`".to_owned());
    }
    Hash::parse(hash)?;
    hashes.insert(name.to_owned(), hash.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::settings::file;
    use super::build;

    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuuIFgg4A4M9zLGJlTFvS1Mf.eVjLNPVIG";

    #[test]
    fn a_name_that_is_not_there_costs_what_the_others_cost() {
        let users = build(&[("a".to_owned(), BCRYPT.to_owned())], &[]).unwrap();
        assert!(users.decoy.starts_with("$2b$04$"), "{}", users.decoy);
        let users = build(&[], &[]).unwrap();
        assert!(users.decoy.starts_with("$argon2id$"), "{}", users.decoy);
    }

    #[test]
    fn hashes_that_are_too_weak_or_unknown_are_told_with_their_line() {
        let text =
            format!("# users\na:{BCRYPT}\nb:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nc:$apr1$x$y\nd\n");
        let error = build(&[], &[file("users", text.as_bytes())]).unwrap_err().to_string();
        for line in ["users:3: ", "users:4: ", "users:5: no `:`"] {
            assert!(error.contains(line), "{line} in {error}");
        }
        assert!(error.contains("htpasswd -B"), "{error}");
    }
}
