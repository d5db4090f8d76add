//! `moongate.yaml`: what is accepted, and how each fault is told.
//!
//! Each `tests/config/NAME.yaml` has its answer beside it in `NAME.txt`; `UPDATE_SNAPSHOTS=1`
//! writes the answers anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use moongate::config::{
    self, Config, Engine, Files, HandlerSource, OnError, Overrides, RuleSourceKind,
};
use moongate::diagnostic::{Diagnostic, Source, render};
use moongate::transaction::Phase;

/// `tests/config/files`, as if it were `/etc/moongate`.
struct Etc;

const ROOT: &str = "/etc/moongate";

impl Files for Etc {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        let inside = path.strip_prefix(ROOT).map_err(|_| std::io::ErrorKind::NotFound)?;
        std::fs::read(folder().join("files").join(inside))
    }

    fn modules(&self, _: &[PathBuf]) -> Vec<String> {
        vec!["greeting".to_owned()]
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn built_in() -> Overrides {
    Overrides {
        builtin: |name| (name == "ip_admission").then_some("return {}"),
        builtin_names: &["ip_admission"],
        workers: Some(2),
        ..Overrides::default()
    }
}

fn read(name: &str, text: &str) -> (Option<Config>, Vec<Diagnostic>) {
    config::read(&Source::new(name, text), Path::new(ROOT), &built_in(), &Etc)
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("the case is there")
}

fn accepted(text: &str) -> Config {
    let (config, found) = read("moongate.yaml", text);
    config.unwrap_or_else(|| panic!("{}", render(&found)))
}

fn cases() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder of cases");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn every_fault_is_told_as_written_beside_it() {
    let mut differences = Vec::new();
    let mut faults = 0;
    let names = cases();
    for name in &names {
        let yaml = format!("{name}.yaml");
        let (config, found) = read(&yaml, &text_of(&yaml));
        assert_eq!(config.is_some(), !found.iter().any(Diagnostic::is_error), "{name}");
        faults += found.len();
        let answer = folder().join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&answer, render(&found)).expect("the answer is written");
        }
        let expected = std::fs::read_to_string(&answer).unwrap_or_default();
        if render(&found) != expected {
            differences.push(format!("{name}: expected\n{expected}\nfound\n{}", render(&found)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!((names.len(), faults), (CASES, FAULTS), "cases and the faults in them");
}

const CASES: usize = 82;
const FAULTS: usize = 125;

#[test]
fn a_file_with_ten_faults_tells_all_ten_in_the_order_of_its_lines() {
    let found = read("moongate.yaml", &text_of("ten_faults.yaml")).1;
    let line = |fault: &Diagnostic| {
        let place = fault.place.as_ref().expect("a place");
        place.source.line_column(place.span.start).0
    };
    let lines: Vec<usize> = found.iter().map(line).collect();
    assert_eq!(lines, [1, 2, 4, 5, 8, 9, 11, 13, 14, 15]);
}

#[test]
fn every_fault_has_a_next_step_and_most_have_a_place() {
    for name in cases() {
        let yaml = format!("{name}.yaml");
        for fault in read(&yaml, &text_of(&yaml)).1 {
            assert!(fault.help.as_ref().is_some_and(|help| !help.is_empty()), "{name}: {fault:?}");
            assert!(
                fault.place.is_some() || name.starts_with("nothing_to_protect"),
                "{name}: {fault:?}"
            );
        }
    }
}

#[test]
fn an_upstream_on_the_command_line_is_enough() {
    let overrides =
        Overrides { upstream: Some("http://127.0.0.1:3000".to_owned()), ..Overrides::default() };
    let source = Source::new("moongate.yaml", "");
    let (config, found) = config::read(&source, Path::new(ROOT), &overrides, &Etc);
    assert_eq!(render(&found), "");
    let config = config.expect("there is no fault");
    assert_eq!(config.listen[0].address.to_string(), "0.0.0.0:8080");
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9180");
    assert_eq!(config.upstreams[0].peers[0].address.to_string(), "127.0.0.1:3000");
    assert_eq!(config.access_log.len(), 1);
    assert!(config.workers >= 1 && config.watch && config.routes.is_empty());
}

#[test]
fn defaults_of_the_tables_are_those_of_the_types() {
    let config = accepted("upstreams: { app: { peers: [127.0.0.1:1] } }");
    let same = |left: String, right: String| assert_eq!(left, right);
    same(format!("{:?}", config.limits), format!("{:?}", config::Limits::default()));
    same(format!("{:?}", config.lua.budget), format!("{:?}", config::Budget::default()));
    same(format!("{:?}", config.rules.budget), format!("{:?}", config::RuleBudget::default()));
    let app = &config.upstreams[0];
    same(format!("{:?}", app.timeouts), format!("{:?}", config::Timeouts::default()));
    same(format!("{:?}", app.health), format!("{:?}", config::HealthCheck::default()));
}

#[test]
fn flags_take_the_place_of_the_file() {
    let overrides = Overrides {
        listen: vec![":1".to_owned()],
        upstream: Some("127.0.0.1:2".to_owned()),
        admin: Some("127.0.0.1:3".to_owned()),
        lua: Some("/opt/lua".into()),
        rules: vec!["/opt/rules".into()],
        events: Some("/opt/events".into()),
        workers: Some(5),
        ..Overrides::default()
    };
    let text = "{ listen: \":9\", admin: 127.0.0.1:9, workers: 9, events: e, upstreams: { app: 127.0.0.1:9 } }";
    let source = Source::new("moongate.yaml", text);
    let config = config::read(&source, Path::new(ROOT), &overrides, &Etc).0.expect("no fault");
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.listen[0].address.port(), 1);
    assert_eq!(config.upstreams[0].name, "app");
    assert_eq!(config.upstreams[0].peers[0].address.to_string(), "127.0.0.1:2");
    assert_eq!(config.admin.address.port(), 3);
    assert_eq!(config.lua.modules, [PathBuf::from("/opt/lua/modules")]);
    let source = config.rules.sources.first().expect("--rules");
    assert_eq!(
        (source.kind, source.path.as_path()),
        (RuleSourceKind::Files, Path::new("/opt/rules"))
    );
    assert_eq!(config.events, Some("/opt/events".into()));
    assert_eq!(config.workers, 5);
}

#[test]
fn faults_of_flags_name_the_flag() {
    let overrides = Overrides {
        listen: vec!["shop".to_owned()],
        upstream: Some("https://127.0.0.1:2".to_owned()),
        admin: Some("0.0.0.0:9180".to_owned()),
        ..Overrides::default()
    };
    let source = Source::new("moongate.yaml", "");
    let (config, found) = config::read(&source, Path::new(ROOT), &overrides, &Etc);
    let told = render(&found);
    assert!(config.is_none());
    for word in ["--listen shop", "--upstream https://127.0.0.1:2", "0.0.0.0:9180"] {
        assert!(told.contains(word), "{word} in {told}");
    }
}

#[test]
fn handlers_come_in_the_order_modules_block_file() {
    let config = accepted(&text_of("accepted_everything.yaml"));
    let route = &config.routes[0];
    let access = route.handlers.of(Phase::Access);
    assert_eq!(access.len(), 3);
    let HandlerSource::Module { origin, .. } = &access[0].source else { panic!("a module") };
    assert_eq!(origin, "/etc/moongate/lua/modules/greeting.lua");
    assert_eq!(access[0].domain.as_deref(), Some("shop"));
    assert_eq!(access[0].owner.as_deref(), Some("team-a"));
    assert_eq!(access[0].budget.wait, Duration::from_secs(1));
    assert_eq!(access[0].budget.cpu, Duration::from_millis(50));
    assert_eq!(access[0].budget.memory, 64 << 20);
    let HandlerSource::Chunk { name, .. } = &access[2].source else { panic!("a chunk") };
    assert_eq!(name, "lua/deny.lua");
    assert!(access.iter().all(|attachment| attachment.on_error == OnError::Pass));
    assert_eq!(route.body.memory, 4 << 10);
    assert_eq!(route.matches.hosts, ["shop.example", "*.shop.example"]);
}

#[test]
fn a_block_knows_the_lines_of_the_file_before_it() {
    let text = text_of("accepted_everything.yaml");
    let config = accepted(&text);
    let mut checked = 0;
    let inline = config.routes[0].handlers.of(Phase::Set).iter();
    for attachment in config.routes[0].handlers.of(Phase::Access).iter().chain(inline) {
        let HandlerSource::Chunk { name, text: script, line_offset, .. } = &attachment.source
        else {
            continue;
        };
        if name != "moongate.yaml" {
            continue;
        }
        let written = text.lines().nth(*line_offset).expect("the line is there");
        let first = script.lines().next().expect("the script has a line");
        assert!(written.contains(first), "{written:?} has {first:?}");
        checked += 1;
    }
    assert_eq!(checked, 2);
}

#[test]
fn a_module_is_given_its_settings_and_their_place() {
    let text = text_of("accepted_everything.yaml");
    let config = accepted(&text);
    let HandlerSource::Module { settings, place, .. } =
        &config.handlers.of(Phase::Access)[0].source
    else {
        panic!("a module")
    };
    assert_eq!(settings, &serde_json::json!({ "words": ["a", 1, true, null] }));
    assert_eq!(&text[place.1.start..place.1.end], "{ words: [a, 1, true, null] }");
    let span = config::span_within(&place.0, place.1, "words[2]");
    assert_eq!(&text[span.start..span.end], "true");
}

#[test]
fn a_failed_handler_refuses_where_a_client_can_still_be_refused() {
    let phases = ["set", "rewrite", "access", "content", "header_filter", "body_filter", "log"];
    let lists: String = phases.map(|phase| format!("{phase}: [greeting]\n")).concat();
    let config =
        accepted(&format!("upstreams: {{ app: 127.0.0.1:1 }}\n{lists}modules: [greeting]\n"));
    let refuses = |phase: &Phase| {
        config.handlers.of(*phase).iter().any(|attachment| attachment.on_error == OnError::Refuse)
    };
    let refusing: Vec<&str> =
        Phase::NINE.iter().filter(|phase| refuses(phase)).map(|phase| phase.as_str()).collect();
    assert_eq!(refusing, ["set", "rewrite", "access", "content"]);
    assert_eq!(config.handlers.whole[0].on_error, OnError::Refuse);
}

#[test]
fn the_commented_default_file_passes_and_says_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/moongate.yaml");
    let text = std::fs::read_to_string(path).expect("rules/moongate.yaml");
    let (config, found) = read("rules/moongate.yaml", &text);
    assert_eq!(render(&found), "");
    let config = config.expect("there is no fault");
    let bare = accepted("upstreams: { app: { peers: [127.0.0.1:3000] } }");
    assert_eq!(format!("{config:#?}"), format!("{bare:#?}"));
}

