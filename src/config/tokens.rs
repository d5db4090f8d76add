//! The token file: who may use the admin API, and for what. Tokens themselves are not in it, only
//! their SHA-256.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::check::Check;
use super::raw::{self, Value};
use super::section::{Found, Section};
use super::settings::TOKEN;
use super::{Config, DiskFiles, Files as _, Overrides};
use crate::diagnostic::{Diagnostic, Source};

/// Entries of a token file at the most: each request is compared with every one.
pub const MOST_TOKENS: usize = 1000;
/// Characters of a name or an owner at the most.
const LONGEST_NAME: usize = 63;
const NAMES: &str = "1 to 63 of a-z, 0-9, `-` and `_`, such as `team-a`";

/// What a token is good for. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// To look.
    Read,
    /// To store what is not yet in force.
    Publish,
    /// To put in force what was stored, and to take it back.
    Activate,
    /// Everything.
    Admin,
}

/// An entry of the token file. Its `Debug` form keeps the digest to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, or what for: what the audit log calls them.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// Whose things it may touch; none: everybody's.
    pub owner: Option<String>,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// Since when.
    pub created_at: SystemTime,
    /// Until when; none: for good.
    pub expires_at: Option<SystemTime>,
}

impl Role {
    /// Every role, from the least.
    pub const ALL: [Self; 4] = [Self::Read, Self::Publish, Self::Activate, Self::Admin];
    /// Their words.
    pub const WORDS: &'static [&'static str] = &["read", "publish", "activate", "admin"];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Activate => "activate",
            Self::Admin => "admin",
        }
    }

    /// The role of a word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, role, owner, .. } = self;
        let mut debug = f.debug_struct("Token");
        debug.field("name", name).field("role", role).field("owner", owner).finish_non_exhaustive()
    }
}

/// Whether it can name a token or an owner.
pub fn is_short_name(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(fits)
}

/// Reads a token file: its entries, in their order, and every fault. Where there is a fault, the
/// entries are not to be used.
pub fn read_tokens(source: &Arc<Source>) -> (Vec<Token>, Vec<Diagnostic>) {
    let overrides = Overrides::default();
    let check = Check::new(source, Path::new("."), &overrides, &DiskFiles);
    let tree = match raw::parse(source) {
        Ok(tree) => tree,
        Err(fault) => return (Vec::new(), vec![fault]),
    };
    if tree.is_null() {
        return (Vec::new(), Vec::new());
    }
    let found = Found { check: &check, node: &tree, path: "tokens".to_owned() };
    let tokens = entries(&found);
    (tokens, check.into_found())
}

/// What is wrong with the token file of these settings. It is no part of a policy: a faulty one
/// keeps nobody from being protected, and who lost their token does not get it back with the last
/// good policy.
pub fn token_faults(config: &Config) -> Vec<Diagnostic> {
    let path = config.token_file();
    let name = path.display();
    match DiskFiles.read(&path) {
        Ok(bytes) => {
            let source = Source::new(name.to_string(), String::from_utf8_lossy(&bytes));
            read_tokens(&source).1
        }
        Err(error) if config.admin.tokens.is_none() && error.kind() == ErrorKind::NotFound => {
            Vec::new()
        }
        Err(error) => {
            let message = format!("the token file `{name}` cannot be read: {error}");
            let help = format!("`moongate tokens add NAME --role admin --file {name}` makes it");
            vec![Diagnostic::error("config::not-found", message).help(help)]
        }
    }
}

fn entries(found: &Found<'_>) -> Vec<Token> {
    if !matches!(found.node.value, Value::List(_)) {
        found.expected("a list", "`moongate tokens add NAME --role read` writes it");
        return Vec::new();
    }
    let items = found.items();
    if items.len() > MOST_TOKENS {
        let label = format!("{} tokens, {MOST_TOKENS} at the most", items.len());
        found.bad_value(&label, "remove those that nobody uses: `moongate tokens remove NAME`");
        return Vec::new();
    }
    let mut tokens: Vec<Token> = Vec::with_capacity(items.len());
    for item in &items {
        let Some(token) = entry(item) else { continue };
        if tokens.iter().any(|other| other.name == token.name) {
            item.bad_value(
                &format!("the name `{}` stands twice", token.name),
                "the audit log could not tell them apart: give one of them another name",
            );
        }
        tokens.push(token);
    }
    tokens
}

