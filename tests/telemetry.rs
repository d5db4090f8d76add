//! Facts, and what they leave in metrics and logs: real files, sockets and servers at the other end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moongate::config::{AccessLog, LogFormat, LogTarget};
use moongate::shared::TableStatistics;
use moongate::telemetry::events::{self, HeadRefused};
use moongate::telemetry::logs::{self, Logs, Record};
use moongate::telemetry::{self, DictionaryReading, FunctionReading, OwnerReading};
use moongate::transaction::{
    BudgetPart, Client, Cost, Exceeded, Findings, Headers, Match, PeerAddress, Phase, Request,
    Response, RulePhase, Scores, Severity, Transaction, Verdict, Version,
};

const LONG: Duration = Duration::from_secs(10);

/// An exchange that was allowed, with secrets in all the places where a log could show them.
pub fn exchange(id: &str, route: &str) -> Transaction {
    let mut headers = Headers::default();
    for (name, value) in [
        ("Host", "shop.example:8080"),
        ("User-Agent", "curl/8.0 \"quoted\""),
        ("Referer", "https://shop.example/login?password=hunter2&x=1"),
        ("Authorization", "Bearer hunter2"),
        ("Cookie", "session=hunter2"),
    ] {
        headers.append(name, value);
    }
    let target = Bytes::from_static(b"/search?q=shoes&token=hunter2");
    let request = Request::new(Bytes::from_static(b"GET"), target, Version::Http11, headers);
    let socket: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let client = Client {
        address: socket.ip(),
        port: socket.port(),
        socket,
        server: "127.0.0.1:8080".parse().unwrap(),
        listener: "127.0.0.1:8080".parse().unwrap(),
        connection: 1,
        connection_requests: 1,
        tls: None,
        path: None,
    };
    let mut exchange = Transaction::new(id.to_owned(), Instant::now(), client, request);
    exchange.response = Some(Response { status: 200, headers: Headers::default() });
    exchange.route = Some(route.into());
    exchange.upstream.name = Some("app".into());
    let peer = PeerAddress::Socket("127.0.0.1:3000".parse().unwrap());
    exchange.upstream.peer = Some(peer);
    exchange.upstream.status = Some(200);
    exchange.upstream.header_time = Some(Duration::from_millis(2));
    exchange.upstream.response_time = Some(Duration::from_millis(3));
    exchange.outcome.body_bytes_sent = 1234;
    exchange.outcome.bytes_received = 321;
    exchange.outcome.completed = true;
    exchange
}

/// As [`exchange`], refused.
fn refused(id: &str) -> Transaction {
    let mut exchange = exchange(id, "refusals");
    exchange.outcome.verdict = Verdict::Refused;
    exchange.outcome.reason = Some("ip_admission".to_owned());
    exchange
}

/// Every event there is, at least once, and a line of a log.
pub fn emit_one_of_each() {
    emit_of_connections();
    emit_of_exchanges();
    emit_of_scripts();
    emit_of_functions();
    emit_of_upstreams();
    emit_of_admin();
    let report = "1 fault\n  = help: \x1b mend it\npolicy refused; policy 41 stays in force";
    events::PolicyRefused { faults: 2, generation: 41, report }.emit();
    events::Trouble { what: "no space", next: "make some" }.emit();
    events::ResponseTooLong { route: "shop.example/api/" }.emit();
    events::PolicySwapped { generation: 42, digest: "ab12", took: Duration::from_millis(12) }
        .emit();
    let logs = open(log(LogTarget::File("/dev/null".into())));
    write(&logs, "0123456789abcdef0123456789abcdef");
    assert!(logs.flush(LONG));
    telemetry::set_dictionaries(|| {
        let name = "limits".to_owned();
        vec![DictionaryReading { name, bytes: 100, capacity: 1000, entries: 3, evictions: 1 }]
    });
    telemetry::set_tables(|| {
        vec![TableStatistics { name: "blocked".into(), entries: 3, bytes: 300, changes: 4 }]
    });
}

fn emit_of_connections() {
    let client = SocketAddr::from(([192, 0, 2, 7], 4711));
    events::ConnectionOpened.emit();
    events::ConnectionOpened.emit();
    events::ConnectionClosed.emit();
    for limit in ["total", "per_client"] {
        events::ConnectionRefused { client: client.ip(), limit }.emit();
    }
    let (status, reason) = (400, "guard::two_lengths");
    HeadRefused { client, status, reason, head: b"GET / HTTP/1.1\r\n" }.emit();
}

