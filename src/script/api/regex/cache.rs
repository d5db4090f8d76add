//! Compiled regexes of one state, bounded in number and in size.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use fancy_regex::BytesMode;
use mlua::Lua;
use regex_automata::util::syntax;

use super::found::Found;
use super::linear::{Linear, Refused};
use super::longest::{self, Longest};
use super::pcre::{self, Translated};
use super::{Part, template};
use crate::script::api::arguments::fault;
use crate::script::api::native::ballast::Ballast;
use crate::script::api::quick;
use crate::script::spec_of;

/// Compiled regexes that a state keeps; past them the oldest goes.
const KEPT: usize = 512;
/// Bytes of a regex's text.
const TEXT_BYTES: usize = 16 << 10;
/// Bytes of the lazy automaton of one regex, and of one in a function.
const AUTOMATON_BYTES: usize = 256 << 10;
const GUESTS_AUTOMATON_BYTES: usize = 64 << 10;
/// Bytes of a replacement that is kept with its regex.
const REPLACEMENT_BYTES: usize = 256;
/// The program's size, and the longest subject it may see: a search takes at most their product,
/// and nothing can interrupt it.
const SIZES: &[(usize, usize)] =
    &[(8 << 10, 8 << 20), (64 << 10, 8 << 20), (256 << 10, 2 << 20), (1 << 20, 512 << 10)];

/// Steps of an engine that backtracks, for those who are not told: some milliseconds, which nothing
/// interrupts.
const STEPS: usize = 200_000;
/// The longest subject that it may see.
const BACKTRACKED_BYTES: usize = 1 << 20;

/// PCRE's own words.
const TOO_LARGE: &str = "regular expression is too large";
/// What PCRE's numbers are for.
const MATCH_LIMIT: &str = "pcre_exec() failed: -8";
const BAD_UTF8: &str = "pcre_exec() failed: -10";

/// A compiled regex.
pub struct Compiled {
    program: Program,
    options: Options,
    /// The replacement that was asked for last, and what it is made of.
    replacement: RefCell<Option<Template>>,
    _ballast: Ballast,
}

/// A replacement's text and parts.
struct Template {
    text: Box<[u8]>,
    parts: Rc<[Part]>,
}

/// What a regex's text comes to.
struct Program {
    engine: Engine,
    /// The most that it takes.
    bytes: usize,
    subject_bytes: usize,
    /// Names of groups, by number.
    names: Vec<(String, usize)>,
    groups: usize,
}

enum Engine {
    Backtracking(Box<fancy_regex::Regex>),
    Linear(Linear),
    Longest(Box<Longest>),
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
    /// Whether several groups may have one name.
    duplicates: bool,
    extended: bool,
    ignore_case: bool,
    /// Whether `\uHHHH` is a character, as in JavaScript.
    javascript: bool,
    lines: bool,
    /// Whether the longest of the leftmost matches is meant, without its groups.
    longest: bool,
    utf8: bool,
    /// Whether a subject need not be UTF-8.
    unchecked: bool,
}

