//! `Content-Encoding` undone, so that rules see a body as its reader will.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Codings that may be stacked.
const MOST_CODINGS: usize = 4;
/// Bytes that a zstd frame may look back, as RFC 9659 has it for HTTP.
const ZSTD_WINDOW: u64 = 8 << 20;
/// An empty last block of a zstd frame, and a checksum that nobody compares.
const ZSTD_END: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

/// A body without its codings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// What came out; the body as it came if it has no coding.
    pub bytes: Cow<'a, [u8]>,
    /// Whether there would be more than the limit.
    pub cut: bool,
    /// What is wrong; what could be read before the fault is there.
    pub fault: Option<Fault>,
}

/// Why a body could not be decoded, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are not of that coding, or end too early.
    #[error("a body that is not what its Content-Encoding says, or not whole")]
    Malformed,
    /// More codings than four are stacked: a bomb.
    #[error("too many codings in Content-Encoding")]
    TooMany,
    /// A coding that is not spoken here.
    #[error("an unknown coding in Content-Encoding")]
    Unknown,
}

/// Undoes the codings that `encoding`, a `Content-Encoding` field, names (several are separated by
/// commas, the last one is undone first). No step gives more than `limit` bytes; besides these,
/// memory is needed for what a coding looks back: 16 MiB at the most.
pub fn decode<'a>(encoding: &[u8], body: &'a [u8], limit: usize) -> Decoded<'a> {
    let mut decoded = Decoded { bytes: Cow::Borrowed(body), cut: false, fault: None };
    match codings(encoding) {
        Ok(codings) => codings.into_iter().rev().for_each(|coding| decoded.undo(coding, limit)),
        Err(fault) => decoded.fault = Some(fault),
    }
    decoded.cut_to(limit);
    decoded
}

impl Decoded<'_> {
    fn undo(&mut self, coding: Coding, limit: usize) {
        if self.fault.is_some() && self.bytes.is_empty() {
            return;
        }
        let (bytes, whole) = coding.decode(&self.bytes, limit);
        // Behind a cut, what comes next cannot be whole.
        if !whole && !self.cut {
            self.fault = Some(Fault::Malformed);
        }
        self.bytes = Cow::Owned(bytes);
        self.cut_to(limit);
    }

    fn cut_to(&mut self, limit: usize) {
        if self.bytes.len() <= limit {
            return;
        }
        self.cut = true;
        match &mut self.bytes {
            Cow::Borrowed(bytes) => *bytes = bytes.get(..limit).unwrap_or_default(),
            Cow::Owned(bytes) => bytes.truncate(limit),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

/// The codings that a field names, in its order.
fn codings(encoding: &[u8]) -> Result<Vec<Coding>, Fault> {
    let mut codings = Vec::new();
    for name in encoding.split(|byte| *byte == b',') {
        codings.push(match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => continue,
            b"br" => Coding::Brotli,
            b"deflate" => Coding::Deflate,
            b"gzip" | b"x-gzip" => Coding::Gzip,
            b"zstd" => Coding::Zstd,
            _ => return Err(Fault::Unknown),
        });
    }
    if codings.len() > MOST_CODINGS { Err(Fault::TooMany) } else { Ok(codings) }
}

impl Coding {
    /// What the body means, one byte more than `limit` at the most, and whether it is whole.
    fn decode(self, body: &[u8], limit: usize) -> (Vec<u8>, bool) {
        match self {
            _ if body.is_empty() => (Vec::new(), true),
            Self::Brotli => read(brotli::Decompressor::new(body, 4096), limit),
            Self::Deflate => deflate(body, limit),
            Self::Gzip => read(MultiGzDecoder::new(body), limit),
            Self::Zstd => zstd(body, limit),
        }
    }
}

fn read(reader: impl Read, limit: usize) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let end = reader.take((limit as u64).saturating_add(1)).read_to_end(&mut out);
    (out, end.is_ok())
}

/// zlib's frame by the standard; some servers send the bare stream.
fn deflate(body: &[u8], limit: usize) -> (Vec<u8>, bool) {
    let framed = read(ZlibDecoder::new(body), limit);
    if framed.0.is_empty() && !framed.1 { read(DeflateDecoder::new(body), limit) } else { framed }
}

/// Frame by frame, block by block.
fn zstd(body: &[u8], limit: usize) -> (Vec<u8>, bool) {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(ZSTD_WINDOW);
    let mut out = Vec::new();
    let mut rest = body;
    while !rest.is_empty() && out.len() <= limit {
        let whole = match decoder.init(&mut rest) {
            Ok(()) => frame(&mut decoder, &mut rest, &mut out, limit),
            Err(error) => skip(&error, &mut rest),
        };
        if !whole {
            return (out, false);
        }
    }
    (out, true)
}

/// Appends what a frame means; whether it is whole (or the limit is reached).
fn frame(decoder: &mut FrameDecoder, rest: &mut &[u8], out: &mut Vec<u8>, limit: usize) -> bool {
    let mut whole = true;
    while out.len() <= limit && !(decoder.is_finished() && decoder.can_collect() == 0) {
        if !decoder.is_finished() {
            let block = decoder.decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBlocks(1));
            // The decoder keeps what later blocks may look back at until the last one is there: so
            // a frame that breaks off gets one.
            if block.is_err() {
                whole = false;
                if decoder.decode_blocks(&ZSTD_END[..], BlockDecodingStrategy::All).is_err() {
                    return false;
                }
            }
        }
        let room = (limit - out.len()) as u64 + 1;
        whole &= (&mut *decoder).take(room).read_to_end(out).is_ok();
    }
    whole
}

