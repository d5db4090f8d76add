//! What deployments write around the Core Rule Set: each form of tuning loads, and has its effect on
//! a real request.

use crate::support::{Moongate, Upstream};

/// In small what a rule set does whose matches add up.
const BASE: &str = r#"
SecDefaultAction "phase:1,pass,log"
SecDefaultAction "phase:2,pass,log"
SecRule &TX:inbound_anomaly_score_threshold "@eq 0" \
    "id:901100,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule &TX:allowed_methods "@eq 0" \
    "id:901160,phase:1,pass,nolog,setvar:'tx.allowed_methods=GET HEAD POST OPTIONS'"
SecRule REQUEST_METHOD "!@within %{tx.allowed_methods}" \
    "id:911100,phase:1,block,msg:'Method',tag:'OWASP_CRS',tag:'attack-generic',\
    setvar:'tx.score=+5'"
SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/^__utm/|ARGS_NAMES|ARGS|REQUEST_HEADERS:User-Agent \
    "@rx (?i)union\s+select" \
    "id:942100,phase:2,block,capture,t:none,t:urlDecodeUni,msg:'SQL Injection: union',\
    tag:'attack-sqli',tag:'OWASP_CRS',severity:'CRITICAL',setvar:'tx.score=+5'"
SecRule ARGS "@rx (?i)union\s+select" \
    "id:942101,phase:2,block,msg:'SQL Injection: again',tag:'attack-sqli',tag:'OWASP_CRS',\
    setvar:'tx.score=+5'"
SecRule ARGS "@contains <script" \
    "id:941100,phase:2,block,t:none,t:lowercase,msg:'XSS',tag:'attack-xss',tag:'OWASP_CRS',\
    setvar:'tx.score=+5'"
SecRule TX:score "@ge %{tx.inbound_anomaly_score_threshold}" \
    "id:949110,phase:2,deny,msg:'too high',tag:'OWASP_CRS'"
SecMarker "END-BASE"
"#;

/// A form of tuning. `HERE` is the path under which it holds.
struct Form {
    before: &'static str,
    after: &'static str,
    /// What follows `HERE` in the target, a header perhaps behind a space; and the status.
    asked: &'static [(&'static str, u16)],
}

