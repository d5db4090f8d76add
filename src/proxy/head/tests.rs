//! What is refused and why: the table of `docs/security.md`, row by row.

use super::*;

fn judge(head: &str) -> Result<Request, &'static str> {
    let bytes = Bytes::copy_from_slice(head.as_bytes());
    let end = match find_end(&bytes, 0, &Limits::default()) {
        Ok(Some(end)) => end,
        Ok(None) => return Err("unfinished"),
        Err(refusal) => return Err(refusal.reason),
    };
    parse(&bytes.slice(..end), &Limits::default()).map_err(|refusal| refusal.reason)
}

#[test]
fn bare_line_feeds_end_lines_only_where_settings_say_so() {
    let limits = Limits { bare_line_feeds: true, ..Limits::default() };
    for head in [
        "GET /a HTTP/1.1\nHost: a\nB: c d\n\nrest",
        "GET /a HTTP/1.1\r\nHost: a\nB: c d\r\n\nrest",
        "GET /a HTTP/1.1\nHost: a\r\nB: c d\n\r\nrest",
    ] {
        assert_eq!(judge(head).unwrap_err(), "guard::bare_line_feed");
        let bytes = Bytes::copy_from_slice(head.as_bytes());
        for seen in 0..head.len() - 6 {
            let end = find_end(&bytes, seen, &limits).unwrap().unwrap();
            assert_eq!(&bytes[end..], b"rest", "{head:?} after {seen}");
        }
        let request = parse(&bytes.slice(..bytes.len() - 4), &limits).unwrap();
        assert_eq!(request.headers.get_str("b"), Some("c d"));
        assert_eq!((&request.path[..], request.headers.len()), (&b"/a"[..], 2));
    }
}

#[test]
fn heads_that_can_be_read_in_two_ways_are_refused() {
    let cases = [
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "guard::length_and_chunked",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "guard::length_and_chunked",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "guard::two_lengths",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "guard::two_lengths",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "guard::bad_content_length"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "guard::bad_content_length"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", "guard::bad_content_length"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\n",
            "guard::bad_content_length",
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "guard::bad_content_length"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", "guard::folded_field"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n", "guard::folded_field"),
        ("GET / HTTP/1.1\nHost: a\n\n", "guard::bare_line_feed"),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "guard::bare_line_feed"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", "guard::bad_field_value"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", "guard::bad_field_name"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
            "guard::bad_field_name",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "guard::transfer_coding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked; identity\r\n\r\n",
            "guard::transfer_coding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
            "guard::bad_field_value",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "guard::transfer_coding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
            "guard::transfer_coding",
        ),
        (
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "guard::transfer_coding_in_http_1_0",
        ),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "guard::two_hosts"),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "guard::bad_host"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "guard::bad_host"),
        ("GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", "guard::no_host"),
        ("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_target"),
        ("GET / HTTP/1.1\r\nHost: a%00\r\n\r\n", "guard::bad_host"),
        ("GET / HTTP/1.1\r\nHost: a%x\r\n\r\n", "guard::bad_host"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "guard::bad_host"),
        ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_target"),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_target"),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_target"),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_target"),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_target"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", "guard::bad_field_value"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: b\r\n\r\n", "guard::bad_field_name"),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "guard::bad_field_name"),
        ("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", "guard::bad_field_name"),
        ("GET / HTTP/0.9\r\n\r\n", "guard::bad_version"),
        ("GET / HTTP/1.9\r\nHost: a\r\n\r\n", "guard::bad_version"),
        ("GET /\r\n\r\n", "guard::bad_request_line"),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", "guard::bad_method"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "guard::connect"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Host\r\n\r\n",
            "guard::connection_names_framing",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=a; boundary=b\r\n\r\n",
            "guard::two_boundaries",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n\r\n",
            "guard::two_boundaries",
        ),
    ];
    for (head, reason) in &cases {
        assert_eq!(judge(head).map(|_| ()), Err(*reason), "{head:?}");
    }
    assert_eq!(cases.len(), 48);
}

#[test]
fn limits_are_kept() {
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
    assert_eq!(judge(&long_target).map(|_| ()), Err("guard::target_too_long"));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100));
    assert_eq!(judge(&many).map(|_| ()), Err("guard::too_many_fields"));
    let fits = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(99));
    assert_eq!(judge(&fits).unwrap().headers.len(), 100);
}

