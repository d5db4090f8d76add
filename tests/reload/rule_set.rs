//! Hot swap with a whole Core Rule Set: each kind of its files can be edited while clients ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use moongate::config::Overrides;
use moongate::diagnostic::render;
use moongate::policy::{self, Origin, Policy};

use crate::support::{Client, DEADLINE, Moongate, Upstream, wait_until};

const RULES: &str = "/usr/share/modsecurity-crs/rules";
const SETUP: &str = "/etc/modsecurity/crs/crs-setup.conf";
/// How many edits of a rule file memory is watched over, and in how many it takes its size first.
const EDITS: usize = 6;
const WARM_UP: usize = 3;
/// Bytes by which memory may differ between them. A plan of these rules that is left behind with
/// each edit would be more than ten times that.
const PAGES: usize = 12 << 20;

const ATTACK: &str = "/?q=1'+union+select+password+from+users--";
const XSS: &str = "/?q=<script>alert(1)</script>";

/// A Moongate with a copy of Debian's rules in the folders of a release, and with rules around it.
fn started(upstream: &Upstream, settings: &str) -> Moongate {
    let config = format!("rules: {{ crs: crs, files: [around, crs] }}\n{settings}");
    let mut builder = Moongate::with_upstream(upstream, &config)
        .file("crs/crs-setup.conf", std::fs::read(SETUP).expect("tests/run installs it"))
        .file("around/a.conf", "SecAction \"id:1,phase:1,pass,nolog\"\n");
    for entry in std::fs::read_dir(RULES).expect("tests/run installs it") {
        let path = entry.expect("a file").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let text = std::fs::read(&path).expect("it can be read");
        builder = builder.file(&format!("crs/rules/{name}"), text);
    }
    builder.start()
}

/// A client that asks for what nobody refuses, again and again, and must always get it.
struct Asking {
    over: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Asking {
    fn on(moongate: &Moongate) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (told, address) = (over.clone(), moongate.address);
        let thread = std::thread::spawn(move || {
            let (mut client, mut asked) = (Client::connect(address), 0);
            while !told.load(Ordering::Relaxed) {
                let answer = client.ask("/?q=fine").read();
                assert_eq!(answer.status, 200, "{:?}", answer.headers);
                asked += 1;
                let closes = answer.header("connection").is_some_and(|value| value == "close");
                if closes {
                    client = Client::connect(address);
                }
            }
            asked
        });
        Self { over, thread }
    }

    fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("every answer was right")
    }
}

fn becomes(moongate: &Moongate, target: &str, status: u16) {
    let is_so = || moongate.get(target).status == status;
    assert!(wait_until(DEADLINE * 4, is_so), "{target} is never {status}\n{}", moongate.log());
}

#[test]
fn every_kind_of_file_of_a_rule_set_is_in_force_once_edited_and_no_request_is_lost() {
    let upstream = Upstream::start();
    let moongate = started(&upstream, "");
    let asking = Asking::on(&moongate);
    for target in [ATTACK, XSS] {
        assert_eq!(moongate.get(target).status, 403, "{target}");
    }
    // A new file in a folder that is named, and what it says changed.
    let exclusion =
        |tag: &str| format!("SecAction \"id:2,phase:1,pass,nolog,ctl:ruleRemoveByTag={tag}\"\n");
    moongate.edit("around/exclusions.conf", exclusion("attack-sqli"));
    becomes(&moongate, ATTACK, 200);
    moongate.edit("around/exclusions.conf", exclusion("attack-xss"));
    becomes(&moongate, ATTACK, 403);
    assert_eq!(moongate.get(XSS).status, 200);
    // A data file.
    let probe = || moongate.request("GET", "/", &[("User-Agent", "owntool-7/1.0")], "").status;
    assert_eq!(probe(), 200);
    let agents = moongate.read("crs/rules/scanners-user-agents.data");
    moongate.edit("crs/rules/scanners-user-agents.data", agents + "owntool-7\n");
    assert!(wait_until(DEADLINE * 4, || probe() == 403), "{}", moongate.log());
    // The setup.
    let setup = moongate.read("crs/crs-setup.conf");
    let calm = "SecAction \"id:900110,phase:1,nolog,pass,\
        setvar:tx.inbound_anomaly_score_threshold=1000\"\n";
    moongate.edit("crs/crs-setup.conf", setup.clone() + calm);
    becomes(&moongate, ATTACK, 200);
    moongate.edit("crs/crs-setup.conf", setup);
    becomes(&moongate, ATTACK, 403);
    assert!(asking.stop() > 0, "nobody asked");
}

