//! Short ways into `ngx.re`, for regexes that were compiled before.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::{Rc, Weak};

use mlua::{Function as LuaFunction, Lua, Table};

use super::{Answer, Made, Out, Plain, Quick, Run, Stack, before, before_luau, facts, spare};
use crate::script::api::answer::STAGED_BYTES;
use crate::script::api::arguments::push_number;
use crate::script::api::regex::{Compiled, Part, prepare};
use crate::script::{Call, sandbox};

/// Regexes that are at hand.
const AT_HAND: usize = 64;
/// Bytes of a subject whose replacement is made on the short way.
const SMALL: usize = 8 << 10;
/// Bytes of a replacement that are written before the script gets them.
const LITTLE: usize = 1 << 10;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.re.find", run: Run::answers(find) },
    Quick { name: "ngx.re.gsub", run: Run::answers(gsub) },
    Quick { name: "ngx.re.match", run: Run::answers(matched) },
    Quick { name: ITERATE, run: Run::answers(iterate) },
    Quick { name: REPLACE, run: Run::answers(replace) },
];

/// What `gmatch` begins with; without a result, if the regex is not at hand or not plain.
const ITERATE: &str = "ngx.re iterate";
/// What `gsub` with a function begins with, likewise.
const REPLACE: &str = "ngx.re replace";

/// Regexes used lately, each where the address of its text says. A text is compared before its
/// regex is taken: another may stand at that address by now.
pub struct Memo(RefCell<Vec<Option<Known>>>);

struct Known {
    text: Box<[u8]>,
    letters: Box<[u8]>,
    /// The state's cache holds it, and may let it go.
    compiled: Weak<Compiled>,
}

impl Default for Memo {
    fn default() -> Self {
        Self(RefCell::new((0..AT_HAND).map(|_| None).collect()))
    }
}

impl Memo {
    fn find(&self, text: &[u8], letters: &[u8]) -> Option<Rc<Compiled>> {
        let known = self.0.borrow();
        let known = known.get(place_of(text, letters))?.as_ref()?;
        (*known.text == *text && *known.letters == *letters).then(|| known.compiled.upgrade())?
    }
}

fn place_of(text: &[u8], letters: &[u8]) -> usize {
    ((text.as_ptr() as usize >> 4) ^ letters.len()) % AT_HAND
}

/// A regex is at hand from now on.
pub fn note(lua: &Lua, text: &[u8], letters: &[u8], compiled: &Rc<Compiled>) {
    let facts = facts(lua);
    let mut known = facts.regexes.0.borrow_mut();
    if let Some(place) = known.get_mut(place_of(text, letters)) {
        let compiled = Rc::downgrade(compiled);
        *place = Some(Known { text: text.into(), letters: letters.into(), compiled });
    }
}

/// The subject and the regex, whose letters are argument `letters`, if a search of it is plain.
fn job<'a>(stack: &Stack<'a>, letters: i32) -> Option<(&'a [u8], Rc<Compiled>)> {
    let subject = stack.bytes(1)?;
    let letters = if stack.is_nil(letters) { b"" } else { stack.bytes(letters)? };
    let compiled = stack.facts().regexes.find(stack.bytes(2)?, letters)?;
    (compiled.is_plain() && compiled.admits(subject.len())).then_some((subject, compiled))
}

fn find<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((subject, compiled)) = job(stack, 3).filter(|_| stack.len() <= 3) else {
        return false;
    };
    match compiled.whole(subject, 0) {
        None => answer.give(Out::Nil),
        Some(found) => {
            answer.give(Out::Number(found.start as f64 + 1.0));
            answer.give(Out::Number(found.end as f64))
        }
    }
}

fn matched<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((subject, compiled)) = job(stack, 3).filter(|_| stack.len() <= 3) else {
        return false;
    };
    answer.give(match compiled.search(subject, 0) {
        Some(_) => Out::Made(Made::Groups(subject, compiled)),
        None => Out::Nil,
    })
}

/// A function that goes over the matches of a subject, which it holds with the regex.
fn iterate<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((_, compiled)) = job(stack, 3).filter(|_| stack.len() <= 3) else { return false };
    answer.give(Out::Search(Search::of(compiled)))
}

/// A function that goes over them with a text for each, which it puts in its place.
fn replace<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((subject, compiled)) = job(stack, 3).filter(|_| stack.len() <= 3) else {
        return false;
    };
    answer.give(Out::Replacing(Replacing::of(compiled, subject.len())))
}

/// Match after match of one subject.
pub struct Search {
    pub compiled: Rc<Compiled>,
    /// Where it goes on; none past the end.
    at: Cell<Option<usize>>,
}

impl Search {
    fn of(compiled: Rc<Compiled>) -> Self {
        Self { compiled, at: Cell::new(Some(0)) }
    }

    /// Goes on; where there was a match, whose groups the regex tells then.
    pub fn advance(&self, subject: &[u8]) -> Option<Range<usize>> {
        let found = self.at.get().and_then(|at| self.compiled.search(subject, at));
        let after = |whole: &Range<usize>| whole.end + usize::from(whole.is_empty());
        self.at.set(found.as_ref().map(after).filter(|at| *at <= subject.len()));
        found
    }
}

