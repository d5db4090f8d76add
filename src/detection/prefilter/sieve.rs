//! Which heads a text may match, told by the kinds of its bytes and one pass for literals.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::thread;

use super::literals::Literals;
use super::needs::{Clause, Needs};
use crate::detection::bits::Bits;
use crate::detection::pattern::ByteSet;
use crate::detection::transformations::{always, changes_of};
use crate::memory::heap::Heap;

/// Kinds of bytes that are told apart, at the most; the last is any of the rest.
const MOST_KINDS: usize = 128;
/// Further needs of a head that are kept.
const MOST_FURTHER: usize = 3;
/// Bytes of a text from which on its bytes are noted one by one before their kinds are looked up.
const LONG: usize = 1 << 10;
/// Bytes of a text from which on one head is rather asked than its literals looked for.
const WORTH_ASKING: usize = 64;
/// Of a thousand ordinary values, how many may meet a need for it to be worth looking for.
const TOO_COMMON: f32 = 700.0;

/// Heads for which a thread is worth it.
const WORTH_A_THREAD: usize = 64;

/// What all heads of a phase need.
#[derive(Debug, Clone)]
pub struct Sieve {
    /// By byte: its kind, as a bit. Bytes of a kind meet the same needs, and the same
    /// transformations may change them.
    kinds: Box<[u128; 256]>,
    /// By kind: the transformations that may change it.
    changes: Vec<u64>,
    /// What heads need of any text.
    any: Level,
    /// Kinds of [`plain`] bytes only.
    plain_kinds: u128,
    /// What they need of a text of plain bytes.
    plain: Level,
    /// Heads that are in question together, fewest first; all are last.
    tiers: Vec<Bits>,
}

/// What heads need of some texts.
#[derive(Debug, Clone, Default)]
struct Level {
    /// By kind: the heads whose first need it meets.
    by_kind: Vec<Bits>,
    /// Heads that need nothing.
    undemanding: Bits,
    /// Heads whose first need has literals.
    literate: Bits,
    /// By head: the kinds of which a text must have one besides, for each further need; 0: none.
    further: Vec<[u128; MOST_FURTHER]>,
    /// The literals of first needs, of some heads and of more and more.
    tiers: Vec<Literals>,
}

/// What is known of a text at a glance: the kinds of its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glance(u128);

/// What a head needs: first what is looked for, then what is tested.
#[derive(Debug, Default)]
struct Wanted {
    /// None: nothing.
    first: Option<Clause>,
    /// Only bytes.
    further: Vec<ByteSet>,
}

/// What ordinary words, numbers, names and paths are made of: most values have no other byte.
pub fn plain() -> ByteSet {
    let marks = b" _.-,:/@+".iter().fold(ByteSet::EMPTY, |set, byte| set.or(ByteSet::one(*byte)));
    ByteSet::range(b'a', b'z').folded().or(ByteSet::range(b'0', b'9')).or(marks)
}

impl Wanted {
    fn of(needs: Needs) -> Self {
        if needs.clauses.contains(&Clause::default()) {
            return Self { first: Some(Clause::default()), further: Vec::new() };
        }
        let told = needs.clauses.into_iter().filter(|clause| clause.commonness() < TOO_COMMON);
        let told = told.map(|clause| Clause { bytes: clause.bytes.folded(), ..clause });
        let (bytes, literal): (Vec<Clause>, Vec<Clause>) =
            told.partition(|clause| clause.literals.is_empty());
        let mut further: Vec<ByteSet> = bytes.iter().map(|clause| clause.bytes).collect();
        let first = literal.into_iter().next().or_else(|| {
            let rarest = bytes.into_iter().next()?;
            further.remove(0);
            Some(rarest)
        });
        further.truncate(MOST_FURTHER);
        Self { first, further }
    }

    /// The same of a text of plain bytes.
    fn plainly(mut self) -> Self {
        let plain = plain();
        if let Some(first) = &mut self.first {
            first.bytes = first.bytes.and(plain);
            let is_plain = |text: &Vec<u8>| text.iter().all(|byte| plain.contains(*byte));
            first.literals.retain(is_plain);
        }
        if self.further.iter().any(|bytes| bytes.and(plain).is_empty()) {
            self.first = Some(Clause::default());
        }
        self
    }
}

