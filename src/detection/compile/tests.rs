//! What each directive and action does to the plan.

use std::path::Path;

use super::{Compiled, Matchers, compile, compile_with};
use crate::config::{Engine, Files};
use crate::detection::transformations::TRANSFORMATIONS;
use crate::detection::variables::Variable;
use crate::detection::{
    AuditEngine, Disruption, Link, Members, Overflow, Plan, Rule, RuleFact, Skip, Target,
    TargetSet, Test, Text, TextPart, TxSlot,
};
use crate::diagnostic::render;
use crate::seclang;
use crate::transaction::{RulePhase, Severity};

/// A folder with two files.
struct Folder;

impl Files for Folder {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        match path.to_str() {
            Some("/etc/rules/words.data") => Ok(b"one\ntwo\n".to_vec()),
            Some("/etc/rules/act.lua") => Ok(b"return true".to_vec()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

pub(super) fn plan(text: &str) -> Plan {
    let source = seclang::source("/etc/rules/a.conf", text.as_bytes());
    let (directives, found) = seclang::parse(&source, text.as_bytes());
    assert!(found.is_empty(), "{}", render(&found));
    let compiled = compile(&directives, &Folder);
    compiled.plan.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics)))
}

/// The only rule of a text.
pub(super) fn rule(text: &str) -> Rule {
    let mut plan = plan(text);
    assert_eq!(plan.rules.len(), 1);
    plan.rules.remove(0)
}

pub(super) fn fixed(text: &str) -> Text {
    Text { parts: vec![TextPart::Fixed(text.as_bytes().into())] }
}

pub(super) fn all(variable: Variable) -> Target {
    Target { variable, members: Members::All, count: false }
}

pub(super) fn named(variable: Variable, name: &str) -> Target {
    Target { variable, members: Members::Named(name.as_bytes().into()), count: false }
}

fn set(plan: &Plan, link: &Link) -> TargetSet {
    plan.target_sets[link.targets.expect("a SecRule").0 as usize].clone()
}

/// What the head of each rule looks at.
fn heads(plan: &Plan) -> Vec<TargetSet> {
    plan.rules.iter().map(|rule| set(plan, &rule.links[0])).collect()
}

/// The names of the transformations of a link.
fn steps(plan: &Plan, link: &Link) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut node = plan.chains.nodes[link.chain.0 as usize];
    while let Some(step) = node.step {
        names.insert(0, TRANSFORMATIONS[step as usize].name);
        node = plan.chains.nodes[node.parent.0 as usize];
    }
    names
}

fn ids(plan: &Plan) -> Vec<u64> {
    plan.rules.iter().map(|rule| rule.id).collect()
}

#[test]
fn a_rule_says_what_it_is_about() {
    let rule = rule(
        "SecAction \"id:7,phase:3,nolog,msg:'a %{TX.1} of %{rule.id}',logdata:'b',severity:CRITICAL,\
         tag:'paranoia-level/2',tag:'x/y',ver:'V/1',rev:'2',maturity:3,accuracy:4\"",
    );
    let about = &rule.about;
    assert_eq!((rule.id, rule.phase), (7, RulePhase::ResponseHeaders));
    assert_eq!((rule.log, rule.audit), (false, false));
    assert_eq!(about.log_data, Some(fixed("b")));
    assert_eq!(about.severity, Some(Severity::Critical));
    assert_eq!(about.tags, [fixed("paranoia-level/2"), fixed("x/y")]);
    assert_eq!((about.paranoia, about.maturity, about.accuracy), (Some(2), Some(3), Some(4)));
    assert_eq!((about.version.as_deref(), about.revision.as_deref()), (Some("V/1"), Some("2")));
    assert_eq!(about.line, 1);
    let captured =
        Target { variable: Variable::Tx, members: Members::Slot(TxSlot(1)), count: false };
    let message = about.message.clone().expect("a message").parts;
    assert_eq!(message[1], TextPart::Value(captured), "TX.1 is slot 1");
    assert_eq!(message[3], TextPart::OfRule(RuleFact::Id));
}

#[test]
fn phases_have_numbers_and_names() {
    let text = "SecAction \"id:1,phase:1\"\nSecAction id:2,phase:request\n\
                SecAction id:3,phase:3\nSecAction id:4,phase:response\n\
                SecAction id:5,phase:logging\nSecAction id:6";
    let plan = plan(text);
    let lists = plan.phases.map(|list| list.iter().map(|rule| rule.0).collect::<Vec<_>>());
    assert_eq!(lists, [vec![0], vec![1, 5], vec![2], vec![3], vec![4]]);
}