/// A replacement of all matches of one subject, as far as it has come. What is written is kept here only
/// while it is little: the state does not count it.
pub struct Replacing {
    pub search: Search,
    written: Cell<Vec<u8>>,
    /// Bytes of the subject that were copied or replaced.
    copied: Cell<usize>,
    /// Bytes that were written before, and are the script's.
    flushed: Cell<usize>,
    count: Cell<u32>,
}

/// How a replacement goes on.
pub enum Step {
    /// The end: the rest of the text, and how many matches there were.
    Done(Vec<u8>, u32),
    /// A match, whose groups the regex tells; and, once it is much, what was written.
    Match(Option<Vec<u8>>),
    /// Too much was written.
    TooMuch,
}

impl Replacing {
    fn of(compiled: Rc<Compiled>, bytes: usize) -> Self {
        Self {
            search: Search::of(compiled),
            written: Cell::new(Vec::with_capacity(bytes.min(LITTLE))),
            copied: Cell::default(),
            flushed: Cell::default(),
            count: Cell::default(),
        }
    }

    /// Whether there is a match that nothing was put in the place of.
    pub fn waits(&self) -> bool {
        self.count.get() > 0
    }

    /// Puts something in the place of the last match.
    pub fn put(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut written = self.written.take();
        write(&mut written);
        self.written.set(written);
    }

    /// Goes on to the next match.
    pub fn advance(&self, subject: &[u8]) -> Step {
        let found = self.search.advance(subject);
        let end = found.as_ref().map_or(subject.len(), |whole| whole.start);
        let mut written = self.written.take();
        written.extend_from_slice(subject.get(self.copied.get()..end).unwrap_or_default());
        let Some(whole) = found else { return Step::Done(written, self.count.get()) };
        self.copied.set(whole.end);
        self.count.set(self.count.get() + 1);
        if written.len() <= LITTLE {
            self.written.set(written);
            return Step::Match(None);
        }
        self.flushed.set(self.flushed.get() + written.len());
        if self.flushed.get() > STAGED_BYTES { Step::TooMuch } else { Step::Match(Some(written)) }
    }
}

/// Puts `gmatch` and `gsub` in Luau before the native ones.
///
/// # Errors
/// If the state's memory is spent.
pub fn install(lua: &Lua) -> mlua::Result<()> {
    let ngx: Table = lua.globals().raw_get("ngx")?;
    let re: Table = ngx.raw_get("re")?;
    let raw: (LuaFunction, LuaFunction) = (re.raw_get("gmatch")?, re.raw_get("gsub")?);
    let nothing = || lua.create_function(|_, ()| Ok(()));
    let iterate = before(lua, ITERATE, None, nothing()?)?;
    let replace = before(lua, REPLACE, None, nothing()?)?;
    let prepare = lua.create_function(prepare)?;
    let text = include_str!("regex.luau");
    let (gmatch, gsub): (LuaFunction, LuaFunction) =
        sandbox::run(lua, text, "regex", (iterate, replace, prepare, raw.0, raw.1))?;
    re.raw_set("gmatch", before_luau(lua, ITERATE, gmatch)?)?;
    re.raw_set("gsub", before_luau(lua, "ngx.re.gsub", gsub)?)
}

/// With a text in the place of each match.
fn gsub<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((subject, compiled)) = job(stack, 4).filter(|(text, _)| text.len() <= SMALL) else {
        return false;
    };
    let parts = stack.bytes(3).and_then(|text| compiled.replacement(text));
    let Some(parts) = parts else { return false };
    let (mut out, mut copied, mut count, mut start) = (spare(), 0, 0, 0);
    while start <= subject.len()
        && out.len() <= SMALL
        && let Some(whole) = compiled.search(subject, start)
    {
        out.extend_from_slice(subject.get(copied..whole.start).unwrap_or_default());
        for part in &*parts {
            out.extend_from_slice(match part {
                Part::Text(text) => text,
                Part::Group(group) => {
                    let found = compiled.group(*group);
                    found.and_then(|found| subject.get(found)).unwrap_or_default()
                }
            });
        }
        count += 1;
        copied = whole.end;
        start = if whole.is_empty() { whole.end + 1 } else { whole.end };
    }
    if out.len() > SMALL {
        return false;
    }
    out.extend_from_slice(subject.get(copied..).unwrap_or_default());
    answer.give(Out::Owned(out));
    answer.give(Out::Number(f64::from(count)))
}

/// Puts the first argument in the place of the last match; whether that is a text or a number.
pub(super) fn put_piece(stack: &Stack<'_>, replacing: &Replacing) -> bool {
    match stack.plain(1) {
        Plain::Text(text) => replacing.put(|written| written.extend_from_slice(text)),
        Plain::Number(number) => replacing.put(|written| push_number(number, written)),
        Plain::Boolean(_) | Plain::Nil | Plain::Other => return false,
    }
    true
}