impl Compiled {
    /// The first match at or after `start`.
    ///
    /// # Errors
    /// In lua-nginx-module's words: if it takes too many steps, or the subject is not UTF-8.
    pub fn at<'a>(
        &self,
        subject: &'a [u8],
        start: usize,
    ) -> Result<Option<Found<'a>>, &'static str> {
        let Options { utf8, unchecked, anchored, .. } = self.options;
        if utf8 && !unchecked && std::str::from_utf8(subject).is_err() {
            return Err(BAD_UTF8);
        }
        let found = match &self.program.engine {
            Engine::Linear(regex) => regex.search(subject, start).map(|_| {
                let groups = (0..self.groups()).map(|group| regex.group(group)).collect();
                Found::new(subject, groups)
            }),
            Engine::Longest(longest) => {
                longest.at(subject, start).map(|whole| Found::new(subject, vec![Some(whole)]))
            }
            Engine::Backtracking(regex) => {
                let found = regex.captures_from_pos(subject, start).map_err(|_| MATCH_LIMIT)?;
                found.map(|captures| Found::backtracked(subject, &captures))
            }
        };
        // The leftmost match begins at `start` if any does.
        Ok(found.filter(|found| !anchored || found.get(0).is_some_and(|all| all.start == start)))
    }

    /// Whether a search of any subject is over in linear time and cannot fail.
    pub fn is_plain(&self) -> bool {
        let Options { utf8, anchored, duplicates, .. } = self.options;
        !utf8 && !anchored && !duplicates && matches!(self.program.engine, Engine::Linear(_))
    }

    /// Where the first match at or after `start` is. Only of a plain one.
    pub fn whole(&self, subject: &[u8], start: usize) -> Option<Range<usize>> {
        match &self.program.engine {
            Engine::Linear(regex) => regex.whole(subject, start),
            Engine::Backtracking(_) | Engine::Longest(_) => None,
        }
    }

    /// As [`whole`](Self::whole); where its groups are, [`group`](Self::group) tells until the next
    /// such search.
    pub fn search(&self, subject: &[u8], start: usize) -> Option<Range<usize>> {
        match &self.program.engine {
            Engine::Linear(regex) => regex.search(subject, start),
            Engine::Backtracking(_) | Engine::Longest(_) => None,
        }
    }

    /// Where a group of the last [`search`](Self::search) is, if that went over it.
    pub fn group(&self, group: usize) -> Option<Range<usize>> {
        match &self.program.engine {
            Engine::Linear(regex) => regex.group(group),
            Engine::Backtracking(_) | Engine::Longest(_) => None,
        }
    }

    /// A replacement's parts, if it is short and has no fault.
    pub fn replacement(&self, text: &[u8]) -> Option<Rc<[Part]>> {
        let mut kept = self.replacement.borrow_mut();
        match &*kept {
            Some(known) if *known.text == *text => Some(known.parts.clone()),
            _ if text.len() > REPLACEMENT_BYTES => None,
            _ => {
                let parts: Rc<[Part]> = template(text).ok()?.into();
                *kept = Some(Template { text: text.into(), parts: parts.clone() });
                Some(parts)
            }
        }
    }

    /// Whether a subject of that many bytes may be searched.
    pub fn admits(&self, bytes: usize) -> bool {
        bytes <= self.program.subject_bytes
    }

    /// How many groups there are, the whole match included.
    pub fn groups(&self) -> usize {
        self.program.groups
    }

    /// The groups' names and numbers.
    pub fn names(&self) -> &[(String, usize)] {
        &self.program.names
    }

    /// Whether several groups may have one name: then it stands for a list of them.
    pub fn duplicates(&self) -> bool {
        self.options.duplicates
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
        quick::note_regex(lua, text, options, known);
        return Ok(Ok(known.clone()));
    }
    let steps = spec_of(lua).map_or(STEPS, |spec| spec.regex_steps);
    let program = match compile(text, key.1, automaton_bytes(lua), steps) {
        Ok(program) => program,
        Err(why) => {
            let text = String::from_utf8_lossy(text);
            return Ok(Err(format!("pcre_compile() failed: {why} in \"{text}\"")));
        }
    };
    let ballast = cache.borrow_mut().room(lua, program.bytes + automaton_bytes(lua))?;
    let compiled = Rc::new(Compiled {
        program,
        options: key.1,
        replacement: RefCell::default(),
        _ballast: ballast,
    });
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

fn compile(
    text: &[u8],
    options: Options,
    automaton_bytes: usize,
    steps: usize,
) -> Result<Program, String> {
    if text.len() > TEXT_BYTES {
        return Err(TOO_LARGE.to_owned());
    }
    let Translated { text, names, backtracks } =
        pcre::translate(text, options.utf8, options.extended, options.javascript)?;
    if !options.duplicates && has_duplicates(&names) {
        return Err("two named subpatterns have the same name".to_owned());
    }
    if backtracks {
        let (bytes, _) = SIZES.last().copied().unwrap_or_default();
        let regex = backtracking(&text, options, bytes, automaton_bytes, steps)?;
        let groups = regex.captures_len();
        let engine = Engine::Backtracking(Box::new(regex));
        return Ok(Program { engine, bytes, subject_bytes: BACKTRACKED_BYTES, names, groups });
    }
    let (regex, bytes, subject_bytes) = linear(&text, options, automaton_bytes)?;
    if options.longest
        && let Some(automaton) = longest::automaton(&text, options.syntax(), automaton_bytes)
    {
        let engine = Engine::Longest(Box::new(Longest::new(regex, automaton)));
        return Ok(Program { engine, bytes, subject_bytes, names: Vec::new(), groups: 1 });
    }
    let groups = regex.groups();
    Ok(Program { engine: Engine::Linear(regex), bytes, subject_bytes, names, groups })
}

