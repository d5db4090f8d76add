//! What a client says of itself when it begins a TLS handshake (RFC 8446, 4.1.2), as its bytes say it.

use std::ops::Range;

use bytes::Bytes;

/// Bytes of a hello at the most, over all its records.
pub const LONGEST_HELLO: usize = (64 << 10) + 64;
/// Bytes in front of a record: its kind, version and length.
const RECORD: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The extension that names a host.
const SERVER_NAME: u16 = 0;

/// What a client says of itself when it begins a TLS handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// Its random bytes.
    pub random: [u8; 32],
    /// Its ciphers, by number, in its order.
    pub ciphers: Vec<u16>,
    bytes: Bytes,
    /// By number, in its order: where they are.
    extensions: Vec<(u16, Range<usize>)>,
}

impl ClientHello {
    /// Reads one from the records of which it is made; none if they do not hold a whole one.
    pub fn read(records: &[u8]) -> Option<Self> {
        let bytes = Bytes::from(message(records)?);
        let mut rest = Rest { bytes: &bytes, at: 0 };
        // The version, which says nothing any more.
        rest.take(2)?;
        let random = *rest.slice(32)?.first_chunk()?;
        let session = usize::from(rest.byte()?);
        rest.take(session)?;
        let length = rest.word()?;
        let ciphers = rest.slice(length.into())?;
        let ciphers = ciphers.as_chunks::<2>().0.iter().map(|two| u16::from_be_bytes(*two));
        let ciphers = ciphers.collect();
        let compressions = usize::from(rest.byte()?);
        rest.take(compressions)?;
        let extensions = rest.extensions()?;
        Some(Self { random, ciphers, bytes: bytes.clone(), extensions })
    }

    /// The numbers of its extensions, in its order.
    pub fn extensions(&self) -> impl Iterator<Item = u16> {
        self.extensions.iter().map(|(number, _)| *number)
    }

    /// What an extension says; none if it is not there.
    pub fn extension(&self, number: u16) -> Option<&[u8]> {
        let (_, place) = self.extensions.iter().find(|(known, _)| *known == number)?;
        self.bytes.get(place.clone())
    }

    /// The host that it names, as it is written.
    pub fn server_name(&self) -> Option<&[u8]> {
        let mut list = Rest { bytes: self.extension(SERVER_NAME)?, at: 2 };
        let kind = list.byte()?;
        let length = list.word()?;
        let name = list.slice(length.into())?;
        (kind == 0).then_some(name)
    }
}

/// Whether a number was made up by a client so that servers stay tolerant (RFC 8701).
pub fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0F == 0x0A
}

/// The body of the hello, without its records.
fn message(records: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut rest = Rest { bytes: records, at: 0 };
    loop {
        let whole = wanted(&message).is_some_and(|wanted| message.len() >= wanted);
        if whole || message.len() > LONGEST_HELLO {
            break;
        }
        let kind = rest.byte()?;
        rest.take(RECORD - 3)?;
        let length = rest.word()?;
        message.extend_from_slice(rest.slice(length.into())?);
        if kind != HANDSHAKE {
            return None;
        }
    }
    let wanted = wanted(&message)?;
    message.truncate(wanted);
    (message.first() == Some(&CLIENT_HELLO)).then(|| message.split_off(4))
}

/// Bytes of a message with its head, once that is there.
fn wanted(message: &[u8]) -> Option<usize> {
    let [_, high, middle, low] = message.first_chunk()?;
    Some(4 + usize::from(*high) * 65_536 + usize::from(*middle) * 256 + usize::from(*low))
}

struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<Range<usize>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let taken = self.at..end;
        self.at = end;
        Some(taken)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.take(length)?;
        self.bytes.get(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.slice(1)?.first().copied()
    }

    fn word(&mut self) -> Option<u16> {
        self.slice(2)?.first_chunk().map(|two| u16::from_be_bytes(*two))
    }

    /// The extensions to the end; a hello may have none at all.
    fn extensions(&mut self) -> Option<Vec<(u16, Range<usize>)>> {
        let mut extensions = Vec::new();
        if self.at == self.bytes.len() {
            return Some(extensions);
        }
        self.word()?;
        while self.at < self.bytes.len() {
            let number = self.word()?;
            let length = self.word()?;
            extensions.push((number, self.take(length.into())?));
        }
        Some(extensions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello with two ciphers, a host, and an extension without anything in it.
    fn body() -> Vec<u8> {
        let name = b"shop.example";
        let mut host = vec![0, name.len() as u8 + 3, 0, 0, name.len() as u8];
        host.extend_from_slice(name);
        let mut extensions = vec![0, 0, 0, host.len() as u8];
        extensions.extend_from_slice(&host);
        extensions.extend_from_slice(&[0x1A, 0x1A, 0, 0]);
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 4, 0x13, 0x01, 0xC0, 0x2F, 1, 0]);
        body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        body.extend_from_slice(&extensions);
        body
    }

    /// Over records of so many bytes.
    fn records(size: usize) -> Vec<u8> {
        let body = body();
        let mut message = vec![1, 0, 0, body.len() as u8];
        message.extend_from_slice(&body);
        let record = |part: &[u8]| [&[22, 3, 1, 0, part.len() as u8], part].concat();
        message.chunks(size).flat_map(record).collect()
    }

    #[test]
    fn a_hello_is_read_from_one_record_or_many() {
        for size in [1, 3, 40, 250] {
            let hello = ClientHello::read(&records(size)).unwrap();
            assert_eq!(hello.random, [7; 32]);
            assert_eq!(hello.ciphers, [0x1301, 0xC02F]);
            assert_eq!(hello.server_name(), Some(&b"shop.example"[..]));
            assert_eq!(hello.extensions().collect::<Vec<_>>(), [0, 0x1A1A]);
            assert_eq!(hello.extension(0x1A1A), Some(&b""[..]));
            assert_eq!(hello.extension(5), None);
        }
    }

    #[test]
    fn a_hello_that_is_cut_or_changed_is_none_or_another_and_never_worse() {
        let whole = records(40);
        for end in 0..whole.len() {
            assert_eq!(ClientHello::read(&whole[..end]), None, "{end} bytes");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut odd = whole.clone();
                odd[at] = byte;
                let hello = ClientHello::read(&odd);
                hello.map(|hello| hello.server_name().map(<[u8]>::len));
            }
        }
    }

    #[test]
    fn random_bytes_are_no_hello() {
        let mut state = 88_172_645_463_325_252_u64;
        for length in 0..2_000 {
            let byte = |_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            };
            let bytes: Vec<u8> = (0..length % 300).map(byte).collect();
            ClientHello::read(&bytes);
        }
    }

    #[test]
    fn numbers_that_are_made_up_are_told_apart() {
        assert!(is_grease(0x0A0A) && is_grease(0xFAFA));
        assert!(!is_grease(0x0A1A) && !is_grease(0x1301));
    }
}
