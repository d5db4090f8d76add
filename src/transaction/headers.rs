//! Header fields in the order and spelling in which they came.

use std::cell::{Cell, OnceCell};
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// The marks of their names, and perhaps those of names that were removed: most look-ups are for
    /// names that are not there.
    marks: u64,
    /// Whether they are not, or not any more, those that were received.
    changed: bool,
    /// See [`Headers::edition`]; 0: nobody asked since they were changed.
    edition: Cell<u64>,
}

/// Where the fields of a received head stand in it, in their order.
#[derive(Debug)]
pub struct Places {
    list: Vec<Place>,
    marks: u64,
}

/// Where a field stands in its head, which is shorter than 4 GiB.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    name: (u32, u32),
    value: (u32, u32),
}

impl Place {
    /// From where to before where its name and its value are, in bytes.
    #[inline]
    pub fn new(name: (usize, usize), value: (usize, usize)) -> Self {
        let place = |(start, end): (usize, usize)| (start as u32, end as u32);
        Self { name: place(name), value: place(value) }
    }

    /// Its name in its head; nothing in another.
    #[inline]
    pub fn name(self, head: &[u8]) -> &[u8] {
        head.get(self.name.0 as usize..self.name.1 as usize).unwrap_or_default()
    }

    /// Its value in its head, likewise.
    #[inline]
    pub fn value(self, head: &[u8]) -> &[u8] {
        head.get(self.value.0 as usize..self.value.1 as usize).unwrap_or_default()
    }

    #[inline]
    fn name_length(self) -> usize {
        self.name.1.saturating_sub(self.name.0) as usize
    }
}

impl Places {
    /// None yet, with room for as many fields as a browser sends: about a dozen.
    pub fn none() -> Self {
        Self { list: Vec::with_capacity(16), marks: 0 }
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// One more, of a field of this name.
    #[inline]
    pub fn push(&mut self, place: Place, name: &[u8]) {
        self.marks |= mark(name);
        self.list.push(place);
    }
}

impl Headers {
    /// None yet, with room for some.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity).into(), ..Self::default() }
    }

    /// Those of a head that was received; a place outside of it is an empty one.
    #[inline]
    pub fn of_head(head: Bytes, Places { list, marks }: Places) -> Self {
        Self { head, places: list, marks, ..Self::default() }
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
        let received = places.iter().map(|place| (place.name(&self.head), place.value(&self.head)));
        received.chain(fields.iter().map(|field| (&field.name[..], &field.value[..])))
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        let place = self.find(name)?;
        self.fields().get(place).map(|field| &field.value)
    }

    /// The first value of that name, as plain bytes: this is the cheaper way to look at it.
    #[inline]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.find(name).map(|place| self.value_at(place))
    }

    /// The first value of that name where it is text.
    #[inline]
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let place = self.find_from(from, name)?;
            from = place + 1;
            self.fields().get(place).map(|field| &field.value)
        })
    }

    /// The same as plain bytes.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let place = self.find_from(from, name)?;
            from = place + 1;
            Some(self.value_at(place))
        })
    }

    /// Which field is the first of that name.
    #[inline]
    fn find(&self, name: &str) -> Option<usize> {
        self.find_from(0, name)
    }

    /// Which is the first of those from this place on.
    #[inline]
    fn find_from(&self, from: usize, name: &str) -> Option<usize> {
        if self.may_have(name.as_bytes()) { self.search(from, name) } else { None }
    }

    fn search(&self, from: usize, name: &str) -> Option<usize> {
        let place = match self.fields.get() {
            Some(fields) => fields.get(from..)?.iter().position(|field| is(&field.name, name)),
            None => self.places.get(from..)?.iter().position(|place| {
                place.name_length() == name.len() && is(place.name(&self.head), name)
            }),
        };
        place.map(|place| from + place)
    }

    fn value_at(&self, place: usize) -> &[u8] {
        let value = match self.fields.get() {
            Some(fields) => fields.get(place).map(|field| &field.value[..]),
            None => self.places.get(place).map(|place| place.value(&self.head)),
        };
        value.unwrap_or_default()
    }

    #[inline]
    fn may_have(&self, name: &[u8]) -> bool {
        self.marks & mark(name) != 0
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
    #[inline]
    fn fields_mut(&mut self) -> &mut Vec<Header> {
        if self.fields.get().is_none() {
            self.fields();
        }
        self.changed = true;
        self.edition.set(0);
        self.fields.get_mut().expect("they were made values just now")
    }

    /// A number that only these fields have, as they are now, and copies of them: whoever made something
    /// of them sees by it whether it still holds. Never 0.
    pub fn edition(&self) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        if self.edition.get() == 0 {
            self.edition.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
        }
        self.edition.get()
    }

    /// Whether a field of that name is there.
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// One more field, after the others.
    pub fn append(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let name = name.into();
        self.marks |= mark(&name);
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
        let may_have = self.may_have(&name);
        self.marks |= mark(&name);
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

/// A name's length and first letter as one of 64 bits, the same in either case; the names that are
/// looked for most share theirs with none that is sent often.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let first = name.first().map_or(0, |first| usize::from(first | 0x20));
    1 << ((5 * first + name.len()) % 64)
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
    use super::{Headers, Place, Places};

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
    fn an_edition_holds_until_something_changes() {
        let mut fields = headers(&[("A", "1"), ("B", "2")]);
        let first = fields.edition();
        let copy = fields.clone();
        assert_eq!((fields.edition(), copy.edition()), (first, first));
        fields.remove("c");
        assert_eq!(fields.edition(), first, "nothing was removed");
        fields.set("a", "1");
        assert!(fields.edition() != first && copy.edition() == first);
        assert_ne!(headers(&[]).edition(), headers(&[]).edition());
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
        let mut places = Places::none();
        places.push(Place::new((0, 1), (3, 4)), b"A");
        places.push(Place::new((6, 10), (12, 13)), b"Host");
        places.push(Place::new((15, 16), (17, 18)), b"a");
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
