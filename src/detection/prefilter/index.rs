//! From a few bytes to the texts that are known by them.

/// The logarithms of the number of bits, at the least and at the most (1 MiB).
const FEWEST: u32 = 6;
const MOST: u32 = 23;
/// Of an [`Entry`]: bits of the place.
const PLACE_BITS: u32 = 7;

/// From keys, numbers of 32 bits, to entries. Other keys may have the same.
#[derive(Debug, Clone)]
pub struct Index {
    /// How far a key is shifted once it is spread over 32 bits.
    shift: u32,
    /// One bit a key.
    bits: Box<[u64]>,
    /// By word: how many bits are set before it.
    ranks: Box<[u32]>,
    /// By rank: where its entries begin.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
}

/// A text, and where in it the bytes begin that it is known by.
#[derive(Debug, Clone, Copy)]
pub struct Entry(u32);

impl Entry {
    /// `before` is below 128; there are less than 32 million texts.
    pub fn new(text: u32, before: usize) -> Self {
        Self(text << PLACE_BITS | before as u32 & ((1 << PLACE_BITS) - 1))
    }

    /// The text's number.
    pub fn text(self) -> u32 {
        self.0 >> PLACE_BITS
    }

    /// Bytes of the text before those that it is known by.
    pub fn before(self) -> usize {
        (self.0 & ((1 << PLACE_BITS) - 1)) as usize
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::new(Vec::new(), 1)
    }
}

impl Index {
    /// Of entries by key. Of what is no key, one in `thinness` or fewer are taken for one.
    pub fn new(known: Vec<(u64, Entry)>, thinness: usize) -> Self {
        let wanted = (known.len() * thinness).next_power_of_two().ilog2();
        let shift = 32 - wanted.clamp(FEWEST, MOST);
        let placed = known.into_iter().map(|(key, entry)| (place(key, shift), entry));
        let mut known: Vec<(u32, Entry)> = placed.collect();
        known.sort_by_key(|(place, _)| *place);
        let mut bits = vec![0_u64; 1 << (32 - shift - 6)];
        let (mut starts, mut last) = (Vec::new(), None);
        for (at, (place, _)) in (0..).zip(&known) {
            if last.replace(*place) != Some(*place) {
                starts.push(at);
            }
            if let Some(word) = bits.get_mut((place >> 6) as usize) {
                *word |= 1 << (place & 63);
            }
        }
        starts.push(known.len() as u32);
        let ranks = bits.iter().scan(0, |before, word| {
            let rank = *before;
            *before += word.count_ones();
            Some(rank)
        });
        let ranks = ranks.collect();
        let entries = known.into_iter().map(|(_, entry)| entry).collect();
        Self { shift, bits: bits.into(), ranks, starts: starts.into(), entries }
    }

    /// Whether there may be entries of a key.
    #[inline]
    pub fn has(&self, key: u64) -> bool {
        let place = place(key, self.shift);
        self.bits.get((place >> 6) as usize).is_some_and(|word| word >> (place & 63) & 1 == 1)
    }

    /// The entries of a key, and of others that have its place.
    pub fn entries(&self, key: u64) -> &[Entry] {
        let place = place(key, self.shift);
        let word = (place >> 6) as usize;
        let (Some(bits), Some(rank)) = (self.bits.get(word), self.ranks.get(word)) else {
            return &[];
        };
        if bits >> (place & 63) & 1 == 0 {
            return &[];
        }
        let below = bits & ((1 << (place & 63)) - 1);
        let rank = (rank + below.count_ones()) as usize;
        let (Some(from), Some(to)) = (self.starts.get(rank), self.starts.get(rank + 1)) else {
            return &[];
        };
        self.entries.get(*from as usize..*to as usize).unwrap_or_default()
    }
}

#[inline]
fn place(key: u64, shift: u32) -> u32 {
    (key as u32).wrapping_mul(0x9E37_79B1) >> shift
}

#[cfg(test)]
mod tests {
    use super::{Entry, Index};

    #[test]
    fn each_key_has_its_entries() {
        let keys = (0..3000_u32).map(|at| (u64::from(at.wrapping_mul(2_654_435)), at));
        let known = keys.clone().map(|(key, at)| (key, Entry::new(at, at as usize % 100)));
        let index = Index::new(known.collect(), 12);
        for (key, at) in keys {
            let entries = index.entries(key);
            let own = |entry: &&Entry| entry.text() == at && entry.before() == at as usize % 100;
            assert!(index.has(key) && entries.iter().filter(own).count() == 1);
            assert!(entries.len() < 5, "{} have the place of {key}", entries.len());
        }
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        let index = Index::default();
        assert!(!index.has(7) && index.entries(7).is_empty());
    }
}
