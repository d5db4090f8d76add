//! Names and values in one piece of memory.

/// Names and values in the order they came, in one piece of memory: two allocations however many
/// there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    bytes: Vec<u8>,
    /// The ends of name and value, each where the next begins.
    ends: Vec<(usize, usize)>,
}

impl Pairs {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets them; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room for so many bytes and so many pairs more.
    pub fn reserve(&mut self, bytes: usize, pairs: usize) {
        self.bytes.reserve(bytes);
        self.ends.reserve(pairs);
    }

    /// One more.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_with(
            |bytes| bytes.extend_from_slice(name),
            |bytes| bytes.extend_from_slice(value),
        );
    }

    /// One more, its name and value written in place by functions that only append.
    pub fn push_with(&mut self, name: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        name(&mut self.bytes);
        let name_end = self.bytes.len();
        value(&mut self.bytes);
        self.ends.push((name_end, self.bytes.len()));
    }

    /// The one at an index, from 0.
    pub fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let start = match index {
            0 => 0,
            _ => self.ends.get(index - 1)?.1,
        };
        let (name_end, end) = *self.ends.get(index)?;
        Some((self.bytes.get(start..name_end)?, self.bytes.get(name_end..end)?))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::Pairs;

    #[test]
    fn pairs_come_back_in_order_empty_ones_too() {
        let mut pairs = Pairs::default();
        let all: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"", b""), (b"a", b"two")];
        for (name, value) in all {
            pairs.push(name, value);
        }
        assert_eq!(pairs.iter().collect::<Vec<_>>(), all);
        assert_eq!(pairs.get(3), None);
    }
}
