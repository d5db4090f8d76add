//! Compiled regexes of one state, bounded in number and in size.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use mlua::Lua;
use regex::bytes::{CaptureNames, Captures, Regex, RegexBuilder};

use super::pcre;
use crate::script::api::arguments::fault;
use crate::script::api::native::ballast::Ballast;
use crate::script::spec_of;

/// Compiled regexes that a state keeps; past them the oldest goes.
const KEPT: usize = 512;
/// Bytes of a regex's text.
const TEXT_BYTES: usize = 16 << 10;
/// Bytes of the lazy automaton of one regex, and of one in a function.
const AUTOMATON_BYTES: usize = 256 << 10;
const GUESTS_AUTOMATON_BYTES: usize = 64 << 10;
/// The program's size, and the longest subject it may see: a search takes at most their product,
/// and nothing can interrupt it.
const SIZES: &[(usize, usize)] =
    &[(8 << 10, 8 << 20), (64 << 10, 8 << 20), (256 << 10, 2 << 20), (1 << 20, 512 << 10)];

/// PCRE's own words.
const TOO_LARGE: &str = "regular expression is too large";

/// A compiled regex.
pub struct Compiled {
    regex: Regex,
    anchored: bool,
    subject_bytes: usize,
    _ballast: Ballast,
}

#[derive(Default)]
struct Cache {
    known: HashMap<(Vec<u8>, Options), Rc<Compiled>>,
    order: VecDeque<(Vec<u8>, Options)>,
}

/// The options that change what a regex means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Options {
    anchored: bool,
    dot_all: bool,
    extended: bool,
    ignore_case: bool,
    lines: bool,
    utf8: bool,
}

impl Compiled {
    /// The first match at or after `start`.
    pub fn at<'a>(&self, subject: &'a [u8], start: usize) -> Option<Captures<'a>> {
        let captures = self.regex.captures_at(subject, start)?;
        // The leftmost match begins at `start` if any does.
        let begins = captures.get(0).map_or(start, |whole| whole.start());
        (!self.anchored || begins == start).then_some(captures)
    }

    /// Whether a subject of that many bytes may be searched.
    pub fn admits(&self, bytes: usize) -> bool {
        bytes <= self.subject_bytes
    }

    /// How many groups there are, the whole match included.
    pub fn groups(&self) -> usize {
        self.regex.captures_len()
    }

    /// The groups' names, from the whole match on.
    pub fn names(&self) -> CaptureNames<'_> {
        self.regex.capture_names()
    }
}

/// The regex, from the cache if it is there; or why it cannot be compiled.
pub fn compiled(
    lua: &Lua,
    text: &[u8],
    options: &[u8],
) -> mlua::Result<Result<Rc<Compiled>, String>> {
    let cache = cache(lua);
    let key = (text.to_vec(), Options::parse(options)?);
    if let Some(known) = cache.borrow().known.get(&key) {
        return Ok(Ok(known.clone()));
    }
    let (regex, size, subject_bytes) = match compile(text, key.1, automaton_bytes(lua)) {
        Ok(compiled) => compiled,
        Err(why) => {
            let text = String::from_utf8_lossy(text);
            return Ok(Err(format!("pcre_compile() failed: {why} in \"{text}\"")));
        }
    };
    let ballast = cache.borrow_mut().room(lua, size + automaton_bytes(lua))?;
    let anchored = key.1.anchored;
    let compiled = Rc::new(Compiled { regex, anchored, subject_bytes, _ballast: ballast });
    cache.borrow_mut().keep(key, compiled.clone());
    Ok(Ok(compiled))
}

/// Bytes that the automaton of a regex may grow to.
fn automaton_bytes(lua: &Lua) -> usize {
    let guest = spec_of(lua).is_some_and(|spec| spec.guest);
    if guest { GUESTS_AUTOMATON_BYTES } else { AUTOMATON_BYTES }
}

impl Cache {
    /// Room for one more; the oldest make it. What a script still holds is not given back by that.
    ///
    /// # Errors
    /// If the state has none.
    fn room(&mut self, lua: &Lua, bytes: usize) -> mlua::Result<Ballast> {
        while !Ballast::fits(lua, bytes)
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        Ballast::take(lua, bytes)
    }

    fn keep(&mut self, key: (Vec<u8>, Options), compiled: Rc<Compiled>) {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.known.insert(key, compiled);
    }
}

fn cache(lua: &Lua) -> Rc<RefCell<Cache>> {
    if let Some(cache) = lua.app_data_ref::<Rc<RefCell<Cache>>>() {
        return cache.clone();
    }
    let cache = Rc::<RefCell<Cache>>::default();
    lua.set_app_data(cache.clone());
    cache
}

/// The regex, the most that its program takes, and the longest subject that it may see.
fn compile(
    text: &[u8],
    options: Options,
    automaton_bytes: usize,
) -> Result<(Regex, usize, usize), String> {
    if text.len() > TEXT_BYTES {
        return Err(TOO_LARGE.to_owned());
    }
    let translated = pcre::translate(text, options.utf8)?;
    for (size, subject_bytes) in SIZES {
        let built = RegexBuilder::new(&translated)
            .unicode(options.utf8)
            .case_insensitive(options.ignore_case)
            .multi_line(options.lines)
            .dot_matches_new_line(options.dot_all)
            .ignore_whitespace(options.extended)
            .size_limit(*size)
            .dfa_size_limit(automaton_bytes)
            .nest_limit(100)
            .build();
        match built {
            Ok(regex) => return Ok((regex, *size, *subject_bytes)),
            // The next size may hold it.
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(error) => {
                let words = error.to_string();
                let last = words.lines().last().unwrap_or_default();
                return Err(last.trim_start_matches("error: ").to_owned());
            }
        }
    }
    Err(TOO_LARGE.to_owned())
}

impl Options {
    fn parse(letters: &[u8]) -> mlua::Result<Self> {
        let mut options = Self::default();
        for letter in letters {
            match letter {
                b'a' => options.anchored = true,
                b'i' => options.ignore_case = true,
                b'm' => options.lines = true,
                b's' => options.dot_all = true,
                b'u' | b'U' => options.utf8 = true,
                b'x' => options.extended = true,
                b'd' | b'D' | b'j' | b'J' | b'o' => {}
                other => {
                    let letters = String::from_utf8_lossy(letters);
                    let other = char::from(*other);
                    return Err(fault(format!("unknown flag \"{other}\" (flags \"{letters}\")")));
                }
            }
        }
        Ok(options)
    }
}
