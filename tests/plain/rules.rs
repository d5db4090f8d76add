//! Rule sets that nobody would write: every variable, operator, transformation and action, over a
//! small alphabet, so that much matches.

use moongate::detection::transformations::TRANSFORMATIONS;

use super::random::Random;

const TARGETS: &[&str] = &[
    "ARGS",
    "ARGS:a",
    "ARGS:/^[ab]/",
    "ARGS_GET",
    "ARGS_POST",
    "ARGS_NAMES",
    "ARGS_GET_NAMES:a",
    "ARGS_POST_NAMES",
    "ARGS_COMBINED_SIZE",
    "AUTH_TYPE",
    "DURATION",
    "ENV",
    "ENV:seen",
    "FILES",
    "FILES_NAMES",
    "FILES_SIZES",
    "FILES_COMBINED_SIZE",
    "FILES_TMP_CONTENT",
    "FULL_REQUEST",
    "FULL_REQUEST_LENGTH",
    "GEO:COUNTRY_CODE",
    "GLOBAL:n",
    "HIGHEST_SEVERITY",
    "INBOUND_DATA_ERROR",
    "IP",
    "IP:n",
    "IP:/^[ns]/",
    "MATCHED_VAR",
    "MATCHED_VARS",
    "MATCHED_VARS:/a/",
    "MATCHED_VARS_NAMES",
    "MATCHED_VAR_NAME",
    "MULTIPART_STRICT_ERROR",
    "MULTIPART_NAME",
    "MULTIPART_FILENAME",
    "MULTIPART_PART_HEADERS",
    "MULTIPART_UNMATCHED_BOUNDARY",
    "PATH_INFO",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REMOTE_USER",
    "REQBODY_ERROR",
    "REQBODY_PROCESSOR",
    "REQUEST_BASENAME",
    "REQUEST_BODY",
    "REQUEST_BODY_LENGTH",
    "REQUEST_COOKIES",
    "REQUEST_COOKIES:a",
    "REQUEST_COOKIES_NAMES",
    "REQUEST_FILENAME",
    "REQUEST_HEADERS",
    "REQUEST_HEADERS:X-A",
    "REQUEST_HEADERS_NAMES",
    "REQUEST_LINE",
    "REQUEST_METHOD",
    "REQUEST_PROTOCOL",
    "REQUEST_URI",
    "REQUEST_URI_RAW",
    "RESPONSE_BODY",
    "RESPONSE_CONTENT_LENGTH",
    "RESPONSE_CONTENT_TYPE",
    "RESPONSE_HEADERS",
    "RESPONSE_HEADERS_NAMES",
    "RESPONSE_STATUS",
    "RULE:id",
    "RULE",
    "SERVER_NAME",
    "SESSION:n",
    "SESSIONID",
    "STATUS_LINE",
    "TIME_EPOCH",
    "TX",
    "TX:0",
    "TX:1",
    "TX:n",
    "TX:s",
    "TX:/^[ns0-3]/",
    "UNIQUE_ID",
    "URLENCODED_ERROR",
    "USERID",
    "XML:/*",
    "XML://@*",
];

/// Those that a rule is the likelier to have.
const OFTEN: usize = 6;
const COMMON: &[&str] = &[
    "ARGS",
    "ARGS:a",
    "ARGS_NAMES",
    "REQUEST_COOKIES",
    "REQUEST_HEADERS",
    "TX:n",
    "TX:s",
    "&TX:n",
];

const OUT: &[&str] = &[
    "!ARGS:a",
    "!ARGS:/^b/",
    "!ARGS_NAMES:a",
    "!ARGS",
    "!REQUEST_COOKIES:a",
    "!REQUEST_COOKIES:/./",
    "!REQUEST_HEADERS:Host",
    "!TX:n",
    "!TX:/s/",
    "!XML:/*",
    "!MATCHED_VARS",
];

const OPERATORS: &[&str] = &[
    "@rx a",
    "@rx ^a?b",
    "@rx (a)(b)?",
    "@rx (?i)(union|select).{0,9}(all|x)",
    "@rx ^$",
    "@rx .",
    "@rx (?!b)a",
    "@rx %{tx.s}",
    "@rx ^%{tx.0}$",
    "@rxGlobal [ab](.)",
    "@pm a select zz",
    "@pm %{tx.s}",
    "@pm %{MATCHED_VAR} x",
    "@contains ab",
    "@contains %{tx.1}",
    "@containsWord select",
    "@strmatch b",
    "@beginsWith a",
    "@beginsWith %{ARGS.a}",
    "@endsWith b",
    "@streq ab",
    "@streq %{tx.0}",
    "@streq %{REQUEST_METHOD}",
    "@within ab union 12",
    "@within %{tx.s}%{tx.1}",
    "@eq 1",
    "@eq 0",
    "@eq %{tx.n}",
    "@ge 2",
    "@gt %{tx.n}",
    "@le 5",
    "@lt 1",
    "@lt %{tx.m}",
    "@detectSQLi",
    "@detectXSS",
    "@validateByteRange 32-126",
    "@validateUrlEncoding",
    "@validateUtf8Encoding",
    "@ipMatch 192.0.2.0/24",
    "@verifyCC \\d{13,16}",
    "@unconditionalMatch",
    "@noMatch",
    "@rbl lists.example.org",
    "@inspectFile x.lua",
    "@geoLookup",
];

