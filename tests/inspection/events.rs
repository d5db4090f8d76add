//! What the event log and the metrics tell of what rules found.

use super::{events, judging};
use crate::support::Upstream;

const RULES: &str = "\
SecAction \"id:1,phase:1,nolog,pass\"\n\
SecRule ARGS \"@contains attack\" \"id:2,phase:2,pass,log,msg:'found',logdata:'%{MATCHED_VAR_NAME}: %{MATCHED_VAR}',\
severity:CRITICAL,tag:'attack-x',sanitiseArg:pin\"\n";

#[test]
fn an_exchange_that_matched_is_one_line_and_one_that_did_not_is_none() {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, RULES, "");
    for target in ["/?a=fine", "/?a=attack", "/?password=attack", "/?pin=attack"] {
        assert_eq!(moongate.get(target).status, 200, "{target}");
    }
    let told = events(&moongate);
    assert_eq!(told.len(), 3, "{told:?}");
    let values: Vec<_> = told.iter().map(|event| event["rules"][0]["value"].as_str()).collect();
    assert_eq!(values, [Some("attack"), Some("[redacted]"), Some("[sanitised]")]);
    let rule = &told[0]["rules"][0];
    assert_eq!((&rule["id"], &rule["phase"]), (&2.into(), &2.into()));
    assert_eq!((&rule["data"], &rule["severity"]), (&"ARGS:a: attack".into(), &"critical".into()));
    assert!(rule["file"].as_str().unwrap().ends_with("own.conf:2"), "{rule}");
    assert!(!told[1].to_string().contains(":\"attack"), "{}", told[1]);
}

#[test]
fn what_rules_found_moves_the_metrics() {
    let upstream = Upstream::start();
    let moongate = judging(&upstream, RULES, "");
    for target in ["/?a=fine", "/?a=attack"] {
        moongate.get(target);
    }
    for (series, value) in [
        ("moongate_rule_exchanges_total{outcome=\"clean\"}", 1.0),
        ("moongate_rule_exchanges_total{outcome=\"matched\"}", 1.0),
        ("moongate_rule_matches_total{rule_phase=\"2\",severity=\"critical\"}", 1.0),
        ("moongate_rule_phase_duration_seconds_count{rule_phase=\"5\"}", 2.0),
    ] {
        assert_eq!(moongate.metric(series), value, "{series}");
    }
}
