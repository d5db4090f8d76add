//! What the settings say above the rules, by route.

use super::{judging, last_event};
use crate::support::{Moongate, Upstream};

/// As the Core Rule Set counts, in small.
const SCORING: &str = "\
SecAction \"id:1,phase:1,nolog,pass,setvar:tx.inbound_anomaly_score_threshold=5,\
setvar:tx.blocking_paranoia_level=1\"\n\
SecRule ARGS|REQUEST_HEADERS:User-Agent \"@contains attack\" \"id:100,phase:2,pass,log,msg:'SQL Injection',\
tag:'attack-sqli',setvar:tx.blocking_inbound_anomaly_score=+5\"\n\
SecRule TX:blocking_paranoia_level \"@lt 2\" \"id:101,phase:2,pass,nolog,skipAfter:END-PL2\"\n\
SecRule ARGS \"@contains odd\" \"id:102,phase:2,pass,log,setvar:tx.blocking_inbound_anomaly_score=+5\"\n\
SecMarker END-PL2\n\
SecRule TX:blocking_inbound_anomaly_score \"@ge %{tx.inbound_anomaly_score_threshold}\" \
\"id:200,phase:2,deny,msg:'too high'\"\n";

fn with(settings: &str) -> (Upstream, Moongate) {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, SCORING, settings);
    (upstream, moongate)
}

#[test]
fn each_route_has_its_own_engine() {
    let (_upstream, moongate) = with(
        "routes:\n\
        - { match: { path: /off }, rules: { engine: off } }\n\
        - { match: { path: /detect }, rules: { engine: detect } }\n",
    );
    for (path, status) in [("/off", 200), ("/detect", 200), ("/", 403)] {
        assert_eq!(moongate.get(&format!("{path}?a=attack")).status, status, "{path}");
    }
    assert_eq!(moongate.get("/?a=fine").status, 200);
}

#[test]
fn the_settings_win_over_the_rules() {
    let (_upstream, moongate) = with(
        "routes:\n\
        - { match: { path: /calm }, rules: { thresholds: { inbound: 6 } } }\n\
        - { match: { path: /strict }, rules: { paranoia: 2 } }\n",
    );
    for (target, status) in [
        ("/calm?a=attack", 200),
        ("/?a=attack", 403),
        ("/strict?a=odd", 403),
        ("/?a=odd", 200),
        ("/calm?a=attack&b=attack", 403),
    ] {
        assert_eq!(moongate.get(target).status, status, "{target}");
    }
}

#[test]
fn exclusions_hold_for_their_rules_targets_and_paths() {
    let (_upstream, moongate) = with(
        "routes:\n\
        - match: { path: /wiki }\n\
        \x20 rules:\n\
        \x20   exclusions:\n\
        \x20     - { rule: 100, target: 'ARGS:text', path: /wiki/edit, reason: editors write SQL }\n\
        \x20     - { tag: attack-sqli, path: /wiki/raw }\n\
        - { match: { path: /message }, rules: { exclusions: [{ message: SQL }] } }\n",
    );
    for (target, status) in [
        ("/wiki?text=attack", 403),
        ("/wiki/edit?text=attack", 200),
        ("/wiki/%65dit/1?text=attack", 200),
        ("/wiki/edit?title=attack", 403),
        ("/wiki/raw?title=attack", 200),
        ("/message?text=attack", 200),
        ("/?text=attack", 403),
    ] {
        assert_eq!(moongate.get(target).status, status, "{target}");
    }
}

#[test]
fn a_route_with_rules_of_its_own_has_no_others() {
    let upstream = Upstream::start();
    let config = "events: events.jsonl\nrules: { files: [own.conf] }\nroutes:\n\
        - { match: { path: /other }, rules: { files: [other] } }\n";
    let moongate = Moongate::with_upstream(&upstream, config)
        .file("own.conf", SCORING)
        .file("other/a.conf", "SecRule ARGS \"@contains other\" \"id:1,phase:2,deny\"\n")
        .start();
    for (target, status) in
        [("/other?a=attack", 200), ("/other?a=other", 403), ("/?a=other", 200), ("/?a=attack", 403)]
    {
        assert_eq!(moongate.get(target).status, status, "{target}");
    }
    assert_eq!(last_event(&moongate)["reason"], "rule:200");
}

#[test]
fn sec_rule_engine_decides_where_the_settings_say_nothing() {
    let upstream = Upstream::start();
    for (written, settings, status) in [
        ("DetectionOnly", "", 200),
        ("Off", "", 200),
        ("On", "", 403),
        ("DetectionOnly", "routes: [{ rules: { engine: on } }]\n", 403),
        ("On", "routes: [{ rules: { engine: detect } }]\n", 200),
    ] {
        let rules = format!("SecRuleEngine {written}\n{SCORING}");
        let moongate = judging(&upstream, &rules, settings);
        assert_eq!(moongate.get("/?a=attack").status, status, "{written} {settings}");
    }
}