impl Default for Sieve {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl Sieve {
    /// Of heads by their places, with what they need of any text and of one of plain bytes. `tiers`
    /// are heads that are often in question without the others: they are looked for alone.
    pub fn new(heads: Vec<(u32, [Needs; 2])>, tiers: Vec<Bits>) -> Self {
        let (mut any, mut plainly) = (Vec::new(), Vec::new());
        for (place, [needs, plain]) in heads {
            any.push((place, Wanted::of(needs)));
            plainly.push((place, Wanted::of(plain).plainly()));
        }
        let mut sieve = Self {
            kinds: Box::new([0; 256]),
            changes: Vec::new(),
            any: Level::default(),
            plain_kinds: 0,
            plain: Level::default(),
            tiers,
        };
        sieve.tiers.push(any.iter().map(|(place, _)| *place).collect());
        sieve.set_kinds(any.iter().chain(&plainly));
        (sieve.any, sieve.plain) = sieve.levels(&any, &plainly);
        sieve.plain_kinds = sieve.kinds_of(plain().iter()) & !sieve.kinds_of(plain().not().iter());
        sieve
    }

    /// Bytes that are in the same needs, and that the same transformations may change, are of a kind.
    fn set_kinds<'a>(&mut self, heads: impl Iterator<Item = &'a (u32, Wanted)>) {
        let mut sets: Vec<ByteSet> = vec![plain()];
        for (_, wanted) in heads {
            let first = wanted.first.iter().map(|first| first.bytes);
            let new = first.chain(wanted.further.iter().copied());
            sets.extend(new.filter(|set| !set.is_empty()));
        }
        sets.sort_unstable();
        sets.dedup();
        let mut known: HashMap<(u64, Bits), usize> = HashMap::new();
        for byte in 0..=u8::MAX {
            let changes = changes_of(byte);
            let meets = (0..).zip(&sets).filter(|(_, set)| set.contains(byte));
            let next = known.len().min(MOST_KINDS - 1);
            let kind = *known.entry((changes, meets.map(|(at, _)| at).collect())).or_insert(next);
            if let Some(bits) = self.kinds.get_mut(usize::from(byte)) {
                *bits = 1 << kind;
            }
            self.changes.resize(self.changes.len().max(kind + 1), 0);
            if let Some(of_kind) = self.changes.get_mut(kind) {
                *of_kind |= changes;
            }
        }
    }

    /// Both levels, of many heads with a thread for each: it is most of what an edit of exclusions
    /// waits for.
    fn levels(&self, any: &[(u32, Wanted)], plainly: &[(u32, Wanted)]) -> (Level, Level) {
        if any.len() < WORTH_A_THREAD {
            return (self.level(any), self.level(plainly));
        }
        let heap = Heap::current();
        thread::scope(|scope| {
            let plain = scope.spawn(|| {
                let _taking = heap.enter();
                self.level(plainly)
            });
            (self.level(any), plain.join().unwrap_or_else(|bug| resume_unwind(bug)))
        })
    }

    fn level(&self, heads: &[(u32, Wanted)]) -> Level {
        let tiers = self.tiers.iter().map(|tier| {
            let heads = heads.iter().filter(|(place, _)| tier.has(*place));
            Literals::new(heads.flat_map(|(place, wanted)| {
                let first = wanted.first.iter().flat_map(|first| &first.literals);
                first.map(|literal| (&**literal, *place))
            }))
        });
        let by_kind = vec![Bits::default(); self.changes.len()];
        let mut level = Level { tiers: tiers.collect(), by_kind, ..Level::default() };
        for (place, wanted) in heads {
            level.add(self, *place, wanted);
        }
        level
    }

    fn kinds_of(&self, bytes: impl Iterator<Item = u8>) -> u128 {
        let kinds = bytes.filter_map(|byte| self.kinds.get(usize::from(byte)));
        kinds.fold(0, |all, kind| all | kind)
    }

    fn level_of(&self, Glance(kinds): Glance) -> &Level {
        if kinds & !self.plain_kinds == 0 { &self.plain } else { &self.any }
    }

