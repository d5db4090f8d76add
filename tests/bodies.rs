//! Bodies of any format: cut anywhere, broken anywhere, and made to cost as much as they can.

use std::io::Write;
use std::time::Duration;

use moongate::transaction::args::{Format, Limits, Parsed, Parser, XPath, cookies, query};
use moongate::transaction::encoding::decode;
use serde_json::Value;

/// What reading one hostile body may take of this thread, without optimization.
const BUDGET: Duration = Duration::from_secs(2);

const FORMATS: [(Format, &str); 4] = [
    (Format::Json, "application/json"),
    (Format::Multipart, "multipart/form-data; boundary=XX"),
    (Format::UrlEncoded, "application/x-www-form-urlencoded"),
    (Format::Xml, "text/xml"),
];

/// Numbers that only look random (xorshift): a failure comes again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn cpu_of_this_thread() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Runs something hostile, which must not take longer than it may.
fn within_budget<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let before = cpu_of_this_thread();
    let result = run();
    let took = cpu_of_this_thread() - before;
    eprintln!("{what:40} {took:>10.1?}");
    assert!(took < BUDGET, "{what}: {took:?}");
    result
}

fn read(format: Format, body: &[u8]) -> Parsed {
    let (_, content_type) = FORMATS.iter().find(|(it, _)| *it == format).unwrap();
    read_in_pieces(format, content_type, Limits::default(), &[body])
}

fn read_in_pieces(format: Format, kind: &str, limits: Limits, pieces: &[&[u8]]) -> Parsed {
    let mut parser = Parser::new(format, kind.as_bytes(), limits);
    let Some((last, before)) = pieces.split_last() else { return parser.finish() };
    for piece in before {
        parser.feed(piece);
    }
    parser.end(last)
}

/// Words of all formats: out of them come bodies that are nearly right.
const WORDS: &[&str] = &[
    "--XX\r\n",
    "--XX--\r\n",
    "--XX",
    "--",
    "\r\n",
    "\n",
    "\r",
    "--YY\r\n",
    " ",
    "\t",
    "\u{b}",
    "Content-Disposition: form-data; name=\"a\"\r\n\r\n",
    "Content-Disposition: form-data; name=b; filename=\"f\"\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Disposition:",
    " form-data;",
    " name=",
    "filename*=UTF-8''x",
    "\"",
    "'",
    "\\",
    ";",
    ":",
    "=",
    "&",
    "%",
    "%41",
    "%zz",
    "+",
    "a",
    "b",
    "é",
    "\0",
    "{",
    "}",
    "[",
    "]",
    ",",
    "{\"a\":",
    "[1,",
    "\"b\"",
    "true",
    "null",
    "-1.5e3",
    "\\u0041",
    "\\ud83d",
    "\\ude00",
    "<a>",
    "</a>",
    "<b c='d'>",
    "</b>",
    "<e f=\"g\"/>",
    "&lt;",
    "&#65;",
    "&nope;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "?>",
    "<!DOCTYPE a [",
    "]>",
    "<!ENTITY x 'y'>",
    "xmlns:p='urn:p'",
    "<p:q>",
    "<",
    ">",
    "/",
    "<?xml version='1.0' encoding='ascii'?>",
    "0123456789",
];

fn nearly_right(chance: &mut Chance) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..chance.below(40) {
        match chance.below(30) {
            0 => body.extend((0..chance.below(20)).map(|_| chance.below(256) as u8)),
            1 => body.extend(std::iter::repeat_n(b'x', 4070 + chance.below(60))),
            _ => body.extend_from_slice(chance.pick(WORDS).as_bytes()),
        }
    }
    body
}

