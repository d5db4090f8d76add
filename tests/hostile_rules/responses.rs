//! Responses that grow when they are unpacked, and such as only look packed.

use std::io::Write as _;

use super::{Attack, send, serves, usual, with_crs};
use crate::support::{Answer, Upstream};

/// What the process may hold more than before: rules look at half a megabyte.
const MEMORY: usize = 64 << 20;
/// How many usual requests one may cost: all rules of phase 4 look at half a megabyte.
const COST: u32 = 2000;

/// Sixteen megabytes of zeros, packed: each of the formats allows one after the other.
fn gzip() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&vec![0; 16 << 20]).unwrap();
    encoder.finish().unwrap()
}

fn deflate() -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&vec![0; 16 << 20]).unwrap();
    encoder.finish().unwrap()
}

fn brotli() -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut packed, 1 << 16, 2, 22);
    encoder.write_all(&vec![0; 16 << 20]).unwrap();
    drop(encoder);
    packed
}

/// A gigabyte in 32 KiB: 8192 blocks that each say one byte 131,072 times.
fn zstd() -> Vec<u8> {
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    for block in 0..8192_u32 {
        let head = u32::from(block == 8191) | 1 << 1 | (128 << 10) << 3;
        packed.extend(&head.to_le_bytes()[..3]);
        packed.push(b' ');
    }
    packed
}

#[test]
fn responses_that_grow_when_they_are_unpacked_cost_bounded_time_and_memory() {
    let random: Vec<u8> =
        (0..1_u32 << 16).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let bombs = [
        ("/gzip", "gzip", gzip().repeat(64)),
        ("/deflate", "deflate", deflate()),
        ("/brotli", "br", brotli()),
        ("/zstd", "zstd", zstd()),
        ("/twice", "gzip, gzip", gzip()),
        ("/no-gzip", "gzip", random.clone()),
        ("/no-brotli", "br", random.clone()),
        ("/no-zstd", "zstd", random),
        ("/cut", "gzip", gzip()[..100].to_vec()),
        ("/unknown", "snappy", b"a".repeat(1 << 20)),
        ("/plain", "identity", b"<?php ' error in SQL".repeat(1 << 16)),
    ];
    let upstream = Upstream::start();
    for (path, encoding, body) in &bombs {
        let fields = [("Content-Type", "text/html"), ("Content-Encoding", encoding)];
        upstream.answer(path, Answer::with(200, &fields, body));
    }
    let mut moongate = with_crs(&upstream);
    let usual = usual(&moongate);
    let before = moongate.rss();
    for (mark, (path, _, _)) in bombs.iter().enumerate() {
        let outcome = send(&mut moongate, &Attack::new(*path).target(*path), mark);
        let more = moongate.rss().saturating_sub(before);
        eprintln!("{path:12} {} {:>8.0?} {} MiB more", outcome.status, outcome.cpu, more >> 20);
        assert!(outcome.cpu < usual * COST, "{path}: {:?} of {usual:?}", outcome.cpu);
        assert!(more < MEMORY, "{path}: {} MiB", more >> 20);
        serves(&moongate);
    }
}
