//! Secrets by name: their values, to whom they are granted, and texts without them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::OPERATOR;

/// Secrets at the most.
pub const MOST_SECRETS: usize = 1000;
/// Bytes of a secret at the most.
pub const LONGEST_SECRET: usize = 64 << 10;
/// Bytes of a secret at the least for it to be taken out of texts: shorter ones are also words.
pub const SHORTEST_REDACTED: usize = 6;
/// What stands in a text in the place of a secret.
pub const REDACTED: &[u8] = b"[redacted]";

/// Bytes by which a secret is recognised. What follows is compared: a key of which a log line shows
/// the greater part is none any more.
const RECOGNISED: usize = 64;

/// Secrets by name. The `Debug` form tells their names.
#[derive(Clone, Default)]
pub struct Secrets {
    by_name: BTreeMap<String, Secret>,
    finder: Option<Finder>,
    /// Whether each name stands for itself: nobody who tries a script sees a secret.
    stand_ins: bool,
}

/// One secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its value; none: it was not there when settings that were kept came in force again.
    pub value: Option<Arc<[u8]>>,
    /// To whom it is granted besides the operator.
    pub owners: Vec<String>,
}

/// Finds secrets in texts.
#[derive(Clone)]
struct Finder {
    beginnings: AhoCorasick,
    /// By beginning: the secrets that begin so.
    values: Vec<Vec<Arc<[u8]>>>,
}

impl Secrets {
    /// Of these names.
    pub fn new(by_name: BTreeMap<String, Secret>) -> Self {
        let values = by_name.values().filter_map(|secret| secret.value.clone());
        let finder = Finder::new(values.filter(|value| value.len() >= SHORTEST_REDACTED));
        Self { by_name, finder, stand_ins: false }
    }

    /// For trying scripts: every name has a value that says so.
    pub fn stand_ins() -> Self {
        Self { stand_ins: true, ..Self::default() }
    }

    /// The value of a secret, if it is granted to the owner.
    pub fn get(&self, name: &str, owner: &str) -> Option<Cow<'_, [u8]>> {
        if self.stand_ins {
            return Some(Cow::Owned(format!("(secret {name})").into_bytes()));
        }
        let secret = self.by_name.get(name).filter(|secret| secret.is_granted(owner))?;
        secret.value.as_deref().map(Cow::Borrowed)
    }

    /// Whether there is such a secret, and it is granted to the owner.
    pub fn is_granted(&self, name: &str, owner: &str) -> bool {
        self.by_name.get(name).is_some_and(|secret| secret.is_granted(owner))
    }

    /// Whether a text is as it was, whatever it says.
    pub fn hides_nothing(&self) -> bool {
        self.finder.is_none()
    }

    /// A text without the values of secrets; of a long one also not its beginning.
    pub fn redacted<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(text) };
        let places = finder.places(text);
        if places.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut shown, mut from) = (Vec::with_capacity(text.len()), 0);
        for (start, end) in places {
            shown.extend_from_slice(text.get(from..start).unwrap_or_default());
            shown.extend_from_slice(REDACTED);
            from = end;
        }
        shown.extend_from_slice(text.get(from..).unwrap_or_default());
        Cow::Owned(shown)
    }

    /// The same of a text that people read.
    pub fn redacted_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redacted(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(shown) => Cow::Owned(String::from_utf8_lossy(&shown).into_owned()),
        }
    }
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        self.by_name == other.by_name && self.stand_ins == other.stand_ins
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

impl Secret {
    fn is_granted(&self, owner: &str) -> bool {
        owner == OPERATOR || self.owners.iter().any(|one| one == owner)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("owners", &self.owners).finish_non_exhaustive()
    }
}

impl Finder {
    fn new(values: impl Iterator<Item = Arc<[u8]>>) -> Option<Self> {
        let mut by_beginning = BTreeMap::<Vec<u8>, Vec<Arc<[u8]>>>::new();
        for value in values {
            let beginning = value.get(..RECOGNISED).unwrap_or(&value).to_vec();
            by_beginning.entry(beginning).or_default().push(value);
        }
        if by_beginning.is_empty() {
            return None;
        }
        // Secrets may lie across each other: each is found.
        let mut finder = AhoCorasick::builder();
        finder.match_kind(MatchKind::Standard);
        // Only more patterns than fit 32 bits fail.
        let beginnings = finder.build(by_beginning.keys()).ok()?;
        Some(Self { beginnings, values: by_beginning.into_values().collect() })
    }

    /// Where secrets are, in order, none beside another.
    fn places(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let found = self.beginnings.find_overlapping_iter(text);
        let mut places: Vec<(usize, usize)> = found
            .map(|found| {
                let rest = text.get(found.end()..).unwrap_or_default();
                let values = self.values.get(found.pattern().as_usize()).into_iter().flatten();
                let longest = values.map(|value| same(value, found.len(), rest)).max();
                (found.start(), found.end() + longest.unwrap_or_default())
            })
            .collect();
        places.sort_unstable();
        places.dedup_by(|next, last| {
            let meets = next.0 <= last.1;
            if meets {
                last.1 = last.1.max(next.1);
            }
            meets
        });
        places
    }
}

/// How many bytes of a value behind its beginning are those that follow in a text.
fn same(value: &[u8], beginning: usize, rest: &[u8]) -> usize {
    let behind = value.get(beginning..).unwrap_or_default();
    behind.iter().zip(rest).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let entry = |(at, value): (usize, &&str)| {
            let value = Some(value.as_bytes().into());
            (format!("s{at}"), Secret { value, owners: vec!["team-a".to_owned()] })
        };
        Secrets::new(values.iter().enumerate().map(entry).collect())
    }

    #[test]
    fn a_secret_is_its_owners_and_the_operators_alone() {
        let secrets = secrets(&["hunter22"]);
        for (owner, granted) in [("team-a", true), ("team-b", false), (OPERATOR, true), ("", false)]
        {
            assert_eq!(secrets.is_granted("s0", owner), granted, "{owner}");
            assert_eq!(secrets.get("s0", owner).is_some(), granted, "{owner}");
        }
        assert!(secrets.get("s1", OPERATOR).is_none());
        assert_eq!(format!("{secrets:?}"), "{\"s0\"}");
    }

    #[test]
    fn a_text_keeps_nothing_of_a_secret() {
        let long = format!("-----BEGIN KEY-----{}", "0123456789".repeat(20));
        let secrets = secrets(&["hunter22", "abcdefgh", "efghijkl", "short", &long]);
        let cut = format!("key: {}", &long[..100]);
        let whole = format!("{long}!{long}");
        for (text, shown) in [
            ("nothing", "nothing"),
            ("hunter22", "[redacted]"),
            ("a hunter22 hunter22b", "a [redacted] [redacted]b"),
            ("xabcdefghijklx", "x[redacted]x"),
            ("hunter2", "hunter2"),
            ("short", "short"),
            (cut.as_str(), "key: [redacted]"),
            (whole.as_str(), "[redacted]![redacted]"),
        ] {
            assert_eq!(secrets.redacted_text(text), shown, "{text}");
        }
        let (before, after) = (b"\xff hunter22 \xfe", b"\xff [redacted] \xfe");
        assert_eq!(&*secrets.redacted(before), after);
    }

    #[test]
    fn who_tries_a_script_sees_a_stand_in() {
        let stand_ins = Secrets::stand_ins();
        assert_eq!(stand_ins.get("any", "team-b").as_deref(), Some(&b"(secret any)"[..]));
        assert!(stand_ins.hides_nothing());
    }
}
