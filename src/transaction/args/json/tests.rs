//! JSON bodies, proper and odd ones.

use super::super::Limits;
use super::super::reading::Reading;
use super::read;

fn said(text: &[u8], limits: Limits) -> (Vec<(String, String)>, Option<String>) {
    let mut reading = Reading::new(limits);
    read(text, &mut reading);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let args = reading.parsed.args.iter().map(|(name, value)| (shown(name), shown(value)));
    (args.collect(), reading.parsed.error)
}

fn args(text: &str) -> Vec<(String, String)> {
    let (args, error) = said(text.as_bytes(), Limits::default());
    assert_eq!(error, None, "{text}");
    args
}

fn error(text: &[u8]) -> Option<String> {
    said(text, Limits::default()).1
}

#[test]
fn documents_are_flattened() {
    type Case = (&'static str, &'static [(&'static str, &'static str)]);
    let cases: &[Case] = &[
        ("", &[]),
        ("1", &[("json", "1")]),
        (" \"a\" ", &[("json", "a")]),
        ("null", &[("json", "")]),
        ("{}", &[]),
        ("[ ]", &[]),
        (
            "[1,[2,3],{\"a\":4}]",
            &[("json.0", "1"), ("json.1.0", "2"), ("json.1.1", "3"), ("json.2.a", "4")],
        ),
        ("{\"a\":[{\"b\":1}],\"c\":true}", &[("json.a.0.b", "1"), ("json.c", "true")]),
        ("{\"a\":1,\"a\":2}", &[("json.a", "1"), ("json.a", "2")]),
        ("{\"a\":{\"b\":{}},\"c\":[]}", &[("json.a.b", ""), ("json.c", "")]),
        ("{\"\":1}", &[("json.", "1")]),
        ("{\"a.b\":1}", &[("json.a.b", "1")]),
        ("{\"a\":false , \"b\" :null}", &[("json.a", "false"), ("json.b", "")]),
    ];
    for (text, wanted) in cases {
        let wanted: Vec<_> = wanted.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        assert_eq!(args(text), wanted, "{text}");
    }
}

#[test]
fn numbers_are_told_as_they_are_written() {
    for number in ["0", "-0", "10", "1.50", "1e5", "-1.0E+05", "12345678901234567890123", "0e-1"] {
        assert_eq!(args(number), [("json".to_owned(), number.to_owned())]);
    }
}

#[test]
fn escapes_are_decoded() {
    let cases = [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC\u0000""#, "Aé€\0"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00x""#, "\u{fffd}x"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
    ];
    for (text, wanted) in cases {
        assert_eq!(args(text), [("json".to_owned(), wanted.to_owned())], "{text}");
    }
    assert_eq!(args(r#"{"\u003cscript\u003e":1}"#)[0].0, "json.<script>");
}

#[test]
fn what_is_no_json_is_an_error() {
    let texts: &[&[u8]] = &[
        b" ",
        b"{",
        b"[",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{a:1}",
        b"{1:1}",
        b"'a'",
        b"\"a",
        b"\"a\\",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"-",
        b"1e",
        b"0x10",
        b"NaN",
        b"tru",
        b"nul",
        b"1 2",
        b"{}{}",
        b"[1]]",
        b"[1}",
        b"{\"a\":1]",
        b"]",
        b"// x\n1",
        b"\xef\xbb\xbf1",
        b"\0",
        b"1\0",
        b"[1 2]",
        b"{\"a\" 1}",
        b"truefalse",
    ];
    for text in texts {
        assert!(error(text).is_some(), "{}", text.escape_ascii());
    }
}

#[test]
fn what_is_odd_in_a_string_is_told_and_hides_nothing() {
    let cases: &[(&[u8], &str)] = &[
        (b"[\"a\nb\",\"c\"]", "a control character in a string"),
        (b"[\"\xff\",\"c\"]", "invalid UTF-8"),
        (b"[\"\\x41\",\"c\"]", "an unknown escape"),
        (b"[\"\\u00g0\",\"c\"]", "an unknown escape"),
        (b"[\"\\u12\",\"c\"]", "an unknown escape"),
    ];
    for (text, wanted) in cases {
        let (args, error) = said(text, Limits::default());
        assert!(error.unwrap().contains(wanted), "{wanted}");
        assert_eq!(args[1], ("json.1".to_owned(), "c".to_owned()));
    }
}

#[test]
fn what_stands_before_a_fault_is_told() {
    let (args, error) = said(b"{\"a\":\"1\",\"b\":\"two", Limits::default());
    let wanted = [("json.a", "1"), ("json.b", "two")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(args, wanted);
    assert_eq!(error.unwrap(), "JSON parsing error: a string without an end at byte 17");
}

#[test]
fn nesting_and_leaves_are_bounded() {
    let limits = Limits { depth: 2, arguments: 3, ..Limits::default() };
    assert_eq!(said(b"[[1]]", limits.clone()).1, None);
    assert!(said(b"[[[1]]]", limits.clone()).1.unwrap().contains("nested too deep"));
    assert_eq!(said(b"[1,2,3]", limits.clone()).1, None);
    let (args, error) = said(b"[1,2,3,4]", limits);
    assert_eq!((args.len(), error.as_deref()), (3, Some("more than 3 arguments")));
}

#[test]
fn names_that_repeat_a_long_key_are_bounded() {
    let leaves = vec!["1"; 1000].join(",");
    let text = format!("{{\"{}\":[{leaves}]}}", "k".repeat(500_000));
    let mut reading = Reading::new(Limits::default());
    read(text.as_bytes(), &mut reading);
    assert!(reading.parsed.error.unwrap().starts_with("arguments of more than"));
    assert!(reading.parsed.args.size() < 6 << 20);
}
