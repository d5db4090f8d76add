//! Header fields in the order and spelling in which they came.

use std::cell::OnceCell;

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
///
/// Those of a received head are known by their places in it until somebody wants one as a value of
/// its own, or changes them: most exchanges end before that.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// The head in which they came.
    head: Bytes,
    /// Where they stand in it; out of use once there are `fields`.
    places: Vec<Place>,
    fields: OnceCell<Vec<Header>>,
    /// Which lengths their names have, and perhaps lengths of names that were removed: most look-ups
    /// are for names that are not there.
    lengths: u64,
    /// Whether they are not, or not any more, those that were received.
    changed: bool,
}

/// Where a field stands in its head, in bytes: half-open.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its name.
    pub name: (u32, u32),
    /// Its value, without surrounding white space.
    pub value: (u32, u32),
}

impl Headers {
    /// None yet, with room for some.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity).into(), ..Self::default() }
    }

    /// Those of a head that was received; a place outside of it is an empty one.
    pub fn of_head(head: Bytes, places: Vec<Place>) -> Self {
        let length = |place: &Place| place.name.1.saturating_sub(place.name.0) as usize;
        let bits = places.iter().map(|place| length_bit(length(place)));
        let lengths = bits.fold(0, |lengths, bit| lengths | bit);
        Self { head, places, lengths, ..Self::default() }
    }

    /// How many fields there are (a name that came twice counts twice).
    pub fn len(&self) -> usize {
        self.fields.get().map_or(self.places.len(), Vec::len)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.fields().iter()
    }

    /// The same as plain bytes, names and values: this is the cheaper way to look at them.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let fields = self.fields.get().map_or(&[][..], Vec::as_slice);
        let places = if self.fields.get().is_none() { &self.places[..] } else { &[] };
        let received = places.iter().map(|place| (self.at(place.name), self.at(place.value)));
        received.chain(fields.iter().map(|field| (&field.name[..], &field.value[..])))
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        let place = self.find(name)?;
        self.fields().get(place).map(|field| &field.value)
    }

    /// The first value of that name, as plain bytes: this is the cheaper way to look at it.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let place = self.find(name)?;
        match self.fields.get() {
            Some(fields) => fields.get(place).map(|field| &field.value[..]),
            None => self.places.get(place).map(|place| self.at(place.value)),
        }
    }

    /// The first value of that name where it is text.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        self.all(name).map(|field| &field.value)
    }

    /// All fields of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Header> {
        let fields = if self.contains(name) { self.fields() } else { &[] };
        fields.iter().filter(move |field| is(&field.name, name))
    }

    /// The same as plain bytes.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let pairs = self.may_have(name.len()).then(|| self.pairs());
        let named = pairs.into_iter().flatten().filter(move |(known, _)| is(known, name));
        named.map(|(_, value)| value)
    }

    /// Which field is the first of that name.
    fn find(&self, name: &str) -> Option<usize> {
        if !self.may_have(name.len()) {
            return None;
        }
        match self.fields.get() {
            Some(fields) => fields.iter().position(|field| is(&field.name, name)),
            None => self.places.iter().position(|place| is(self.at(place.name), name)),
        }
    }

    fn at(&self, (start, end): (u32, u32)) -> &[u8] {
        self.head.get(start as usize..end as usize).unwrap_or_default()
    }

    fn may_have(&self, length: usize) -> bool {
        self.lengths & length_bit(length) != 0
    }

    /// Them as values of their own.
    fn fields(&self) -> &[Header] {
        self.fields.get_or_init(|| {
            let part = |(start, end): (u32, u32)| {
                let is_there = start <= end && end as usize <= self.head.len();
                if is_there { self.head.slice(start as usize..end as usize) } else { Bytes::new() }
            };
            let field = |place: &Place| Header { name: part(place.name), value: part(place.value) };
            self.places.iter().map(field).collect()
        })
    }

    /// Them, to be changed.
    fn fields_mut(&mut self) -> &mut Vec<Header> {
        self.fields();
        self.changed = true;
        self.fields.get_mut().expect("they were made values just now")
    }

    /// Whether a field of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// One more field, after the others.
    pub fn append(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let name = name.into();
        self.lengths |= length_bit(name.len());
        self.fields_mut().push(Header { name, value: value.into() });
    }

    /// These are the fields as they were received: what changes from now on is a change.
    pub fn received(&mut self) {
        self.changed = false;
    }

    /// Whether they differ from those that were received.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// One field of that name in the place of all of them (where the first stood, else last).
    pub fn set(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let (name, value) = (name.into(), value.into());
        let may_have = self.may_have(name.len());
        self.lengths |= length_bit(name.len());
        let fields = self.fields_mut();
        let same = |header: &Header| may_have && header.name.eq_ignore_ascii_case(&name);
        let Some(first) = fields.iter().position(same) else {
            return fields.push(Header { name, value });
        };
        let mut index = 0;
        fields.retain(|header| {
            index += 1;
            index <= first + 1 || !header.name.eq_ignore_ascii_case(&name)
        });
        if let Some(header) = fields.get_mut(first) {
            *header = Header { name, value };
        }
    }

    /// Removes all fields of that name; how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        if !self.contains(name) {
            return 0;
        }
        let fields = self.fields_mut();
        let before = fields.len();
        fields.retain(|header| !is(&header.name, name));
        before - fields.len()
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, keep: impl FnMut(&Header) -> bool) {
        self.fields_mut().retain(keep);
    }
}

/// A name's length as one bit; the long ones share the last.
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

fn is(known: &[u8], name: &str) -> bool {
    known.eq_ignore_ascii_case(name.as_bytes())
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{Headers, Place};

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

    #[test]
    fn what_was_received_is_the_same_by_its_places_and_as_values() {
        let head = bytes::Bytes::from_static(b"A: 1\r\nHost: x\r\na:2\r\n");
        let place = |name, value| Place { name, value };
        let places =
            vec![place((0, 1), (3, 4)), place((6, 10), (12, 13)), place((15, 16), (17, 18))];
        let mut fields = Headers::of_head(head, places);
        let seen = |fields: &Headers| {
            let values = fields.values("a").map(<[u8]>::to_vec).collect::<Vec<_>>();
            (fields.len(), fields.get_str("HOST").map(str::to_owned), values)
        };
        let by_places = seen(&fields);
        assert_eq!(fields, headers(&[("A", "1"), ("Host", "x"), ("a", "2")]));
        assert_eq!(fields.get_all("a").count(), 2);
        assert_eq!(seen(&fields), by_places);
        assert!(!fields.changed());
        assert_eq!((fields.remove("cookie"), fields.changed()), (0, false));
        assert_eq!((fields.remove("a"), fields.changed()), (2, true));
        assert_eq!(fields, headers(&[("Host", "x")]));
    }
}
