//! A real Prometheus scrapes what we show, and understands every query of dashboard and alerts.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use moongate::telemetry;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use serde_json::Value;

const LONG: Duration = Duration::from_secs(30);
const INSTALL: &str = "`prometheus` and `promtool` are missing: `apt-get install prometheus`, \
                       or set MOONGATE_SKIP_PROMETHEUS";

/// Labels that Prometheus itself gives.
const GIVEN: [&str; 3] = ["instance", "job", "le"];

#[test]
fn prometheus_reads_every_metric_and_answers_every_query() {
    if is_skipped() {
        return;
    }
    crate::telemetry::emit_one_of_each();
    let prometheus = Prometheus::scraping(serve_metrics());
    check_scrapes(&prometheus.url());
    check_metrics(&prometheus.url());
    check_dashboard(&prometheus.url());
    check_alerts(&prometheus.url());
}

#[test]
fn promtool_accepts_the_alerts() {
    if is_skipped() {
        return;
    }
    promtool_check();
}

#[test]
fn promtool_finds_no_fault_in_the_metrics() {
    if is_skipped() {
        return;
    }
    crate::telemetry::emit_one_of_each();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect(INSTALL);
    let text = telemetry::metrics_text();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn queries_name_only_metrics_and_labels_that_there_are() {
    let alerts = alert_queries();
    assert!(alerts.len() >= 15, "{} alerts", alerts.len());
    let dashboard = dashboard_queries();
    assert!(dashboard.len() >= 50, "{} queries", dashboard.len());
    for query in dashboard.iter().chain(&alerts) {
        check_names(query);
    }
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let named: BTreeSet<_> =
        dashboard_queries().iter().flat_map(|query| metrics_in(query)).collect();
    let absent: Vec<_> = telemetry::metrics::LIST
        .iter()
        .map(|about| about.name)
        .filter(|name| !named.iter().any(|used| base(used) == *name))
        .collect();
    assert!(absent.is_empty(), "not on the dashboard: {absent:?}");
}

#[test]
fn a_query_with_a_wrong_metric_or_label_is_caught() {
    for query in [
        "rate(moongate_request_total[1m])",
        "sum by (rout) (moongate_requests_total)",
        "moongate_requests_total{clas=\"5xx\"}",
    ] {
        assert!(std::panic::catch_unwind(|| check_names(query)).is_err(), "{query}");
    }
}

/// Whether the operator of this machine does without; said, so that nobody takes it for a pass.
fn is_skipped() -> bool {
    let skipped = std::env::var_os("MOONGATE_SKIP_PROMETHEUS").is_some();
    if skipped {
        // Past the test program's capture, so that it can be counted.
        let _ = writeln!(std::io::stderr(), "skipped: MOONGATE_SKIP_PROMETHEUS is set");
    }
    skipped
}

/// Executes every query of the dashboard; each must be answered with at least one series.
pub fn check_dashboard(prometheus: &str) {
    for query in dashboard_queries() {
        check_names(&query);
        let result = ask(prometheus, &query);
        let series = result.as_array().map_or(0, Vec::len);
        assert_ne!(series, 0, "no series: {query}");
    }
}

/// Executes every query of the alerts, and has Prometheus say that it evaluates each.
pub fn check_alerts(prometheus: &str) {
    for query in alert_queries() {
        check_names(&query);
        ask(prometheus, &query);
    }
    let answer = get(prometheus, "/api/v1/rules");
    let rules = answer["data"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), alert_queries().len());
    for rule in rules {
        assert_ne!(rule["health"], "err", "{rule}");
    }
}

/// Every metric that moves with the emitted facts is stored under its name.
pub fn check_metrics(prometheus: &str) {
    for about in telemetry::metrics::LIST {
        let suffix = if about.buckets.is_empty() { "" } else { "_count" };
        let result = ask(prometheus, &format!("{}{suffix}", about.name));
        assert_ne!(result, Value::Array(Vec::new()), "{}", about.name);
    }
}

/// `promtool check rules`, and the tests of the rules.
pub fn promtool_check() {
    promtool(&["check", "rules"], "dashboards/prometheus/alerts.yml");
    promtool(&["test", "rules"], "tests/prometheus/alerts.yml");
}

fn promtool(command: &[&str], file: &str) {
    let output = Command::new("promtool").args(command).arg(project(file)).output().expect(INSTALL);
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&said));
}

fn check_scrapes(prometheus: &str) {
    wait_until("three scrapes", || {
        let count = ask(prometheus, "count_over_time(up{job=\"moongate\"}[1m])");
        count[0]["value"][1].as_str().is_some_and(|count| count.parse::<f64>().unwrap() >= 3.0)
    });
    let answer = get(prometheus, "/api/v1/targets");
    let target = &answer["data"]["activeTargets"][0];
    assert_eq!((&target["health"], &target["lastError"]), (&"up".into(), &"".into()));
}