fn entry(item: &Found<'_>) -> Option<Token> {
    let section = Section::open(item, &TOKEN);
    section.node?;
    let name = wanted(item, &section, "name").and_then(short_name);
    let role = wanted(item, &section, "role").and_then(|(_, found)| found.choice(Role::WORDS));
    let owner = section.text("owner").map(short_name);
    let sha256 = wanted(item, &section, "sha256").and_then(digest);
    let created_at = wanted(item, &section, "created_at").and_then(moment);
    let expires_at = section.text("expires_at").map(moment);
    let whole = |part: Option<Option<_>>| part.map_or(Some(None), |part| part.map(Some));
    Some(Token {
        name: name?,
        role: Role::named(role?)?,
        owner: owner.map_or(Some(None), |owner| owner.map(Some))?,
        sha256: sha256?,
        created_at: created_at?,
        expires_at: whole(expires_at)?,
    })
}

fn wanted<'a>(item: &Found<'_>, section: &Section<'a>, key: &str) -> Option<(String, Found<'a>)> {
    if section.get(key).is_none() {
        item.bad_value(&format!("no `{key}`"), "`moongate tokens add` writes whole entries");
    }
    section.text(key)
}

fn short_name((text, found): (String, Found<'_>)) -> Option<String> {
    if !is_short_name(&text) {
        found.bad_value("not a name of this kind", &format!("a name has {NAMES}"));
        return None;
    }
    Some(text)
}

fn digest((text, found): (String, Found<'_>)) -> Option<[u8; 32]> {
    let digest = from_hex(&text);
    if digest.is_none() {
        found.bad_value("not 64 digits of hex", "`printf %s TOKEN | sha256sum` tells it");
    }
    digest
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn moment((text, found): (String, Found<'_>)) -> Option<SystemTime> {
    let moment = OffsetDateTime::parse(&text, &Rfc3339).ok();
    if moment.is_none() {
        found.bad_value("not a moment", "a moment is written `2026-03-01T12:00:00Z`");
    }
    moment.map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::{Role, read_tokens};
    use crate::diagnostic::{Source, render};

    const GOOD: &str = "\
- name: ci
  role: publish
  owner: team-a
  sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  created_at: 2026-03-01T12:00:00Z
  expires_at: 2026-06-01T12:00:00+02:00
";

    fn faults(text: &str) -> String {
        let (_, faults) = read_tokens(&Source::new("tokens.yaml", text));
        render(&faults)
    }

    #[test]
    fn an_entry_is_read_whole() {
        let (tokens, faults) = read_tokens(&Source::new("tokens.yaml", GOOD));
        assert!(faults.is_empty(), "{}", render(&faults));
        let token = &tokens[0];
        assert_eq!((token.name.as_str(), token.role), ("ci", Role::Publish));
        assert_eq!(token.owner.as_deref(), Some("team-a"));
        assert_eq!((token.sha256[0], token.sha256[31]), (0x01, 0xef));
        assert!(token.expires_at > Some(token.created_at));
        assert!(!format!("{token:?}").contains("1, 35"), "{token:?}");
    }

    #[test]
    fn an_empty_file_has_no_tokens_and_no_fault() {
        assert_eq!(faults(""), "");
        assert_eq!(faults("[]"), "");
        assert_eq!(faults("# nobody\n"), "");
    }

    #[test]
    fn every_fault_is_told_at_its_place() {
        for (from, to, told) in [
            ("name: ci", "name: CI", "tokens.yaml:1:9"),
            ("role: publish", "role: owner", "write one of"),
            ("owner: team-a", "owner: ''", "it is empty"),
            ("0123456789abcdef0", "x", "not 64 digits of hex"),
            ("2026-03-01T", "yesterday", "not a moment"),
            ("  role: publish\n", "", "no `role`"),
            ("expires_at", "expires", "did you mean `expires_at`?"),
        ] {
            let said = faults(&GOOD.replacen(from, to, 1));
            assert!(said.contains(told), "{from} {to}: {said}");
        }
        assert!(faults(&GOOD.repeat(2)).contains("stands twice"));
        assert!(faults("tokens: []").contains("wants a list"));
    }

    #[test]
    fn each_role_includes_those_before_it() {
        assert!(Role::ALL.is_sorted());
        for (role, word) in Role::ALL.into_iter().zip(Role::WORDS) {
            assert_eq!((role.as_str(), Role::named(word)), (*word, Some(role)));
        }
    }
}
