//! A whole Core Rule Set (Debian's) in its surroundings: an engine's recommended settings before it,
//! its own exclusions for applications, and a profile of its own for each route.

use serde_json::Value;

use super::support::{Moongate, Upstream, logged_rules, resting_events};

const DEBIAN: &str = "/usr/share/modsecurity-crs";
const ATTACK: &str = "/?q=1'+union+select+password+from+users--";

/// What the recommended settings of ModSecurity 2 and 3 and of Coraza set: the three together.
const RECOMMENDED: &str = r#"
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" \
    "id:'200000',phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z0-9.-]+[+])?json" \
    "id:'200001',phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecRequestBodyInMemoryLimit 131072
SecRequestBodyLimitAction Reject
SecRequestBodyJsonDepthLimit 512
SecArgumentsLimit 1000
SecRule &ARGS "@ge 1000" "id:'200007',phase:2,t:none,log,deny,status:400"
SecRule REQBODY_ERROR "!@eq 0" "id:'200002', phase:2,t:none,log,deny,status:400,severity:2"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" \
"id:'200003',phase:2,t:none,log,deny,status:400, \
msg:'strict: \
PE %{REQBODY_PROCESSOR_ERROR}, \
FL %{MULTIPART_FILE_LIMIT_EXCEEDED}'"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" "id:'200004',phase:2,t:none,log,deny"
SecPcreMatchLimit 1000
SecPcreMatchLimitRecursion 1000
SecRule TX:/^MSC_/ "!@streq 0" "id:'200005',phase:2,t:none,deny,msg:'%{MATCHED_VAR_NAME}'"
SecRule TX:/^COR_/ "!@streq 0" "id:'200006',phase:2,t:none,deny,msg:'%{MATCHED_VAR_NAME}'"
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml
SecResponseBodyLimit 524288
SecResponseBodyLimitAction ProcessPartial
SecTmpDir /tmp/
SecDataDir /tmp/
SecAuditEngine RelevantOnly
SecAuditLogRelevantStatus "^(?:5|4(?!04))"
SecAuditLogParts ABIJDEFHZ
SecAuditLogType Serial
SecAuditLogFormat Native
SecAuditLog /var/log/modsec_audit.log
SecArgumentSeparator &
SecCookieFormat 0
SecStatusEngine Off
"#;

#[test]
fn recommended_settings_load_with_warnings_and_decide_where_the_yaml_says_nothing() {
    let upstream = Upstream::start();
    let config = format!(
        "events: events.jsonl\nrules: {{ crs: {DEBIAN}, files: [recommended.conf, crs] }}\n\
         routes:\n\
         - {{ match: {{ path: /on }}, rules: {{ engine: on }} }}\n\
         - {{ match: {{ path: /off }}, rules: {{ engine: off }} }}\n"
    );
    let builder = Moongate::with_upstream(&upstream, &config).file("recommended.conf", RECOMMENDED);
    let moongate = builder.start();
    assert!(moongate.log().contains("`SecTmpDir` has no effect"), "{}", moongate.log());
    let json = [("Content-Type", "application/json")];
    let posted = |path, body| moongate.request("POST", path, &json, body).status;
    for (path, refused) in [("/", 200), ("/on", 403), ("/off", 200)] {
        let target = ATTACK.replacen('/', path, 1);
        assert_eq!(moongate.get(&target).status, refused, "{target}");
        let body = r#"{"q":"1' union select password from users--"}"#;
        assert_eq!(posted(path, body), refused, "{path}: a body of JSON");
    }
    assert_eq!((posted("/", "{"), posted("/on", "{")), (200, 400), "a body that is no JSON");
    let events = resting_events(&moongate);
    let event = |line: &str| serde_json::from_str::<Value>(line).expect("a line of JSON");
    let would = events.lines().map(event).find(|event| event["engine"] == "detect");
    let rules = would.expect("what is only told is told")["rules"].to_string();
    assert!(rules.contains("942100") && rules.contains("949110"), "{rules}");
}

/// An application, a request that it sends rightly, and the rule that would refuse it.
struct Spared {
    application: &'static str,
    target: &'static str,
    header: (&'static str, &'static str),
    body: &'static str,
    rule: u64,
}

const HOST: (&str, &str) = ("Host", "localhost");
const WIKI: (&str, &str) = ("Cookie", "DW68700bfd16c2027de7de74a5a8202a6f=abc");

