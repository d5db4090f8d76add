//! The query that was split last. Scripts of several phases ask for the same arguments: the second time
//! their table is kept, and those who ask again get a copy.

use std::cell::{Cell, RefCell};

/// The query that was split last, and its table.
#[derive(Default)]
pub struct KeptQuery {
    text: RefCell<Vec<u8>>,
    /// The table's number among the references of the registry; 0: it has none yet.
    pub place: Cell<i32>,
    /// Whether the table there is this query's.
    pub is_made: Cell<bool>,
}

/// Whether a query was split before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not lately.
    Never,
    /// The last one was the same.
    Once,
    /// Its table is there.
    Made,
}

impl KeptQuery {
    /// Whether it is the one that was split last, which it is from now on.
    pub fn look(&self, query: &[u8]) -> Seen {
        let mut text = self.text.borrow_mut();
        if *text == query {
            return if self.is_made.get() { Seen::Made } else { Seen::Once };
        }
        text.clear();
        text.extend_from_slice(query);
        self.is_made.set(false);
        Seen::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_s_table_is_had_again_as_long_as_no_other_comes_between() {
        let kept = KeptQuery::default();
        assert_eq!([kept.look(b"a=1"), kept.look(b"a=1")], [Seen::Never, Seen::Once]);
        kept.is_made.set(true);
        assert_eq!([kept.look(b"a=1"), kept.look(b"a=2")], [Seen::Made, Seen::Never]);
        assert_eq!([kept.look(b"a=1"), kept.look(b"a=1")], [Seen::Never, Seen::Once]);
    }
}