fn check_names(query: &str) {
    for name in metrics_in(query) {
        let base = base(&name);
        let known = telemetry::metrics::LIST.iter().find(|about| about.name == base);
        let about = known.unwrap_or_else(|| panic!("`{name}` is no metric: {query}"));
        let is_part = name != about.name;
        assert_eq!(is_part, !about.buckets.is_empty(), "`{name}` is no series: {query}");
    }
    let labels: BTreeSet<_> = telemetry::metrics::LIST
        .iter()
        .flat_map(|about| about.labels.iter().map(|label| label.name))
        .chain(GIVEN)
        .collect();
    for label in labels_in(query) {
        assert!(labels.contains(&*label), "`{label}` is no label: {query}");
    }
}

fn metrics_in(query: &str) -> Vec<String> {
    let name = Regex::new(r"\bmoongate_\w+").unwrap();
    name.find_iter(query).map(|found| found.as_str().to_owned()).collect()
}

fn labels_in(query: &str) -> Vec<String> {
    let grouped = Regex::new(r"\bby \(([^)]*)\)").unwrap();
    let matched = Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*""#).unwrap();
    let groups = grouped.captures_iter(query).flat_map(|found| {
        found[1].split(',').map(|label| label.trim().to_owned()).collect::<Vec<_>>()
    });
    groups.chain(matched.captures_iter(query).map(|found| found[1].to_owned())).collect()
}

/// A histogram's name without what its series have at the end.
fn base(name: &str) -> &str {
    let is_histogram = |base: &str| {
        telemetry::metrics::LIST.iter().any(|about| about.name == base && !about.buckets.is_empty())
    };
    let bases = ["_bucket", "_sum", "_count"].map(|suffix| name.strip_suffix(suffix));
    bases.into_iter().flatten().find(|base| is_histogram(base)).unwrap_or(name)
}

/// All queries of the dashboard, its variables replaced as Grafana does.
fn dashboard_queries() -> Vec<String> {
    let text = fs::read_to_string(project("dashboards/grafana/overview.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<_> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .map(|query| query.replace("$__rate_interval", "1m").replace("$instance", ".*"))
        .collect();
    assert!(!queries.iter().any(|query| query.contains('$')), "a variable is left");
    queries
}

fn alert_queries() -> Vec<String> {
    let text = fs::read_to_string(project("dashboards/prometheus/alerts.yml")).unwrap();
    let file: Value = serde_yaml::from_str(&text).unwrap();
    let rules = file["groups"][0]["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Serves the metrics of this process for as long as it lives.
fn serve_metrics() -> SocketAddr {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let _ = answer_scrape(stream);
        }
    });
    address
}

fn answer_scrape(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 4096];
    if stream.read(&mut request)? == 0 {
        return Ok(());
    }
    let text = telemetry::metrics_text();
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{text}", text.len())
}

/// A Prometheus of our own, which ends with the test.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one that scrapes this address four times a second and evaluates the alerts.
    pub fn scraping(metrics: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let alerts = project("dashboards/prometheus/alerts.yml");
        let text = serde_json::json!({
            "global": { "scrape_interval": "250ms", "scrape_timeout": "200ms", "evaluation_interval": "500ms" },
            "rule_files": [alerts],
            "scrape_configs": [{ "job_name": "moongate", "static_configs": [{ "targets": [metrics.to_string()] }] }],
        });
        fs::write(&config, text.to_string()).unwrap();
        let address = free_address();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .expect(INSTALL);
        let prometheus = Self { process, address, _folder: folder };
        wait_until("Prometheus is ready", || {
            request(&prometheus.url(), "/-/ready").is_ok_and(|answer| answer.contains(" 200 "))
        });
        prometheus
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The result of a query; a fault of the query is a fault of the test.
fn ask(prometheus: &str, query: &str) -> Value {
    let query_text = utf8_percent_encode(query, NON_ALPHANUMERIC);
    let mut answer = get(prometheus, &format!("/api/v1/query?query={query_text}"));
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    answer["data"]["result"].take()
}

fn get(prometheus: &str, path: &str) -> Value {
    let answer = request(prometheus, path).expect("Prometheus answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    serde_json::from_str(body).unwrap_or_else(|fault| panic!("{fault}: {answer}"))
}

/// The whole answer to a GET. HTTP/1.0, so that it is neither chunked nor kept alive.
fn request(server: &str, path: &str) -> std::io::Result<String> {
    let host = server.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(LONG))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < until, "{what}: waited in vain");
        thread::park_timeout(Duration::from_millis(100));
    }
}