#[test]
fn a_rule_set_with_a_fault_leaves_the_one_before_in_force() {
    let upstream = Upstream::start();
    let moongate = started(&upstream, "");
    let asking = Asking::on(&moongate);
    for (file, text) in [
        ("around/a.conf", "SecRule ARGS \"@rx (\" \"id:1,phase:2,deny\"\n"),
        ("crs/rules/own.conf", "SecRule ARGZ a id:2,phase:2,deny\n"),
        ("crs/rules/own.conf", "SecRule ARGS \"@pmFromFile gone.data\" \"id:2,phase:2,deny\"\n"),
    ] {
        let before = moongate.read(file);
        let generation = moongate.generation();
        moongate.edit(file, text);
        let refused = || moongate.policy()["refused"]["report"].to_string().contains(file);
        assert!(wait_until(DEADLINE * 4, refused), "{file}: {:#}", moongate.policy());
        assert_eq!(moongate.generation(), generation, "{file}");
        for target in [ATTACK, XSS] {
            assert_eq!(moongate.get(target).status, 403, "{target}");
        }
        moongate.edit(file, before);
        let repaired = || moongate.policy()["refused"].is_null();
        assert!(wait_until(DEADLINE * 4, repaired), "{file}: {:#}", moongate.policy());
    }
    assert!(asking.stop() > 0, "nobody asked");
}

#[test]
fn rule_sets_that_were_replaced_are_given_back() {
    let upstream = Upstream::start();
    let moongate = started(&upstream, "watch: false\nworkers: 2\n");
    let edits = |from: usize, count: usize| {
        let held = (from..from + count).map(|number| {
            let text = format!("SecAction \"id:{},phase:1,pass,nolog\"\n", number + 1);
            moongate.edit("around/a.conf", text);
            let answer = moongate.reload();
            assert_eq!(answer.json()["changed"], true, "{}", answer.text());
            // Each worker leaves the old policy when it sees the new one.
            (0..4).for_each(|_| assert_eq!(moongate.get(ATTACK).status, 403));
            moongate.heap()
        });
        let mut held: Vec<usize> = held.collect();
        held.sort_unstable();
        held[held.len() / 2]
    };
    edits(1, WARM_UP);
    let before = edits(1 + WARM_UP, WARM_UP);
    let after = edits(1 + 2 * WARM_UP, EDITS);
    println!("{} KiB, then {} KiB", before >> 10, after >> 10);
    assert!(after <= before + PAGES, "{} KiB, then {} KiB", before >> 10, after >> 10);
}

#[test]
fn an_edit_compiles_only_what_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let settings = folder.path().join("moongate.yaml");
    let build = |before: Option<&Policy>| {
        let built = policy::build(Some(&settings), &Overrides::default(), Origin::Disk, before);
        built.policy.unwrap_or_else(|| panic!("{}", render(&built.diagnostics)))
    };
    write("own.conf", "");
    write("a.lua", "ngx.header['X-Word'] = '1'");
    write(
        "moongate.yaml",
        "upstreams: { origin: { peers: ['127.0.0.1:1'] } }\n\
         rules: { crs: /usr/share/modsecurity-crs, files: [own.conf] }\n\
         header_filter_by_lua_file: a.lua\n",
    );
    let first = build(None);
    let compiled = first.matchers.compiled();
    assert!(compiled > 200, "{compiled}");

    write("a.lua", "ngx.header['X-Word'] = '2'");
    let scripted = build(Some(&first));
    assert_ne!(scripted.digest, first.digest);
    let [before, after] = [&first, &scripted].map(|policy| policy.rulesets[0].plan.clone());
    assert!(Arc::ptr_eq(&before, &after), "a script leaves the rule set as it is");

    write("own.conf", "SecRuleRemoveById 942100\nSecRuleUpdateTargetById 941100 !ARGS:text\n");
    let excluded = build(Some(&scripted));
    assert!(!Arc::ptr_eq(&after, &excluded.rulesets[0].plan));
    assert_eq!(excluded.matchers.compiled(), compiled, "an exclusion compiles no operator");
}