const fn before(text: &'static str, asked: &'static [(&'static str, u16)]) -> Form {
    Form { before: text, after: "", asked }
}

const fn after(text: &'static str, asked: &'static [(&'static str, u16)]) -> Form {
    Form { before: "", after: text, asked }
}

const NO_SQL: &[(&str, u16)] = &[("?a=union+select", 200), ("?a=<script", 403)];
const NO_SQL_IN_A: &[(&str, u16)] =
    &[("?a=union+select", 200), ("?b=union+select", 403), ("?a=<script", 403)];
const NOT_A: &[(&str, u16)] = &[("?a=union+select", 200), ("?a=<script", 200), ("?b=<script", 403)];
const NO_SQL_BELOW: &[(&str, u16)] =
    &[("/admin/x?a=union+select", 200), ("/x?a=union+select", 403), ("/admin/x?a=<script", 403)];

const FORMS: &[Form] = &[
    after("", &[("?a=fine", 200), ("?a=union+select", 403), ("?a=<script", 403)]),
    after("SecRuleRemoveById 942100 942101", NO_SQL),
    after("SecRuleRemoveById 942100,942101", NO_SQL),
    after("SecRuleRemoveById 942000-942999", NO_SQL),
    after("secruleremovebyid \"942100\" \"942101-942199\"", NO_SQL),
    after("SecRuleRemoveByTag attack-sqli", NO_SQL),
    after("SecRuleRemoveByTag \"^attack-(?:sqli|lfi)$\"", NO_SQL),
    after("SecRuleRemoveByMsg \"SQL Injection\"", NO_SQL),
    after(
        "SecRuleUpdateTargetById 942100 !ARGS:a\nSecRuleUpdateTargetById 942101 \"!ARGS:a\"",
        NO_SQL_IN_A,
    ),
    after("SecRuleUpdateTargetById 942000-942999 \"!ARGS:/^a$/\"", NO_SQL_IN_A),
    after("SecRuleUpdateTargetById 942100-942101 \"!ARGS:z,!ARGS:A\"", NO_SQL_IN_A),
    after("SecRuleUpdateTargetById 942100-942101 '!ARGS:z|!ARGS:a'", NO_SQL_IN_A),
    after("SecRuleUpdateTargetByTag attack-sqli !ARGS:a", NO_SQL_IN_A),
    after("SecRuleUpdateTargetByTag \"attack-sqli\" \"!ARGS:'/^(?:a|z)$/'\"", NO_SQL_IN_A),
    after("SecRuleUpdateTargetByMsg \"SQL Injection\" \"!ARGS:a\"", NO_SQL_IN_A),
    after(
        "SecRuleUpdateTargetById 942100 \"!REQUEST_COOKIES\"",
        &[("/ Cookie: c=union select", 200), ("?a=union+select", 403)],
    ),
    after(
        "SecRuleUpdateTargetById 942100 \"!REQUEST_COOKIES:/^ga_/\"",
        &[("/ Cookie: ga_1=union select", 200), ("/ Cookie: c=union select", 403)],
    ),
    after(
        "SecRuleUpdateTargetById 942100 \"!REQUEST_HEADERS:user-agent\"",
        &[("/ User-Agent: union select", 200), ("?a=union+select", 403)],
    ),
    after(
        "SecRuleUpdateTargetById 941100 \"REQUEST_HEADERS:Referer\"",
        &[("/ Referer: <script", 403), ("/ Referer: fine", 200), ("?a=<script", 403)],
    ),
    after(
        "SecRuleUpdateTargetById 941100 \"ARGS_NAMES\" \"ARGS\"",
        &[("?a=<script", 200), ("?<script=a", 403)],
    ),
    after("SecRuleUpdateActionById 949110 \"deny,status:406\"", &[("?a=<script", 406)]),
    after("SecRuleUpdateActionById 949110 \"pass\"", &[("?a=<script", 200)]),
    after(
        "SecRuleUpdateActionById 941100 \"deny,status:404\"",
        &[("?a=<script", 404), ("?a=union+select", 403)],
    ),
    before(
        "SecRule REQUEST_URI \"@beginsWith HERE/admin\" \\\n    \
         \"id:1000,phase:1,pass,nolog,ctl:ruleRemoveById=942100,ctl:ruleRemoveById=942101\"",
        NO_SQL_BELOW,
    ),
    before(
        "SecRule REQUEST_FILENAME \"@rx ^HERE/admin/\" \
         \"id:1000,phase:1,t:none,nolog,pass,ctl:ruleRemoveById=942000-942999\"",
        NO_SQL_BELOW,
    ),
    before(
        "SecRule REQUEST_FILENAME \"@beginsWith HERE/admin\" \
         \"id:1000,phase:2,nolog,pass,ctl:ruleRemoveByTag=attack-sqli\"",
        NO_SQL_BELOW,
    ),
    before(
        "SecRule REQUEST_URI \"HERE/admin\" \
         \"id:1000,phase:1,nolog,pass,ctl:'ruleRemoveByMsg=SQL Injection'\"",
        NO_SQL_BELOW,
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,ctl:ruleRemoveTargetById=942100;ARGS:a,\
         ctl:ruleRemoveTargetById=942101;ARGS:a\"",
        NO_SQL_IN_A,
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,\
         ctl:ruleRemoveTargetById=942100-942199;ARGS:/^a$/\"",
        NO_SQL_IN_A,
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,ctl:ruleRemoveTargetByTag=attack-sqli;ARGS:a\"",
        NO_SQL_IN_A,
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,\
         ctl:'ruleRemoveTargetByMsg=SQL Injection: again;ARGS:a',\
         ctl:'ruleRemoveTargetByMsg=SQL Injection: union;ARGS:a'\"",
        NO_SQL_IN_A,
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:a\"",
        NOT_A,
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,\
         ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:ids[],\
         ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:page[0][name]\"",
        &[
            ("?ids[]=<script", 200),
            ("?page%5B0%5D%5Bname%5D=union+select", 200),
            ("?page[1][name]=union+select", 403),
            ("?ids=<script", 403),
        ],
    ),
    before(
        "SecRule REQUEST_FILENAME \"@endsWith /ajax.php\" \"id:1000,phase:2,pass,t:none,nolog,chain\"\n\
         SecRule ARGS:action \"@streq save\" \"t:none,chain\"\n\
         SecRule &ARGS:action \"@eq 1\" \"t:none,ctl:ruleRemoveTargetByTag=OWASP_CRS;ARGS:a\"",
        &[
            ("/ajax.php?action=save&a=<script", 200),
            ("/ajax.php?action=save&action=b&a=<script", 403),
            ("/ajax.php?action=read&a=<script", 403),
            ("/other.php?action=save&a=<script", 403),
        ],
    ),
    before(
        "SecRule REMOTE_ADDR \"@ipMatch 127.0.0.1,::1,10.0.0.0/8\" \
         \"id:1000,phase:1,pass,nolog,ctl:ruleEngine=Off\"",
        &[("?a=<script", 200)],
    ),
    before(
        "SecRule REQUEST_URI \"@beginsWith HERE/admin\" \
         \"id:1000,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly\"",
        &[("/admin?a=<script", 200), ("?a=<script", 403)],
    ),
    before(
        "SecRule REQUEST_HEADERS:X-Probe \"@streq yes\" \"id:1000,phase:1,allow,nolog\"",
        &[("?a=<script X-Probe: yes", 200), ("?a=<script X-Probe: no", 403)],
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,setvar:tx.inbound_anomaly_score_threshold=10\"",
        &[("?a=<script", 200), ("?a=<script&b=union+select", 403)],
    ),
    before(
        "SecAction \"id:1000,phase:1,nolog,pass,setvar:'tx.allowed_methods=POST PUT'\"",
        &[("?a=fine", 403)],
    ),
    before(
        "SecRule REQUEST_URI \"@beginsWith HERE/admin\" \
         \"id:1000,phase:2,pass,nolog,skipAfter:END-BASE\"",
        &[("/admin?a=<script", 200), ("?a=<script", 403)],
    ),
    after(
        "SecRule ARGS_GET:debug \"@rx .\" \"id:1000,phase:2,deny,status:404,log,msg:'no debugging'\"",
        &[("?debug=1", 404), ("?a=1", 200)],
    ),
];

#[test]
fn every_form_of_tuning_has_its_effect() {
    let upstream = Upstream::start();
    let mut config = "routes:\n".to_owned();
    for number in 0..FORMS.len() {
        config += &format!(
            "- {{ match: {{ path: /form{number:02} }}, \
             rules: {{ files: [{number}-before.conf, base/{number}.conf, {number}-after.conf] }} }}\n"
        );
    }
    let mut builder = Moongate::with_upstream(&upstream, &config);
    for (number, form) in FORMS.iter().enumerate() {
        let text = |text: &str| text.replace("HERE", &format!("/form{number:02}"));
        builder = builder
            .file(&format!("{number}-before.conf"), text(form.before))
            .file(&format!("base/{number}.conf"), BASE)
            .file(&format!("{number}-after.conf"), text(form.after));
    }
    let moongate = builder.start();
    let mut wrong = Vec::new();
    for (number, form) in FORMS.iter().enumerate() {
        for (asked, status) in form.asked {
            let (target, header) = asked.split_once(' ').unwrap_or((asked, ""));
            let target = format!("/form{number:02}{target}");
            let answer = moongate.request("GET", &target, header.split_once(": ").as_slice(), "");
            if answer.status != *status {
                let told = format!("{} instead of {status}: {target} {header}", answer.status);
                wrong.push(format!("{told}\n  {}{}", form.before, form.after));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_means_no_rule_is_told_and_no_reason_not_to_start() {
    for (tuning, told) in [
        ("SecRuleRemoveById 942999", "no rule has the id `942999`"),
        ("SecRuleRemoveById 1-99", "no rule has an id from `1` to `99`"),
        ("SecRuleRemoveByTag attack-nothing", "attack-nothing"),
        ("SecRuleRemoveByMsg \"No Such Thing\"", "No Such Thing"),
        ("SecRuleUpdateTargetById 942999 !ARGS:a", "no rule has the id `942999`"),
        ("SecRuleUpdateTargetByTag attack-nothing !ARGS:a", "attack-nothing"),
        ("SecRuleUpdateTargetByMsg \"No Such Thing\" !ARGS:a", "No Such Thing"),
        ("SecRuleUpdateActionById 942999 deny", "no rule has the id `942999`"),
        ("SecAction \"id:9,phase:1,pass,nolog,ctl:ruleRemoveById=942999\"", "942999"),
        (
            "SecAction \"id:9,phase:1,pass,nolog,ctl:ruleRemoveByTag=attack-nothing\"",
            "attack-nothing",
        ),
        ("SecAction \"id:9,phase:1,pass,nolog,ctl:ruleRemoveTargetById=942999;ARGS:a\"", "942999"),
        (
            "SecAction \"id:9,phase:1,pass,nolog,ctl:ruleRemoveTargetByTag=attack-nothing;ARGS:a\"",
            "attack-nothing",
        ),
    ] {
        let config = "upstreams: { app: 127.0.0.1:1 }\nrules: { files: [base.conf, own.conf] }\n";
        let said = Moongate::with(config).file("base.conf", BASE).file("own.conf", tuning).check();
        let text = said.stdout + &said.stderr;
        assert_eq!(said.code, 0, "{tuning}: {text}");
        assert!(text.contains("warning[seclang::matches-no-rule]"), "{tuning}: {text}");
        assert!(text.contains(told) && text.contains("own.conf:1"), "{tuning}: {text}");
        assert!(text.contains("0 faults, 1 warning"), "{tuning}: {text}");
    }
}