const DEEDS: &[&str] = &[
    "setvar:tx.n=+1",
    "setvar:tx.n=-%{tx.m}",
    "setvar:tx.n=%{tx.m}",
    "setvar:tx.m=3",
    "setvar:tx.m=+%{tx.n}",
    "setvar:tx.s=%{MATCHED_VAR}",
    "setvar:tx.s=a",
    "setvar:'tx.s=%{tx.0}%{tx.1}'",
    "setvar:!tx.s",
    "setvar:!tx.n",
    "setvar:tx.0=ab",
    "setvar:'tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'",
    "setvar:tx.%{rule.id}-x=1",
    "setvar:'tx.s=%{HIGHEST_SEVERITY} %{REQUEST_HEADERS.x-a} %{ENV.seen}'",
    "setvar:ip.n=+1",
    "setvar:ip.s=%{MATCHED_VAR}",
    "setvar:global.n=+%{tx.n}",
    "setvar:session.n=+2",
    "setvar:!ip.n",
    "expirevar:ip.n=60",
    "deprecatevar:ip.n=1/10",
    "initcol:ip=%{REMOTE_ADDR}",
    "initcol:global=global",
    "setsid:%{ARGS.a}",
    "setuid:%{REMOTE_USER}",
    "setenv:seen=%{MATCHED_VAR}",
    "setenv:x%{tx.n}=1",
    "setenv:!seen",
    "sanitiseArg:a",
    "sanitiseMatched",
    "exec:x.lua",
];

const CONTROLS: &[&str] = &[
    "ctl:ruleRemoveById=I",
    "ctl:ruleRemoveById=I-J",
    "ctl:ruleRemoveByTag=t1",
    "ctl:ruleRemoveTargetById=I;ARGS:a",
    "ctl:ruleRemoveTargetById=I;ARGS",
    "ctl:ruleRemoveTargetById=I;TX:n",
    "ctl:ruleRemoveTargetById=I;REQUEST_HEADERS:/^[hx]/",
    "ctl:ruleRemoveTargetByTag=t2;REQUEST_COOKIES",
    "ctl:ruleRemoveTargetByTag=t2;ARGS:/./",
    "ctl:ruleRemoveTargetByMsg=said;ARGS_NAMES",
    "ctl:ruleEngine=DetectionOnly",
    "ctl:ruleEngine=On",
    "ctl:ruleEngine=Off",
    "ctl:requestBodyAccess=Off",
    "ctl:requestBodyLimit=20",
    "ctl:requestBodyProcessor=JSON",
    "ctl:requestBodyProcessor=XML",
    "ctl:requestBodyProcessor=URLENCODED",
    "ctl:forceRequestBodyVariable=On",
    "ctl:responseBodyAccess=Off",
    "ctl:responseBodyLimit=9",
    "ctl:auditEngine=On",
    "ctl:auditLogParts=+E",
];

const DISRUPTIONS: &[&str] = &[
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "pass",
    "deny,status:406",
    "block",
    "allow",
    "allow:phase",
    "allow:request",
    "drop",
    "redirect:http://a.example/%{MATCHED_VAR}",
];

/// Some rules, a few of them chains.
pub fn rule_set(random: &mut Random) -> String {
    let count = 2 + random.below(14);
    let mut text = String::from("SecDefaultAction \"phase:2,log,deny,t:none\"\n");
    for id in 0..random.below(5) {
        text += &default(random, 100 + id);
    }
    for id in 1..=count {
        text += &rule(random, id, count);
        if random.once_in(5) {
            text += "SecMarker END\n";
        }
    }
    if random.once_in(4) {
        let id = 1 + random.below(count);
        let out = random.one(OUT);
        text += &format!("SecRuleUpdateTargetById {id} \"{out}\"\n");
    }
    text + "SecMarker END\n"
}