#[test]
fn the_commented_default_file_names_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/moongate.yaml");
    let text = std::fs::read_to_string(path).expect("rules/moongate.yaml");
    let names = rows().into_iter().map(|(_, name, _)| name);
    let missing: Vec<String> = names.filter(|name| !text.contains(&format!("{name}:"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every file is there and holds the same.
struct Everywhere;

impl Files for Everywhere {
    fn read(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Ok(b"0123456789abcdef".to_vec())
    }

    fn variable(&self, _: &str) -> Option<Vec<u8>> {
        Some(b"0123456789abcdef".to_vec())
    }
}

/// A file in which only one setting is written, in the table of this title, beside what else must
/// stand there.
fn with_setting(title: &str, name: &str, value: serde_json::Value) -> String {
    let (place, beside) = match title {
        "The file" | "handlers" => ("/", vec![]),
        "listen[]" => ("/listen/0", vec![("address", ":1")]),
        "listen[].tls" => ("/listen/0/tls", KEY_PAIR.to_vec()),
        "listen[].tls.certificates[]" => ("/listen/0/tls/certificates/0", KEY_PAIR.to_vec()),
        "upstreams.NAME" => ("/upstreams/app", vec![("peers", "127.0.0.1:1")]),
        "upstreams.NAME.peers[]" => ("/upstreams/app/peers/0", vec![("address", "127.0.0.1:1")]),
        "upstreams.NAME.tls" => ("/upstreams/app/tls", KEY_PAIR.to_vec()),
        "upstreams.NAME.balance" => ("/upstreams/app/balance", vec![]),
        "upstreams.NAME.health_check" => ("/upstreams/app/health_check", vec![]),
        "budget" => ("/lua/budget", vec![]),
        "access_log[]" => ("/access_log/0", vec![]),
        "access_log[].to" if matches!(name, "batch" | "every") => {
            ("/access_log/0/to", vec![("http", "http://a:1/")])
        }
        "access_log[].to" => ("/access_log/0/to", vec![]),
        "routes[]" => ("/routes/0", vec![]),
        "routes[].match" => ("/routes/0/match", vec![]),
        "sites[]" => ("/sites/0", vec![]),
        "script" if name == "name" => ("/access_by_lua_block", vec![("code", "ngx.exit(403)")]),
        "script" if name == "code" => ("/access_by_lua_block", vec![("name", "own")]),
        "script" => ("/access_by_lua_block", vec![]),
        "routes[].lua" => ("/routes/0/lua", vec![]),
        "rules.budget" => ("/rules/budget", vec![]),
        "rules.thresholds" => ("/rules/thresholds", vec![]),
        "rules.exclusions[]" if matches!(name, "rule" | "tag" | "message") => {
            ("/rules/exclusions/0", vec![])
        }
        "rules.exclusions[]" => ("/rules/exclusions/0", vec![("rule", "1")]),
        "handler" => ("/access/0", vec![("module", "ip_admission")]),
        "lua.thread_pools.NAME" => ("/lua/thread_pools/own", vec![]),
        "owners.NAME" => ("/owners/team-a", vec![]),
        "secrets.NAME" if name == "owners" => ("/secrets/stripe", vec![("file", "stripe.key")]),
        "secrets.NAME" => ("/secrets/stripe", vec![]),
        "rollout" if name == "canary" => ("/rollout", vec![]),
        "rollout" => ("/rollout", vec![("canary", "5%")]),
        "rules.shadow" => ("/rules/shadow", vec![]),
        "admin" | "limits" | "lua" | "rules" => (&*format!("/{title}").leak(), vec![]),
        other => panic!("no place for the table {other}"),
    };
    let mut file = serde_json::json!({});
    put(&mut file, "/upstreams/app/peers", serde_json::json!(["127.0.0.1:1"]));
    if place.starts_with("/listen/0/tls") {
        put(&mut file, "/listen/0/address", ":1".into());
        put(&mut file, "/listen/0/tls/client_ca", "tls/clients.pem".into());
    }
    for (key, text) in beside {
        put(&mut file, &format!("{place}/{key}"), text.into());
    }
    put(&mut file, &format!("{}/{name}", place.trim_end_matches('/')), value);
    file.to_string()
}

fn put(file: &mut serde_json::Value, path: &str, value: serde_json::Value) {
    let mut node = file;
    for step in path.split('/').skip(1) {
        node = match step.parse::<usize>() {
            Ok(_) => {
                if !node.is_array() {
                    *node = serde_json::json!([{}]);
                }
                if !node[0].is_object() {
                    node[0] = serde_json::json!({});
                }
                &mut node[0]
            }
            Err(_) => {
                if !node.is_object() {
                    *node = serde_json::json!({});
                }
                &mut node[step]
            }
        };
    }
    *node = value;
}

/// Title, name and example of every row of the page.
fn rows() -> Vec<(String, String, String)> {
    let mut title = String::new();
    let mut rows = Vec::new();
    for line in config::settings_page().lines() {
        if let Some(text) = line.strip_prefix("## ") {
            title = text.to_owned();
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        if let [first, _, _, _, example] = cells[..]
            && let Some(name) = first.strip_prefix("| `").and_then(|name| name.strip_suffix('`'))
        {
            if title == "tokens[]" {
                // Of a file of their own: tests/admin/access.rs.
                continue;
            }
            let example = example.trim_start_matches('`').trim_end_matches("` |");
            rows.push((title.clone(), name.to_owned(), example.to_owned()));
        }
    }
    rows
}

fn read_everywhere(text: &str) -> Vec<Diagnostic> {
    let overrides = Overrides { builtin: |_| Some("return {}"), ..Overrides::default() };
    let source = Source::new("moongate.yaml", text);
    config::read(&source, Path::new(ROOT), &overrides, &Everywhere).1
}

#[test]
fn the_example_of_every_setting_passes() {
    let rows = rows();
    for (title, name, example) in &rows {
        let value = serde_yaml::from_str(example).unwrap_or_else(|_| example.as_str().into());
        let found = read_everywhere(&with_setting(title, name, value));
        assert!(!found.iter().any(Diagnostic::is_error), "{title} {name}: {}", render(&found));
    }
    assert_eq!(rows.len(), ROWS);
}

#[test]
fn every_setting_is_read_and_refuses_what_it_cannot_be() {
    let wrong = serde_json::json!([{ "nothing": ["like", "it"] }]);
    let rows = rows();
    for (title, name, _) in &rows {
        let text = with_setting(title, name, wrong.clone());
        let found = read_everywhere(&text);
        assert!(found.iter().any(Diagnostic::is_error), "{title} {name} accepts {wrong}");
    }
    assert_eq!(rows.len(), ROWS);
}

const ROWS: usize = 242 + 26;

/// A certificate goes with its key.
const KEY_PAIR: &[(&str, &str)] = &[("certificate", "tls/a.pem"), ("key", "tls/a.key")];

/// A small generator, so that a failure comes again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

#[test]
fn no_text_panics_or_takes_long() {
    let good = text_of("accepted_everything.yaml").into_bytes();
    let pieces: [&[u8]; 16] = [
        b"\t",
        b"'",
        b"\"",
        b"[",
        b"{",
        b"}",
        b"]",
        b": ",
        b"\n- ",
        b"&a ",
        b"*a",
        b"|\n",
        b"\r",
        b"!x ",
        "\u{2028}\u{85}é".as_bytes(),
        b"? ",
    ];
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut told = 0;
    let rounds = 1000;
    for _ in 0..rounds {
        let mut bytes = good.clone();
        for _ in 0..=chance.below(4) {
            let at = chance.below(bytes.len());
            match chance.below(3) {
                0 => bytes[at] = chance.below(256) as u8,
                1 => drop(bytes.drain(at..(at + chance.below(40)).min(bytes.len()))),
                _ => drop(bytes.splice(at..at, pieces[chance.below(pieces.len())].iter().copied())),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let started = Instant::now();
        let (_, found) = read("moongate.yaml", &text);
        told += usize::from(!render(&found).is_empty());
        assert!(started.elapsed() < Duration::from_secs(2), "{text}");
    }
    assert!(told > rounds / 2, "most of the mutations are faults: {told}");
}

#[test]
fn hostile_shapes_are_refused_in_bounded_time() {
    let bomb = (0..30)
        .map(|level| format!("k{level}: &k{level} [{}]\n", format!("*k{},", level - 1).repeat(9)));
    let bomb = format!("k: &k-1 [x]\n{}", bomb.collect::<String>());
    let shapes = [
        "[".repeat(1 << 20),
        "{a: ".repeat(1 << 18),
        "- ".repeat(1 << 18),
        "? ".repeat(1 << 16),
        format!("a: [{}]", "1,".repeat(1 << 18)),
        (0..10_000).map(|n| format!("k{n}: 1\n")).collect(),
        format!("a: \"{}", "x".repeat(3 << 20)),
        "x".repeat(5 << 20),
        "#".repeat(1 << 20),
        bomb,
    ];
    let count = shapes.len();
    for text in shapes {
        let started = Instant::now();
        let (config, found) = read("moongate.yaml", &text);
        assert!(config.is_none() && !found.is_empty());
        let took = started.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?} for {:?}", text.get(..20));
    }
    assert_eq!(count, 10);
}

#[test]
fn what_is_not_read_from_the_disk_is_not_invented() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.lua"), "return 1").expect("a file");
    let text =
        "{ upstreams: { app: 127.0.0.1:1 }, access_by_lua_file: a.lua, log_by_lua_file: b.lua }";
    let source: Arc<Source> = Source::new("moongate.yaml", text);
    let found = config::read(&source, folder.path(), &Overrides::default(), &config::DiskFiles).1;
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("`b.lua`"), "{}", found[0].message);
}

#[test]
fn a_device_is_not_read_to_its_end() {
    let files = config::DiskFiles;
    let told = files.read(Path::new("/dev/zero")).expect_err("it has no end");
    assert_eq!(told.to_string(), "it is not a regular file");
}

#[test]
fn a_token_is_not_shown_by_debug() {
    let config = accepted(&text_of("accepted_everything.yaml"));
    assert!(config.admin.token.is_some());
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
}

#[test]
fn a_route_inherits_rules_and_says_otherwise_key_by_key() {
    let config = accepted(&text_of("accepted_rules.yaml"));
    let names = |rules: &config::Rules| -> Vec<(RuleSourceKind, String)> {
        let name = |path: &Path| path.strip_prefix(ROOT).unwrap().display().to_string();
        rules.sources.iter().map(|source| (source.kind, name(&source.path))).collect()
    };
    let (files, crs) = (RuleSourceKind::Files, RuleSourceKind::Crs);
    let all = [(files, "before"), (crs, "crs"), (files, "after/*.conf")];
    let all = all.map(|(kind, name)| (kind, name.to_owned()));
    assert_eq!(names(&config.rules), all, "the word `crs` marks the place");
    let [a, b, c] = &config.routes[..] else { panic!("three routes") };
    assert_eq!(names(&a.rules), all);
    assert_eq!(names(&b.rules), [(files, "own.conf".to_owned())]);
    let engines = [&a.rules, &b.rules, &c.rules].map(|rules| rules.engine);
    assert_eq!(engines, [Some(Engine::On), Some(Engine::Detect), Some(Engine::Off)]);
    let excluded = [&a.rules, &b.rules, &c.rules].map(|rules| rules.exclusions.len());
    assert_eq!(excluded, [5, 4, 4]);
    assert!(config.routes.iter().all(|route| route.rules.paranoia == Some(2)));
    assert!(config.routes.iter().all(|route| route.rules.thresholds.inbound == Some(10)));
}
