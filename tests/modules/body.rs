//! `body_rewrite`: what it changes, and what it must not touch.

use std::io::{Read, Write};

use super::bench::{Bench, End};

const CARDS: &str =
    r#"{"name":"Ali","items":[{"card":"4111 1111","n":1.50},{"card":4242}],"debug":{}}"#;

#[test]
fn a_json_request_is_edited_field_by_field() {
    let conf = r#"{ request_json_set = { role = "user" }, request_json_remove = { "debug" },
        request_json_mask = { "items.*.card" } }"#;
    let bench = Bench::new("body_rewrite", conf)
        .with_header("Content-Type", "application/json; charset=utf-8");
    bench.set_bytes("ngx.body", CARDS.as_bytes());
    assert_eq!(bench.run("access"), End::Went);
    let wanted = r#"{"name":"Ali","items":[{"card":"***","n":1.50},{"card":"***"}],"role":"user"}"#;
    assert_eq!(bench.eval("ngx.body"), wanted);
}

#[test]
fn a_request_that_cannot_be_edited_is_refused() {
    let conf = r#"{ request_json_mask = { "card" }, limit = 1000 }"#;
    for (coding, body, status) in [
        ("identity", &b"{\"card\":"[..], 400),
        ("gzip", b"{}", 400),
        ("zstd", b"{}", 400),
        ("compress", b"{}", 415),
        ("gzip", &gzip(&[b' '; 5000]), 413),
    ] {
        let bench = Bench::new("body_rewrite", conf)
            .with_header("Content-Type", "application/json")
            .with_header("Content-Encoding", coding);
        bench.set_bytes("ngx.body", body);
        assert_eq!(bench.run("access"), End::Exit(status), "{coding}");
    }
}

#[test]
fn a_request_of_two_types_is_refused() {
    let bench = Bench::new("body_rewrite", r#"{ request_json_mask = { "card" } }"#)
        .with_header("Content-Type", "image/png")
        .with_header("Content-Type", "application/json");
    assert_eq!(bench.run("access"), End::Exit(400));
}

#[test]
fn a_coded_request_goes_on_plain_and_other_types_as_they_are() {
    let conf =
        r#"{ request_replace = { { pattern = "(?i)password=[^&]*", with = "password=x" } } }"#;
    let bench = Bench::new("body_rewrite", conf)
        .with_header("Content-Type", "application/x-www-form-urlencoded")
        .with_header("Content-Encoding", "gzip");
    bench.set_bytes("ngx.body", &gzip(b"a=1&Password=hunter2&b=2"));
    assert_eq!(bench.run("access"), End::Went);
    assert_eq!(bench.eval("ngx.body"), "a=1&password=x&b=2");
    assert_eq!(bench.request_header("Content-Encoding"), None);

    let bench = Bench::new("body_rewrite", conf).with_header("Content-Type", "image/png");
    bench.set_bytes("ngx.body", b"password=1");
    assert_eq!(bench.run("access"), End::Went);
    assert_eq!(bench.eval("ngx.body"), "password=1");
}

#[test]
fn the_upstream_is_asked_for_a_whole_plain_body_where_it_is_edited() {
    let conf = r#"{ response_json_mask = { "card" } }"#;
    let bench = Bench::new("body_rewrite", conf)
        .with_header("Accept-Encoding", "gzip, br")
        .with_header("Range", "bytes=10-20");
    assert_eq!(bench.run("access"), End::Went);
    assert_eq!(bench.request_header("Accept-Encoding"), None);
    assert_eq!(bench.request_header("Range"), None);
}

#[test]
fn a_response_is_edited_and_coded_as_it_came() {
    let conf = r#"{ response_json_mask = { "items.*.card" }, response_replace = { { pattern = "Ali", with = "A." } } }"#;
    for coding in ["", "gzip", "br", "deflate"] {
        let bench = Bench::new("body_rewrite", conf)
            .lua("ngx.header['Content-Type'] = 'application/hal+json'; ngx.header.ETag = '\"1\"'")
            .lua(&format!(
                "ngx.header['Content-Encoding'] = '{coding}'; ngx.header['Content-Length'] = 7"
            ));
        bench.set_bytes("ngx.arg[1]", CARDS.as_bytes());
        let bench = bench.lua(&format!("ngx.arg[1] = waf.encode_body(ngx.arg[1], '{coding}')"));
        assert_eq!(bench.run("header_filter"), End::Went);
        assert_eq!(bench.eval("ngx.header.ETag"), "nil");
        assert_eq!(bench.eval("ngx.header['Content-Length']"), "nil");
        assert_eq!(bench.run("body_filter"), End::Went);
        assert_eq!(bench.eval("ngx.header['Content-Encoding']"), coding);
        let body = bench.eval(&format!("waf.decode_body(ngx.arg[1], '{coding}')"));
        let wanted = r#"{"name":"A.","items":[{"card":"***","n":1.50},{"card":"***"}],"debug":{}}"#;
        assert_eq!(body, wanted, "{coding}");
    }
}

#[test]
fn a_response_that_cannot_be_masked_is_an_error_and_not_sent_as_it_is() {
    let conf = r#"{ response_json_mask = { "card" } }"#;
    let bench = Bench::new("body_rewrite", conf)
        .lua("ngx.header['Content-Type'] = 'application/json'; ngx.arg[1] = '{\"card\":'");
    let End::Error(message) = bench.run("body_filter") else { panic!("it was sent") };
    assert!(message.contains("body_rewrite: response body: no JSON"), "{message}");
}

#[test]
fn responses_without_a_body_and_of_other_types_keep_their_headers() {
    let conf = r#"{ response_replace = { { pattern = "a", with = "b" } } }"#;
    for statement in [
        "ngx.status = 304; ngx.header['Content-Type'] = 'text/html'",
        "ngx.header['Content-Type'] = 'image/png'",
    ] {
        let bench = Bench::new("body_rewrite", conf)
            .lua(statement)
            .lua("ngx.header.ETag = 'x'; ngx.arg[1] = 'a'");
        assert_eq!(bench.run("header_filter"), End::Went);
        assert_eq!(bench.run("body_filter"), End::Went);
        assert_eq!(bench.eval("ngx.header.ETag .. ngx.arg[1]"), "xa");
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_the_bench_codes_is_what_others_read() {
    let bench = Bench::new("body_rewrite", "{}").lua("ngx.body = waf.encode_body('moon', 'gzip')");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bench.bytes("ngx.body")[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "moon");
}
