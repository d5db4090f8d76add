//! Header values as Pingora writes them.

use bytes::Bytes;
use http::HeaderValue;

/// A value for the wire. Control characters (which a script may have put there) become spaces: no
/// value may end its line.
pub(super) fn value(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes.clone()).unwrap_or_else(|_| {
        let tame = |byte: &u8| if *byte >= b' ' && *byte != 0x7f { *byte } else { b' ' };
        let tamed: Vec<u8> = bytes.iter().map(tame).collect();
        HeaderValue::from_bytes(&tamed).unwrap_or(HeaderValue::from_static(""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_end_its_line() {
        assert_eq!(value(Bytes::from_static(b"a\r\nSet-Cookie: b")), "a  Set-Cookie: b");
        assert_eq!(value(Bytes::from_static(b"caf\xc3\xa9\t.")).as_bytes(), b"caf\xc3\xa9\t.");
    }
}
