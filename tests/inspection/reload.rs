//! Rules are part of the policy: edited, added, faulty, kept.

use std::sync::Arc;

use moongate::config::Overrides;
use moongate::policy::{self, Origin};

use crate::support::{DEADLINE, Moongate, Upstream, wait_until};

fn refusing(word: &str, id: u32) -> String {
    format!("SecRule ARGS \"@contains {word}\" \"id:{id},phase:2,deny\"\n")
}

fn started(upstream: &Upstream) -> Moongate {
    let config = "rules: { files: [rules.d, \"more/*.conf\"] }\n";
    Moongate::with_upstream(upstream, config)
        .file("rules.d/a.conf", format!("Include ../included/*.conf\n{}", refusing("one", 1)))
        .file("included/x.conf", refusing("two", 2))
        .file("more/y.conf", refusing("three", 3))
        .start()
}

fn becomes(moongate: &Moongate, target: &str, status: u16) {
    let is_so = || moongate.get(target).status == status;
    assert!(wait_until(DEADLINE, is_so), "{target} is never {status}");
}

#[test]
fn an_edited_rule_file_and_a_new_one_are_in_force_at_once() {
    let upstream = Upstream::start();
    let moongate = started(&upstream);
    for word in ["one", "two", "three"] {
        assert_eq!(moongate.get(&format!("/?a={word}")).status, 403, "{word}");
    }
    assert_eq!(moongate.get("/?a=four").status, 200);
    moongate.edit("included/x.conf", refusing("second", 2));
    becomes(&moongate, "/?a=second", 403);
    moongate.edit("included/z.conf", refusing("four", 4));
    becomes(&moongate, "/?a=four", 403);
    moongate.edit("more/z.conf", refusing("five", 5));
    becomes(&moongate, "/?a=five", 403);
    moongate.edit("rules.d/b.conf", refusing("six", 6));
    becomes(&moongate, "/?a=six", 403);
}

#[test]
fn faulty_rules_change_nothing_and_are_told() {
    let upstream = Upstream::start();
    let moongate = started(&upstream);
    moongate.edit("more/y.conf", "SecRule ARGS \"@rx (\" \"id:3,phase:2,deny\"\n");
    let refused = || !moongate.policy()["refused"].is_null();
    assert!(wait_until(DEADLINE, refused), "it was not refused");
    let report = moongate.policy()["refused"].to_string();
    assert!(report.contains("y.conf:1"), "{report}");
    assert_eq!(moongate.get("/?a=three").status, 403, "the rules before stay");
}

#[test]
fn a_script_that_is_edited_leaves_the_rules_as_they_are_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "moongate.yaml",
        "upstreams: { app: 127.0.0.1:1 }\nrules: { files: [a.conf] }\nlog_by_lua_file: a.lua\n",
    );
    write("a.conf", "SecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:2,deny\"\n");
    write("words.data", "one\n");
    write("a.lua", "local a = 1");
    let path = folder.path().join("moongate.yaml");
    let build = |before: Option<&policy::Policy>| {
        let built = policy::build(Some(&path), &Overrides::default(), Origin::Disk, before);
        let faults = moongate::diagnostic::render(&built.diagnostics);
        (built.policy.unwrap_or_else(|| panic!("{faults}")), built.bundle)
    };
    let same = |a: &policy::Policy, b: &policy::Policy| {
        Arc::ptr_eq(&a.rulesets[0].plan, &b.rulesets[0].plan)
    };
    let (first, bundle) = build(None);
    assert!(bundle.files.keys().any(|file| file.ends_with("words.data")), "it is in the bundle");
    write("a.lua", "local a = 2");
    let (second, again) = build(Some(&first));
    assert_ne!(first.digest, second.digest);
    assert!(same(&first, &second), "it was compiled again");
    assert_eq!(bundle.files.len(), again.files.len(), "what is not compiled again is still read");
    write("words.data", "two\n");
    let (third, _) = build(Some(&second));
    assert!(!same(&second, &third), "a list that changed was not seen");
    let kept = policy::build(Some(&path), &Overrides::default(), Origin::Kept(&again), None);
    assert_eq!(kept.policy.map(|policy| policy.digest), Some(second.digest));
}

#[test]
fn what_rules_can_be_is_recognised_and_what_is_missing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let rule = |id: u32| format!("SecAction \"id:{id},phase:1,pass,nolog\"\n");
    for (name, id) in [
        ("crs-setup.conf.example", 1),
        ("plugins/a-config.conf", 2),
        ("plugins/a-before.conf", 3),
        ("rules/REQUEST-901.conf", 4),
        ("plugins/a-after.conf", 5),
        ("before.conf", 100),
        ("after.conf", 101),
    ] {
        write(name, &rule(id));
    }
    std::fs::create_dir(folder.path().join("nothing")).unwrap();
    let build = |rules: &str| {
        write("moongate.yaml", &format!("upstreams: {{ app: 127.0.0.1:1 }}\nrules: {rules}\n"));
        let path = folder.path().join("moongate.yaml");
        let built = policy::build(Some(&path), &Overrides::default(), Origin::Disk, None);
        let ids = built.policy.map(|policy| {
            let rules = policy.rulesets.iter().flat_map(|ruleset| &ruleset.plan.rules);
            rules.map(|rule| rule.id).collect::<Vec<_>>()
        });
        (ids, moongate::diagnostic::render(&built.diagnostics))
    };
    assert_eq!(build("{ crs: . }").0, Some(vec![1, 2, 3, 4, 5]));
    assert_eq!(build("{ files: [.] }").0, Some(vec![1, 2, 3, 4, 5]), "a folder of CRS is one");
    let placed = "{ crs: ., files: [before.conf, crs, after.conf] }";
    assert_eq!(build(placed).0, Some(vec![100, 1, 2, 3, 4, 5, 101]));
    assert_eq!(build("{ crs: ., files: [before.conf] }").0, Some(vec![100, 1, 2, 3, 4, 5]));
    write("crs-setup.conf", &rule(11));
    assert_eq!(build("{ crs: . }").0, Some(vec![11, 2, 3, 4, 5]));
    for (rules, told) in [
        ("{ crs: nothing }", "error[rules::no-crs]"),
        ("{ files: gone.conf }", "error[rules::not-found]"),
        ("{ files: nothing }", "warning[rules::no-file]"),
        ("{ files: \"nothing/*.conf\" }", "warning[rules::no-file]"),
        ("{ files: before.conf, exclusions: [{ rule: 7 }] }", "warning[rules::exclusion]"),
        (
            "{ files: before.conf, exclusions: [{ rule: 100, target: \"ARG:a\" }] }",
            "error[rules::exclusion]",
        ),
    ] {
        let (ids, report) = build(rules);
        assert!(report.starts_with(told), "{rules}: {report}");
        assert!(report.contains("moongate.yaml:2:"), "{rules}: {report}");
        assert_eq!(ids.is_some(), told.starts_with("warning"), "{rules}");
    }
}