fn has_duplicates(names: &[(String, usize)]) -> bool {
    names
        .iter()
        .enumerate()
        .any(|(place, (name, _))| names.iter().skip(place + 1).any(|(other, _)| other == name))
}

/// The regex, the most that it takes, and the longest subject that it may see.
fn linear(
    text: &str,
    options: Options,
    automaton_bytes: usize,
) -> Result<(Linear, usize, usize), String> {
    for (size, subject_bytes) in SIZES {
        match Linear::new(text, options.syntax(), *size, automaton_bytes) {
            Ok(regex) => return Ok((regex, *size, *subject_bytes)),
            // The next size may hold it.
            Err(Refused::TooLarge) => {}
            Err(Refused::Wrong(error)) => return Err(pcre_words(&error)),
        }
    }
    Err(TOO_LARGE.to_owned())
}

fn backtracking(
    text: &str,
    options: Options,
    bytes: usize,
    automaton_bytes: usize,
    steps: usize,
) -> Result<fancy_regex::Regex, String> {
    let mode = if options.utf8 { BytesMode::UnicodeBytes } else { BytesMode::Ascii };
    fancy_regex::RegexBuilder::new(text)
        .bytes_mode(mode)
        .case_insensitive(options.ignore_case)
        .multi_line(options.lines)
        .dot_matches_new_line(options.dot_all)
        .verbose_mode(options.extended)
        .backtrack_limit(steps)
        .delegate_size_limit(bytes)
        .delegate_dfa_size_limit(automaton_bytes)
        .build()
        .map_err(|error| pcre_words(&error.to_string()))
}

/// What is wrong with a regex, as PCRE would say it.
fn pcre_words(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let known = [
        ("unclosed group", "missing )"),
        ("unopened group", "unmatched parentheses"),
        ("unclosed character class", "missing terminating ] for character class"),
        ("repetition operator missing expression", "nothing to repeat"),
        ("invalid repetition count range", "numbers out of order in {} quantifier"),
        ("invalid character class range", "range out of order in character class"),
        ("closing parenthesis", "missing )"),
        ("Target of repeat operator is invalid", "nothing to repeat"),
        ("Backreference to non-existent", "reference to non-existent subpattern"),
        ("Invalid back reference", "reference to non-existent subpattern"),
    ];
    let found = known.iter().find(|(theirs, _)| error.contains(theirs));
    found.map_or_else(|| last.to_owned(), |(_, pcre)| (*pcre).to_owned())
}

impl Options {
    /// As `regex_automata` has them.
    fn syntax(self) -> syntax::Config {
        syntax::Config::new()
            .unicode(self.utf8)
            .utf8(false)
            .case_insensitive(self.ignore_case)
            .multi_line(self.lines)
            .dot_matches_new_line(self.dot_all)
            .ignore_whitespace(self.extended)
            .nest_limit(100)
    }

    fn parse(letters: &[u8]) -> mlua::Result<Self> {
        let mut options = Self::default();
        for letter in letters {
            match letter {
                b'a' => options.anchored = true,
                b'i' => options.ignore_case = true,
                b'm' => options.lines = true,
                b's' => options.dot_all = true,
                b'u' => options.utf8 = true,
                b'U' => (options.utf8, options.unchecked) = (true, true),
                b'D' => options.duplicates = true,
                b'd' => options.longest = true,
                b'J' => options.javascript = true,
                b'x' => options.extended = true,
                b'j' | b'o' => {}
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