fn rule(random: &mut Random, id: usize, count: usize) -> String {
    let phase = [1, 1, 2, 2, 2, 2, 3, 4, 5][random.below(9)];
    if random.once_in(8) {
        return bar(random, id, phase);
    }
    if random.once_in(8) {
        return roster(random, id, phase);
    }
    let disruption = random.one(DISRUPTIONS);
    let mut actions = format!("id:{id},phase:{phase},{disruption}");
    actions += random.one(&[",log", ",nolog", ",nolog", ",noauditlog", ",nolog,auditlog", ""]);
    if random.once_in(2) {
        actions += &format!(",severity:{}", random.below(8));
    }
    if random.once_in(2) {
        actions +=
            ",msg:'said %{MATCHED_VAR_NAME} %{tx.n}',logdata:'%{tx.0} %{MATCHED_VAR} %{rule.msg}'";
    }
    for tag in ["t1", "t2", "%{tx.s}"] {
        if random.once_in(3) {
            actions += &format!(",tag:'{tag}'");
        }
    }
    if random.once_in(8) {
        actions += random.one(&[",skip:1", ",skip:2", ",skipAfter:END"]);
    }
    let links = if random.once_in(3) { 1 + random.below(3) } else { 0 };
    if links == 0 && random.once_in(6) {
        return format!("SecAction \"{actions}{}\"\n", deeds(random, count));
    }
    let mut text = String::new();
    for link in 0..=links {
        let (targets, operator) = (targets(random), operator(random));
        let head = if link == 0 { std::mem::take(&mut actions) } else { "t:none".to_owned() };
        let chain = if link < links { ",chain" } else { "" };
        let own = format!("{head}{}{}{chain}", looks(random), deeds(random, count));
        text += &format!("SecRule {targets} \"{operator}\" \"{own}\"\n");
    }
    text
}

/// What CRS has many of: a rule that only compares a number and skips.
fn bar(random: &mut Random, id: usize, phase: u8) -> String {
    let target = random.one(&["TX:n", "&TX:n", "TX:m", "TX:s", "&TX:0"]);
    let operator = random.one(&["@lt 2", "@eq 0", "!@ge 1", "@gt %{tx.m}", "@le 5"]);
    let skip = random.one(&["skip:1", "skip:3", "skipAfter:END"]);
    format!("SecRule {target} \"{operator}\" \"id:{id},phase:{phase},pass,nolog,{skip}\"\n")
}

/// What CRS begins with: a rule that looks at nothing of the exchange and sets something.
fn default(random: &mut Random, id: usize) -> String {
    let head = random.one(&["SecAction", "SecRule &TX:n \"@eq 0\"", "SecRule TX:m \"!@rx ^3\""]);
    let deed = random.one(&["tx.n=1", "tx.m=3", "tx.s=%{tx.m}%{tx.n}", "tx.m=+2", "!tx.s"]);
    format!("{head} \"id:{id},phase:1,pass,nolog,capture,setvar:'{deed}'\"\n")
}

/// What CRS finds headers with that are not allowed: all are entered in `TX`, then sought on a list.
fn roster(random: &mut Random, id: usize, phase: u8) -> String {
    let seen = random.one(&["REQUEST_HEADERS_NAMES", "ARGS_NAMES|ARGS", "REQUEST_COOKIES"]);
    let family = random.one(&["seen_", "seen_", "seen_at_", "met_"]);
    let entry = random.one(&["/%{tx.0}/", "%{tx.0}", "<%{tx.0}"]);
    let list = random.one(&["/x-b/ /c/", "%{tx.s}", "/q//w/<a", "nothing"]);
    format!(
        "SecRule {seen} \"@rx ^.*$\" \"id:{id},phase:{phase},pass,log,capture,t:none,t:lowercase,\\\n\
         setvar:'tx.{family}%{{tx.0}}={entry}',chain\"\n\
         SecRule TX:/^{family}/ \"@within {list}\" \"setvar:tx.n=+1\"\n"
    )
}

fn targets(random: &mut Random) -> String {
    let mut all: Vec<String> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let from = if random.below(10) < OFTEN { COMMON } else { TARGETS };
        let count = if random.once_in(10) { "&" } else { "" };
        let one = random.one(from);
        all.push(if one.starts_with('&') { one.to_owned() } else { format!("{count}{one}") });
    }
    if random.once_in(4) {
        all.push(random.one(OUT).to_owned());
    }
    all.join("|")
}

fn operator(random: &mut Random) -> String {
    let written = random.one(OPERATORS);
    let may_turn = !written.starts_with("@inspectFile");
    if may_turn && random.once_in(6) { format!("!{written}") } else { written.to_owned() }
}

/// How a link looks at values.
fn looks(random: &mut Random) -> String {
    let mut looks = String::new();
    if random.once_in(2) {
        looks += ",t:none";
        for _ in 0..1 + random.below(4) {
            let often = ["lowercase", "urlDecodeUni", "htmlEntityDecode", "removeWhitespace"];
            let at = random.below(TRANSFORMATIONS.len());
            let any = TRANSFORMATIONS[at].name;
            looks += ",t:";
            looks += if random.once_in(3) { any } else { random.one(&often) };
        }
    }
    if random.once_in(3) {
        looks += ",capture";
    }
    if random.once_in(5) {
        looks += ",multiMatch";
    }
    looks
}

fn deeds(random: &mut Random, count: usize) -> String {
    let mut deeds = String::new();
    for _ in 0..random.below(3) {
        deeds += &format!(",{}", random.one(DEEDS));
    }
    if random.once_in(5) {
        let (one, other) = (1 + random.below(count), 1 + random.below(count));
        let control = random.one(CONTROLS).replace("=I", &format!("={}", one.min(other)));
        deeds += &format!(",{}", control.replace("-J", &format!("-{}", one.max(other))));
    }
    deeds
}
