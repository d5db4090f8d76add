//! `moongate tokens list`.

use std::time::SystemTime;

use clap::Args;

use super::file::{Fault, stamp};
use super::{Place, terminal};
use crate::config::Token;

/// List tokens: name, role, owner, since when and until when
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let file = arguments.place.open()?;
    terminal::say(&table(&file.tokens, SystemTime::now()));
    Ok(())
}

fn table(tokens: &[Token], now: SystemTime) -> String {
    if tokens.is_empty() {
        return "no tokens: without any, only GET from loopback is answered\n".to_owned();
    }
    let head = row("NAME", "ROLE", "OWNER", "SINCE", "UNTIL");
    tokens.iter().fold(head, |text, token| text + &line(token, now))
}

fn line(token: &Token, now: SystemTime) -> String {
    let until = match token.expires_at {
        None => "-".to_owned(),
        Some(end) if end <= now => format!("{} (expired)", stamp(end)),
        Some(end) => stamp(end),
    };
    let owner = token.owner.as_deref().unwrap_or("-");
    row(&token.name, token.role.as_str(), owner, &stamp(token.created_at), &until)
}

fn row(name: &str, role: &str, owner: &str, since: &str, until: &str) -> String {
    format!("{name:20} {role:8} {owner:20} {since:20} {until}\n")
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::config::{Role, Token};
    use std::time::{Duration, SystemTime};

    #[test]
    fn what_has_expired_is_told_and_no_digest_is() {
        let token = Token {
            name: "ci".to_owned(),
            role: Role::Publish,
            owner: None,
            sha256: [0xab; 32],
            created_at: SystemTime::UNIX_EPOCH,
            expires_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)),
        };
        let text = table(&[token], SystemTime::now());
        assert!(text.ends_with("1970-01-01T00:01:00Z (expired)\n"), "{text}");
        assert!(!text.contains("abab"));
    }
}
