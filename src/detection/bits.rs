//! Sets of small numbers.

/// A set of small numbers. Without memory of its own until the first is taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Whether a number is in it.
    pub fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Takes a number in.
    pub fn insert(&mut self, number: u32) {
        let place = number as usize / 64;
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        if let Some(word) = self.0.get_mut(place) {
            *word |= 1 << (number % 64);
        }
    }

    /// Whether there is none in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// None any more; the memory stays.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Those below `end`, and no other.
    pub fn fill(&mut self, end: u32) {
        self.0.clear();
        self.0.resize(end as usize / 64, u64::MAX);
        self.0.push((1 << (end % 64)) - 1);
    }

    /// Takes those of another in.
    pub fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }

    /// Leaves out those that another has.
    pub fn leave_out(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, less)| *word &= !less);
    }

    /// Keeps those that another has too.
    pub fn keep(&mut self, other: &Self) {
        self.0.truncate(other.0.len());
        self.0.iter_mut().zip(&other.0).for_each(|(word, kept)| *word &= kept);
    }

    /// Whether another has all of it.
    pub fn is_within(&self, other: &Self) -> bool {
        let others = other.0.iter().chain(std::iter::repeat(&0));
        self.0.iter().zip(others).all(|(word, more)| word & !more == 0)
    }

    /// Whether it has one in common with another.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(word, more)| word & more != 0)
    }

    /// The first at or after a number.
    pub fn next(&self, from: u32) -> Option<u32> {
        let first = from as usize / 64;
        let mut rest = self.0.get(first)? & (u64::MAX << (from % 64));
        let mut place = first;
        while rest == 0 {
            place += 1;
            rest = *self.0.get(place)?;
        }
        Some(place as u32 * 64 + rest.trailing_zeros())
    }

    /// Them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).zip(&self.0).flat_map(|(place, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                word = (word != 0).then(|| word & (word - 1))?;
                Some(place * 64 + bit)
            })
        })
    }
}

impl FromIterator<u32> for Bits {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut bits = Self::default();
        numbers.into_iter().for_each(|number| bits.insert(number));
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn numbers_come_in_order_and_are_found_from_any_place() {
        let bits: Bits = [200, 3, 64, 63].into_iter().collect();
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 63, 64, 200]);
        let next = [0, 4, 64, 65, 201, 5000].map(|from| bits.next(from));
        assert_eq!(next, [Some(3), Some(63), Some(64), Some(200), None, None]);
        assert!(bits.has(200) && !bits.has(199));
    }

    #[test]
    fn sets_are_joined_and_cut() {
        let (odd, low): (Bits, Bits) = ((0..100).map(|n| 2 * n + 1).collect(), (0..9).collect());
        let mut both = odd.clone();
        both.keep(&low);
        assert_eq!(both.iter().collect::<Vec<_>>(), [1, 3, 5, 7]);
        let mut rest = low.clone();
        rest.leave_out(&odd);
        assert_eq!(rest.iter().collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        rest.join(&odd);
        assert_eq!(rest.iter().count(), 105);
        rest.fill(65);
        assert_eq!(rest.iter().collect::<Vec<_>>(), (0..65).collect::<Vec<_>>());
    }
}