fn emit_of_exchanges() {
    for verdict in Verdict::ALL {
        let mut ended = exchange("0123456789abcdef0123456789abcdef", "shop.example/api/");
        ended.outcome.verdict = verdict;
        let status = if verdict == Verdict::Failed { 502 } else { 200 };
        ended.response = Some(Response { status, headers: Headers::default() });
        events::ExchangeEnded { transaction: &ended }.emit();
    }
    for phase in Phase::NINE {
        events::PhaseRan { phase, took: Duration::from_micros(70) }.emit();
    }
    events::BodySpooled.emit();
    emit_of_rules();
}

/// Of an exchange that cost more than it may.
fn cost() -> Cost {
    let (part, phase) = (BudgetPart::Rule, RulePhase::RequestBody);
    let (rule, spent, limit) = (Some(942_100), 1001, 1000);
    let exceeded = Some(Exceeded { part, rule, phase, spent, limit, refused: true });
    let (time, time_limit) = (Duration::from_millis(3), Duration::from_secs(1));
    Cost { work: 3000, work_limit: 4000, time, time_limit, exceeded }
}

fn emit_of_rules() {
    for (matches, would_have) in [(vec![], None), (vec![matched("ARGS:q")], Some(949_110))] {
        let mut ended = exchange("0123456789abcdef0123456789abcdef", "shop.example/api/");
        let scores = Scores { inbound: 5, outbound: 0 };
        let mode = Some("detect");
        let found = Findings { matches, scores, would_have, mode, cuts: 1, cost: cost() };
        ended.findings = Some(Box::new(found));
        events::ExchangeEnded { transaction: &ended }.emit();
    }
    for phase in RulePhase::ALL {
        events::RulesRan { phase, took: Duration::from_micros(70) }.emit();
    }
    for of in ["request", "response"] {
        events::BodyInspected { of, bytes: 1000, error: true }.emit();
    }
}

/// A match of a rule on a variable.
fn matched(variable: &str) -> Match {
    Match {
        id: 942_100,
        phase: RulePhase::RequestBody,
        message: b"SQL Injection".into(),
        data: format!("Matched Data: s&1c found within {variable}: 1' or 1 -- \u{1b}").into(),
        place: "rules/REQUEST-942.conf:55".to_owned(),
        tags: vec!["attack-sqli".to_owned(), "paranoia-level/1".to_owned()],
        severity: Some(Severity::Critical),
        variable: variable.into(),
        value: b"1' or 1 -- \x1b\xff".into(),
        logged: true,
        audited: true,
        disruptive: false,
    }
}

fn emit_of_scripts() {
    let (module, phase, cpu) = ("ip_admission", Phase::Access, Duration::from_micros(20));
    for outcome in ["ok", "cpu", "memory", "wait", "runtime"] {
        events::LuaCalled { module, phase, cpu, outcome }.emit();
    }
    for (domain, bytes) in [(module, Some(1 << 20)), ("gone", Some(1 << 20)), ("gone", None)] {
        events::LuaMemory { domain, worker: 0, bytes }.emit();
    }
    events::OwnerSuspended { owner: "team-a" }.emit();
    events::OwnerKilled { owner: "team-a", reason: "cpu" }.emit();
    for limit in ["calls", "connections", "cpu", "memory"] {
        events::OwnerRefused { owner: "team-a", limit }.emit();
    }
    let (error, traceback) = ("access.lua:3: no", "access.lua:3\ninit.lua:1");
    let mut exchange = exchange("0123", "shop");
    exchange.client.address = [192, 0, 2, 7].into();
    let (message, about) = ("seen\nforged", Some(&exchange));
    events::ScriptFailed { error, kind: "runtime", traceback, module, phase, about, peer: None }
        .emit();
    events::ScriptSaid { level: 5, phase, module, message, about, peer: None }.emit();
}

