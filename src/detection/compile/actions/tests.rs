//! What each action does to the plan.

use super::{ACTIONS, find};
use crate::config::Engine;
use crate::detection::compile::tests::{all, fixed, named, plan, rule};
use crate::detection::variables::Variable;
use crate::detection::{
    AllowScope, AuditEngine, Change, Collection, Control, Deed, Disruption, Members, Name, Plan,
    RuleIndex, Text, TextPart,
};
use crate::transaction::Severity;
use crate::transaction::args::Format;

/// What the only link of a `SecAction` with these actions does.
fn deeds(actions: &str) -> Vec<Deed> {
    let text = format!("SecAction \"id:1,phase:1,{actions}\"");
    let mut rule = rule(&text);
    rule.links.remove(0).deeds
}

fn controls(actions: &str) -> Vec<Control> {
    let controls = deeds(actions).into_iter().map(|deed| match deed {
        Deed::Control(control) => control,
        other => panic!("{other:?}"),
    });
    controls.collect()
}
#[test]
fn severities_have_names_and_numbers() {
    for (written, severity) in
        [("0", Severity::Emergency), ("'2'", Severity::Critical), ("warning", Severity::Warning)]
    {
        let rule = rule(&format!("SecAction \"id:1,severity:{written}\""));
        assert_eq!(rule.about.severity, Some(severity), "{written}");
    }
}

#[test]
fn what_becomes_of_the_exchange() {
    let cases = [
        ("pass", Disruption::Pass),
        ("msg:x", Disruption::Pass),
        ("deny", Disruption::Deny(403)),
        ("deny,status:404", Disruption::Deny(404)),
        ("status:501,deny", Disruption::Deny(501)),
        ("drop", Disruption::Drop),
        ("allow", Disruption::Allow(AllowScope::Everything)),
        ("allow:phase", Disruption::Allow(AllowScope::Phase)),
        ("allow:request", Disruption::Allow(AllowScope::Request)),
        ("redirect:/a", Disruption::Redirect { to: fixed("/a"), status: 302 }),
        ("redirect:/a,status:307", Disruption::Redirect { to: fixed("/a"), status: 307 }),
        ("redirect:/a,status:403", Disruption::Redirect { to: fixed("/a"), status: 302 }),
        ("block", Disruption::Pass),
        ("pass,deny", Disruption::Deny(403)),
    ];
    for (actions, disruption) in cases {
        let rule = rule(&format!("SecAction \"id:1,phase:1,{actions}\""));
        assert_eq!(rule.disruption, disruption, "{actions}");
    }
}

#[test]
fn the_last_word_on_the_logs_counts() {
    let cases = [
        ("", (true, true)),
        ("nolog", (false, false)),
        ("nolog,auditlog", (false, true)),
        ("log,noauditlog", (true, false)),
        ("noauditlog,log", (true, true)),
    ];
    for (actions, logs) in cases {
        let rule = rule(&format!("SecAction \"id:1,{actions}\""));
        assert_eq!((rule.log, rule.audit), logs, "{actions}");
    }
}

#[test]
fn variables_are_set_in_all_forms() {
    let slot = |plan: &Plan| Name::Slot(plan.tx_slot(b"score").expect("set"));
    let cases = [
        ("tx.Score", Change::Set(fixed("1"))),
        ("TX.score=5", Change::Set(fixed("5"))),
        ("'tx.score=a=b'", Change::Set(fixed("a=b"))),
        ("tx.score=+5", Change::Add(fixed("5"))),
        ("tx.score=-5", Change::Subtract(fixed("5"))),
        ("!tx.score", Change::Unset),
        ("tx.score=", Change::Set(Text::default())),
    ];
    for (written, change) in cases {
        let mut plan = plan(&format!("SecAction \"id:1,phase:1,setvar:{written}\""));
        let name = slot(&plan);
        let deed = plan.rules[0].links[0].deeds.remove(0);
        assert_eq!(deed, Deed::Set { collection: Collection::Tx, name, change }, "{written}");
    }
}

#[test]
fn names_of_variables_may_have_macros() {
    let deeds = deeds("setvar:'tx.A_%{MATCHED_VAR_NAME}=%{REMOTE_ADDR}',setvar:ip.Count=+1");
    let Deed::Set { name: Name::Text(name), change: Change::Set(value), .. } = &deeds[0] else {
        panic!("{deeds:?}")
    };
    let expected =
        [TextPart::Fixed(b"a_"[..].into()), TextPart::Value(all(Variable::MatchedVarName))];
    assert_eq!(name.parts, expected);
    assert_eq!(value.parts, [TextPart::Value(all(Variable::RemoteAddr))]);
    let Deed::Set { collection: Collection::Ip, name, change } = &deeds[1] else { panic!() };
    assert_eq!((name, change), (&Name::Text(fixed("count")), &Change::Add(fixed("1"))));
}

#[test]
fn persistent_collections_are_opened_and_members_fade() {
    let address = Text { parts: vec![TextPart::Value(all(Variable::RemoteAddr))] };
    let deeds = deeds(
        "initcol:ip=%{REMOTE_ADDR},setsid:s,setuid:u,setrsc:r,expirevar:ip.Blocked=60,\
         deprecatevar:session.score=5/300,expirevar:tx.a=1",
    );
    let (collection, name) = (Collection::Session, fixed("score"));
    let expected = [
        Deed::Open { collection: Collection::Ip, key: address },
        Deed::Identify { collection: Collection::Session, key: fixed("s") },
        Deed::Identify { collection: Collection::User, key: fixed("u") },
        Deed::Identify { collection: Collection::Resource, key: fixed("r") },
        Deed::Expire { collection: Collection::Ip, name: fixed("blocked"), after: fixed("60") },
        Deed::Deprecate { collection, name, amount: 5, period: 300 },
    ];
    assert_eq!(deeds, expected);
}