/// Skips a frame that is not for us; whether it was one, and all there.
fn skip(error: &FrameDecoderError, rest: &mut &[u8]) -> bool {
    let FrameDecoderError::ReadFrameHeaderError(header) = error else { return false };
    let ReadFrameHeaderError::SkipFrame { length, .. } = header else { return false };
    let after = rest.get(*length as usize..);
    *rest = after.unwrap_or_default();
    after.is_some()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::{Fault, decode};

    fn encode(coding: &str, body: &[u8]) -> Vec<u8> {
        let fast = Compression::fast();
        match coding {
            "br" => {
                let mut out = Vec::new();
                let params = brotli::enc::BrotliEncoderParams { quality: 3, ..Default::default() };
                brotli::BrotliCompress(&mut &body[..], &mut out, &params).unwrap();
                out
            }
            "raw" => {
                let mut encoder = DeflateEncoder::new(Vec::new(), fast);
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), fast);
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), fast);
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
            _ => compress_to_vec(body, CompressionLevel::Fastest),
        }
    }

    /// Compressible, but not all the same.
    fn text(lines: usize) -> Vec<u8> {
        (0..lines)
            .flat_map(|line| format!("line {} of moongate\n", line * 7919).into_bytes())
            .collect()
    }

    #[test]
    fn each_coding_is_undone() {
        let body = text(20_000);
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let decoded = encode(coding, &body);
            let decoded = decode(coding.as_bytes(), &decoded, body.len());
            assert_eq!((decoded.cut, decoded.fault), (false, None), "{coding}");
            assert!(decoded.bytes == body, "{coding}");
        }
        let raw = encode("raw", &body);
        assert!(decode(b"deflate", &raw, body.len()).bytes == body);
        let gzip = encode("gzip", &body);
        assert!(decode(b"X-Gzip", &gzip, body.len()).bytes == body);
    }

    #[test]
    fn stacked_codings_are_undone_last_one_first() {
        let body = text(100);
        let both = encode("br", &encode("gzip", &body));
        assert_eq!(decode(b"gzip , BR", &both, 1 << 20).bytes, body);
        assert_eq!(decode(b"gzip,gzip,gzip,gzip,gzip", &both, 100).fault, Some(Fault::TooMany));
    }

    #[test]
    fn without_a_coding_the_body_stays_where_it_is() {
        for encoding in ["", "identity", " , identity"] {
            let decoded = decode(encoding.as_bytes(), b"body", 100);
            assert!(matches!(decoded.bytes, std::borrow::Cow::Borrowed(b"body")));
        }
        assert_eq!(
            (&*decode(b"", b"body", 2).bytes, decode(b"", b"body", 2).cut),
            (&b"bo"[..], true)
        );
        let unknown = decode(b"compress", b"body", 100);
        assert_eq!((&*unknown.bytes, unknown.fault), (&b"body"[..], Some(Fault::Unknown)));
    }

    #[test]
    fn a_body_that_breaks_off_is_read_as_far_as_it_goes() {
        let body = text(50_000);
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let whole = encode(coding, &body);
            let decoded = decode(coding.as_bytes(), &whole[..whole.len() / 2], 10 << 20);
            assert_eq!((decoded.cut, decoded.fault), (false, Some(Fault::Malformed)), "{coding}");
            assert!(body.starts_with(&decoded.bytes), "{coding}");
            assert!(decoded.bytes.len() > body.len() / 4, "{coding}: {}", decoded.bytes.len());
            let decoded = decode(coding.as_bytes(), b"<html>not encoded", 100);
            assert_eq!(decoded.fault, Some(Fault::Malformed), "{coding}");
            assert_eq!(decode(coding.as_bytes(), b"", 100).fault, None);
        }
    }

    #[test]
    fn a_bomb_is_cut_at_the_limit() {
        let zeros = vec![0; 8 << 20];
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let bomb = encode(coding, &zeros);
            assert!(bomb.len() < 200_000, "{coding}: {}", bomb.len());
            let decoded = decode(coding.as_bytes(), &bomb, 1000);
            assert_eq!((decoded.cut, decoded.fault), (true, None), "{coding}");
            assert_eq!(*decoded.bytes, [0; 1000]);
            let twice = encode("gzip", &bomb);
            let decoded = decode(format!("{coding}, gzip").as_bytes(), &twice, 100_000);
            assert!(decoded.cut && decoded.bytes.len() <= 100_000, "{coding}");
        }
    }

    #[test]
    fn zstd_frames_follow_each_other_and_some_are_skipped() {
        let frame = encode("zstd", b"moongate");
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let body = [&frame[..], &skipped, &frame].concat();
        let decoded = decode(b"zstd", &body, 100);
        assert_eq!((&*decoded.bytes, decoded.fault), (&b"moongatemoongate"[..], None));
        let decoded = decode(b"zstd", &body[..frame.len() + 9], 100);
        assert_eq!((&*decoded.bytes, decoded.fault), (&b"moongate"[..], Some(Fault::Malformed)));
    }

    #[test]
    fn a_zstd_window_beyond_what_http_allows_is_refused() {
        let window = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0];
        assert_eq!(decode(b"zstd", &window(13), 100).fault, None);
        assert_eq!(decode(b"zstd", &window(14), 100).fault, Some(Fault::Malformed));
    }
}