#[test]
fn rules_inherit_the_default_of_their_phase_that_stands_above_them() {
    let plan = plan(
        "SecAction id:1,phase:1,block\n\
         SecDefaultAction \"phase:1,nolog,auditlog,deny,status:401,t:lowercase\"\n\
         SecDefaultAction \"phase:2,log,drop,block\"\n\
         SecAction id:2,phase:1,block\n\
         SecAction id:3,phase:1,log,pass\n\
         SecAction id:4,phase:1\n\
         SecAction id:5,phase:2,block\n\
         SecAction id:6,phase:3,block\n\
         SecAction id:7,phase:1,block,status:402\n\
         SecDefaultAction \"phase:1,pass\"\n\
         SecAction id:8,phase:1,block",
    );
    let disruptions: Vec<_> = plan.rules.iter().map(|rule| rule.disruption.clone()).collect();
    let expected = [
        Disruption::Pass,
        Disruption::Deny(401),
        Disruption::Pass,
        Disruption::Deny(401),
        Disruption::Drop,
        Disruption::Pass,
        Disruption::Deny(402),
        Disruption::Pass,
    ];
    assert_eq!(disruptions, expected);
    let logs: Vec<_> = plan.rules.iter().map(|rule| (rule.log, rule.audit)).collect();
    assert_eq!(logs[1..4], [(false, true), (true, true), (false, true)]);
}

#[test]
fn what_a_default_does_is_done_when_the_whole_rule_matches() {
    let plan = plan(
        "SecDefaultAction \"phase:2,pass,tag:by-default,setvar:tx.matched=+1,multiMatch\"\n\
         SecRule ARGS \"@streq a\" \"id:1,phase:2,tag:own,chain\"\nSecRule ARGS \"@streq b\"",
    );
    let rule = &plan.rules[0];
    assert_eq!(rule.about.tags, [fixed("by-default"), fixed("own")]);
    assert_eq!(rule.links.iter().map(|link| link.deeds.len()).collect::<Vec<_>>(), [0, 1]);
    assert!(rule.links.iter().all(|link| link.multi_match));
}

#[test]
fn transformations_are_inherited_until_none_forgets_them() {
    let plan = plan(
        "SecDefaultAction \"phase:2,pass,t:lowercase\"\n\
         SecRule ARGS \"@streq a\" id:1,phase:2\n\
         SecRule ARGS \"@streq a\" id:2,phase:2,t:urlDecodeUni\n\
         SecRule ARGS \"@streq a\" id:3,phase:2,t:urlDecodeUni,t:none,t:HTMLEntityDecode,t:normalisePath\n\
         SecRule ARGS \"@streq a\" id:4,phase:2,chain\nSecRule ARGS \"@streq b\" t:length",
    );
    let chains: Vec<_> =
        plan.rules.iter().flat_map(|rule| &rule.links).map(|link| steps(&plan, link)).collect();
    let expected: [&[&str]; 5] = [
        &["lowercase"],
        &["lowercase", "urlDecodeUni"],
        &["htmlEntityDecode", "normalizePath"],
        &["lowercase"],
        &["lowercase", "length"],
    ];
    assert_eq!(chains, expected);
}

