//! Rows of `rules`.

use super::{GIB, KIB, SECOND, row};
use crate::config::settings::Shape::{Choice, Count, Other, Path, Size, Text, Texts, Time};
use crate::config::settings::Table;

/// The rule engine.
pub static RULES: Table = Table {
    place: "rules",
    doc: "The rule engine: which rules it runs, and what it does with what they find. What is written here wins over what the rules say of themselves.",
    shared: None,
    rows: &[
        row(
            "engine",
            Choice(&["on", "detect", "off"]),
            "",
            "detect",
            "`on` refuses, `detect` only tells, `off` does neither. Without it: what `SecRuleEngine` says, else `on`.",
        ),
        row(
            "crs",
            Path,
            "",
            "/usr/share/modsecurity-crs",
            "The folder of the OWASP Core Rule Set: a release as unpacked (with its plugins), or Debian's package. It is loaded after `files`.",
        ),
        row(
            "files",
            Texts,
            "",
            "[base, own/*.conf]",
            "Rule files in the order in which they are loaded: files, folders (their `.conf` files) and patterns. The word `base` stands for the rules that are built in; they are also what is loaded where neither `files` nor `crs` is said. The word `crs` stands for the Core Rule Set where that is not to come last: `[before.conf, crs, after.conf]`.",
        ),
        row(
            "paranoia",
            Count(1, 4),
            "",
            "2",
            "The paranoia level of the base rules and of the Core Rule Set, for blocking and detection. Without it what the rules say (1).",
        ),
        row(
            "thresholds",
            Other("a mapping"),
            "",
            "{ inbound: 10 }",
            "From which anomaly score on the base rules and the Core Rule Set refuse.",
        ),
        row(
            "budget",
            Other("a mapping"),
            "",
            "{ time: 500ms }",
            "What judging one exchange may cost, and what becomes of one that costs more.",
        ),
        row(
            "exclusions",
            Other("a list of mappings"),
            "",
            "[{ rule: 942100, target: \"ARGS:comment\", reason: a wiki }]",
            "Rules that do not run, or do not look at something.",
        ),
        row(
            "shadow",
            Other("a mapping"),
            "",
            "{ sample: 10%, paranoia: 2 }",
            "A second rule set, which judges requests beside this one, without effect.",
        ),
    ],
};

/// A second rule set without effect.
pub static RULES_SHADOW: Table = Table {
    place: "rules.shadow",
    doc: "A second rule set, which judges requests beside the first, without effect; what both said is compared ([trying a version](rollouts.md#a-second-rule-set)). What it does not say is as for the first.",
    shared: None,
    rows: &[
        row("sample", Text, "100%", "10%", "Of how many exchanges."),
        row("crs", Path, "", "/usr/share/modsecurity-crs", "As in [rules](#rules)."),
        row("files", Texts, "", "[base, new/*.conf]", "As in [rules](#rules)."),
        row("paranoia", Count(1, 4), "", "2", "As in [rules](#rules)."),
        row("thresholds", Other("a mapping"), "", "{ inbound: 10 }", "As in [rules](#rules)."),
        row("budget", Other("a mapping"), "", "{ time: 500ms }", "As in [rules](#rules)."),
        row(
            "exclusions",
            Other("a list of mappings"),
            "",
            "[{ rule: 942100, target: \"ARGS:comment\" }]",
            "Besides those of the first.",
        ),
    ],
};

/// Anomaly thresholds.
pub static THRESHOLDS: Table = Table {
    place: "rules.thresholds",
    doc: "From which anomaly score on the base rules and the Core Rule Set refuse. Without them what the rules say (5 and 4).",
    shared: None,
    rows: &[
        row("inbound", Count(1, 1_000_000), "", "10", "Of a request."),
        row("outbound", Count(1, 1_000_000), "", "8", "Of a response."),
    ],
};

/// What judging an exchange may cost.
pub static RULE_BUDGET: Table = Table {
    place: "rules.budget",
    doc: "What judging one exchange may cost, request and response together. One rule may take a quarter of the work. See [security](security.md#what-a-request-can-cost).",
    shared: None,
    rows: &[
        row(
            "time",
            Time(10, 60 * SECOND),
            "5s",
            "500ms",
            "For how long its rules may run; waiting (for the client, for scripts) does not count.",
        ),
        row(
            "work",
            Size(64 * KIB, 1024 * GIB),
            "256MiB",
            "64MiB",
            "Bytes that operators and transformations may look at: a value of n bytes counts as n and 32 more each time that one of them looks at it.",
        ),
        row(
            "exceeded",
            Choice(&["refuse", "pass"]),
            "refuse",
            "pass",
            "`refuse` answers with 403 (503 where it was the time), `pass` goes on with what was found until then. Either is told in the event log and counted. Where the engine is `detect`, nothing is refused.",
        ),
    ],
};

/// What the rules do not do.
pub static EXCLUSION: Table = Table {
    place: "rules.exclusions[]",
    doc: "One exclusion. It says by one of `rule`, `tag` and `message` which rules it is about; one that is about none is a warning.",
    shared: None,
    rows: &[
        row(
            "rule",
            Other("an id, a range of ids, or a list of them"),
            "",
            "942100-942199",
            "Which rules, by their ids; both ends of a range belong to it.",
        ),
        row(
            "tag",
            Text,
            "",
            "attack-sqli",
            "Which rules: a regular expression that one of their tags matches.",
        ),
        row(
            "message",
            Text,
            "",
            "SQL Injection",
            "Which rules: a regular expression that their message matches.",
        ),
        row(
            "target",
            Texts,
            "",
            "\"ARGS:comment\"",
            "What they do not look at, as rules write it. Without it they do not run at all.",
        ),
        row("path", Text, "", "/wiki/", "Only for requests whose path begins so."),
        row("reason", Text, "", "editors write SQL here", "Why: for whoever reads it next."),
    ],
};
