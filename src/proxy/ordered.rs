//! The head of a site's answer: its fields in nginx's order, which scripts and clients may count on.

use super::framing::SWITCHING;
use super::{respond, wire};
use crate::phases::Exchange;
use crate::transaction::{Headers, Response, reason};
use crate::upstream::Framing;

/// What comes first, in this order; the rest as it came.
const FIRST: [&str; 7] = [
    "server",
    "date",
    "content-type",
    "content-length",
    "last-modified",
    "location",
    "transfer-encoding",
];
const CONTENT_LENGTH: usize = 3;
const TRANSFER_ENCODING: usize = 6;

/// Fields whose places are remembered; those of others are looked up again.
const REMEMBERED: usize = 16;

/// Where a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// At this place of [`FIRST`].
    First(usize),
    /// Nowhere: what it says is ours to say.
    Nowhere,
    /// After the others.
    Rest,
}

impl Stand {
    /// That of a name, of which most are told apart by their lengths.
    fn of(name: &[u8]) -> Self {
        let (known, stand) = match name.len() {
            4 => ("date", Self::First(1)),
            6 => ("server", Self::First(0)),
            8 => ("location", Self::First(5)),
            10 => ("connection", Self::Nowhere),
            12 => ("content-type", Self::First(2)),
            13 => ("last-modified", Self::First(4)),
            14 => ("content-length", Self::First(CONTENT_LENGTH)),
            17 => ("transfer-encoding", Self::First(TRANSFER_ENCODING)),
            _ => return Self::Rest,
        };
        if name.eq_ignore_ascii_case(known.as_bytes()) { stand } else { Self::Rest }
    }
}

/// Puts in what a site says of itself, so that handlers can change it.
pub(super) fn introduce(exchange: &Exchange, headers: &mut Headers) {
    let Some(server) = &exchange.plan().serving.server else { return };
    if !headers.contains("server") {
        headers.append("Server", server.clone());
    }
    if !headers.contains("date") {
        headers.append("Date", wire::now());
    }
}

/// Writes a head to its end: in nginx's order where its site introduces itself, else ours last. None if
/// it cannot be written.
pub(super) fn write(
    out: &mut Vec<u8>,
    exchange: &Exchange,
    response: &Response,
    end: (Option<u64>, Framing),
    goes_on: bool,
) -> Option<()> {
    if exchange.plan().serving.server.is_none() {
        respond::head(out, response, &respond::OURS)?;
        wire::end(out, end, goes_on);
        return Some(());
    }
    let mut sound = wire::status_line(out, response.status, reason(response.status).as_bytes());
    let mut stands = [Stand::Rest; REMEMBERED];
    let fields = response.headers.iter();
    stands.iter_mut().zip(fields).for_each(|(stand, field)| *stand = Stand::of(&field.name));
    let standing = |wanted: Stand| {
        response.headers.iter().enumerate().filter_map(move |(place, field)| {
            let stand = stands.get(place).copied();
            (stand.unwrap_or_else(|| Stand::of(&field.name)) == wanted).then_some(field)
        })
    };
    for place in 0..FIRST.len() {
        match (place, end) {
            (CONTENT_LENGTH, (Some(length), _)) => wire::content_length(out, length),
            (TRANSFER_ENCODING, (None, Framing::Chunked)) => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            }
            _ => {
                for field in standing(Stand::First(place)) {
                    sound &= wire::field(out, &field.name, &field.value);
                }
            }
        }
    }
    let connection: &[u8] = match goes_on {
        _ if response.status == SWITCHING => b"Connection: upgrade\r\n",
        true => b"Connection: keep-alive\r\n",
        false => b"Connection: close\r\n",
    };
    out.extend_from_slice(connection);
    for field in standing(Stand::Rest) {
        sound &= wire::field(out, &field.name, &field.value);
    }
    out.extend_from_slice(b"\r\n");
    if !sound {
        out.clear();
    }
    sound.then_some(())
}

#[cfg(test)]
mod tests {
    use super::{FIRST, Stand};

    #[test]
    fn each_name_stands_where_the_list_says() {
        for (place, name) in FIRST.iter().enumerate() {
            assert_eq!(Stand::of(name.to_uppercase().as_bytes()), Stand::First(place), "{name}");
        }
        assert_eq!(Stand::of(b"Connection"), Stand::Nowhere);
        for other in ["", "etag", "keep-alive", "content-tyre", "x-powered-by"] {
            assert_eq!(Stand::of(other.as_bytes()), Stand::Rest, "{other}");
        }
    }
}
