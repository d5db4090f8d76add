//! Variables that `set` handlers and scripts made.

use bytes::Bytes;

/// Variables by name, in either case. They are few, and their names come from the policy, not from clients.
#[derive(Debug, Clone, Default)]
pub struct Variables(Vec<(String, Bytes)>);

impl Variables {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of their values.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(_, value)| value.len()).sum()
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Sets the value of that name; none removes it.
    pub fn set(&mut self, name: &str, value: Option<Bytes>) {
        let place = self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        match (place, value) {
            (Some(index), Some(value)) => {
                if let Some(entry) = self.0.get_mut(index) {
                    entry.1 = value;
                }
            }
            (Some(index), None) => drop(self.0.swap_remove(index)),
            (None, Some(value)) => self.0.push((name.to_owned(), value)),
            (None, None) => {}
        }
    }
}
