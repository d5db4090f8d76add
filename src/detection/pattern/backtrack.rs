//! The engine for what an automaton cannot do: it tries one way after the other, as PCRE does, and
//! gives up after so many steps.

use std::cell::Cell;
use std::ops::Range;

use super::byte_set::ByteSet;
use super::program::{Program, Step};
use super::tree::Look;

/// Steps of a search, at most: some milliseconds.
const STEPS: usize = 1_000_000;
thread_local! {
    static STEPS_TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// What `work` gives, and how many steps searches took for it on this thread.
pub fn counting_steps<T>(work: impl FnOnce() -> T) -> (T, u64) {
    STEPS_TAKEN.set(0);
    let done = work();
    (done, STEPS_TAKEN.take())
}

/// What is left to try, at most: 10 MiB.
const FRAMES: usize = 1 << 18;
/// Bytes of a run that take as long as a step.
const BYTES_A_STEP: usize = 8;

/// The search was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

/// Where a program matches.
pub struct Search<'a> {
    program: &'a Program,
    value: &'a [u8],
    /// The spans of the groups; the first is that of the whole match.
    groups: Vec<Option<(usize, usize)>>,
    marks: Vec<usize>,
    frames: Vec<Frame>,
    steps: usize,
}

/// What is undone or tried when a way fails.
#[derive(Clone, Copy)]
enum Frame {
    /// An atomic part was entered.
    Atomic,
    /// A look-around was entered at this place.
    Around { negated: bool, behind: usize, at: usize },
    /// Another way.
    Branch { step: usize, at: usize },
    /// A group was captured; before, it was this.
    Group { group: usize, before: Option<(usize, usize)> },
    /// A place was remembered; before, it was this.
    Mark { mark: usize, before: usize },
    /// A run may take one byte less, down to `least`.
    Less { step: usize, least: usize, at: usize },
    /// A run may take one byte more, up to `most`.
    More { step: usize, at: usize, most: usize },
}

impl<'a> Search<'a> {
    pub fn new(program: &'a Program, value: &'a [u8]) -> Self {
        Self {
            program,
            value,
            groups: vec![None; program.groups],
            marks: vec![0; program.marks],
            frames: Vec::new(),
            steps: STEPS,
        }
    }

    /// Whether there is a match that begins at or after `start`, at one of these bytes.
    pub fn find(&mut self, start: usize, first: Option<ByteSet>) -> Result<bool, Cut> {
        let before = self.steps;
        let found = self.find_from(start, first);
        STEPS_TAKEN.set(STEPS_TAKEN.get() + (before - self.steps) as u64);
        found
    }

