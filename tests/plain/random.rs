//! Numbers that look random and are the same each time.

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 8) % bound.max(1) as u64) as usize
    }

    /// Whether it happens, which it does once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A piece of some bytes, at most so long.
    pub fn piece<'a>(&mut self, of: &'a [u8], most: usize) -> &'a [u8] {
        let from = self.below(of.len());
        let length = self.below(most + 1).min(of.len() - from);
        &of[from..from + length]
    }
}