    /// What kinds of bytes a text has.
    pub fn glance(&self, text: &[u8]) -> Glance {
        if text.len() >= LONG {
            return self.glance_at_bytes(text);
        }
        let mut all = 0;
        for byte in text {
            if let Some(kind) = self.kinds.get(usize::from(*byte)) {
                all |= kind;
            }
        }
        Glance(all)
    }

    /// The same, at fewer look-ups for each byte.
    fn glance_at_bytes(&self, text: &[u8]) -> Glance {
        let mut there = [false; 256];
        for byte in text {
            if let Some(there) = there.get_mut(usize::from(*byte)) {
                *there = true;
            }
        }
        let kinds = self.kinds.iter().zip(there).filter(|(_, there)| *there);
        Glance(kinds.fold(0, |all, (kind, _)| all | kind))
    }

    /// The transformations that may change a text, as bits by their places in the list of all.
    pub fn changes(&self, Glance(kinds): Glance) -> u64 {
        let changes = ones(kinds).filter_map(|kind| self.changes.get(kind));
        changes.fold(always(), |all, more| all | more)
    }

    /// The tier that some heads are in.
    pub fn tier(&self, heads: &Bits) -> usize {
        self.tiers.iter().position(|tier| heads.is_within(tier)).unwrap_or(0)
    }

    /// Puts those of some heads of a tier that a text may match into `out`. Letters count in either
    /// case: what is found of a text holds for it in lower case.
    pub fn candidates(
        &self,
        text: &[u8],
        glance: Glance,
        (tier, heads): (usize, &Bits),
        out: &mut Bits,
    ) {
        let level = self.level_of(glance);
        out.clear();
        out.join(&level.undemanding);
        for kind in ones(glance.0) {
            if let Some(more) = level.by_kind.get(kind) {
                out.join(more);
            }
        }
        let literals = level.tiers.get(tier).filter(|_| heads.meets(&level.literate));
        if let Some(literals) = literals
            && !self.is_left_to_one(level, text, glance, heads, out)
        {
            literals.find(text, |found| found.iter().for_each(|place| out.insert(*place)));
        }
        out.keep(heads);
    }

    /// Whether one head at most is left whose literals are to be looked for in a text that is not
    /// short: it is put into `out`, as it costs less to ask it.
    fn is_left_to_one(
        &self,
        level: &Level,
        text: &[u8],
        glance: Glance,
        heads: &Bits,
        out: &mut Bits,
    ) -> bool {
        if text.len() < WORTH_ASKING {
            return false;
        }
        let open = |place: &u32| level.literate.has(*place) && !out.has(*place);
        let mut left = heads.iter().filter(open).filter(|place| self.meets(*place, glance));
        let (first, second) = (left.next(), left.next());
        if let (Some(first), None) = (first, second) {
            out.insert(first);
        }
        second.is_none()
    }

    /// Whether a text meets what a head needs besides.
    pub fn meets(&self, place: u32, glance: Glance) -> bool {
        let further = self.level_of(glance).further.get(place as usize);
        let mut further = further.into_iter().flatten();
        further.all(|wanted| *wanted == 0 || wanted & glance.0 != 0)
    }
}

impl Level {
    fn add(&mut self, sieve: &Sieve, place: u32, wanted: &Wanted) {
        self.further.resize(self.further.len().max(place as usize + 1), [0; MOST_FURTHER]);
        let kinds = wanted.further.iter().map(|bytes| sieve.kinds_of(bytes.iter()));
        let kinds: Vec<u128> = kinds.collect();
        if let Some(further) = self.further.get_mut(place as usize) {
            further.iter_mut().zip(kinds).for_each(|(room, kinds)| *room = kinds);
        }
        let Some(first) = &wanted.first else { return self.undemanding.insert(place) };
        if !first.literals.is_empty() {
            self.literate.insert(place);
        }
        for kind in ones(sieve.kinds_of(first.bytes.iter())) {
            if let Some(heads) = self.by_kind.get_mut(kind) {
                heads.insert(place);
            }
        }
    }
}

fn ones(mut rest: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let kind = rest.trailing_zeros() as usize;
        rest = (rest != 0).then(|| rest & (rest - 1))?;
        Some(kind)
    })
}
