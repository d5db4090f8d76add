//! Sets of bytes: what one place of an expression matches.

use std::fmt;

/// Any of the 256 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// None.
    pub const EMPTY: Self = Self([0; 4]);
    /// All.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// One.
    pub const fn one(byte: u8) -> Self {
        Self::range(byte, byte)
    }

    /// From one to another, both included.
    pub const fn range(first: u8, last: u8) -> Self {
        Self::up_to(last).and(if first == 0 { Self::ALL } else { Self::up_to(first - 1).not() })
    }

    const fn up_to(last: u8) -> Self {
        let ones = u64::MAX >> (63 - (last & 63));
        match last >> 6 {
            0 => Self([ones, 0, 0, 0]),
            1 => Self([u64::MAX, ones, 0, 0]),
            2 => Self([u64::MAX, u64::MAX, ones, 0]),
            _ => Self([u64::MAX, u64::MAX, u64::MAX, ones]),
        }
    }

    /// In one of two.
    #[must_use]
    #[inline]
    pub const fn or(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
    }

    /// In both.
    #[must_use]
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]])
    }

    /// The others.
    #[must_use]
    #[inline]
    pub const fn not(self) -> Self {
        let a = self.0;
        Self([!a[0], !a[1], !a[2], !a[3]])
    }

    /// With the other case of each ASCII letter.
    #[must_use]
    #[inline]
    pub fn folded(self) -> Self {
        // Word 1 holds bytes 64 to 127: `A` is bit 1, `a` bit 33.
        const UPPER: u64 = 0x07ff_fffe;
        let [low, letters, high, highest] = self.0;
        let folded = letters | (letters & UPPER) << 32 | letters >> 32 & UPPER;
        Self([low, folded, high, highest])
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// Whether a byte is in it.
    #[inline]
    pub fn contains(self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    /// Of the bytes of a text.
    pub fn of(text: &[u8]) -> Self {
        let mut there = [0_u8; 256];
        for byte in text {
            if let Some(there) = there.get_mut(usize::from(*byte)) {
                *there = 1;
            }
        }
        let mut set = Self::EMPTY;
        for (word, flags) in set.0.iter_mut().zip(there.as_chunks::<64>().0) {
            let bits = flags.as_chunks::<8>().0.iter().rev();
            *word = bits.fold(0, |word, eight| word << 8 | gathered(*eight));
        }
        set
    }

    /// Its bytes, in order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0_u8..4).zip(self.0).flat_map(|(place, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as u8;
                word = (word != 0).then(|| word & (word - 1))?;
                Some(place * 64 + bit)
            })
        })
    }

    /// Its bytes as ranges, both ends included, in order.
    pub fn ranges(self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(byte) => *last = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }
}

/// Eight bytes that are 0 or 1 as eight bits, the first the lowest.
fn gathered(flags: [u8; 8]) -> u64 {
    // Byte `n` is multiplied by 2 to the power of 56 - 7 n, which makes it bit 56 + n.
    u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_fold_and_nothing_else_does() {
        for byte in 0..=u8::MAX {
            let folded = ByteSet::one(byte).folded();
            let both = [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
            let expected = ByteSet::one(both[0]).or(ByteSet::one(both[1]));
            assert_eq!(folded, expected, "{byte:#x}");
        }
    }

    #[test]
    fn a_text_has_the_bytes_that_are_in_it() {
        let texts = [&b""[..], b"a", b"hello, world", b"\0\x3f\x40\x7f\x80\xff", &[b'z'; 300]];
        for text in texts {
            let there = (0..=u8::MAX).filter(|byte| text.contains(byte));
            assert_eq!(ByteSet::of(text).iter().collect::<Vec<_>>(), there.collect::<Vec<_>>());
        }
    }

    #[test]
    fn ranges_are_merged_and_reach_both_ends() {
        assert_eq!(ByteSet::ALL.ranges(), [(0, 255)]);
        assert_eq!(ByteSet::one(64).not().ranges(), [(0, 63), (65, 255)]);
        assert_eq!(ByteSet::EMPTY.ranges(), []);
    }
}
