//! The directives that nginx and its Lua module know: where each may stand, and what becomes of it.

use super::directives::{PEER, PHASES, TABLE};
use super::lua_directives::LUA;
use super::set_misc::SET_MISC;
use super::tls::DIRECTIVES as TLS;

/// Where a directive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Main,
    Events,
    Http,
    Server,
    Location,
    /// `if` in a location.
    If,
    /// `if` in a server.
    ServerIf,
    Upstream,
    /// The lines of `map`, `types` and their like, which are no directives.
    Free,
}

/// What ends a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    Block(Context),
}

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is translated.
    Carried,
    /// It changes nothing here, and nobody misses it.
    Ignored,
    /// It is not carried over; what to do instead.
    Left(&'static str),
    /// What happens here is as if it had this value; of another is told what happens instead.
    Only(&'static str, &'static str),
}

impl Fate {
    /// What is to be told of a directive with such a first argument; none: all is well.
    pub(super) fn instead(self, value: &str) -> Option<&'static str> {
        match self {
            Self::Left(instead) => Some(instead),
            Self::Only(like, instead) => (value != like).then_some(instead),
            Self::Carried | Self::Ignored => None,
        }
    }
}

/// A directive that is known.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// `M` main, `E` events, `H` http, `S` server, `L` location, `I` if in location, `J` if in
    /// server, `U` upstream.
    pub(super) letters: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) shape: Shape,
    pub(super) fate: Fate,
}

/// Where a directive may stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contexts(&'static str);

impl Contexts {
    pub(super) fn contains(self, context: Context) -> bool {
        let letter = match context {
            Context::Main => 'M',
            Context::Events => 'E',
            Context::Http => 'H',
            Context::Server => 'S',
            Context::Location => 'L',
            Context::If => 'I',
            Context::ServerIf => 'J',
            Context::Upstream => 'U',
            Context::Free => return true,
        };
        self.0.contains(letter)
    }
}

/// A known directive with its contexts.
pub(super) struct Found {
    pub(super) contexts: Contexts,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) shape: Shape,
    pub(super) fate: Fate,
}

/// The directive of that name, where it stands.
pub(super) fn find(name: &str, here: Context) -> Option<Found> {
    let known = match (by_lua(name), here) {
        (Some(family), _) => family,
        (None, Context::Upstream) if name == PEER.name => &PEER,
        (None, _) => {
            TABLE.iter().chain(LUA).chain(SET_MISC).chain(TLS).find(|known| known.name == name)?
        }
    };
    Some(Found {
        contexts: Contexts(known.letters),
        least: known.least,
        most: known.most,
        shape: known.shape,
        fate: known.fate,
    })
}

/// The row of a `*_by_lua` directive in one of its three forms.
fn by_lua(name: &str) -> Option<&'static Known> {
    let (phase, form) = name.split_once("_by_lua")?;
    let is_form = matches!(form, "_block" | "_file") || (form.is_empty() && !is_late(phase));
    PHASES.iter().find(|known| is_form && known.name == phase)
}

/// Phases that came when scripts in quotes were already thought to be a mistake.
fn is_late(phase: &str) -> bool {
    !matches!(
        phase,
        "init"
            | "init_worker"
            | "set"
            | "rewrite"
            | "access"
            | "content"
            | "header_filter"
            | "body_filter"
            | "log"
    )
}
