//! Where in a document we are, as a name.

/// A container's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

impl Kind {
    /// What ends it.
    pub fn closer(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object => b'}',
        }
    }

    /// What is wrong where neither `,` nor its end follows a value.
    pub fn unclosed(self) -> &'static str {
        match self {
            Self::Array => "neither `,` nor `]` after a value",
            Self::Object => "neither `,` nor `}` after a value",
        }
    }
}

/// Where in a document we are, as a name: `json.a.0`.
#[derive(Debug)]
pub struct Path {
    name: Vec<u8>,
    levels: Vec<Level>,
}

/// A container that we are in.
#[derive(Debug)]
struct Level {
    kind: Kind,
    /// How long its own name is.
    length: usize,
    /// The index of the next value in it.
    next: u64,
}

impl Path {
    /// At the document itself.
    pub fn new() -> Self {
        Self { name: b"json".to_vec(), levels: Vec::new() }
    }

    /// The name of the value we are at.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many containers we are in.
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// What kind of container we are in.
    pub fn innermost(&self) -> Option<Kind> {
        self.levels.last().map(|level| level.kind)
    }

    /// Into the value we are at.
    pub fn enter(&mut self, kind: Kind) {
        self.levels.push(Level { kind, length: self.name.len(), next: 0 });
    }

    /// Out to the container we are in.
    pub fn leave(&mut self) {
        self.forget();
        self.levels.pop();
    }

    /// The value we were at is over.
    pub fn forget(&mut self) {
        self.name.truncate(self.levels.last().map_or(usize::MAX, |level| level.length));
    }

    /// To the next value of an array.
    pub fn index(&mut self) {
        let Some(level) = self.levels.last_mut() else { return };
        let index = level.next;
        level.next += 1;
        self.name.push(b'.');
        decimal(index, &mut self.name);
    }

    /// To the value of a key, which `write` appends.
    pub fn key<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.name.push(b'.');
        write(&mut self.name)
    }
}

/// Appends a number in decimal digits.
fn decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - used));
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_written_in_decimal_digits() {
        for number in [0, 7, 10, 999, 1000, u64::MAX] {
            let mut out = Vec::new();
            decimal(number, &mut out);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
