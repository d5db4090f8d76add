//! Which heads a text may match, told by the kinds of its bytes and one pass for literals.

use std::collections::HashMap;

use super::literals::Literals;
use super::needs::{Clause, Needs};
use crate::detection::bits::Bits;
use crate::detection::pattern::ByteSet;
use crate::detection::transformations::{always, changes_of};

/// Kinds of bytes that are told apart, at the most; the last is any of the rest.
const MOST_KINDS: usize = 128;
/// Further needs of a head that are kept.
const MOST_FURTHER: usize = 3;
/// Of a thousand ordinary values, how many may meet a need for it to be worth looking for.
const TOO_COMMON: f32 = 700.0;

/// What all heads of a phase need.
#[derive(Debug)]
pub struct Sieve {
    /// By byte: its kind, as a bit. Bytes of a kind meet the same needs, and the same
    /// transformations may change them.
    kinds: Box<[u128; 256]>,
    /// By kind: the transformations that may change it.
    changes: Vec<u64>,
    /// By kind: the heads whose first need it meets.
    by_kind: Vec<Bits>,
    /// Heads that need nothing.
    undemanding: Bits,
    /// Heads whose first need has literals.
    literate: Bits,
    /// By head: the kinds of which a text must have one besides, for each further need; 0: none.
    further: Vec<[u128; MOST_FURTHER]>,
    /// All literals of first needs.
    literals: Literals,
    /// Kinds of [`plain`] bytes only.
    plain: u128,
    /// The heads that a text of plain bytes may match, and the literals that it may have.
    plain_heads: Bits,
    plain_literals: Literals,
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
fn plain() -> ByteSet {
    let marks = b" _.-,:/@+".iter().fold(ByteSet::EMPTY, |set, byte| set.or(ByteSet::one(*byte)));
    ByteSet::range(b'a', b'z').folded().or(ByteSet::range(b'0', b'9')).or(marks)
}

impl Wanted {
    fn of(needs: Needs) -> Self {
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

    /// Whether a text of plain bytes may meet it.
    fn is_plain(&self, plain: ByteSet) -> bool {
        let first = self.first.as_ref().is_none_or(|first| {
            !first.bytes.and(plain).is_empty()
                || first.literals.iter().any(|literal| is_plain(literal, plain))
        });
        first && self.further.iter().all(|bytes| !bytes.and(plain).is_empty())
    }
}

fn is_plain(literal: &[u8], plain: ByteSet) -> bool {
    literal.iter().all(|byte| plain.contains(*byte))
}

impl Default for Sieve {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Sieve {
    /// Of heads by their places, and what they need.
    pub fn new(heads: Vec<(u32, Needs)>) -> Self {
        let heads: Vec<_> =
            heads.into_iter().map(|(place, needs)| (place, Wanted::of(needs))).collect();
        let plain = plain();
        let plain_heads: Bits = heads
            .iter()
            .filter(|(_, wanted)| wanted.is_plain(plain))
            .map(|(place, _)| *place)
            .collect();
        let literals = |keep: &dyn Fn(u32, &[u8]) -> bool| {
            let all = heads.iter().flat_map(|(place, wanted)| {
                let first = wanted.first.iter().flat_map(|first| &first.literals);
                first.map(|literal| (&**literal, *place))
            });
            Literals::new(all.filter(|(literal, place)| keep(*place, literal)))
        };
        let mut sieve = Self {
            kinds: Box::new([0; 256]),
            changes: Vec::new(),
            by_kind: Vec::new(),
            undemanding: Bits::default(),
            literate: Bits::default(),
            further: Vec::new(),
            literals: literals(&|_, _| true),
            plain: 0,
            plain_literals: literals(&|place, literal| {
                plain_heads.has(place) && is_plain(literal, plain)
            }),
            plain_heads,
        };
        sieve.set_kinds(&heads);
        heads.iter().for_each(|(place, wanted)| sieve.add(*place, wanted));
        let bytes = (0..=u8::MAX).filter(|byte| plain.contains(*byte));
        let others = (0..=u8::MAX).filter(|byte| !plain.contains(*byte));
        sieve.plain = sieve.kinds_of(bytes) & !sieve.kinds_of(others);
        sieve
    }

    /// Bytes that are in the same needs, and that the same transformations may change, are of a kind.
    fn set_kinds(&mut self, heads: &[(u32, Wanted)]) {
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
        self.by_kind.resize(self.changes.len(), Bits::default());
    }

    fn add(&mut self, place: u32, wanted: &Wanted) {
        self.further.resize(self.further.len().max(place as usize + 1), [0; MOST_FURTHER]);
        let kinds = wanted.further.iter().map(|bytes| self.kinds_of(bytes.iter()));
        let kinds: Vec<u128> = kinds.collect();
        if let Some(further) = self.further.get_mut(place as usize) {
            further.iter_mut().zip(kinds).for_each(|(room, kinds)| *room = kinds);
        }
        let Some(first) = &wanted.first else { return self.undemanding.insert(place) };
        if !first.literals.is_empty() {
            self.literate.insert(place);
        }
        for kind in ones(self.kinds_of(first.bytes.iter())) {
            if let Some(heads) = self.by_kind.get_mut(kind) {
                heads.insert(place);
            }
        }
    }

    fn kinds_of(&self, bytes: impl Iterator<Item = u8>) -> u128 {
        let kinds = bytes.filter_map(|byte| self.kinds.get(usize::from(byte)));
        kinds.fold(0, |all, kind| all | kind)
    }

    /// What kinds of bytes a text has.
    pub fn glance(&self, text: &[u8]) -> Glance {
        let mut all = 0;
        for byte in text {
            if let Some(kind) = self.kinds.get(usize::from(*byte)) {
                all |= kind;
            }
        }
        Glance(all)
    }

    /// The transformations that may change a text, as bits by their places in the list of all.
    pub fn changes(&self, Glance(kinds): Glance) -> u64 {
        let changes = ones(kinds).filter_map(|kind| self.changes.get(kind));
        changes.fold(always(), |all, more| all | more)
    }

    /// Puts those of some heads that a text may match into `out`. Letters count in either case: what
    /// is found of a text holds for it in lower case.
    pub fn candidates(&self, text: &[u8], glance: Glance, heads: &Bits, out: &mut Bits) {
        out.clear();
        out.join(&self.undemanding);
        for kind in ones(glance.0) {
            if let Some(more) = self.by_kind.get(kind) {
                out.join(more);
            }
        }
        let is_plain = glance.0 & !self.plain == 0;
        let literals = if is_plain { &self.plain_literals } else { &self.literals };
        if heads.meets(&self.literate) {
            literals.find(text, |found| found.iter().for_each(|place| out.insert(*place)));
        }
        out.keep(heads);
        if is_plain {
            out.keep(&self.plain_heads);
        }
    }

    /// Whether a text meets what a head needs besides.
    pub fn meets(&self, place: u32, Glance(kinds): Glance) -> bool {
        let further = self.further.get(place as usize).copied().unwrap_or_default();
        further.iter().all(|wanted| *wanted == 0 || wanted & kinds != 0)
    }
}

fn ones(mut rest: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let kind = rest.trailing_zeros() as usize;
        rest = (rest != 0).then(|| rest & (rest - 1))?;
        Some(kind)
    })
}
