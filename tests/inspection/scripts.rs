//! Scripts and rules: what each tells the other.

use super::{judging, last_event};
use crate::support::Upstream;

/// As the Core Rule Set adds up, in small.
const SCORING: &str = "\
SecAction \"id:1,phase:1,nolog,pass,setvar:tx.inbound_anomaly_score_pl1=0\"\n\
SecRule ARGS \"@contains attack\" \"id:100,phase:2,pass,log,severity:CRITICAL,msg:'found',tag:'attack-sqli',\
setvar:tx.inbound_anomaly_score_pl1=+5\"\n\
SecAction \"id:190,phase:2,nolog,pass,setvar:tx.blocking_inbound_anomaly_score=%{tx.inbound_anomaly_score_pl1}\"\n\
SecRule TX:blocking_inbound_anomaly_score \"@ge 5\" \"id:200,phase:2,deny,msg:'too high'\"\n\
SecRule TX:from_lua \"@streq yes\" \"id:201,phase:1,deny,status:418\"\n";

fn scripted(script: &str) -> (Upstream, crate::support::Moongate) {
    let upstream = Upstream::start();
    let script = script.trim().replace('\n', "\n  ");
    let moongate = judging(&upstream, SCORING, &format!("access_by_lua_block: |\n  {script}\n"));
    (upstream, moongate)
}

#[test]
fn a_match_that_a_script_adds_counts_as_a_rules() {
    let (_upstream, moongate) = scripted("assert(waf.add_match(9001, 'seen by a script', 5))");
    assert_eq!(moongate.get("/").status, 403);
    let event = last_event(&moongate);
    assert_eq!(event["reason"], "rule:200");
    assert_eq!(event["rules"][0]["id"], 9001);
    assert_eq!(event["rules"][0]["msg"], "seen by a script");
}

#[test]
fn a_script_takes_rules_and_targets_away_for_one_request() {
    let (_upstream, moongate) = scripted(
        "local how = ngx.var.arg_how\n\
         if how == 'rule' then assert(waf.remove_rule(100) == 1) end\n\
         if how == 'range' then assert(waf.remove_rule('100-199') == 2) end\n\
         if how == 'tag' then assert(waf.remove_rule('attack-sqli') == 1) end\n\
         if how == 'target' then assert(waf.remove_target(100, 'ARGS:a') == 1) end\n\
         local none, err = waf.remove_target(100, 'ARG:a')\n\
         assert(none == nil and err:find('ARG'), err)",
    );
    for (target, status) in [
        ("/?a=attack", 403),
        ("/?a=attack&how=rule", 200),
        ("/?a=attack&how=range", 200),
        ("/?a=attack&how=tag", 200),
        ("/?a=attack&how=target", 200),
        ("/?b=attack&how=target", 403),
        ("/?a=attack", 403),
    ] {
        assert_eq!(moongate.get(target).status, status, "{target}");
    }
}

#[test]
fn what_a_script_sets_in_tx_is_there_before_the_first_rule() {
    let (_upstream, moongate) = scripted(
        "if ngx.var.arg_set then waf.tx('FROM_LUA', 'yes') assert(waf.tx('from_lua') == 'yes') end\n\
         if ngx.var.arg_unset then waf.tx('from_lua', 'yes') waf.tx('from_lua', nil) end\n\
         assert(waf.mode() == 'on')",
    );
    assert_eq!(moongate.get("/?set=1").status, 418);
    assert_eq!(moongate.get("/?unset=1").status, 200);
    assert_eq!(moongate.get("/").status, 200);
}

#[test]
fn what_rules_found_is_there_for_later_handlers() {
    let upstream = Upstream::start();
    let moongate = judging(
        &upstream,
        &SCORING.replace("id:200,phase:2,deny", "id:200,phase:2,pass"),
        "header_filter_by_lua_block: |\n  \
         local first = waf.matches()[1]\n  \
         local score = waf.score()\n  \
         ngx.header['X-Found'] = first and (first.id .. ' ' .. first.msg .. ' ' .. first.variable .. ' ' .. \
         first.severity .. ' ' .. first.tags[1] .. ' ' .. score) or 'nothing'\n",
    );
    assert_eq!(moongate.get("/?a=fine").header("x-found"), Some("nothing"));
    let found = "100 found ARGS:a critical attack-sqli 5";
    assert_eq!(moongate.get("/?a=attack").header("x-found"), Some(found));
}

#[test]
fn without_rules_there_is_nothing_to_ask() {
    let upstream = Upstream::start();
    let script = "routes:\n  - rules: { engine: off }\n    access_by_lua_block: |\n      \
        local ok, err = waf.add_match(1, 'x')\n      \
        assert(ok == nil and err == 'no rules')\n      \
        assert(waf.mode() == 'off' and #waf.matches() == 0 and waf.score() == 0)\n      \
        assert(waf.tx('a') == nil and waf.remove_rule(1) == nil)\n";
    let moongate = judging(&upstream, SCORING, script);
    assert_eq!(moongate.get("/?a=attack").status, 200);
}