const SPARED: &[Spared] = &[
    Spared {
        application: "cpanel",
        target: "/whm-server-status",
        header: ("Host", "127.0.0.1"),
        body: "",
        rule: 920350,
    },
    Spared {
        application: "dokuwiki",
        target: "/doku.php",
        header: WIKI,
        body: "wikitext=<script>alert(1)</script>",
        rule: 941100,
    },
    Spared {
        application: "drupal",
        target: "/user/login",
        header: HOST,
        body: "pass=<script>alert(1)</script>",
        rule: 941100,
    },
    Spared {
        application: "nextcloud",
        target: "/remote.php/webdav/a?b=<script>alert(1)</script>",
        header: HOST,
        body: "",
        rule: 941100,
    },
    Spared {
        application: "wordpress",
        target: "/wp-login.php",
        header: HOST,
        body: "pwd=<script>alert(1)</script>",
        rule: 941100,
    },
    Spared {
        application: "xenforo",
        target: "/proxy.php?link=<script>alert(1)</script>",
        header: HOST,
        body: "",
        rule: 941100,
    },
];

#[test]
fn exclusions_for_an_application_take_its_rules_away_and_only_where_they_are_switched_on() {
    let upstream = Upstream::start();
    let switches: String = SPARED
        .iter()
        .zip(1..)
        .map(|(Spared { application, .. }, id)| {
            format!(
                "SecRule REQUEST_HEADERS:X-Application \"@streq {application}\" \
                 \"id:{id},phase:1,pass,nolog,setvar:tx.crs_exclusions_{application}=1\"\n"
            )
        })
        .collect();
    let config = format!(
        "events: events.jsonl\n\
         rules: {{ engine: detect, crs: {DEBIAN}, files: [switches.conf, crs] }}\n"
    );
    let builder = Moongate::with_upstream(&upstream, &config).file("switches.conf", switches);
    let moongate = builder.start();
    let marker = |spared: &Spared, on| format!("test-{}-{on}-", spared.application);
    for spared in SPARED {
        for on in [true, false] {
            let marker = marker(spared, on);
            let application = if on { spared.application } else { "none" };
            let form = ("Content-Type", "application/x-www-form-urlencoded");
            let headers =
                [spared.header, form, ("X-Application", application), ("X-CRS-Test", &marker)];
            let method = if spared.body.is_empty() { "GET" } else { "POST" };
            assert_eq!(moongate.request(method, spared.target, &headers, spared.body).status, 200);
        }
    }
    let rules = logged_rules(&moongate, r"test-\w+-\w+-");
    for spared in SPARED {
        let found =
            |on| rules.get(&marker(spared, on)).is_some_and(|ids| ids.contains(&spared.rule));
        assert!(found(false), "{}: {} is not found at all", spared.application, spared.rule);
        assert!(!found(true), "{}: {} is not taken away", spared.application, spared.rule);
    }
}

#[test]
fn routes_have_profiles_of_their_own_over_one_rule_set() {
    let upstream = Upstream::start();
    let config = format!(
        "rules: {{ crs: {DEBIAN} }}\n\
         routes:\n\
         - {{ match: {{ path: /calm }}, rules: {{ thresholds: {{ inbound: 1000 }} }} }}\n\
         - {{ match: {{ path: /spared }}, rules: {{ exclusions: [{{ tag: attack-sqli }}] }} }}\n\
         - {{ match: {{ path: /strict }}, rules: {{ paranoia: 4 }} }}\n"
    );
    let moongate = Moongate::with_upstream(&upstream, &config).start();
    let (attack, odd, script) = (&ATTACK[1..], "?q=(a;b:c!)~[d]", "?q=<script>alert(1)</script>");
    for (path, of_attack, of_odd, of_script) in [
        ("/", 403, 200, 403),
        ("/calm", 200, 200, 200),
        ("/spared", 200, 200, 403),
        ("/strict", 403, 403, 403),
    ] {
        let status = |query| moongate.get(&format!("{path}{query}")).status;
        assert_eq!(status(attack), of_attack, "{path}{attack}");
        assert_eq!(status(odd), of_odd, "{path}{odd}");
        assert_eq!(status(script), of_script, "{path}{script}");
    }
    let overrides = moongate::config::Overrides::default();
    let origin = moongate::policy::Origin::Disk;
    let path = moongate.path("moongate.yaml");
    let built = moongate::policy::build(Some(&path), &overrides, origin, None);
    let policy = built.policy.unwrap_or_else(|| panic!("it serves already"));
    assert_eq!(policy.rulesets.len(), 1, "four routes, one plan");
}
