//! Cuts a value into pieces of HTML, as HTML 5 has it and as old browsers had it.

use memchr::{memchr, memmem};

/// Where in a page a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// In an attribute's value in this quote.
    Quoted(u8),
    /// In a tag, between attributes.
    Tag,
    /// Between tags.
    Text,
}

/// A piece of HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The name of an attribute.
    AttributeName(&'a [u8]),
    /// The value of the attribute before it, without quotes.
    AttributeValue(&'a [u8]),
    /// A comment, or what a browser takes for one.
    Comment(&'a [u8]),
    /// `<!DOCTYPE`
    Doctype,
    /// Anything else.
    Other,
    /// The name of a tag; also of an end tag, unless that has only the name.
    TagName(&'a [u8]),
}

/// The pieces of a value.
pub struct Html<'a> {
    /// What is still to be read.
    rest: &'a [u8],
    state: State,
}

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    /// A `=`, or as after a value.
    AfterName,
    /// An attribute's name, or the tag's end.
    Attributes,
    /// The rest of a value in this quote.
    Quoted(u8),
    /// Text and tags.
    Text,
}

impl<'a> Html<'a> {
    /// Of a value that stands here.
    pub fn new(value: &'a [u8], context: Context) -> Self {
        let state = match context {
            Context::Quoted(quote) => State::Quoted(quote),
            Context::Tag => State::Attributes,
            Context::Text => State::Text,
        };
        Self { rest: value, state }
    }

    fn text(&mut self) -> Option<Piece<'a>> {
        let open = memchr(b'<', self.rest)?;
        self.take(open, 1);
        Some(match *self.rest {
            [b'!', ..] => self.declaration(),
            [b'/', ..] => self.end_tag(),
            [b'?', ..] => {
                self.take(0, 1);
                self.bogus_comment()
            }
            [b'%', ..] => self.percent_comment(),
            // Internet Explorer leaves out a NUL.
            [b'A'..=b'Z' | b'a'..=b'z' | 0, ..] => Piece::TagName(self.tag_name()),
            _ => Piece::Other,
        })
    }

    fn end_tag(&mut self) -> Piece<'a> {
        self.take(0, 1);
        match self.rest.first() {
            Some(b'A'..=b'Z' | b'a'..=b'z') => {
                let name = self.tag_name();
                if self.rest.starts_with(b">") { Piece::Other } else { Piece::TagName(name) }
            }
            None | Some(b'>') => Piece::Other,
            Some(_) => self.bogus_comment(),
        }
    }

    fn tag_name(&mut self) -> &'a [u8] {
        self.state = State::Attributes;
        self.take_until(|byte| matches!(byte, b'\t'..=b'\r' | b' ' | b'/' | b'>'))
    }

    fn attributes(&mut self) -> Option<Piece<'a>> {
        self.take_until(|byte| !is_blank(byte) && byte != b'/');
        if self.rest.first()? == &b'>' {
            self.take(0, 1);
            self.state = State::Text;
            return Some(Piece::Other);
        }
        Some(self.attribute_name())
    }

    /// The first byte of a name may be any.
    fn attribute_name(&mut self) -> Piece<'a> {
        let end = |byte: &u8| is_blank(*byte) || matches!(byte, b'/' | b'=' | b'>');
        let after_first = self.rest.iter().skip(1).position(end);
        let length = after_first.map_or(self.rest.len(), |length| length + 1);
        let name = self.take(length, 0);
        self.state = State::AfterName;
        Piece::AttributeName(name)
    }

    fn after_name(&mut self) -> Option<Piece<'a>> {
        self.take_until(|byte| !is_blank(byte));
        if self.rest.starts_with(b"=") {
            self.take(0, 1);
            return self.value();
        }
        self.attributes()
    }

    fn value(&mut self) -> Option<Piece<'a>> {
        self.take_until(|byte| !is_blank(byte));
        // The tick is Internet Explorer's.
        if let &quote @ (b'"' | b'\'' | b'`') = self.rest.first()? {
            self.take(0, 1);
            return Some(self.quoted(quote));
        }
        self.state = State::Attributes;
        Some(Piece::AttributeValue(self.take_until(|byte| is_blank(byte) || byte == b'>')))
    }

    fn quoted(&mut self, quote: u8) -> Piece<'a> {
        self.state = State::Attributes;
        let length = memchr(quote, self.rest).unwrap_or(self.rest.len());
        Piece::AttributeValue(self.take(length, 1))
    }

    /// What stands after `<` and begins with `!`.
    fn declaration(&mut self) -> Piece<'a> {
        self.take(0, 1);
        if self.rest.get(..7).is_some_and(|name| name.eq_ignore_ascii_case(b"DOCTYPE")) {
            Piece::Doctype
        } else if self.rest.starts_with(b"[CDATA[") {
            let end = memmem::find(self.rest, b"]]>").unwrap_or(self.rest.len());
            self.take(end, 3);
            Piece::Other
        } else if self.rest.starts_with(b"--") {
            self.take(0, 2);
            self.comment()
        } else {
            self.bogus_comment()
        }
    }

    /// Ends at `-->` or `-!>`; NUL bytes may stand after the first dash.
    fn comment(&mut self) -> Piece<'a> {
        let mut from = 0;
        while let Some(tail) = self.rest.get(from..)
            && let Some(dash) = memchr(b'-', tail)
        {
            let dash = from + dash;
            from = dash + 1;
            let tail = self.rest.get(from..).unwrap_or_default();
            let nuls = tail.iter().take_while(|&&byte| byte == 0).count();
            if let Some([b'-' | b'!', b'>', ..]) = tail.get(nuls..) {
                return Piece::Comment(self.take(dash, nuls + 3));
            }
        }
        Piece::Comment(self.take(self.rest.len(), 0))
    }

    /// What browsers take for a comment: up to `>`.
    fn bogus_comment(&mut self) -> Piece<'a> {
        let length = memchr(b'>', self.rest).unwrap_or(self.rest.len());
        Piece::Comment(self.take(length, 1))
    }

    /// `<% %>`, as old browsers had it.
    fn percent_comment(&mut self) -> Piece<'a> {
        self.take(0, 1);
        let length = memmem::find(self.rest, b"%>").unwrap_or(self.rest.len());
        Piece::Comment(self.take(length, 2))
    }

    /// The next `length` bytes; `after` them are passed over.
    fn take(&mut self, length: usize, after: usize) -> &'a [u8] {
        let (piece, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest.get(after..).unwrap_or_default();
        piece
    }

    fn take_until(&mut self, ends: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|&byte| ends(byte));
        self.take(length.unwrap_or(self.rest.len()), 0)
    }
}

impl<'a> Iterator for Html<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        match self.state {
            State::AfterName => self.after_name(),
            State::Attributes => self.attributes(),
            State::Quoted(quote) => Some(self.quoted(quote)),
            State::Text => self.text(),
        }
    }
}

/// What separates attributes; old browsers take NUL for a blank.
fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t'..=b'\r' | b' ')
}
