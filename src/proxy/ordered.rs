//! The head of a site's answer: its fields in nginx's order, which scripts and clients may count on.

use super::framing::SWITCHING;
use super::head::is_token;
use super::{respond, wire};
use crate::phases::Exchange;
use crate::transaction::{Header, Headers, Response};
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
const CONTENT_LENGTH: u8 = 3;
const TRANSFER_ENCODING: u8 = 6;

/// Fields whose places are remembered; those of others are looked up again.
const REMEMBERED: usize = 16;

/// Bytes for which there is room at once: most heads are shorter.
const ROOM: usize = 512;

/// Where a field stands: at a place of [`FIRST`], or at one of these.
type Stand = u8;

/// After the others.
const REST: Stand = FIRST.len() as Stand;
/// Nowhere: what it says is ours to say.
const NOWHERE: Stand = REST + 1;

/// Where a field of that name stands; most are told apart by their lengths.
fn stand(name: &[u8]) -> Stand {
    let (known, stand) = match name.len() {
        4 => ("date", 1),
        6 => ("server", 0),
        8 => ("location", 5),
        10 => ("connection", NOWHERE),
        12 => ("content-type", 2),
        13 => ("last-modified", 4),
        14 => ("content-length", CONTENT_LENGTH),
        17 => ("transfer-encoding", TRANSFER_ENCODING),
        _ => return REST,
    };
    if name.eq_ignore_ascii_case(known.as_bytes()) { stand } else { REST }
}

/// The fields of a head, and where each stands.
struct Ordered<'a> {
    fields: &'a [Header],
    stands: [Stand; REMEMBERED],
    /// The stands that are taken, by their bits.
    taken: u16,
}

impl<'a> Ordered<'a> {
    fn of(headers: &'a Headers) -> Self {
        let fields = headers.iter().as_slice();
        let (mut stands, mut taken) = ([REST; REMEMBERED], 0);
        for (field, known) in fields.iter().zip(&mut stands) {
            *known = stand(&field.name);
            taken |= 1 << *known;
        }
        for field in fields.iter().skip(REMEMBERED) {
            taken |= 1 << stand(&field.name);
        }
        Self { fields, stands, taken }
    }

    /// Writes those that stand there; false if one of them cannot be written.
    #[inline]
    fn write(&self, out: &mut Vec<u8>, wanted: Stand) -> bool {
        self.taken & (1 << wanted) == 0 || self.write_those(out, wanted)
    }

    fn write_those(&self, out: &mut Vec<u8>, wanted: Stand) -> bool {
        let remembered = self.fields.iter().zip(&self.stands);
        let remembered = remembered.filter(|(_, known)| **known == wanted).map(|(field, _)| field);
        let others = self.fields.iter().skip(REMEMBERED);
        let others = others.filter(|field| stand(&field.name) == wanted);
        let mut sound = true;
        for field in remembered.chain(others) {
            if wanted == REST {
                sound &= wire::field(out, &field.name, &field.value);
            } else {
                wire::tame_field(out, &field.name, &field.value);
            }
        }
        sound
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

/// Whether a head could be written, where nobody gets it: a script that asked takes its fields as they are.
pub(super) fn could_write(response: &Response) -> Option<()> {
    let sound = |field: &Header| !field.name.is_empty() && is_token(&field.name);
    let has_status = (100..1000).contains(&response.status);
    let mut others = response.headers.iter().filter(|field| stand(&field.name) == REST);
    (has_status && others.all(sound)).then_some(())
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
    out.reserve(ROOM);
    let mut sound = wire::own_status_line(out, response.status);
    let fields = Ordered::of(&response.headers);
    for stand in 0..REST {
        match (stand, end) {
            (CONTENT_LENGTH, (Some(length), _)) => wire::content_length(out, length),
            (TRANSFER_ENCODING, (None, Framing::Chunked)) => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            }
            _ => sound &= fields.write(out, stand),
        }
    }
    let connection: &[u8] = match goes_on {
        _ if response.status == SWITCHING => b"Connection: upgrade\r\n",
        true => b"Connection: keep-alive\r\n",
        false => b"Connection: close\r\n",
    };
    out.extend_from_slice(connection);
    sound &= fields.write(out, REST);
    out.extend_from_slice(b"\r\n");
    if !sound {
        out.clear();
    }
    sound.then_some(())
}

#[cfg(test)]
mod tests {
    use super::{FIRST, NOWHERE, REST, stand};

    #[test]
    fn each_name_stands_where_the_list_says() {
        for (place, name) in FIRST.iter().enumerate() {
            assert_eq!(usize::from(stand(name.to_uppercase().as_bytes())), place, "{name}");
        }
        assert_eq!(stand(b"Connection"), NOWHERE);
        for other in ["", "etag", "keep-alive", "content-tyre", "x-powered-by"] {
            assert_eq!(stand(other.as_bytes()), REST, "{other}");
        }
    }
}
