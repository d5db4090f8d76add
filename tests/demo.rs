//! The demo keeps its word: every line that it prints to try gives what it says.

use std::process::Command;

use crate::support::{DEADLINE, Moongate, curl, wait_until};

/// Begins the last line that the demo says once it stands.
const LAST_LINE: &str = "To stop";

#[test]
fn every_line_to_try_gives_what_it_says() {
    let demo = Moongate::demo();
    let said = demo.wait_for_output(LAST_LINE);
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let mut tried = 0;
    for pair in lines.windows(2).filter(|pair| pair[1].starts_with("curl -i")) {
        let (_, expected) = pair[0].rsplit_once(": ").expect("it says what to expect");
        let answer = shell(pair[1]);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(&expected[..3], status, "{}\n{answer}", pair[1]);
        tried += 1;
    }
    assert!(tried >= 8, "{said}");
}

#[test]
fn the_demo_s_event_log_names_the_rule_that_refused() {
    let demo = Moongate::demo();
    let said = demo.wait_for_output(LAST_LINE);
    let tail = said.lines().map(str::trim).find(|line| line.starts_with("tail "));
    let tail = tail.expect("it says how to read the event log");
    assert_eq!(demo.get("/search?q='+UNION+SELECT+name,password+FROM+users--").status, 403);
    assert!(wait_until(DEADLINE, || shell(tail).contains("\"id\":4630002")), "{}", shell(tail));
}

#[test]
fn the_demo_masks_counts_and_answers_by_itself() {
    let demo = Moongate::demo();
    let order = demo.get("/api/orders/1");
    assert!(order.text().contains("1111"), "{}", order.text());
    assert!(!order.text().contains("4111"), "{}", order.text());
    assert!(order.header("x-request-id").is_some(), "{:?}", order.headers);
    assert!(demo.get("/hello").text().contains("hello from Lua"));
    let metrics = curl(&[&format!("http://{}/metrics", demo.admin)]);
    assert!(metrics.contains("\nmoongate_requests"), "{metrics}");
}

#[test]
fn the_shop_s_events_stream_through() {
    let demo = Moongate::demo();
    let mut client = demo.connect();
    let head = client.ask("/events").read_head();
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let began = std::time::Instant::now();
    assert!(!client.read_chunk().is_empty());
    let first = began.elapsed();
    while !client.read_chunk().is_empty() {}
    assert!(began.elapsed() > first * 2, "the first event did not wait for the last");
}

fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", &line.replace("curl", "curl -sS")]).output();
    let output = output.expect("a shell and curl are there");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