#[test]
fn other_deeds() {
    let deeds = deeds(
        "setenv:a=b,setenv:!a,setenv:c,sanitiseArg:Password,sanitizeRequestHeader:Authorization,\
         sanitiseMatched,exec:act.lua",
    );
    let expected = [
        Deed::SetEnv { name: fixed("a"), value: Some(fixed("b")) },
        Deed::SetEnv { name: fixed("a"), value: None },
        Deed::SetEnv { name: fixed("c"), value: Some(fixed("1")) },
        Deed::Sanitise(named(Variable::Args, "password")),
        Deed::Sanitise(named(Variable::RequestHeaders, "authorization")),
        Deed::Sanitise(all(Variable::MatchedVars)),
        Deed::Run("/etc/rules/act.lua".into()),
    ];
    assert_eq!(deeds, expected);
}

#[test]
fn controls_of_the_engine() {
    let controls = controls(
        "ctl:ruleEngine=DetectionOnly,ctl:auditEngine=off,ctl:auditLogParts=+e,\
         ctl:forceRequestBodyVariable=On,ctl:requestBodyAccess=Off,ctl:requestBodyLimit=10,\
         ctl:requestBodyProcessor=xml,ctl:responseBodyAccess=true,ctl:RESPONSEBODYLIMIT=20",
    );
    let expected = [
        Control::RuleEngine(Engine::Detect),
        Control::AuditEngine(AuditEngine::Off),
        Control::AuditLogParts("+E".into()),
        Control::ForceRequestBody(true),
        Control::RequestBodyAccess(false),
        Control::RequestBodyLimit(10),
        Control::RequestBodyProcessor(Format::Xml),
        Control::ResponseBodyAccess(true),
        Control::ResponseBodyLimit(20),
    ];
    assert_eq!(controls, expected);
}

/// Three rules that a `ctl` can speak of, behind the one that has it.
fn control(written: &str) -> Control {
    let mut plan = plan(&format!(
        "SecAction \"id:1,phase:1,ctl:{written}\"\n\
         SecAction \"id:10,phase:1,tag:attack-sqli,tag:OWASP_CRS,msg:'SQL (a)'\"\n\
         SecAction \"id:11,phase:1,tag:attack-xss,tag:OWASP_CRS,msg:'XSS'\"\n\
         SecAction \"id:12,phase:1\"\nSecAction id:13,phase:1\nSecRuleRemoveById 13"
    ));
    match plan.rules[0].links[0].deeds.remove(0) {
        Deed::Control(control) => control,
        other => panic!("{other:?}"),
    }
}

#[test]
fn controls_find_rules_that_stand_below_them() {
    let cases: [(&str, &[u32]); 9] = [
        ("ruleRemoveById=11", &[2]),
        ("ruleRemoveById=10-11", &[1, 2]),
        ("'ruleRemoveById=12,10'", &[1, 3]),
        ("ruleRemoveById=13", &[]),
        ("ruleRemoveByTag=OWASP_CRS", &[1, 2]),
        ("ruleRemoveByTag=^attack-", &[1, 2]),
        ("ruleRemoveByTag=attack-xss", &[2]),
        ("'ruleRemoveByMsg=SQL (a)'", &[1]),
        ("ruleRemoveByMsg=SQL|XSS", &[1, 2]),
    ];
    for (written, indices) in cases {
        let rules: Vec<_> = indices.iter().copied().map(RuleIndex).collect();
        assert_eq!(control(written), Control::Remove(rules.into()), "{written}");
    }
}

#[test]
fn controls_take_targets_away() {
    let password = named(Variable::Args, "pass");
    let one: [RuleIndex; 1] = [RuleIndex(1)];
    let both = [RuleIndex(1), RuleIndex(2)];
    assert_eq!(
        control("ruleRemoveTargetById=10;ARGS:Pass"),
        Control::RemoveTarget(one.into(), password.clone())
    );
    assert_eq!(
        control("ruleRemoveTargetByTag=OWASP_CRS;ARGS:pass"),
        Control::RemoveTarget(both.into(), password)
    );
    assert_eq!(
        control("ruleRemoveTargetByMsg=XSS;REQUEST_URI"),
        Control::RemoveTarget([RuleIndex(2)].into(), all(Variable::RequestUri))
    );
    let Control::RemoveTarget(_, target) = control("'ruleRemoveTargetById=10;ARGS:/^a|b$/'") else {
        panic!("not a target")
    };
    assert!(matches!(target.members, Members::Matching(pattern) if *pattern.written == *b"^a|b$"));
}

#[test]
fn the_list_is_sorted_and_every_action_has_its_sentence() {
    assert!(ACTIONS.is_sorted_by_key(|known| known.name.to_ascii_lowercase()));
    assert!(ACTIONS.iter().all(|known| known.doc.ends_with('.')));
}

#[test]
fn an_action_is_found_in_any_case_and_spelling() {
    assert!(find("MULTIMATCH").is_some_and(|known| known.name == "multiMatch"));
    assert!(find("sanitizeArg").is_some_and(|known| known.name == "sanitiseArg"));
    assert!(find("").is_none());
}
