//! Multipart bodies, proper and odd ones.

use super::super::{Format, Limits, Parsed, Parser};
use super::MultipartFlags;

const TYPE: &[u8] = b"multipart/form-data; boundary=XX";

fn read_as(content_type: &[u8], body: &[u8], limits: Limits) -> Parsed {
    let mut parser = Parser::new(Format::Multipart, content_type, limits);
    parser.feed(body);
    parser.finish()
}

fn read(body: &[u8]) -> Parsed {
    read_as(TYPE, body, Limits::default())
}

/// A body of one part with this head and content, its lines ended by CR LF.
fn one(head: &str, content: &str) -> Vec<u8> {
    format!("--XX\r\n{head}\r\n\r\n{content}\r\n--XX--\r\n").into_bytes()
}

fn flags(parsed: &Parsed) -> MultipartFlags {
    parsed.multipart.unwrap()
}

fn args(parsed: &Parsed) -> Vec<(String, String)> {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    parsed.args.iter().map(|(name, value)| (shown(name), shown(value))).collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn fields_files_and_part_headers_are_told() {
    let body = b"--XX\r\n\
        Content-Disposition: form-data; name=\"a\"\r\n\r\n\
        one\r\ntwo\r\n\r\n--XX\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"x.php\"\r\n\
        Content-Type: text/plain\r\n\r\n\
        <?php\r\n--XX\r\n\
        content-disposition: form-data; name=b\r\n\r\n\
        \r\n--XX--\r\n";
    let parsed = read_as(TYPE, body, Limits { file_content: 3, ..Limits::default() });
    assert_eq!(parsed.error, None);
    assert_eq!(flags(&parsed), MultipartFlags::default());
    assert_eq!(args(&parsed), pairs(&[("a", "one\r\ntwo\r\n"), ("b", "")]));
    let file = &parsed.files[0];
    assert_eq!((&file.name[..], &file.filename[..]), (&b"f"[..], &b"x.php"[..]));
    assert_eq!((file.size, &file.content[..]), (5, &b"<?p"[..]));
    let headers: Vec<_> = parsed.part_headers.iter().map(|(name, _)| name).collect();
    assert_eq!(headers, [&b"a"[..], b"f", b"f", b"b"]);
    assert_eq!(parsed.part_headers.get(2).unwrap().1, b"Content-Type: text/plain");
}

#[test]
fn content_types_are_taken_or_refused_as_modsecurity_does() {
    let cases: &[(&str, &str)] = &[
        ("multipart/form-data; boundary=XX", ""),
        ("Multipart/Form-Data;boundary=XX", ""),
        ("multipart/form-data; boundary=\"XX\"", "quoted"),
        ("multipart/form-data; boundary =XX", "whitespace"),
        ("multipart/form-data boundary=XX", "semicolon"),
        ("multipart/form-data; boundary=XX; charset=utf-8", ""),
        ("multipart/form-data; boundary=XX;", ""),
        ("multipart/form-data; boundary= XX", "whitespace+error"),
        ("multipart/form-data", "error"),
        ("", "error"),
        ("multipart/mixed; boundary=XX", "error"),
        ("multipart/form-data; Boundary=XX", "error"),
        ("multipart/form-data; charset=utf-8; boundary=XX", "error"),
        ("multipart/form-data;; boundary=XX", "error"),
        ("multipart/form-data; boundary=XX; boundary=YY", "error"),
        ("multipart/form-data; boundary=XX; BOUNDARY=YY", "error"),
        ("multipart/form-data; boundary*=XX", "error"),
        ("multipart/form-data; boundary", "error"),
        ("multipart/form-data; boundary=", "error"),
        ("multipart/form-data; boundary=\"\"", "quoted+error"),
        ("multipart/form-data; boundary=\"XX", "error"),
        ("multipart/form-data; boundary=XX\"", "error"),
        ("multipart/form-data; boundary=X\u{e9}X", "error"),
        ("multipart/form-data; boundary=XX, YY@", "error"),
    ];
    for (content_type, wanted) in cases {
        let body = one("Content-Disposition: form-data; name=a", "1");
        let parsed = read_as(content_type.as_bytes(), &body, Limits::default());
        let flags = flags(&parsed);
        let odd = [
            (flags.boundary_quoted, "quoted"),
            (flags.boundary_whitespace, "whitespace"),
            (flags.missing_semicolon, "semicolon"),
            (flags.error, "error"),
        ];
        let odd: Vec<_> = odd.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        assert_eq!(odd.join("+"), *wanted, "{content_type}");
        assert_eq!(parsed.error.is_some(), flags.error);
        assert_eq!(parsed.args.is_empty(), flags.error, "{content_type}");
    }
    let long = format!("multipart/form-data; boundary={}", "X".repeat(1024));
    assert!(read_as(long.as_bytes(), b"", Limits::default()).error.is_some());
}

#[test]
fn dispositions_are_read_as_modsecurity_reads_them() {
    // The field, then name and file name, whether quoting is invalid, whether there is a fault.
    type Case = (&'static str, &'static str, &'static str, bool, bool);
    let cases: &[Case] = &[
        ("form-data; name=\"a\"", "a", "", false, false),
        ("form-data;name=a", "a", "", false, false),
        ("form-data ; \t name = \"a b\" ", "a b", "", false, false),
        ("form-data; name=\"a\"; filename=\"f\"", "a", "f", false, false),
        ("form-data; filename=f; name=a", "a", "f", false, false),
        ("form-data; name=\"a\"; filename=\"\"", "a", "", false, false),
        (r#"form-data; name="a\"b\\c\d""#, r#"a"b\c\d"#, "", false, false),
        ("form-data; name='a'", "a", "", true, false),
        ("form-data; name=a'b", "a'b", "", true, false),
        ("form-data; name=\"a'b\"", "a'b", "", false, false),
        ("form-data; name=\"a\"\"", "a", "", true, true),
        ("form-data; name=\"a\" x", "a", "", false, true),
        ("form-data; name=\"a", "", "", false, true),
        ("form-data; name=\"a\\", "", "", false, true),
        ("form-data; name=a; name=b", "a", "", false, true),
        ("form-data; name=a; filename=b; filename=c", "a", "b", false, true),
        ("form-data; name=a;", "a", "", false, false),
        ("form-data; name=a; ", "a", "", false, true),
        ("form-data; name=a; size=1", "a", "", false, true),
        ("form-data; Name=a", "", "", false, true),
        ("form-data; name", "", "", false, true),
        ("form-data; name=", "", "", false, true),
        ("form-data", "", "", false, true),
        ("form-data;", "", "", false, true),
        ("form-dataX; name=a", "", "", false, true),
        ("Form-Data; name=a", "", "", false, true),
        ("attachment; name=a", "", "", false, true),
        ("form-data; filename=f", "", "f", false, true),
        ("form-data; name=a; filename =f", "a", "f", false, true),
        ("form-data; name=a; filename=f; filename*=UTF-8''f%20", "a", "f", false, false),
        ("form-data; name=a; filename*=UTF-8'en'f; filename=g", "a", "g", false, false),
        ("form-data; name=a; filename*=UTF-8''f", "a", "f", false, true),
        ("form-data; name=a; filename=f; filename*=''f", "a", "f", false, true),
        ("form-data; name=a; filename=f; filename*=UTF-8'f", "a", "f", false, true),
        ("form-data; name=a; filename=f; filename*=UTF-8''f%2", "a", "f", false, true),
        ("form-data; name=a; filename=f; filename*=UTF-8''f/g", "a", "f", false, true),
    ];
    for (field, name, filename, quoting, fault) in cases {
        let parsed = read(&one(&format!("Content-Disposition: {field}"), "1"));
        let read = parsed.files.first().map_or_else(
            || (parsed.args.get(0).unwrap().0.to_vec(), Vec::new()),
            |file| (file.name.clone(), file.filename.clone()),
        );
        assert_eq!(read, (name.as_bytes().to_vec(), filename.as_bytes().to_vec()), "{field}");
        assert_eq!(flags(&parsed).invalid_quoting, *quoting, "{field}");
        assert_eq!(parsed.error.is_some(), *fault, "{field}: {:?}", parsed.error);
        assert_eq!(flags(&parsed).strict_error(), *quoting || *fault, "{field}");
    }
}

#[test]
fn odd_heads_are_told_and_their_parts_read() {
    let disposition = "Content-Disposition: form-data; name=a";
    let cases = [
        ("Content-Type: text/plain", "there is none"),
        (&format!("{disposition}\r\nno colon"), "without a colon"),
        (&format!("{disposition}\r\n: x"), "without a name"),
        (&format!("{disposition}\r\nX\x0e: x"), "invalid character"),
        (&format!("{disposition}\r\nContent-Type : x"), "invalid character"),
        (&format!("{disposition}\r\nX: 1\r\nx: 2"), "twice"),
        (&format!("{disposition}\r\n{disposition}"), "twice"),
        (&format!("{disposition}\r\nX: \0"), "NUL"),
        (&format!(" x\r\n{disposition}"), "before it begins"),
    ];
    for (head, wanted) in cases {
        let parsed = read(&one(head, "content"));
        assert!(parsed.error.as_ref().unwrap().contains(wanted), "{head}: {:?}", parsed.error);
        assert!(flags(&parsed).strict_error());
        assert_eq!(parsed.args.get(0).unwrap().1, b"content", "{head}");
        assert_eq!(parsed.part_headers.len(), head.split("\r\n").count(), "{head}");
    }
}

#[test]
fn folded_headers_are_put_together_and_flagged() {
    let parsed = read(&one("Content-Disposition: form-data;\r\n \t name=a", "1"));
    assert_eq!(parsed.error, None);
    assert_eq!(args(&parsed), pairs(&[("a", "1")]));
    assert_eq!(parsed.part_headers.get(0).unwrap().1, b"Content-Disposition: form-data; name=a");
    let wanted = MultipartFlags { header_folding: true, ..MultipartFlags::default() };
    assert_eq!(flags(&parsed), wanted);
    let parsed = read(&one("Content-Disposition: form-data;\r\n\x0bname=a", "1"));
    assert_eq!(flags(&parsed), MultipartFlags { invalid_header_folding: true, ..wanted });
}

#[test]
fn line_ends_are_told_apart() {
    let crlf = one("Content-Disposition: form-data; name=a", "1\n2");
    let lf = String::from_utf8(crlf.clone()).unwrap().replace('\r', "").into_bytes();
    assert_eq!(flags(&read(&crlf)), MultipartFlags::default());
    let parsed = read(&lf);
    assert_eq!(args(&parsed), pairs(&[("a", "1\n2")]));
    assert_eq!(flags(&parsed), MultipartFlags { lf_line: true, ..MultipartFlags::default() });
    let mixed = b"--XX\r\nContent-Disposition: form-data; name=a\n\r\n1\r\n--XX--\r\n";
    let wanted = MultipartFlags { lf_line: true, crlf_lf_lines: true, ..MultipartFlags::default() };
    assert_eq!(flags(&read(mixed)), wanted);
    let before_boundary = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\n--XX--";
    let parsed = read(before_boundary);
    assert_eq!(flags(&parsed), wanted);
    assert_eq!(args(&parsed), pairs(&[("a", "1")]));
}

#[test]
fn data_outside_the_parts_is_flagged() {
    let body = one("Content-Disposition: form-data; name=a", "1");
    let before = [b"x\r\n".as_slice(), &body].concat();
    let wanted = MultipartFlags { data_before: true, ..MultipartFlags::default() };
    assert_eq!(flags(&read(&before)), wanted);
    let after = [&body, b"\r\n".as_slice()].concat();
    let wanted = MultipartFlags { data_after: true, ..MultipartFlags::default() };
    assert_eq!(flags(&read(&after)), wanted);
    assert_eq!(flags(&read(&body)), MultipartFlags::default());
}

#[test]
fn a_final_boundary_needs_no_line_end_but_must_be_there() {
    let body = one("Content-Disposition: form-data; name=a", "1");
    let parsed = read(&body[..body.len() - 2]);
    assert_eq!((flags(&parsed), parsed.error), (MultipartFlags::default(), None));
    for shorter in [3, 4, 8, 10] {
        let parsed = read(&body[..body.len() - shorter]);
        assert!(parsed.error.unwrap().contains("final boundary"), "{shorter}");
        assert!(parsed.args.get(0).unwrap().1.starts_with(b"1"));
    }
    assert!(read(b"nothing").error.unwrap().contains("no boundary"));
    assert_eq!(read(b"").error, None);
}

#[test]
fn lines_that_look_like_a_boundary_are_flagged() {
    let cases = [("text", 0), ("-- ", 2), ("--YY", 2), ("x--XX", 2), ("--X", 2), ("--", 2)];
    for (line, wanted) in cases {
        let parsed = read(&one("Content-Disposition: form-data; name=a", line));
        assert_eq!(flags(&parsed).unmatched_boundary, wanted, "{line}");
        assert_eq!(args(&parsed), pairs(&[("a", line)]));
        assert!(!flags(&parsed).strict_error());
    }
    let body = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--YY\r\n2";
    assert_eq!(flags(&read(body)).unmatched_boundary, 1);
}

#[test]
fn boundaries_that_others_might_take_for_one_end_the_reading() {
    let head = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nseen\r\n";
    for line in ["--XXX", "--XX-", "--XX--x", "-- XX", "--\tXX", "--XX "] {
        let body = format!("{head}{line}\r\nnot seen\r\n--XX--\r\n");
        let parsed = read(body.as_bytes());
        assert!(parsed.error.is_some(), "{line}");
        assert!(flags(&parsed).strict_error());
        assert_eq!(args(&parsed), pairs(&[("a", "seen")]), "{line}");
    }
    let body = format!("{head}--\"XX\"\r\n");
    let quoted = b"multipart/form-data; boundary=\"XX\"";
    let parsed = read_as(quoted, body.as_bytes(), Limits::default());
    assert!(parsed.error.unwrap().contains("quotes"));
}

#[test]
fn a_boundary_right_behind_the_head_is_an_invalid_part() {
    let body = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n--XX--\r\n--XX--\r\n";
    let parsed = read(body);
    assert!(flags(&parsed).invalid_part);
    assert_eq!(args(&parsed), pairs(&[("a", "--XX--")]));
}

#[test]
fn limits_hold() {
    let part = "--XX\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n0123456789\r\n";
    let body = format!("{}--XX--\r\n", part.repeat(4));
    let limits = Limits { files: 3, ..Limits::default() };
    let parsed = read_as(TYPE, body.as_bytes(), limits.clone());
    assert_eq!((parsed.files.len(), parsed.error.as_deref()), (4, None));
    assert!(flags(&parsed).file_limit_exceeded);
    let parsed = read_as(TYPE, body.as_bytes(), Limits { arguments: 3, ..limits.clone() });
    assert_eq!((parsed.files.len(), parsed.error.is_some()), (3, true));
    let keep = Limits { file_content: 8, without_files: 300, ..limits };
    let parsed = read_as(TYPE, body.as_bytes(), keep.clone());
    assert!(parsed.files.iter().all(|file| file.content == b"01234567"));
    let parsed = read_as(TYPE, body.as_bytes(), Limits { without_files: 50, ..keep });
    assert!(parsed.error.unwrap().contains("without its files"));
    let long = one(&format!("X: {}", "x".repeat(4096)), "1");
    assert!(read(&long).error.unwrap().contains("header line of 4096 bytes"));
    let many = one(&"X: x\r\n".repeat(200), "1");
    assert!(read(&many).error.is_some());
}
