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
    /// Whether they are not, or not any more, those that were received.
    changed: bool,
}

impl Headers {
    /// None yet, with room for some.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity), changed: false }
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
        let found =
            self.fields.iter().find(|header| header.name.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|header| &header.value)
    }

    /// The first value of that name where it is text.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        self.fields
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|header| &header.value)
    }

    /// Whether a field of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// One more field, after the others.
    pub fn append(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changed = true;
        self.fields.push(Header { name: name.into(), value: value.into() });
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
    fn names_are_found_in_any_case_and_keep_their_own() {
        let fields = headers(&[("X-Real-IP", "192.0.2.1")]);
        assert_eq!(fields.get_str("x-real-ip"), Some("192.0.2.1"));
        assert_eq!(&fields.iter().next().unwrap().name[..], b"X-Real-IP");
    }
}