/// Cuts a body into pieces of random lengths, some of them empty.
fn cut<'a>(body: &'a [u8], chance: &mut Chance) -> Vec<&'a [u8]> {
    let longest = chance.pick(&[1, 3, 20, 5000]);
    let mut pieces = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(chance.below(longest + 1).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[test]
fn where_a_body_is_cut_makes_no_difference() {
    let mut chance = Chance(0x6d6f_6f6e);
    let mut faultless = 0;
    for turn in 0..6000 {
        let (format, content_type) = chance.pick(&FORMATS);
        let mut body = nearly_right(&mut chance);
        if format == Format::Multipart && chance.below(4) > 0 {
            body.splice(0..0, *b"--XX\r\nContent-Disposition: form-data; name=c\r\n\r\n1\r\n");
        }
        let limits = match chance.below(3) {
            0 => Limits {
                arguments: 3,
                depth: 4,
                without_files: 200,
                file_content: 50,
                files: 1,
                ..Limits::default()
            },
            _ => Limits { file_content: 10, ..Limits::default() },
        };
        let whole = read_in_pieces(format, content_type, limits.clone(), &[&body]);
        let pieces = cut(&body, &mut chance);
        let pieces = read_in_pieces(format, content_type, limits.clone(), &pieces);
        assert_eq!(
            format!("{whole:?}"),
            format!("{pieces:?}"),
            "turn {turn}: {format:?} {limits:?} {}",
            body.escape_ascii()
        );
        faultless += usize::from(whole.error.is_none() && !body.is_empty());
    }
    assert!(faultless > 1000, "{faultless} bodies only were without a fault");
}

#[test]
fn limits_hold_whatever_the_body() {
    let mut chance = Chance(0x6761_7465);
    for _ in 0..4000 {
        let (format, content_type) = chance.pick(&FORMATS);
        let body = nearly_right(&mut chance);
        let limits = Limits { arguments: 4, without_files: 300, ..Limits::default() };
        let parsed = read_in_pieces(format, content_type, limits, &[&body]);
        assert!(parsed.args.len() + parsed.files.len() <= 4);
        let values: usize = parsed.args.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(values <= 4 * 300 + (64 << 10) + 2 * 4400, "{values}");
    }
}

/// A document, the text of which says what [`flat`] tells.
fn document(chance: &mut Chance, depth: usize) -> Value {
    const TEXTS: &[&str] =
        &["", "a", "é", "😀", "\"", "\\", "/", "\n\t\u{1}", "\u{7f}", "<script>", "a.b"];
    match chance.below(if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(chance.below(2) == 0),
        2 => Value::from(chance.below(1 << 40) as i64 - (1 << 39)),
        3 | 4 => (0..chance.below(4)).map(|_| chance.pick(TEXTS)).collect::<String>().into(),
        5 => (0..chance.below(5)).map(|_| document(chance, depth - 1)).collect(),
        _ => {
            let key = |chance: &mut Chance| chance.pick(TEXTS).repeat(1 + chance.below(2));
            let members = (0..chance.below(5)).map(|_| (key(chance), document(chance, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

fn flat(value: &Value, name: &str, out: &mut Vec<(String, String)>) {
    let nested = name.len() > 4;
    let text = match value {
        Value::Array(items) if !items.is_empty() => {
            let named = items.iter().enumerate();
            return named.for_each(|(index, item)| flat(item, &format!("{name}.{index}"), out));
        }
        Value::Object(members) if !members.is_empty() => {
            return members
                .iter()
                .for_each(|(key, item)| flat(item, &format!("{name}.{key}"), out));
        }
        Value::Array(_) | Value::Object(_) if !nested => return,
        Value::Array(_) | Value::Object(_) | Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    out.push((name.to_owned(), text));
}

#[test]
fn json_says_what_another_reader_says() {
    let mut chance = Chance(0x6a73_6f6e);
    let mut leaves = 0;
    for _ in 0..4000 {
        let value = document(&mut chance, 5);
        let mut wanted = Vec::new();
        flat(&value, "json", &mut wanted);
        if wanted.len() > 1000 {
            continue;
        }
        let texts = [value.to_string(), serde_json::to_string_pretty(&value).unwrap()];
        for text in texts {
            let parsed = read(Format::Json, text.as_bytes());
            assert_eq!(parsed.error, None, "{text}");
            let shown = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let said: Vec<_> = parsed.args.iter().map(|(n, v)| (shown(n), shown(v))).collect();
            assert_eq!(said, wanted, "{text}");
        }
        leaves += wanted.len();
    }
    assert!(leaves > 5_000, "{leaves}");
}

#[test]
fn json_is_refused_where_another_reader_refuses_it() {
    let mut chance = Chance(0x7265_6675);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut text = document(&mut chance, 3).to_string();
        for _ in 0..chance.below(3) {
            let mut places = text.char_indices().map(|(place, _)| place);
            let place = places.nth(chance.below(text.chars().count())).unwrap();
            match chance.below(3) {
                0 => drop(text.remove(place)),
                1 => text.truncate(place),
                _ => text.insert_str(place, chance.pick(WORDS)),
            }
            if text.is_empty() {
                text.push('1');
            }
        }
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        let ours = read(Format::Json, text.as_bytes()).error;
        assert_eq!(theirs.is_err(), ours.is_some(), "{text:?}: {theirs:?}, {ours:?}");
        *(if ours.is_none() { &mut taken } else { &mut refused }) += 1;
    }
    assert!(taken > 2000 && refused > 2000, "{taken} taken, {refused} refused");
}

#[test]
fn a_million_of_anything_is_an_error_soon() {
    let part = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
    let empty_file = "--XX\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n\r\n";
    let bodies = [
        (Format::UrlEncoded, "a=1&".repeat(1_000_000)),
        (Format::UrlEncoded, "&".repeat(1_000_000)),
        (Format::UrlEncoded, "%".repeat(2_000_000)),
        (Format::UrlEncoded, "a".repeat(2_000_000)),
        (Format::Json, format!("[{}1]", "1,".repeat(1_000_000))),
        (Format::Json, format!("[{}1]", "[],".repeat(1_000_000))),
        (Format::Json, "[".repeat(100_000)),
        (Format::Json, format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
        (Format::Json, "{\"a\":".repeat(100_000)),
        (Format::Json, format!("\"{}", "\\u".repeat(1_000_000))),
        (Format::Json, format!("\"{}", "\\ud800".repeat(300_000))),
        (Format::Json, format!("[{}]", "\"".repeat(1_000_001))),
        (Format::Json, "1".repeat(2_000_000)),
        (Format::Multipart, part.repeat(1_000_000)),
        (Format::Multipart, empty_file.repeat(1_000_000)),
        (Format::Multipart, "--XX\r\n".repeat(1_000_000)),
        (Format::Multipart, format!("--XX\r\nX: {}", "x".repeat(2_000_000))),
        (Format::Multipart, format!("--XX\r\n{}", "x: y\r\n".repeat(500_000))),
        (Format::Multipart, format!("--XX\r\nx:\r\n{}", " y\r\n".repeat(500_000))),
        (Format::Multipart, format!("{part}{}", "--\r\n".repeat(500_000))),
        (Format::Multipart, format!("{part}{}", "--X".repeat(700_000))),
        (Format::Multipart, format!("{part}{}", "\n".repeat(2_000_000))),
        (Format::Multipart, format!("{}--XX--", "\r".repeat(2_000_000))),
        (Format::Xml, "<a>".repeat(300_000)),
        (Format::Xml, format!("<a>{}</a>", "<b/>".repeat(250_000))),
        (Format::Xml, format!("<a>{}</a>", "</b>".repeat(250_000))),
        (Format::Xml, format!("<a {}/>", "b='1' ".repeat(150_000))),
        (Format::Xml, format!("<a {}/>", "b ".repeat(500_000))),
        (Format::Xml, format!("<a {}/>", "xmlns:a='1' ".repeat(80_000))),
        (Format::Xml, "<a/>".repeat(250_000)),
        (Format::Xml, format!("<a>{}</a>", "&".repeat(1_000_000))),
        (Format::Xml, format!("<a>{}</a>", "&x".repeat(500_000))),
        (Format::Xml, "<!--".repeat(250_000)),
        (Format::Xml, "<![CDATA[".repeat(100_000)),
        (Format::Xml, "<!DOCTYPE a [".repeat(80_000)),
        (Format::Xml, "<".repeat(1_000_000)),
        (Format::Xml, "<a b='".repeat(160_000)),
    ];
    for (format, body) in bodies {
        let what = format!("{format:?} {}", body.get(..24).unwrap_or(&body).escape_debug());
        let parsed = within_budget(&what, || read(format, body.as_bytes()));
        assert!(parsed.error.is_some(), "{what}");
        assert!(parsed.args.len() <= 1000 && parsed.files.len() <= 1000, "{what}");
    }
}

#[test]
fn half_a_megabyte_of_references_is_read_at_once() {
    let body = format!("<a b='{0}'>{0}</a>", "&gt;".repeat(68_000));
    let parsed = within_budget("references", || read(Format::Xml, body.as_bytes()));
    assert_eq!(parsed.error, None);
    let document = parsed.xml.unwrap();
    for path in ["/*", "//@*"] {
        let values = document.select(&XPath::parse(path).unwrap());
        assert_eq!((values.len(), values[0].len()), (1, 68_000), "{path}");
    }
}

#[test]
fn entities_that_multiply_are_not_expanded() {
    let declarations: String = (1..10)
        .map(|level| format!("<!ENTITY l{level} '{}'>", format!("&l{};", level - 1).repeat(10)))
        .collect();
    let body = format!("<!DOCTYPE a [<!ENTITY l0 'lol'>{declarations}]><a>&l9;</a>");
    let parsed = within_budget("a billion laughs", || read(Format::Xml, body.as_bytes()));
    assert!(parsed.error.unwrap().contains("not expanded"));
    let text = parsed.xml.unwrap();
    assert!(text.select(&XPath::parse("/*").unwrap())[0].len() < 2 * body.len());
}

#[test]
fn a_large_file_costs_no_memory() {
    let head = b"--XX\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n";
    let mut parser =
        Parser::new(Format::Multipart, b"multipart/form-data; boundary=XX", Limits::default());
    parser.feed(head);
    let piece: Vec<u8> = (0..1 << 20).map(|byte: u32| (byte.wrapping_mul(31) >> 3) as u8).collect();
    within_budget("a file of 16 MiB", || (0..16).for_each(|_| parser.feed(&piece)));
    parser.feed(b"\r\n--XX--\r\n");
    let parsed = parser.finish();
    assert_eq!((parsed.files[0].size, parsed.error.as_deref()), (16 << 20, None));
    assert!(parsed.files[0].content.is_empty());
}

#[test]
fn a_long_query_and_many_cookies_are_read_at_once() {
    let text = "a=1&".repeat(1_000_000);
    let parsed = within_budget("a query", || query(text.as_bytes(), &Limits::default()));
    assert_eq!((parsed.args.len(), parsed.error.is_some()), (1000, true));
    let field = "a=1; ".repeat(100_000);
    assert_eq!(within_budget("cookies", || cookies(field.as_bytes())).len(), 100_000);
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn brotli(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality: 3, ..Default::default() };
    brotli::BrotliCompress(&mut &body[..], &mut out, &params).unwrap();
    out
}

fn zstd(body: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn bombs_of_each_coding_stop_at_the_limit() {
    let zeros = vec![0; 16 << 20];
    let empty_frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3, 1, 0, 0];
    let endless_frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0x50][..], &[2, 0, 16, 0].repeat(100_000)];
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("gzip, gzip", gzip(&gzip(&zeros))),
        ("br", brotli(&zeros)),
        ("br, gzip", gzip(&brotli(&zeros))),
        ("zstd", zstd(&zeros)),
        ("zstd", endless_frame.concat()),
        ("zstd", empty_frame.repeat(20_000)),
        ("gzip", gzip(b"").repeat(10_000)),
    ];
    for (coding, bomb) in bombs {
        let what = format!("{coding} of {}", bomb.len());
        let decoded = within_budget(&what, || decode(coding.as_bytes(), &bomb, 512 << 10));
        assert!(decoded.bytes.len() <= 512 << 10);
    }
}

#[test]
fn broken_codings_give_what_they_gave_before_the_break() {
    let mut chance = Chance(0x636f_6465);
    let plain: Vec<u8> = (0..20_000).map(|_| chance.pick(b"moongate ")).collect();
    let coded = [("gzip", gzip(&plain)), ("br", brotli(&plain)), ("zstd", zstd(&plain))];
    for _ in 0..600 {
        let (coding, whole) = &coded[chance.below(coded.len())];
        let mut broken = whole.clone();
        for _ in 0..chance.below(4) {
            let place = chance.below(broken.len());
            broken[place] ^= 1 << chance.below(8);
        }
        broken.truncate(1 + chance.below(broken.len()));
        let limit = 1 + chance.below(30_000);
        let decoded = decode(coding.as_bytes(), &broken, limit);
        assert!(decoded.bytes.len() <= limit);
    }
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..chance.below(60)).map(|_| chance.below(256) as u8).collect();
        let head: &[u8] = chance.pick(&[&[][..], &[0x28, 0xb5, 0x2f, 0xfd], &[0x1f, 0x8b, 8, 0]]);
        let coding = chance.pick(&["gzip", "br", "zstd", "deflate", "zstd,br,gzip,deflate"]);
        let bytes = [head, &bytes].concat();
        assert!(decode(coding.as_bytes(), &bytes, 1000).bytes.len() <= 1000);
    }
}
