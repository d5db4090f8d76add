//! XML bodies, proper and odd ones.

use super::super::{Format, Limits, Parsed, Parser};
use super::XPath;

fn read_with(body: &[u8], limits: Limits) -> Parsed {
    let mut parser = Parser::new(Format::Xml, b"text/xml", limits);
    parser.feed(body);
    parser.finish()
}

fn read(body: &str) -> Parsed {
    read_with(body.as_bytes(), Limits::default())
}

fn select_path(parsed: &Parsed, path: &XPath) -> Vec<String> {
    let values = parsed.xml.as_ref().unwrap().select(path);
    values.into_iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

fn select(parsed: &Parsed, path: &str) -> Vec<String> {
    select_path(parsed, &XPath::parse(path).unwrap())
}

#[test]
fn expressions_select_texts_and_attributes() {
    let body = "<?xml version='1.0'?><!-- c --><r x='1'>\
        <a y='2'>one<b>two</b>three</a><a z=\"3\"/><p:a>four</p:a><b y='5'>&lt;five<![CDATA[<&>]]></b>\
        <!-- six --><?seven eight?></r>";
    let parsed = read(body);
    assert_eq!(parsed.error, None);
    let cases: &[(&str, &[&str])] = &[
        ("/*", &["onetwothreefour<five<&>"]),
        ("//@*", &["1", "2", "3", "5"]),
        ("/r", &["onetwothreefour<five<&>"]),
        ("/a", &[]),
        ("/r/a", &["onetwothree", ""]),
        ("//a", &["onetwothree", ""]),
        ("//b", &["two", "<five<&>"]),
        ("/r/b", &["<five<&>"]),
        ("/r//b", &["two", "<five<&>"]),
        ("/r/*/b", &["two"]),
        ("//p:a", &["four"]),
        ("/r/a/text()", &["one", "three"]),
        ("/r/b/text()", &["<five", "<&>"]),
        ("/r/@x", &["1"]),
        ("/r/@y", &[]),
        ("//@y", &["2", "5"]),
        ("//a/@*", &["2", "3"]),
        ("/r/a/@y", &["2"]),
        ("//a//@y", &["2"]),
        ("/r//text()", &["one", "two", "three", "four", "<five", "<&>"]),
        ("//*", &["onetwothreefour<five<&>", "onetwothree", "two", "", "four", "<five<&>"]),
    ];
    for (path, wanted) in cases {
        assert_eq!(select(&parsed, path), *wanted, "{path}");
    }
}

#[test]
fn prefixes_are_compared_as_written_or_by_namespace() {
    let parsed = read(
        "<s:e xmlns:s='urn:s'><x xmlns='urn:x'>1</x><y:x xmlns:y='urn:x'>2</y:x><x>3</x></s:e>",
    );
    assert_eq!(parsed.error, None);
    assert_eq!(select(&parsed, "/s:e/x"), ["1", "3"]);
    let path = XPath::parse("//q:x").unwrap();
    assert_eq!(select_path(&parsed, &path), Vec::<String>::new());
    assert_eq!(select_path(&parsed, &path.bind("q", "urn:x")), ["1", "2"]);
    assert_eq!(select(&parsed, "//@*"), Vec::<String>::new());
}

#[test]
fn expressions_beyond_the_subset_are_refused_with_what_is_understood() {
    for path in [
        "",
        "/",
        "//",
        "a",
        "/a[1]",
        "/a/..",
        "/a/.",
        "//a[@b='c']",
        "count(/a)",
        "/a|/b",
        "/@a/b",
        "/text()/a",
        "child::a",
        "/child::a",
        "/a/node()",
        "/a b",
        "/1a",
        "/:a",
        "/a:",
        "///a",
    ] {
        let error = XPath::parse(path).unwrap_err();
        assert!(error.contains("what is understood"), "{path}: {error}");
    }
    assert!(XPath::parse(&"/a".repeat(31)).is_ok());
    assert!(XPath::parse(&"/a".repeat(32)).is_err());
}

#[test]
fn faults_are_told_and_hide_nothing() {
    let cases = [
        ("<a>x", "without an end"),
        ("<a>x</b>", "another name"),
        ("<a>x</a></a>", "without a beginning"),
        ("<a>x</a><b>y</b>", "second root"),
        ("x<a>y</a>", "outside of the root"),
        ("<a>y</a>x", "outside of the root"),
        ("x", "outside of the root"),
        (" ", "no root"),
        ("<!-- x -->", "no root"),
        ("<a>x & y</a>", "begins no reference"),
        ("<a>x&nbsp;y</a>", "reference to nothing"),
        ("<a>x&#0;y</a>", "reference to nothing"),
        ("<a b='x&nbsp;y'/>", "reference to nothing"),
        ("<a b=x>x</a>", "without quotes"),
        ("<a b>x</a>", "without quotes"),
        ("<a b='x", "without an end"),
        ("<a b='x<'/>", "in an attribute"),
        ("<a 1='x'/>", "a name that is none"),
        ("<a>x</a><?1?>", "a name that is none"),
        ("<a>x\u{1}</a>", "control character"),
        ("<a>x</a><?xml version='1.0'?>", "not at the beginning"),
        ("<?xml?><a>x</a>", "declaration that is wrong"),
        ("<a>x<![CDATA[y", "without an end"),
        ("<a>x<!-- y", "without an end"),
        ("<?xml version='1.0' encoding='UTF-7'?><a>x</a>", "character set"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "not expanded"),
    ];
    for (body, wanted) in cases {
        let parsed = read(body);
        let error = parsed.error.clone().unwrap_or_default();
        assert!(error.contains(wanted), "{body}: {error}");
        if wanted != "no root" {
            let seen = [select(&parsed, "/*"), select(&parsed, "//@*")].concat().concat();
            assert!(seen.contains('x'), "{body}: {seen}");
        }
    }
}

#[test]
fn what_a_document_type_declares_counts_as_text() {
    let parsed = read("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>");
    assert_eq!(select(&parsed, "/*"), ["<!ENTITY b SYSTEM \"file:///etc/passwd\">]&b;"]);
    let parsed = read("<!DOCTYPE a SYSTEM \"a.dtd\"><a b='&c;'>&b;</a>");
    assert_eq!((parsed.error.as_deref(), &select(&parsed, "/*")[0][..]), (None, "&b;"));
}

#[test]
fn nothing_is_said_of_an_empty_body() {
    let parsed = read("");
    assert!(parsed.error.is_none() && parsed.xml.is_none());
}

#[test]
fn depth_nodes_and_attributes_are_bounded() {
    let limits = Limits { depth: 3, arguments: 2, ..Limits::default() };
    assert_eq!(read_with(b"<a><b><c/></b></a>", limits.clone()).error, None);
    let parsed = read_with(b"<a><b><c><d/></c></b></a>", limits.clone());
    assert!(parsed.error.unwrap().contains("nested deeper than 3"));
    let parsed = read_with(b"<a b='1' c='2' d='3'>x</a>", limits.clone());
    assert_eq!(select(&parsed, "//@*"), ["1", "2"]);
    assert_eq!(select(&parsed, "/*"), ["x"]);
    assert!(parsed.error.unwrap().contains("more than 2 attributes"));
    let parsed = read_with(format!("<a>{}</a>", "<b/>".repeat(200)).as_bytes(), limits);
    assert!(parsed.error.unwrap().contains("more than 128 nodes"));
}
