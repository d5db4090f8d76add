//! Versions that are tried, by the command line; and for a part of a function's requests.

use super::{functions, functions_as, node, push, serve, told};
use crate::support::{DEADLINE, Upstream, wait_until};

#[test]
fn a_version_is_tried_promoted_and_given_up_by_commands() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    serve(&moongate, "hello", "ngx.print('one')");
    push(&moongate, "hello", "ngx.print('two')", &[]);
    let begun = functions(&moongate, &["shadow", "hello", "--kills", "none"]);
    assert!(begun.starts_with("hello: shadow 100 % of version 2 ("), "{begun}");
    assert!(begun.contains("waiting: 0 calls of it"), "{begun}");
    assert_eq!(told(&moongate, "hello")["candidate"]["gates"]["kills"], serde_json::Value::Null);
    moongate.get("/hello");
    let differences = || functions(&moongate, &["differences", "hello"]);
    let compared = || differences().starts_with("1 compared, 1 differ, 0 left out\n");
    assert!(wait_until(DEADLINE, compared), "{}", differences());
    assert!(differences().contains("GET /hello"), "{}", differences());
    let sampled = functions(&moongate, &["sample", "hello", "--percent", "12.5"]);
    assert!(sampled.starts_with("hello: sample 12.5 % of version 2 ("), "{sampled}");
    let canary = ["canary", "hello", "--percent", "100", "--sticky", "header:X-User"];
    functions(&moongate, &canary);
    assert_eq!(moongate.get("/hello").text(), "two");
    let status = functions(&moongate, &["status", "hello"]);
    assert!(status.contains("hello: canary 100 % of version 2 ("), "{status}");
    let given_up = functions(&moongate, &["abort", "hello"]);
    assert!(given_up.contains("aborted by ops"), "{given_up}");
    assert_eq!(moongate.get("/hello").text(), "one");
    functions(&moongate, &canary);
    functions(&moongate, &["promote", "hello"]);
    assert_eq!(moongate.get("/hello").text(), "two");
    let shown = functions(&moongate, &["show", "hello"]);
    assert!(shown.contains("promoted") && shown.contains("canary 100 %"), "{shown}");
    let refused = functions_as("ops", &moongate, &["abort", "hello"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    let published = functions_as("ci", &moongate, &["shadow", "hello"]);
    assert_eq!(published.code, 1, "who may push may not put in force: {published:?}");
    let unknown = functions_as("ops", &moongate, &["canary", "hello"]);
    assert_eq!(unknown.code, 2, "a canary wants its share: {unknown:?}");
}

#[test]
fn a_version_is_tried_for_a_part_of_the_requests() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "");
    serve(&moongate, "hello", "ngx.print('one')");
    push(&moongate, "hello", "ngx.print('two')", &[]);
    let canary = ["canary", "hello", "--percent", "100", "--route", "/hello/beta"];
    let begun = functions(&moongate, &canary);
    assert!(begun.contains("canary 100 % of /hello/beta of version 2"), "{begun}");
    let answers = ["/hello", "/hello/beta", "/hello/beta/x", "/hello/betas"];
    let answers = answers.map(|path| moongate.get(path).text());
    assert_eq!(answers, ["one", "two", "two", "one"]);
    let elsewhere = ["canary", "hello", "--percent", "100", "--route", "/other"];
    let refused = functions_as("ops", &moongate, &elsewhere);
    assert!(refused.stderr.contains("no request of `/other` is one of its own"), "{refused:?}");
}