fn emit_of_functions() {
    let (owner, function, cpu) = ("team-a", "hello", Duration::from_micros(20));
    for outcome in ["ok", "runtime", "cpu"] {
        events::FunctionCalled { owner, function, cpu, outcome }.emit();
    }
    events::FunctionRefused { owner, function }.emit();
    events::FunctionLoaded { owner, function, took: Duration::from_micros(900) }.emit();
    events::FunctionExpired { name: function }.emit();
    let (digest, why, by) = ("ab12", "its errors: 5 %, more than 1 %", "gates");
    events::FunctionRolled { function, digest, what: "rolled_back", why, by }.emit();
    telemetry::set_functions(|| {
        let (owner, function) = ("team-a".to_owned(), "hello".to_owned());
        (7, vec![FunctionReading { owner, function, states: 2, bytes: 300_000 }])
    });
    telemetry::set_owners(|| {
        let (owner, calls, errors, running) = ("team-a".to_owned(), 9, 2, 1);
        let (connections, memory, dropped_lines) = (3, 300_000, 40);
        let cpu = Duration::from_micros(40);
        let reading =
            OwnerReading { owner, calls, errors, cpu, running, connections, memory, dropped_lines };
        vec![reading]
    });
    events::OwnerFlooded { owner: "team-a", lines: 40 }.emit();
}

fn emit_of_upstreams() {
    let (upstream, peer) = ("app", "127.0.0.1:3000");
    for outcome in
        ["ok", "connect_error", "tls_error", "timeout", "read_error", "write_error", "bad_response"]
    {
        events::UpstreamTried { upstream, outcome, reused: outcome == "ok" }.emit();
    }
    for healthy in [true, false, true] {
        events::PeerJudged { upstream, peer, healthy }.emit();
    }
    let peer = "127.0.0.1:3001";
    events::PeerJudged { upstream, peer, healthy: false }.emit();
    events::PeerForgotten { upstream, peer }.emit();
}

fn emit_of_admin() {
    events::AdminAnswered { method: "GET", endpoint: "/policy", status: 401 }.emit();
    events::AdminDenied { reason: "unknown_token" }.emit();
}