    fn find_from(&mut self, start: usize, first: Option<ByteSet>) -> Result<bool, Cut> {
        for at in start..=self.value.len() {
            let byte = self.value.get(at);
            let possible = first.is_none_or(|set| byte.is_some_and(|byte| set.contains(*byte)));
            if possible && self.matches(at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A group's span.
    pub fn group(&self, group: usize) -> Option<Range<usize>> {
        let (start, end) = (*self.groups.get(group)?)?;
        Some(start..end)
    }

    fn matches(&mut self, start: usize) -> Result<bool, Cut> {
        self.frames.clear();
        self.groups.fill(None);
        self.capture(0, (start, start));
        let (mut step, mut at) = (0, start);
        loop {
            self.spend(1)?;
            let next = match self.program.steps.get(step) {
                None => return Ok(false),
                Some(Step::Match) => {
                    let whole = self.group(0).map_or(start, |whole| whole.start);
                    self.capture(0, (whole, at));
                    return Ok(true);
                }
                Some(this) => self.take(this, step, at)?,
            };
            match next.or_else(|| self.back()) {
                Some(next) => (step, at) = next,
                None => return Ok(false),
            }
        }
    }

    /// Takes a step; where to go on, if it succeeds.
    fn take(&mut self, this: &Step, step: usize, at: usize) -> Result<Option<(usize, usize)>, Cut> {
        let on = Some((step + 1, at));
        Ok(match *this {
            Step::Back(bytes) => at.checked_sub(bytes).map(|at| (step + 1, at)),
            Step::Byte(set) => self.is(at, set).then_some((step + 1, at + 1)),
            Step::Capture { group, mark } => {
                let from = self.marks.get(mark).copied().unwrap_or(at);
                self.capture(group, (from, at));
                on
            }
            Step::CloseAtomic => {
                self.close()?;
                on
            }
            Step::CloseAround => match self.close()? {
                Some(Frame::Around { negated: false, at, .. }) => Some((step + 1, at)),
                _ => None,
            },
            Step::Jump(to) => Some((to, at)),
            Step::KeepOut => {
                self.capture(0, (at, at));
                on
            }
            Step::Look(look) => self.sees(look, at).then_some((step + 1, at)),
            Step::Mark(mark) => {
                self.mark(mark, at);
                on
            }
            Step::Match => None,
            Step::OpenAtomic => self.after(Frame::Atomic, on),
            Step::OpenAround { negated, behind } => {
                self.after(Frame::Around { negated, behind, at }, on)
            }
            Step::Progress { mark, out } if self.marks.get(mark) == Some(&at) => Some((out, at)),
            Step::Progress { .. } => on,
            Step::Reference { group, fold } => {
                self.again(group, fold, at)?.map(|at| (step + 1, at))
            }
            Step::Run { set, min, max, greedy } => self.run(set, (min, max), greedy, step, at)?,
            Step::Split { first, second } => {
                self.after(Frame::Branch { step: second, at }, Some((first, at)))
            }
        })
    }

    fn spend(&mut self, steps: usize) -> Result<(), Cut> {
        self.steps = self.steps.checked_sub(steps).ok_or(Cut)?;
        if self.frames.len() > FRAMES { Err(Cut) } else { Ok(()) }
    }

    fn after<T>(&mut self, frame: Frame, next: T) -> T {
        self.frames.push(frame);
        next
    }

    fn capture(&mut self, group: usize, span: (usize, usize)) {
        if let Some(place) = self.groups.get_mut(group) {
            let before = place.replace(span);
            self.frames.push(Frame::Group { group, before });
        }
    }

    fn mark(&mut self, mark: usize, at: usize) {
        if let Some(place) = self.marks.get_mut(mark) {
            let before = std::mem::replace(place, at);
            self.frames.push(Frame::Mark { mark, before });
        }
    }

    fn is(&self, at: usize, set: ByteSet) -> bool {
        self.value.get(at).is_some_and(|byte| set.contains(*byte))
    }

    /// Undoes what the last way did, and finds the next.
    fn back(&mut self) -> Option<(usize, usize)> {
        loop {
            match self.frames.pop()? {
                Frame::Around { negated: true, behind, at } => return Some((behind, at)),
                Frame::Atomic | Frame::Around { .. } => {}
                Frame::Branch { step, at } => return Some((step, at)),
                Frame::Group { group, before } => {
                    if let Some(place) = self.groups.get_mut(group) {
                        *place = before;
                    }
                }
                Frame::Mark { mark, before } => {
                    if let Some(place) = self.marks.get_mut(mark) {
                        *place = before;
                    }
                }
                Frame::Less { step, least, at } => {
                    let at = at.saturating_sub(1);
                    if at > least {
                        self.frames.push(Frame::Less { step, least, at });
                    }
                    return Some((step, at));
                }
                Frame::More { step, at, most } => {
                    if at + 1 < most {
                        self.frames.push(Frame::More { step, at: at + 1, most });
                    }
                    return Some((step, at + 1));
                }
            }
        }
    }

    /// Leaves the innermost atomic part or look-around: its other ways are forgotten. What it
    /// captured stays, and is undone when what was before it fails; the captures of a negated
    /// look-around, which fails now, are undone at once.
    fn close(&mut self) -> Result<Option<Frame>, Cut> {
        let entered = |frame: &Frame| matches!(frame, Frame::Atomic | Frame::Around { .. });
        let Some(place) = self.frames.iter().rposition(entered) else { return Ok(None) };
        self.spend(self.frames.len() - place)?;
        let barrier = self.frames.get(place).copied();
        let mut kept = place;
        for index in place + 1..self.frames.len() {
            if matches!(self.frames.get(index), Some(Frame::Group { .. } | Frame::Mark { .. })) {
                self.frames.swap(kept, index);
                kept += 1;
            }
        }
        self.frames.truncate(kept);
        Ok(barrier)
    }

    /// What a group matched, again.
    fn again(&mut self, group: usize, fold: bool, at: usize) -> Result<Option<usize>, Cut> {
        let Some(span) = self.group(group) else { return Ok(None) };
        let end = at + span.len();
        self.spend(span.len() / BYTES_A_STEP)?;
        let (Some(first), Some(second)) = (self.value.get(span), self.value.get(at..end)) else {
            return Ok(None);
        };
        let same = if fold { first.eq_ignore_ascii_case(second) } else { first == second };
        Ok(same.then_some(end))
    }

    fn run(
        &mut self,
        set: ByteSet,
        (min, max): (usize, usize),
        greedy: bool,
        step: usize,
        at: usize,
    ) -> Result<Option<(usize, usize)>, Cut> {
        let rest = self.value.get(at..).unwrap_or_default();
        let count = rest.iter().take(max).take_while(|byte| set.contains(**byte)).count();
        self.spend(count / BYTES_A_STEP)?;
        if count < min {
            return Ok(None);
        }
        let (least, most) = (at + min, at + count);
        let next = step + 1;
        Ok(Some(match greedy {
            _ if least == most => (next, most),
            true => self.after(Frame::Less { step: next, least, at: most }, (next, most)),
            false => self.after(Frame::More { step: next, at: least, most }, (next, least)),
        }))
    }

    fn sees(&self, look: Look, at: usize) -> bool {
        let last = at + 1 == self.value.len() && self.value.last() == Some(&b'\n');
        let end = at == self.value.len();
        let before = at.checked_sub(1).and_then(|before| self.value.get(before));
        let (before, here) = (before.copied(), self.value.get(at).copied());
        let word = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match look {
            Look::End => end,
            Look::EndOrNewline => end || last,
            Look::LineEnd => end || here == Some(b'\n'),
            Look::LineStart => at == 0 || before == Some(b'\n') && !end,
            Look::NotWordBoundary => word(before) == word(here),
            Look::Start => at == 0,
            Look::WordBoundary => word(before) != word(here),
            Look::WordEnd => word(before) && !word(here),
            Look::WordStart => !word(before) && word(here),
        }
    }
}