#[test]
fn an_absolute_target_of_the_named_host_is_taken_in_origin_form() {
    let request = judge("GET http://Shop.example?q=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    let request = request.unwrap();
    assert_eq!(&request.target()[..], b"/?q=1");
    assert_eq!(&request.original_target[..], b"http://Shop.example?q=1");
}

#[test]
fn an_upgrade_with_a_body_is_no_upgrade() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: foo\r\nContent-Length: 3\r\n\r\n";
    assert!(!judge(head).unwrap().headers.contains("upgrade"));
}

/// A sound head, changed at a few places by chance.
struct Mutant(u64);

impl Mutant {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }

    fn make(&mut self) -> Bytes {
        let seed = b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
        let mut bytes = seed.to_vec();
        for _ in 0..=self.next() % 4 {
            let at = self.next() % bytes.len();
            match self.next() % 3 {
                0 => bytes[at] = self.next() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n: \0\xff"[self.next() % 6]),
            }
        }
        bytes.into()
    }
}

#[test]
fn any_bytes_are_judged_without_a_panic() {
    let mut mutant = Mutant(0x9e37_79b9_7f4a_7c15);
    let mut judged = 0;
    for _ in 0..20_000 {
        let bytes = mutant.make();
        if let Ok(Some(end)) = find_end(&bytes, mutant.next() % 8, &Limits::default()) {
            let _ = parse(&bytes.slice(..end), &Limits::default());
            judged += 1;
        }
    }
    assert!(judged > 1_000, "{judged}");
}

#[test]
fn a_head_passes_without_its_end_looked_for_just_where_it_passes_with_it() {
    let mut mutant = Mutant(0x1234_5678_9abc_def1);
    let mut passed = 0;
    for round in 0..20_000 {
        let bytes = mutant.make();
        let limits = Limits { bare_line_feeds: round % 2 == 0, ..Limits::default() };
        let end = find_end(&bytes, 0, &limits).ok().flatten();
        let wanted = end.filter(|end| parse(&bytes.slice(..*end), &limits).is_ok());
        let outline = Outline::of(&bytes, &limits).ok();
        assert_eq!(outline.map(|it| it.end), wanted, "{}", bytes.escape_ascii());
        passed += usize::from(wanted.is_some());
    }
    assert!(passed > 1_000, "{passed}");
}

#[test]
fn a_head_that_is_cut_short_is_none() {
    let head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    for length in 0..head.len() {
        assert!(Outline::of(&head[..length], &Limits::default()).is_err(), "{length}");
    }
    assert!(Outline::of(head, &Limits::default()).is_ok_and(|it| it.end == head.len()));
}

#[test]
fn what_passes_is_read_alike_by_another_parser() {
    let mut mutant = Mutant(0x2545_f491_4f6c_dd1d);
    let mut passed = 0;
    for _ in 0..15_000 {
        let bytes = mutant.make();
        let Ok(Some(end)) = find_end(&bytes, 0, &Limits::default()) else { continue };
        let Ok(request) = parse(&bytes.slice(..end), &Limits::default()) else { continue };
        // What should have been percent-encoded is, on its way.
        if matches!(encoded(&request.original_target), Cow::Owned(_)) {
            continue;
        }
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut other = httparse::Request::new(&mut fields);
        let length = other.parse(&bytes);
        assert_eq!(length, Ok(httparse::Status::Complete(end)), "{}", bytes.escape_ascii());
        let ours = request.headers.iter().map(|field| (&field.name[..], &field.value[..]));
        let theirs = other.headers.iter().map(|field| (field.name.as_bytes(), field.value));
        let trimmed = |(name, value): (_, &[u8])| (name, value.trim_ascii().to_vec());
        assert!(ours.map(trimmed).eq(theirs.map(trimmed)), "{}", bytes.escape_ascii());
        assert_eq!(other.method.map(str::as_bytes), Some(&request.method[..]));
        assert_eq!(other.path.map(str::as_bytes), Some(&request.original_target[..]));
        passed += 1;
    }
    assert!(passed > 500, "{passed}");
}

#[test]
fn what_should_have_been_encoded_is_judged_as_it_is_and_encoded_on_its_way() {
    let head = "GET /a\"<\u{e9}>?q={|}^` HTTP/1.1\r\nHost: a\r\n\r\nrest";
    let request = judge(head).expect("there is one way to read it");
    assert_eq!(&request.path[..], "/a\"<\u{e9}>".as_bytes());
    assert_eq!(&encoded(&request.target())[..], b"/a%22%3C%C3%A9%3E?q={|}^`");
}