/// The value of one sample, as `name{label="value"}`; 0 where there is none.
fn sample(name: &str) -> f64 {
    let text = telemetry::metrics_text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

fn log(target: LogTarget) -> AccessLog {
    AccessLog { format: LogFormat::Json, target, queue: 1000 }
}

fn open(log: AccessLog) -> Logs {
    opened(&[log], None, None)
}

fn opened(access: &[AccessLog], events: Option<&Path>, before: Option<&Logs>) -> Logs {
    Logs::open(access, events, before).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn write(logs: &Logs, id: &str) {
    logs.write(&Record::of_exchange(&exchange(id, "r"), Duration::from_micros(1_500_042)));
}

fn ids(text: &str) -> Vec<String> {
    let id = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        value["id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

fn json(line: &[u8]) -> serde_json::Value {
    serde_json::from_slice(line).unwrap_or_else(|fault| panic!("{fault}: {line:?}"))
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < until, "{what}: waited in vain");
        thread::park_timeout(Duration::from_millis(5));
    }
}

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

#[test]
fn every_metric_is_moved_by_some_event() {
    emit_one_of_each();
    let text = telemetry::metrics_text();
    for about in telemetry::metrics::LIST {
        assert!(text.contains(&format!("\n# TYPE {} ", about.name)), "{}", about.name);
    }
    assert!(
        text.contains(r#"moongate_lua_memory_bytes{domain="ip_admission",worker="0"} 1048576"#)
    );
    assert!(!text.contains(r#"domain="gone""#));
    assert!(!text.contains(":3001"));
}

#[test]
fn an_exchange_moves_the_metrics_of_its_route_and_of_nothing_else() {
    let route = "route of this test";
    let mut ended = refused("1");
    ended.route = Some(route.into());
    ended.response = Some(Response { status: 403, headers: Headers::default() });
    for _ in 0..3 {
        events::ExchangeEnded { transaction: &ended }.emit();
    }
    let labels = |class| {
        format!(r#"moongate_requests_total{{class="{class}",route="{route}",verdict="refused"}}"#)
    };
    assert_eq!(sample(&labels("4xx")), 3.0);
    assert_eq!(sample(&labels("2xx")), 0.0);
    assert_eq!(sample(&format!(r#"moongate_sent_bytes_total{{route="{route}"}}"#)), 3.0 * 1234.0);
    assert_eq!(
        sample(&format!(r#"moongate_received_bytes_total{{route="{route}"}}"#)),
        3.0 * 321.0
    );
    let count = format!(r#"moongate_request_duration_seconds_count{{route="{route}"}}"#);
    assert_eq!(sample(&count), 3.0);
}

#[test]
fn facts_of_many_threads_are_all_counted() {
    let name = r#"moongate_requests_total{class="2xx",route="threads",verdict="allowed"}"#;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let ended = exchange("1", "threads");
                (0..500).for_each(|_| events::ExchangeEnded { transaction: &ended }.emit());
            });
        }
    });
    assert_eq!(sample(name), 2000.0);
}

#[test]
fn an_upstream_that_a_script_computed_has_no_name_of_its_own() {
    let name =
        r#"moongate_upstream_tries_total{connection="new",outcome="timeout",upstream="computed"}"#;
    let before = sample(name);
    for upstream in ["192.0.2.1:80", "192.0.2.2:80"] {
        events::UpstreamTried { upstream, outcome: "timeout", reused: false }.emit();
    }
    assert_eq!(sample(name) - before, 2.0);
    assert!(!telemetry::metrics_text().contains("192.0.2.1:80"));
}

#[test]
fn a_kill_is_an_error_and_a_call_too() {
    let (module, phase) = ("module of this test", Phase::Access);
    events::LuaCalled { module, phase, cpu: Duration::from_millis(10), outcome: "cpu" }.emit();
    events::LuaCalled { module, phase, cpu: Duration::from_millis(5), outcome: "ok" }.emit();
    let of = |metric: &str, rest: &str| sample(&format!(r#"moongate_lua_{metric}{{{rest}}}"#));
    let call = format!(r#"module="{module}",phase="access""#);
    assert_eq!(of("calls_total", &call), 2.0);
    assert!((of("cpu_seconds_total", &call) - 0.015).abs() < 1e-9);
    let error = format!(r#"kind="cpu",module="{module}",phase="access""#);
    assert_eq!(of("errors_total", &error), 1.0);
    assert_eq!(of("kills_total", &format!(r#"module="{module}",reason="cpu""#)), 1.0);
}

#[test]
fn a_json_line_says_all_about_an_exchange_but_its_secrets() {
    let folder = Folder::new();
    let logs = open(log(LogTarget::File(folder.path("a"))));
    write(&logs, "0123456789abcdef0123456789abcdef");
    assert!(logs.flush(LONG));
    let text = folder.text("a");
    assert!(!text.contains("hunter2"), "{text}");
    let line = json(text.trim_end().as_bytes());
    for (key, value) in [
        ("id", serde_json::json!("0123456789abcdef0123456789abcdef")),
        ("client", "192.0.2.7".into()),
        ("method", "GET".into()),
        ("host", "shop.example:8080".into()),
        ("path", "/search".into()),
        ("query", "q=shoes&token=[redacted]".into()),
        ("protocol", "HTTP/1.1".into()),
        ("status", 200.into()),
        ("bytes_sent", 1234.into()),
        ("bytes_received", 321.into()),
        ("duration", 1.500_042.into()),
        ("upstream", "app".into()),
        ("peer", "127.0.0.1:3000".into()),
        ("upstream_status", 200.into()),
        ("upstream_time", 0.003.into()),
        ("route", "r".into()),
        ("verdict", "allowed".into()),
        ("reason", serde_json::Value::Null),
        ("completed", true.into()),
        ("user_agent", "curl/8.0 \"quoted\"".into()),
        ("referer", "https://shop.example/login?password=[redacted]&x=1".into()),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
    let time = line["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z') && time.contains("T"), "{time}");
}

#[test]
fn a_combined_line_is_apaches() {
    let folder = Folder::new();
    let target = LogTarget::File(folder.path("a"));
    let logs = open(AccessLog { format: LogFormat::Combined, target, queue: 10 });
    write(&logs, "1");
    assert!(logs.flush(LONG));
    let combined = regex::Regex::new(concat!(
        r"^192\.0\.2\.7 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] ",
        r#""GET /search\?q=shoes&token=\[redacted\] HTTP/1\.1" 200 1234 "#,
        r#""https://shop\.example/login\?password=\[redacted\]&x=1" "curl/8\.0 \\x22quoted\\x22""#,
        r"\n$"
    ));
    let text = folder.text("a");
    assert!(combined.unwrap().is_match(&text), "{text}");
}

#[test]
fn the_event_log_has_what_was_refused_and_shows_no_secret() {
    let folder = Folder::new();
    let logs = opened(&[], Some(&folder.path("events")), None);
    write(&logs, "allowed");
    logs.write(&Record::of_exchange(&refused("refused"), Duration::ZERO));
    let head = b"GET /x?passwd=hunter2 y HTTP/1.1\r\nHost: a\r\nCookie: hunter2\r\n b: hunter2\r\n\xff: \xfe\r\n";
    let client = "[2001:db8::1]:9".parse().unwrap();
    let fact = HeadRefused { client, status: 400, reason: "guard::space", head };
    logs.write(&Record::of_head(&fact));
    assert!(logs.flush(LONG));
    let text = folder.text("events");
    assert!(!text.contains("hunter2"), "{text}");
    let lines: Vec<_> = text.lines().map(|line| json(line.as_bytes())).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["reason"], "ip_admission");
    assert_eq!(lines[0]["headers"][3], serde_json::json!(["Authorization", "[redacted]"]));
    assert_eq!(lines[1]["id"], serde_json::Value::Null);
    assert_eq!(lines[1]["client"], "2001:db8::1");
    assert_eq!(lines[1]["query"], "passwd=[redacted]");
    assert_eq!(lines[1]["verdict"], "refused");
    assert_eq!(lines[1]["headers"].as_array().unwrap().len(), 3);
}

#[test]
fn any_bytes_of_a_client_make_one_json_line_and_one_combined_line() {
    let folder = Folder::new();
    let target = |name| LogTarget::File(folder.path(name));
    let combined = AccessLog { format: LogFormat::Combined, ..log(target("combined")) };
    let events = folder.path("events");
    let logs = opened(&[log(target("json")), combined], Some(&events), None);
    let every: Vec<u8> = (0..=255).collect();
    for end in 0..every.len() {
        let client = "192.0.2.1:1".parse().unwrap();
        let head = [&every[end..], b"\r\nHost:", &every[..end], b"\r\nReferer: ?", &every].concat();
        let fact = HeadRefused { client, status: 400, reason: "guard::bytes", head: &head };
        logs.write(&Record::of_head(&fact));
    }
    assert!(logs.flush(LONG));
    for name in ["json", "events"] {
        let text = folder.text(name);
        assert_eq!(text.lines().count(), 256);
        text.lines().for_each(|line| drop(json(line.as_bytes())));
    }
    let text = folder.text("combined");
    assert_eq!(text.lines().count(), 256);
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
}

#[test]
fn a_rotated_file_is_let_go_when_told_to_reopen() {
    let folder = Folder::new();
    let logs = open(log(LogTarget::File(folder.path("a"))));
    write(&logs, "before");
    assert!(logs.flush(LONG));
    fs::rename(folder.path("a"), folder.path("a.1")).unwrap();
    write(&logs, "between");
    assert!(logs.flush(LONG));
    logs.reopen();
    wait_until("a new file", || folder.path("a").exists());
    write(&logs, "after");
    assert!(logs.flush(LONG));
    assert_eq!(ids(&folder.text("a.1")), ["before", "between"]);
    assert_eq!(ids(&folder.text("a")), ["after"]);
}

#[test]
fn a_target_that_stays_named_stays_open_and_one_that_does_not_writes_what_it_has() {
    let folder = Folder::new();
    let (stays, goes) =
        (log(LogTarget::File(folder.path("a"))), log(LogTarget::File(folder.path("b"))));
    let before = opened(&[stays.clone(), goes], None, None);
    fs::rename(folder.path("a"), folder.path("a.1")).unwrap();
    write(&before, "1");
    let after = opened(&[stays], None, Some(&before));
    drop(before);
    write(&after, "2");
    assert!(after.flush(LONG));
    wait_until("the last line of b", || !folder.text("b").is_empty());
    assert_eq!(ids(&folder.text("a.1")), ["1", "2"]);
    assert_eq!(ids(&folder.text("b")), ["1"]);
}

#[test]
fn every_target_that_cannot_be_opened_is_told_at_once() {
    let folder = Folder::new();
    let bad = [
        LogTarget::File(folder.path("none/a")),
        LogTarget::File(folder.folder.path().to_owned()),
        LogTarget::SyslogUdp("logs.example".to_owned()),
        LogTarget::SyslogTcp(":514".to_owned()),
        LogTarget::Http { url: "https://a/".to_owned(), batch: 1, every: LONG },
    ];
    let logs: Vec<_> = bad.map(log).into();
    let faults = Logs::open(&logs, Some(&folder.path("none/b")), None).err().unwrap();
    assert_eq!(faults.len(), 6);
    assert!(faults.iter().all(|fault| fault.help.is_some()));
    assert!(faults[0].message.contains("No such file"), "{}", faults[0].message);
}

#[test]
fn a_full_disk_is_counted_and_waits_for_nobody() {
    let logs = open(log(LogTarget::File("/dev/full".into())));
    let name = r#"moongate_log_lines_dropped_total{log="access",reason="write_failed",target="file:/dev/full"}"#;
    let before = sample(name);
    for _ in 0..5 {
        write(&logs, "1");
        assert!(logs.flush(LONG));
    }
    assert_eq!(sample(name) - before, 5.0);
}

#[test]
fn a_target_that_does_not_take_lines_costs_lines_and_no_time() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/deaf", deaf.local_addr().unwrap());
    let name = format!(
        r#"moongate_log_lines_dropped_total{{log="access",reason="queue_full",target="{url}"}}"#
    );
    let target = LogTarget::Http { url, batch: 1, every: Duration::ZERO };
    let logs = open(AccessLog { queue: 4, ..log(target) });
    let begin = Instant::now();
    (0..100).for_each(|_| write(&logs, "1"));
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    // One batch is in the writer's hands at the most, four lines wait.
    assert!((92.0..=96.0).contains(&sample(&name)), "{}", sample(&name));
    assert!(!logs.flush(Duration::from_millis(10)));
}

#[test]
fn syslog_over_udp_is_rfc_5424() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    let logs = open(log(LogTarget::SyslogUdp(server.local_addr().unwrap().to_string())));
    write(&logs, "over udp");
    check_syslog(&received(|buffer| server.recv(buffer)), "over udp");
}

#[test]
fn syslog_over_a_unix_socket_is_rfc_5424_and_outlives_its_server() {
    let folder = Folder::new();
    let path = folder.path("log");
    let logs = open(log(LogTarget::SyslogUnix(path.clone())));
    for id in ["first", "second"] {
        let server = UnixDatagram::bind(&path).unwrap();
        server.set_read_timeout(Some(LONG)).unwrap();
        write(&logs, id);
        check_syslog(&received(|buffer| server.recv(buffer)), id);
        fs::remove_file(&path).unwrap();
    }
}

fn received(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>) -> Vec<u8> {
    let mut buffer = vec![0; 65536];
    let length = receive(&mut buffer).expect("a datagram comes");
    buffer.truncate(length);
    buffer
}

fn check_syslog(message: &[u8], id: &str) {
    let text = std::str::from_utf8(message).unwrap();
    let header = regex::Regex::new(
        r"^<190>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ moongate \d+ access - \{",
    );
    assert!(header.unwrap().is_match(text), "{text}");
    assert_eq!(ids(&text[text.find('{').unwrap()..]), [id]);
}

#[test]
fn syslog_over_tcp_counts_octets_and_connects_again() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let logs = open(log(LogTarget::SyslogTcp(server.local_addr().unwrap().to_string())));
    for round in ["first", "second"] {
        write(&logs, round);
        write(&logs, "more");
        let (stream, _) = server.accept().unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut stream = BufReader::new(stream);
        check_syslog(&frame(&mut stream), round);
        check_syslog(&frame(&mut stream), "more");
        assert!(logs.flush(LONG));
    }
}

fn frame(stream: &mut impl BufRead) -> Vec<u8> {
    let mut length = Vec::new();
    stream.read_until(b' ', &mut length).unwrap();
    let length: usize = std::str::from_utf8(&length).unwrap().trim_end().parse().unwrap();
    let mut message = vec![0; length];
    stream.read_exact(&mut message).unwrap();
    message
}

#[test]
fn lines_wait_for_a_syslog_server_that_is_away() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let logs = open(log(LogTarget::SyslogTcp(address.to_string())));
    write(&logs, "patient");
    assert!(!logs.flush(Duration::from_millis(100)));
    let server = TcpListener::bind(address).unwrap();
    let (stream, _) = server.accept().unwrap();
    check_syslog(&frame(&mut BufReader::new(stream)), "patient");
}

#[test]
fn lines_are_posted_in_batches_and_once_more_after_a_failure() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", server.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for status in ["503 Busy", "200 OK", "204 No Content"] {
            let (stream, _) = server.accept().unwrap();
            sender.send(serve(stream, status)).unwrap();
        }
    });
    let logs = open(log(LogTarget::Http { url, batch: 2, every: LONG }));
    ["1", "2", "3"].iter().for_each(|id| write(&logs, id));
    assert!(logs.flush(LONG));
    let bodies: Vec<_> = requests.iter().collect();
    let sent: Vec<_> = bodies.iter().map(|(_, body)| ids(body)).collect();
    assert_eq!(sent, [vec!["1", "2"], vec!["1", "2"], vec!["3"]]);
    let head = &bodies[0].0;
    assert!(head.starts_with("POST /in HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
    assert!(head.contains("Content-Type: application/x-ndjson\r\n"), "{head}");
}

fn serve(stream: std::net::TcpStream, status: &str) -> (String, String) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0);
    }
    let length = head.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    write!(stream.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn configured_logs_get_what_is_emitted_and_a_faulty_configuration_changes_nothing() {
    let folder = Folder::new();
    let (access, events) = (folder.path("access"), folder.path("events"));
    logs::configure(&[log(LogTarget::File(access))], Some(&events)).unwrap();
    let missing = [log(LogTarget::File(folder.path("none/a")))];
    assert_eq!(logs::configure(&missing, None).unwrap_err().len(), 1);
    let (kept, stopped) = (exchange("kept by this test", "r"), refused("stopped by this test"));
    events::ExchangeEnded { transaction: &kept }.emit();
    events::ExchangeEnded { transaction: &stopped }.emit();
    assert!(logs::flush(LONG));
    let [access, events] = ["access", "events"].map(|name| folder.text(name));
    assert!(access.contains("kept by this test") && access.contains("stopped by this test"));
    assert!(!events.contains("kept by this test") && events.contains("stopped by this test"));
    logs::configure(&[], None).unwrap();
}

/// Set for the process in which the two tests below do what they check from outside.
const ALONE: &str = "MOONGATE_TEST_ALONE";

#[test]
fn the_log_of_the_process_tells_what_happened_as_json_where_that_is_asked_for() {
    if std::env::var_os(ALONE).is_some() {
        telemetry::log::start();
        emit_one_of_each();
        return assert!(logs::flush(LONG));
    }
    let test =
        "telemetry::the_log_of_the_process_tells_what_happened_as_json_where_that_is_asked_for";
    let (_, errors) = run_alone(test);
    let lines: Vec<_> = errors.lines().filter(|line| line.starts_with('{')).collect();
    let said: Vec<_> = lines
        .iter()
        .map(|line| json(line.as_bytes()))
        .map(|line| {
            [&line["level"], &line["message"]].map(|text| text.as_str().unwrap().to_owned())
        })
        .collect();
    for (level, message) in [
        ("ERROR", "1 fault\n  = help: \\u{1b} mend it\npolicy refused; policy 41 stays in force"),
        ("WARN", "no space\n  = help: make some"),
        ("INFO", "policy 42 (ab12) is in force after 12.0ms"),
        ("WARN", "upstream `app`: peer 127.0.0.1:3000 is left out"),
        ("INFO", "upstream `app`: peer 127.0.0.1:3000 serves again"),
        ("WARN", "[lua] ip_admission: seen\\nforged (access, client: 192.0.2.7)"),
        (
            "ERROR",
            "[lua] ip_admission in access, request 0123: lua entry thread aborted: runtime error: \
             access.lua:3: no\\nstack traceback:\\naccess.lua:3\\ninit.lua:1",
        ),
    ] {
        assert!(said.contains(&[level.to_owned(), message.to_owned()]), "{message}: {errors}");
    }
}

#[test]
fn standard_output_is_a_target_too() {
    if std::env::var_os(ALONE).is_some() {
        let logs = open(log(LogTarget::Stdout));
        ["first", "second"].iter().for_each(|id| write(&logs, id));
        return assert!(logs.flush(LONG));
    }
    let (output, _) = run_alone("telemetry::standard_output_is_a_target_too");
    let lines: Vec<_> = output.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(ids(&lines.join("\n")), ["first", "second"]);
}

/// Runs one test in a process of its own; what it wrote to standard output and standard error.
fn run_alone(test: &str) -> (String, String) {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    command.env("MOONGATE_LOG_FORMAT", "json").env_remove("MOONGATE_LOG");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (out, err)
}

#[test]
fn scripts_that_say_too_much_are_cut_and_cost_no_time() {
    if std::env::var_os(ALONE).is_some() {
        telemetry::log::start();
        let (module, phase) = ("chatty", Phase::Access);
        for level in [4, 8] {
            for _ in 0..5000 {
                events::ScriptSaid {
                    level,
                    phase,
                    module,
                    message: "again",
                    about: None,
                    peer: None,
                }
                .emit();
            }
        }
        assert!(logs::flush(LONG));
        let dropped = sample("moongate_process_log_lines_dropped_total");
        return assert!((4000.0..5000.0).contains(&dropped), "{dropped}");
    }
    let (_, errors) = run_alone("telemetry::scripts_that_say_too_much_are_cut_and_cost_no_time");
    let written = errors.lines().filter(|line| line.contains("[lua] chatty: again")).count();
    assert!((200..1000).contains(&written), "{written}");
}

#[test]
fn the_event_log_tells_what_cost_too_much_and_the_next_step() {
    let mut ended = exchange("0123456789abcdef0123456789abcdef", "judged");
    let found = Findings { mode: Some("on"), cost: cost(), ..Findings::default() };
    ended.findings = Some(Box::new(found));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let logs = opened(&[], Some(&path), None);
    logs.write(&Record::of_exchange(&ended, Duration::ZERO));
    assert!(logs.flush(LONG));
    let line: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let told = &line["budget"];
    assert_eq!((&told["part"], &told["outcome"]), (&"rule".into(), &"refused".into()));
    assert_eq!((&told["rule"], &told["phase"]), (&942_100.into(), &2.into()));
    assert_eq!((&told["spent"], &told["limit"]), (&1001.into(), &1000.into()));
    assert!(told["help"].as_str().unwrap().contains("rules.exclusions"), "{told}");
}

#[test]
fn the_event_log_tells_what_rules_found() {
    let mut ended = exchange("0123456789abcdef0123456789abcdef", "judged");
    let scores = Scores { inbound: 10, outbound: 0 };
    let silent = Match { id: 901_001, logged: false, ..matched("REQUEST_URI") };
    let matches = vec![silent, matched("ARGS:q"), matched("ARGS:password")];
    let (would_have, mode) = (Some(949_110), Some("detect"));
    let cost = Cost::default();
    ended.findings = Some(Box::new(Findings { matches, scores, would_have, mode, cuts: 0, cost }));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let logs = opened(&[], Some(&path), None);
    logs.write(&Record::of_exchange(&ended, Duration::ZERO));
    assert!(logs.flush(LONG));
    let line: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((&line["engine"], &line["would_have"]), (&"detect".into(), &949_110.into()));
    assert_eq!(line["score"], serde_json::json!({ "inbound": 10, "outbound": 0 }));
    let rules = line["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2, "what is not logged is not told: {line}");
    let [shown, secret] = &rules[..] else { unreachable!() };
    assert_eq!((&shown["id"], &shown["phase"]), (&942_100.into(), &2.into()));
    assert_eq!(shown["msg"], "SQL Injection");
    assert_eq!(shown["severity"], "critical");
    assert_eq!(shown["tags"], serde_json::json!(["attack-sqli", "paranoia-level/1"]));
    assert_eq!(shown["file"], "rules/REQUEST-942.conf:55");
    assert_eq!(shown["value"], "1' or 1 -- \u{1b}\u{fffd}");
    assert_eq!((&secret["value"], &secret["data"]), (&"[redacted]".into(), &"[redacted]".into()));
}
