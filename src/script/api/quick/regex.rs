//! Short ways into `ngx.re`, for regexes that were compiled before.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::{Rc, Weak};

use mlua::{Function as LuaFunction, Lua, Table};

use super::{Answer, Made, Out, Quick, Run, Stack, before, facts, spare};
use crate::script::api::regex::{Compiled, Part, next_match, template};
use crate::script::{Call, sandbox};

/// Regexes that are at hand.
const AT_HAND: usize = 64;
/// Bytes of a subject whose replacement is made on the short way.
const SMALL: usize = 8 << 10;

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.re.find", run: Run::answers(find) },
    Quick { name: "ngx.re.gsub", run: Run::answers(gsub) },
    Quick { name: "ngx.re.match", run: Run::answers(matched) },
    Quick { name: ITERATE, run: Run::answers(iterate) },
    Quick { name: NEXT, run: Run::answers(next) },
];

/// What `gmatch` and `gsub` in Luau go on with.
const NEXT: &str = "ngx.re next";
/// What `gmatch` begins with; without a result, if the regex is not at hand or not plain.
const ITERATE: &str = "ngx.re iterate";

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
    show(compiled, subject, 0, answer);
    true
}

/// Gives the captures of the first match at or after `start`, or nil; where it is.
fn show<'a>(
    compiled: Rc<Compiled>,
    subject: &'a [u8],
    start: usize,
    answer: &mut Answer<'a>,
) -> Option<Range<usize>> {
    let found = compiled.search(subject, start);
    answer.give(match found {
        Some(_) => Out::Made(Made::Groups(subject, compiled)),
        None => Out::Nil,
    });
    found
}

/// The captures of the first match from a place (from 1) on, and where it begins and ends.
fn next<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let (Some((subject, compiled)), Some(start)) = (job(stack, 3), stack.number(4)) else {
        return false;
    };
    if let Some(whole) = show(compiled, subject, (start - 1.0) as usize, answer) {
        answer.give(Out::Number(whole.start as f64 + 1.0));
        answer.give(Out::Number(whole.end as f64));
    }
    true
}

/// A function that goes over the matches of a subject, which it holds with the regex.
fn iterate<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((_, compiled)) = job(stack, 3).filter(|_| stack.len() <= 3) else { return false };
    answer.give(Out::Search(Search { compiled, at: Cell::new(Some(0)) }))
}

/// Match after match of one subject.
pub struct Search {
    pub compiled: Rc<Compiled>,
    /// Where it goes on; none past the end.
    at: Cell<Option<usize>>,
}

impl Search {
    /// Goes on; whether there was a match, whose groups the regex tells then.
    pub fn advance(&self, subject: &[u8]) -> bool {
        let found = self.at.get().and_then(|at| self.compiled.search(subject, at));
        let after = |whole: &Range<usize>| whole.end + usize::from(whole.is_empty());
        self.at.set(found.as_ref().map(after).filter(|at| *at <= subject.len()));
        found.is_some()
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
    let next = before(lua, NEXT, None, lua.create_function(next_match)?)?;
    let iterate = before(lua, ITERATE, None, lua.create_function(|_, ()| Ok(()))?)?;
    let text = include_str!("regex.luau");
    let (gmatch, gsub): (LuaFunction, LuaFunction) =
        sandbox::run(lua, text, "regex", (iterate, next, raw.0, raw.1))?;
    re.raw_set("gmatch", gmatch)?;
    re.raw_set("gsub", gsub)
}

/// With a text in the place of each match.
fn gsub<'a>(stack: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some((subject, compiled)) = job(stack, 4).filter(|(text, _)| text.len() <= SMALL) else {
        return false;
    };
    let parts = stack.bytes(3).and_then(|text| template(text).ok());
    let Some(parts) = parts else { return false };
    let (mut out, mut copied, mut count, mut start) = (spare(), 0, 0, 0);
    while start <= subject.len()
        && out.len() <= SMALL
        && let Some(whole) = compiled.search(subject, start)
    {
        out.extend_from_slice(subject.get(copied..whole.start).unwrap_or_default());
        for part in &parts {
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