#[test]
fn links_of_a_chain_are_one_rule() {
    let plan = plan(
        "SecRule ARGS \"@streq a\" \"id:1,phase:2,deny,capture,setvar:tx.a=1,chain\"\n\
         SecRule REQUEST_URI \"!@streq b\" \"multiMatch,chain\"\n\
         SecAction \"setvar:tx.b=1\"\n\
         SecRule &ARGS \"@eq 0\" \"id:2,phase:2\"",
    );
    assert_eq!(ids(&plan), [1, 2]);
    let links = &plan.rules[0].links;
    assert_eq!(links.len(), 3);
    assert_eq!(links.iter().map(|link| link.capture).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(links.iter().map(|link| link.multi_match).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(links.iter().map(|link| link.negated).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(links.iter().map(|link| link.deeds.len()).collect::<Vec<_>>(), [1, 0, 1]);
    assert!(links[2].targets.is_none() && matches!(links[2].test, Test::Always));
    assert!(set(&plan, &plan.rules[1].links[0]).included[0].count);
}

#[test]
fn targets_are_resolved() {
    let plan = plan(
        "SecRule args:User|!ARGS:/^x/|XML:/*|TX:Score|TX:/^a/|REQUEST_HEADERS:User-Agent|STATUS|ip.Count \
         \"@streq a\" \"id:1,phase:5\"",
    );
    let TargetSet { included, excluded } = heads(&plan).remove(0);
    assert_eq!(included[0], named(Variable::Args, "user"), "names have no case");
    assert!(matches!(included[1].members, Members::Path(_)));
    let slot = plan.tx_slot(b"score").expect("named in a rule");
    assert_eq!(included[2].members, Members::Slot(slot));
    assert!(
        matches!(&included[3].members, Members::Matching(pattern) if *pattern.written == *b"^a")
    );
    assert_eq!(included[4], named(Variable::RequestHeaders, "user-agent"));
    assert_eq!(included[5], all(Variable::ResponseStatus), "an alias");
    assert_eq!(included[6], named(Variable::Ip, "count"), "a dot for a colon");
    assert!(
        matches!(&excluded[0].members, Members::Matching(pattern) if *pattern.written == *b"^x")
    );
}

#[test]
fn what_is_excluded_whole_is_not_looked_at() {
    let plan = plan(
        "SecRule ARGS|ARGS:a|&ARGS|REQUEST_URI|!ARGS \"@streq a\" id:1\n\
         SecRule ARGS:a|ARGS:b|!ARGS:A \"@streq a\" id:2",
    );
    let heads = heads(&plan);
    let counted = Target { count: true, ..all(Variable::Args) };
    assert_eq!(heads[0].included, [counted, all(Variable::RequestUri)]);
    assert_eq!(heads[1].included, [named(Variable::Args, "b")]);
}

#[test]
fn rules_that_look_at_the_same_share_a_list() {
    let plan = plan(
        "SecRule ARGS|!ARGS:/a|b/ \"@streq a\" id:1\nSecRule args|!args:/a|b/ \"@streq b\" id:2\n\
         SecRule ARGS \"@streq a\" id:3",
    );
    let sets: Vec<_> = plan.rules.iter().map(|rule| rule.links[0].targets).collect();
    assert_eq!(sets[0], sets[1]);
    assert_ne!(sets[0], sets[2]);
    assert_eq!(plan.target_sets.len(), 2);
}

#[test]
fn operators_compare_or_are_compiled_once_or_later() {
    let plan = plan(
        "SecRule ARGS \"@rx ^a$\" id:1\nSecRule ARGS ^a$ id:2\n\
         SecRule ARGS \"@eq %{tx.limit}\" id:3\nSecRule ARGS \"@rx ^%{tx.allowed}$\" id:4\n\
         SecRule ARGS \"@unconditionalMatch\" id:5\nSecRule ARGS \"@noMatch\" id:6\n\
         SecRule ARGS \"@pmFromFile words.data\" id:7\nSecRule ARGS \"@rx ^%{1,2}$\" id:8",
    );
    let tests: Vec<&Test> = plan.rules.iter().map(|rule| &rule.links[0].test).collect();
    let (Test::Compiled(first), Test::Compiled(second)) = (tests[0], tests[1]) else { panic!() };
    assert!(std::sync::Arc::ptr_eq(first, second), "the same expression");
    assert!(matches!(tests[2], Test::Compares { argument, .. } if argument.as_fixed().is_none()));
    assert!(matches!(tests[3], Test::Later { folder, .. } if **folder == *Path::new("/etc/rules")));
    assert!(matches!(tests[4], Test::Always) && matches!(tests[5], Test::Never));
    assert!(matches!(tests[6], Test::Compiled(_)));
    assert!(matches!(tests[7], Test::Compiled(_)), "a percent sign, once or twice");
}

#[test]
fn skips_lead_to_places_in_the_phase() {
    let plan = plan(
        "SecAction id:1,phase:1,skip:2\nSecAction id:2,phase:2,skipAfter:END\n\
         SecAction id:3,phase:1,skipAfter:5\nSecAction id:4,phase:2,skipAfter:NOWHERE\n\
         SecAction id:5,phase:1\nSecRuleRemoveById 4\nSecMarker END\n\
         SecAction id:6,phase:1\nSecAction id:7,phase:2,skipAfter:END",
    );
    let skips: Vec<_> = plan.rules.iter().map(|rule| (rule.id, rule.skip)).collect();
    let expected = [
        (1, Skip::To(3)),
        (2, Skip::To(1)),
        (3, Skip::To(3)),
        (5, Skip::No),
        (6, Skip::No),
        (7, Skip::To(2)),
    ];
    assert_eq!(skips, expected);
}

/// Three rules, and then a tuning directive.
fn tuned(directive: &str) -> Plan {
    plan(&format!(
        "SecRule ARGS|REQUEST_URI \"@streq a\" \"id:10,phase:2,tag:sqli,msg:'SQL',chain\"\n\
         SecRule ARGS \"@streq b\"\n\
         SecRule ARGS \"@streq a\" \"id:11,phase:2,tag:xss,msg:'XSS',pass,log\"\n\
         SecRule REQUEST_URI \"@streq a\" \"id:12,phase:2\"\n\
         {directive}"
    ))
}

#[test]
fn rules_are_removed() {
    let cases: [(&str, &[u64]); 5] = [
        ("SecRuleRemoveById 10", &[11, 12]),
        ("SecRuleRemoveById 10-11 12", &[]),
        ("SecRuleRemoveByTag \"^(?:sqli|xss)$\"", &[12]),
        ("SecRuleRemoveByMsg XSS", &[10, 12]),
        ("SecRuleRemoveById 11\nSecAction id:11,phase:1", &[10, 12, 11]),
    ];
    for (directive, left) in cases {
        assert_eq!(ids(&tuned(directive)), left, "{directive}");
    }
}

#[test]
fn a_removal_speaks_only_of_rules_above_it() {
    let plan = plan("SecRuleRemoveById 1\nSecAction id:1,phase:1");
    assert_eq!(ids(&plan), [1]);
}

#[test]
fn targets_are_taken_away_from_every_link_and_added_to_the_head() {
    let plan = tuned("SecRuleUpdateTargetById 10 \"!ARGS:a|REQUEST_LINE\"");
    let excluded = named(Variable::Args, "a");
    let head = set(&plan, &plan.rules[0].links[0]);
    assert_eq!(head.excluded, std::slice::from_ref(&excluded));
    assert_eq!(head.included.last(), Some(&all(Variable::RequestLine)));
    let link = set(&plan, &plan.rules[0].links[1]);
    assert_eq!((link.included, link.excluded), (vec![all(Variable::Args)], vec![excluded]));
    assert!(heads(&plan)[1].excluded.is_empty(), "only rule 10");
}

#[test]
fn targets_are_changed_by_tag_and_message() {
    let plan = tuned(
        "SecRuleUpdateTargetByTag sqli|xss \"!ARGS:/^a$/\"\n\
         SecRuleUpdateTargetByMsg XSS \"!REQUEST_COOKIES:b\"\nSecRuleUpdateTargetByMsg XSS ARGS",
    );
    let sizes: Vec<_> =
        heads(&plan).iter().map(|set| (set.included.len(), set.excluded.len())).collect();
    assert_eq!(sizes, [(2, 1), (1, 2), (1, 0)], "what is there is not added twice");
}

#[test]
fn targets_are_replaced() {
    let plan = tuned("SecRuleUpdateTargetById 10-12 \"ARGS_GET|ARGS_POST\" \"ARGS\"");
    let heads = heads(&plan);
    let get_and_post = [all(Variable::ArgsGet), all(Variable::ArgsPost)];
    let uri = all(Variable::RequestUri);
    assert_eq!(heads[0].included, [&get_and_post[..], std::slice::from_ref(&uri)].concat());
    assert_eq!(set(&plan, &plan.rules[0].links[1]).included, get_and_post);
    assert_eq!(heads[1].included, get_and_post);
    assert_eq!(heads[2].included, [uri], "does not look at what is replaced");
}

#[test]
fn actions_that_count_once_are_replaced_and_others_are_added() {
    let plan = tuned(
        "SecRuleUpdateActionById 11 \"deny,status:404,nolog,msg:'new',tag:more,t:lowercase,setvar:tx.a=1\"\n\
         SecRuleUpdateActionById 10:1 \"setvar:tx.b=1\"",
    );
    let rule = &plan.rules[1];
    assert_eq!((&rule.disruption, rule.log), (&Disruption::Deny(404), false));
    assert_eq!(rule.about.message, Some(fixed("new")));
    assert_eq!(rule.about.tags, [fixed("xss"), fixed("more")]);
    assert_eq!(steps(&plan, &rule.links[0]), ["lowercase"]);
    assert_eq!(rule.links[0].deeds.len(), 1);
    assert_eq!(plan.rules[0].links.iter().map(|link| link.deeds.len()).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn directives_set_what_they_say() {
    let settings = plan(
        "SecRuleEngine DetectionOnly\nSecRequestBodyAccess Off\nSecRequestBodyLimit 1\n\
         SecRequestBodyNoFilesLimit 2\nSecRequestBodyLimitAction ProcessPartial\n\
         SecRequestBodyJsonDepthLimit 3\nSecArgumentsLimit 4\nSecArgumentSeparator ;\n\
         SecUploadFileLimit 5\nSecResponseBodyAccess Off\n\
         SecResponseBodyMimeType text/HTML application/json\nSecResponseBodyMimeType text/xml\n\
         SecResponseBodyLimit 6\nSecResponseBodyLimitAction Reject\nSecAuditEngine On\n\
         SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"\nSecAuditLogParts ABZ\n\
         SecCollectionTimeout 7\nSecWebAppId shop\nSecComponentSignature \"CRS/4\"\n\
         SecUnicodeMapFile unicode.mapping 20127",
    )
    .settings;
    assert_eq!(settings.engine, Some(Engine::Detect));
    assert!(!settings.request_body_access && !settings.response_body_access);
    assert_eq!(settings.request_body_limit, 1);
    assert_eq!(settings.request_body_no_files_limit, 2);
    assert_eq!(settings.request_body_overflow, Overflow::ProcessPartial);
    assert_eq!((settings.json_depth, settings.arguments, settings.files), (3, 4, 5));
    assert_eq!(settings.separator, b';');
    assert_eq!(settings.response_types, ["text/html", "application/json", "text/xml"]);
    assert_eq!(settings.response_body_limit, 6);
    assert_eq!(settings.response_body_overflow, Overflow::Reject);
    assert_eq!((settings.audit, settings.audit_parts.as_str()), (AuditEngine::On, "ABZ"));
    assert!(settings.audit_status.is_some());
    assert_eq!((settings.collection_timeout, settings.web_app_id.as_str()), (7, "shop"));
    assert_eq!(settings.signatures, ["CRS/4"]);
}

#[test]
fn well_known_names_have_slots_that_no_rule_names() {
    let plan = plan("");
    for name in super::WELL_KNOWN_TX {
        assert!(plan.tx_slot(name.as_bytes()).is_some(), "{name}");
    }
    assert_eq!(plan.tx_slot(b"9"), Some(TxSlot(9)));
    assert_eq!(plan.tx_slot(b"other"), None);
}

#[test]
fn an_edit_compiles_only_what_it_changed() {
    let matchers = Matchers::default();
    let rules = r#"
        SecRule ARGS "@rx ^a+$" "id:1,phase:2,pass"
        SecRule ARGS "@pmFromFile words.data" "id:2,phase:2,pass"
        SecRule ARGS "@rx ^a+$" "id:3,phase:1,pass""#;
    let first = compiled(&matchers, "/etc/rules/a.conf", rules);
    assert_eq!(matchers.compiled(), 2, "the same expression is compiled once");
    let edits = ["SecRuleRemoveById 1", "SecRuleUpdateTargetById 3 !ARGS:x", ""];
    let edited =
        edits.map(|edit| compiled(&matchers, "/etc/rules/a.conf", &format!("{rules}\n{edit}")));
    assert_eq!(matchers.compiled(), 2, "an exclusion compiles nothing");
    let more = format!("{rules}\nSecRule ARGS \"@rx b\" \"id:4,phase:1,pass\"");
    let more = compiled(&matchers, "/etc/rules/a.conf", &more);
    assert_eq!(matchers.compiled(), 3);
    drop((first, edited, more));
    drop(compiled(&matchers, "/etc/rules/a.conf", rules));
    assert_eq!(matchers.compiled(), 5, "what no rule set has any more is gone");
}

#[test]
fn what_names_files_is_compiled_anew_where_they_differ() {
    let matchers = Matchers::default();
    let rules = r#"SecRule ARGS "@pmFromFile words.data" "id:2,phase:2,pass""#;
    let _first = compiled(&matchers, "/etc/rules/a.conf", rules);
    let _second = compiled(&matchers, "/etc/rules/b.conf", rules);
    assert_eq!(matchers.compiled(), 1);
    let (directives, _) = parsed("/etc/other/a.conf", rules);
    assert!(compile_with(&directives, &Folder, &matchers).plan.is_none(), "no such file there");
    let (directives, _) = parsed("/etc/rules/a.conf", rules);
    assert!(compile_with(&directives, &Changed, &matchers).plan.is_some());
    assert_eq!(matchers.compiled(), 2, "its file says something else");
}

/// The same folder, later.
struct Changed;

impl Files for Changed {
    fn read(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Ok(b"three\n".to_vec())
    }
}

fn parsed(path: &str, text: &str) -> (Vec<seclang::Directive>, String) {
    let source = seclang::source(path, text.as_bytes());
    let (directives, found) = seclang::parse(&source, text.as_bytes());
    (directives, render(&found))
}

fn compiled(matchers: &Matchers, path: &str, text: &str) -> Plan {
    let (directives, found) = parsed(path, text);
    assert_eq!(found, "");
    let Compiled { plan, diagnostics } = compile_with(&directives, &Folder, matchers);
    plan.unwrap_or_else(|| panic!("{}", render(&diagnostics)))
}
