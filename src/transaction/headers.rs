//! Header fields in the order and spelling in which they came.

use bytes::Bytes;

/// One header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// As spelled by its sender; compared without regard to ASCII case.
    pub name: Bytes,
    /// Without surrounding white space.
    pub value: Bytes,
}

/// Header fields in the order and spelling in which they came. Look-ups are linear: a request has
/// a dozen of them, and at most [`crate::config::Limits::headers`].
#[derive(Debug, Clone, Default)]
pub struct Headers {
    fields: Vec<Header>,
    /// Which lengths their names have, and perhaps lengths of names that were removed: most look-ups
    /// are for names that are not there.
    lengths: u64,
    /// Whether they are not, or not any more, those that were received.
    changed: bool,
}

impl Headers {
    /// None yet, with room for some.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// How many fields there are (a name that came twice counts twice).
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.fields.iter()
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        let found = self.likely(name).iter().find(|field| is(field, name));
        found.map(|field| &field.value)
    }

    /// The first value of that name where it is text.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        let fields = self.likely(name).iter().filter(move |field| is(field, name));
        fields.map(|field| &field.value)
    }

    /// The fields among which that name may be.
    fn likely(&self, name: &str) -> &[Header] {
        if self.may_have(name.len()) { &self.fields } else { &[] }
    }

    fn may_have(&self, length: usize) -> bool {
        self.lengths & length_bit(length) != 0
    }

    /// Whether a field of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// One more field, after the others.
    pub fn append(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let name = name.into();
        self.changed = true;
        self.lengths |= length_bit(name.len());
        self.fields.push(Header { name, value: value.into() });
    }

    /// These are the fields as they were received: what changes from now on is a change.
    pub fn received(&mut self) {
        self.changed = false;
    }

    /// Whether they differ from those that were [`received`](Self::received).
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// One field of that name in the place of all of them (where the first stood, else last).
    pub fn set(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changed = true;
        let (name, value) = (name.into(), value.into());
        self.lengths |= length_bit(name.len());
        let same = |header: &Header| header.name.eq_ignore_ascii_case(&name);
        let Some(first) = self.fields.iter().position(same) else {
            return self.fields.push(Header { name, value });
        };
        let mut index = 0;
        self.fields.retain(|header| {
            index += 1;
            index <= first + 1 || !header.name.eq_ignore_ascii_case(&name)
        });
        if let Some(header) = self.fields.get_mut(first) {
            *header = Header { name, value };
        }
    }

    /// Removes all fields of that name; how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        if !self.may_have(name.len()) {
            return 0;
        }
        let before = self.fields.len();
        self.fields.retain(|header| !header.name.eq_ignore_ascii_case(name.as_bytes()));
        let removed = before - self.fields.len();
        self.changed |= removed > 0;
        removed
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, keep: impl FnMut(&Header) -> bool) {
        self.changed = true;
        self.fields.retain(keep);
    }
}

/// A name's length as one bit; the long ones share the last.
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

fn is(field: &Header, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name.as_bytes())
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Headers;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.append(*name, *value);
        }
        headers
    }

    #[test]
    fn set_replaces_every_field_of_the_name_where_the_first_stood() {
        let mut fields = headers(&[("A", "1"), ("B", "2"), ("a", "3"), ("C", "4")]);
        fields.set("a", "new");
        assert_eq!(fields, headers(&[("a", "new"), ("B", "2"), ("C", "4")]));
    }

    #[test]
    fn what_is_not_there_is_not_found_and_what_is_long_is() {
        let long = "x-".repeat(40);
        let mut fields = headers(&[("Accept", "1")]);
        assert_eq!(fields.get("cookie"), None);
        fields.set(long.clone(), "2");
        assert_eq!(fields.get_str(&long.to_uppercase()), Some("2"));
        assert_eq!((fields.remove("host"), fields.remove(&long)), (0, 1));
        assert!(!fields.contains(&long) && fields.contains("accept"));
    }

    #[test]
    fn names_are_found_in_any_case_and_keep_their_own() {
        let fields = headers(&[("X-Real-IP", "192.0.2.1")]);
        assert_eq!(fields.get_str("x-real-ip"), Some("192.0.2.1"));
        assert_eq!(&fields.iter().next().unwrap().name[..], b"X-Real-IP");
    }
}
