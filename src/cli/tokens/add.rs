//! `moongate tokens add`.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use sha2::{Digest as _, Sha256};

use super::file::{Fault, stamp};
use super::{Place, terminal};
use crate::config::{MOST_TOKENS, Role, Token, is_short_name};

/// What a token of ours begins with, so that scanners for secrets find one that was published.
const BEGINNING: &str = "mg_";
/// Days at the most: what is to hold longer is better without an end.
const LONGEST_DAYS: u64 = 3650;
const DAY: u64 = 86_400;

/// Make a token and print it, once
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whose it is or what for: the audit log calls it so
    name: String,
    /// What it is good for
    #[arg(long, value_parser = Role::WORDS.to_vec())]
    role: String,
    /// The only owner whose things it may touch; without it everybody's
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    /// For how long it holds, such as 12h or 90d; without it for good
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let (token, entry) = made(arguments, SystemTime::now())?;
    let mut file = arguments.place.open()?;
    if file.tokens.iter().any(|other| other.name == entry.name) {
        let name = &entry.name;
        return Err(Fault::told(format!(
            "there is a token `{name}` already\n  = help: `moongate tokens remove {name}` first, or choose another name"
        )));
    }
    if file.tokens.len() >= MOST_TOKENS {
        let fault =
            "there are as many tokens as there can be\n  = help: remove those that nobody uses";
        return Err(Fault::told(fault.to_owned()));
    }
    let told = told(&entry, &file.path().display().to_string());
    file.tokens.push(entry);
    file.save()?;
    terminal::tell(&told);
    terminal::say(&format!("{token}\n"));
    Ok(())
}

/// A token, and its entry without it.
fn made(arguments: &Arguments, now: SystemTime) -> Result<(String, Token), Fault> {
    for name in [Some(&arguments.name), arguments.owner.as_ref()].into_iter().flatten() {
        if !is_short_name(name) {
            return Err(Fault::told(format!(
                "`{name}` cannot name a token or an owner\n  = help: a name has 1 to 63 of a-z, 0-9, `-` and `_`"
            )));
        }
    }
    let holds = arguments.expires.as_deref().map(time).transpose()?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Fault::told(format!("the system gives no random bytes: {error}")))?;
    let token = format!("{BEGINNING}{}", URL_SAFE_NO_PAD.encode(secret));
    let entry = Token {
        name: arguments.name.clone(),
        role: Role::named(&arguments.role).unwrap_or(Role::Read),
        owner: arguments.owner.clone(),
        sha256: Sha256::digest(&token).into(),
        created_at: now,
        expires_at: holds.map(|holds| now + holds),
    };
    Ok((token, entry))
}

/// `12h`, `90d`.
fn time(text: &str) -> Result<Duration, Fault> {
    let unit_length = usize::from(text.ends_with(['m', 'h', 'd', 'w']));
    let (number, unit) = text.split_at(text.len() - unit_length);
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => 0,
    };
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    let fits = total.filter(|total| (1..=LONGEST_DAYS * DAY).contains(total));
    fits.map(Duration::from_secs).ok_or_else(|| {
        Fault::told(format!(
            "`--expires {text}` is no time that can be used\n  = help: write it like `12h`, `90d` or `4w`, ten years at the most"
        ))
    })
}

fn told(entry: &Token, path: &str) -> String {
    let Token { name, role, owner, expires_at, .. } = entry;
    let whose =
        owner.as_ref().map_or(String::new(), |owner| format!(" for what belongs to `{owner}`"));
    let until = expires_at.map_or(String::new(), |end| format!(", until {}", stamp(end)));
    format!(
        "moongate: `{name}` may {}{whose}{until}; its SHA-256 is in {path}\n\
         moongate: this is the token. It cannot be shown again:\n",
        role.as_str()
    )
}

#[cfg(test)]
mod tests {
    use super::{DAY, time};

    #[test]
    fn times_have_a_unit_and_an_end() {
        for (text, seconds) in [
            ("90d", Some(90 * DAY)),
            ("12h", Some(12 * 3600)),
            ("4w", Some(28 * DAY)),
            ("90", None),
            ("0d", None),
            ("-1d", None),
            ("", None),
            ("d", None),
            ("é", None),
            ("99999999999999999999d", None),
            ("18446744073709551615w", None),
            ("3651d", None),
        ] {
            assert_eq!(time(text).ok().map(|time| time.as_secs()), seconds, "{text}");
        }
    }
}
