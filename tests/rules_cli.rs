//! `moongate rules` over Debian's Core Rule Set: what it lists, finds, shows and says, and what
//! rules cost.

use crate::support::{Output, command};

const DEBIAN: &str = "/usr/share/modsecurity-crs";
const SETUP: &str = "/etc/modsecurity/crs/crs-setup.conf";

/// What `moongate rules` says of Debian's rules.
fn rules(arguments: &[&str]) -> Output {
    let settings = ["--rules", DEBIAN, "--upstream", "http://127.0.0.1:3000"];
    command(&[&["rules"], arguments, &settings].concat())
}

/// The text of every rule file of the package.
fn texts() -> Vec<String> {
    let folder = std::fs::read_dir(format!("{DEBIAN}/rules")).expect("tests/run installs it");
    let paths = folder.map(|entry| entry.expect("a file").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == "conf"));
    let paths = paths.chain([SETUP.into()]);
    paths.map(|path| std::fs::read_to_string(path).expect("rules are text")).collect()
}

#[test]
fn every_rule_is_listed_once() {
    let id = regex::Regex::new(r#"(?m)^[^#\n]*\bid:'?(\d+)"#).expect("a pattern");
    let texts = texts();
    let found = texts.iter().flat_map(|text| id.captures_iter(text));
    let mut written: Vec<u64> = found.map(|found| found[1].parse().expect("a number")).collect();
    let said = rules(&["list"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let mut lines: Vec<&str> = said.stdout.lines().collect();
    let summary = lines.pop().expect("a summary");
    let first = |line: &&str| line.split_whitespace().next().and_then(|id| id.parse().ok());
    let mut listed: Vec<u64> = lines.iter().map(|line| first(line).expect("an id")).collect();
    written.sort_unstable();
    listed.sort_unstable();
    assert!(written.len() > 500, "only {} rules were found in the files", written.len());
    assert_eq!(listed, written);
    assert_eq!(summary, format!("{0} of {0} rules", written.len()));
}

#[test]
fn a_line_tells_phase_level_severity_message_and_place() {
    let said = rules(&["list"]);
    let line = said.stdout.lines().find(|line| line.trim_start().starts_with("942100 "));
    let line = line.expect("it is listed");
    for told in ["phase 2", "PL 1", "critical", "libinjection", "SQLI.conf:"] {
        assert!(line.contains(told), "{told} is not in {line}");
    }
}

#[test]
fn all_words_must_be_found_in_any_case_in_id_message_tag_or_file() {
    for (words, ids) in [
        (&["LIBINJECTION", "sql"][..], &["942100", "942101"][..]),
        (&["942100"], &["942100"]),
        (&["attack-fixation", "referer"], &["943110", "943120"]),
        (&["no-rule-says-this"], &[]),
    ] {
        let said = rules(&[&["search"], words].concat());
        assert_eq!(said.code, 0, "{}", said.stderr);
        let lines: Vec<&str> = said.stdout.lines().collect();
        let (summary, lines) = lines.split_last().expect("a summary");
        let told: Vec<&str> =
            lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(told, ids, "{words:?}");
        assert!(summary.starts_with(&format!("{} of ", ids.len())), "{summary}");
    }
}

#[test]
fn a_rule_is_shown_as_written_with_every_link_of_its_chain() {
    for (id, links) in [("942100", 1), ("920180", 4), ("920240", 3), ("932190", 1)] {
        let said = rules(&["show", id]);
        assert_eq!(said.code, 0, "{id}: {}", said.stderr);
        let (place, shown) = said.stdout.split_once('\n').expect("a place, then the rule");
        let shown = shown.trim_end();
        assert!(place.starts_with(&format!("# {DEBIAN}/rules/")), "{place}");
        assert!(texts().iter().any(|text| text.contains(shown)), "it is not so written: {shown}");
        assert!(shown.contains(&format!("\"id:{id},")), "{shown}");
        assert_eq!(shown.matches("SecRule ").count(), links, "{shown}");
        assert!(shown.ends_with('"'), "it is cut: {shown}");
    }
}

#[test]
fn a_rule_that_is_not_loaded_is_told() {
    let said = rules(&["show", "1"]);
    assert_ne!(said.code, 0);
    assert!(said.stderr.contains("has the id 1"), "{}", said.stderr);
    assert!(said.stderr.contains("moongate rules list"), "{}", said.stderr);
}

#[test]
fn faults_in_rules_end_every_command_that_reads_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("own.conf");
    std::fs::write(&path, "SecRule ARGS \"@rx (\" \"id:1,phase:2,deny\"\n").expect("it is ours");
    let path = path.to_str().expect("its name is text");
    for arguments in [&["list"][..], &["search", "sql"], &["show", "1"], &["cost"]] {
        let settings = ["--rules", path, "--upstream", "http://127.0.0.1:3000"];
        let said = command(&[&["rules"], arguments, &settings].concat());
        assert_eq!(said.code, 1, "{arguments:?}: {said:?}");
        let told = said.stdout + &said.stderr;
        assert!(told.contains("own.conf:1:"), "{arguments:?}: {told}");
    }
}

#[test]
fn each_kind_of_word_is_described_and_others_have_a_nearest() {
    for (word, told) in [
        ("SecRule", "SecRule, a directive"),
        ("secrule", "SecRule, a directive"),
        ("ARGS", "ARGS, a collection"),
        ("ARGS:name", "ARGS, a collection"),
        ("@detectSQLi", "@detectSQLi, an operator"),
        ("!@rx", "@rx, an operator"),
        ("t:urlDecodeUni", "t:urlDecodeUni, a transformation"),
        ("SecTmpDir", "passed over"),
    ] {
        let said = command(&["rules", "describe", word]);
        assert_eq!(said.code, 0, "{word}: {said:?}");
        assert!(said.stdout.contains(told), "{word}: {}", said.stdout);
    }
    let said = command(&["rules", "describe", "t:urlDecodeUno"]);
    assert_ne!(said.code, 0);
    assert!(said.stderr.contains("`urlDecodeUni` is"), "{}", said.stderr);
}

/// What `rules cost --json` says.
fn cost(arguments: &[&str]) -> serde_json::Value {
    let settings = ["--json", "--upstream", "http://127.0.0.1:3000"];
    let said = command(&[&["rules", "cost"], arguments, &settings].concat());
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.stdout).expect("it is JSON")
}

/// A file in a folder that lives as long as it.
fn written(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("it is ours");
    let path = path.to_str().expect("its name is text").to_owned();
    (folder, path)
}

const OWN: &str = "\
SecRule ARGS \"@rx ^.{200,}$\" \\
    \"id:1000,phase:2,pass,t:lowercase,msg:'long'\"
SecRule ARGS|REQUEST_HEADERS:Accept \"@rx union\\s+select\" \"id:1001,phase:2,pass\"
SecRule REQUEST_URI \"@beginsWith /admin\" \"id:1002,phase:1,pass,chain\"
    SecRule ARGS|REQUEST_COOKIES \"@rx (?i)(\\w+)=(?!x)\\1\" \"t:lowercase\"
";

#[test]
fn every_rule_of_debian_s_package_has_a_cost_and_the_dearest_comes_first() {
    let said = cost(&["--rules", DEBIAN, "--top", "0"]);
    let rows = said["rows"].as_array().expect("rows");
    assert!(rows.len() > 500 && said["rules"] == rows.len(), "{} rows", rows.len());
    let micros = |row: &serde_json::Value| row["micros"].as_f64().expect("a number");
    assert!(rows.is_sorted_by(|one, other| micros(one) >= micros(other)));
    let one = rows.iter().find(|row| row["id"] == 942_100).expect("its row");
    assert!(one["place"].as_str().is_some_and(|place| place.contains("SQLI.conf:")), "{one}");
    assert_eq!(one["reached"], said["requests"]);
    assert!(one["runs"].as_u64() > Some(0) && one["runs"].as_u64() < one["values"].as_u64());
    let skipped = rows.iter().find(|row| row["id"] == 942_421).expect("a rule of level 4");
    assert_eq!((&skipped["reached"], &skipped["micros"]), (&0.into(), &0.0.into()), "{skipped}");
    assert!(skipped["steps"].as_f64() > Some(0.0));
}

#[test]
fn files_and_sets_cost_what_their_rules_cost() {
    let (_kept, one) = written("one.conf", OWN);
    let (_held, other) = written("other.conf", &OWN.replace("id:10", "id:20"));
    let paths = ["--rules", &one, "--rules", &other];
    let rules = cost(&paths);
    for (by, count) in [("file", 2), ("set", 2)] {
        let said = cost(&[&paths[..], &["--by", by]].concat());
        let rows = said["rows"].as_array().expect("rows");
        assert_eq!(rows.len(), count, "{by}: {rows:?}");
        let sum = |rows: &serde_json::Value, key: &str| -> u64 {
            let rows = rows.as_array().expect("rows").iter();
            rows.map(|row| row[key].as_u64().expect("a number")).sum()
        };
        for key in ["runs", "values", "bytes", "matches", "rules"] {
            assert_eq!(sum(&said["rows"], key), sum(&rules["rows"], key), "{by}: {key}");
        }
        let conf = |row: &serde_json::Value| {
            row["place"].as_str().is_some_and(|place| place.contains(".conf"))
        };
        assert!(rows.iter().all(|row| conf(row) == (by == "file")), "{by}");
    }
}

#[test]
fn a_corpus_of_ones_own_is_replayed_log_lines_too() {
    let corpus = r#"
{"method":"GET","target":"/admin?a=1&b=union+all","headers":[["Host","a.example"],["Cookie","c=union select"]]}
{"method":"POST","target":"/","headers":[["Content-Type","application/x-www-form-urlencoded"]],"body":"a=UNION++SELECT&b=union++select"}
{"method":"POST","target":"/","headers":[["Content-Type","application/json"]],"body_base64":"eyJhIjoidW5pb24gc2VsZWN0In0=","response":{"status":200}}
{"time":"2026-03-01T00:00:00Z","client":"192.0.2.9","method":"GET","host":"a.example","path":"/admin","query":"q=union+","verdict":"allowed","user_agent":"curl/8"}
"#;
    let (_held, corpus) = written("corpus.jsonl", corpus);
    let (_kept, rules) = written("own.conf", OWN);
    let said = cost(&["--rules", &rules, "--corpus", &corpus]);
    assert_eq!((&said["requests"], &said["rules"]), (&4.into(), &3.into()));
    let figures = |id: u64| {
        let row = said["rows"].as_array().expect("rows").iter().find(|row| row["id"] == id);
        let row = row.expect("its row");
        ["reached", "matches", "values", "runs", "bytes"]
            .map(|key| row[key].as_u64().expect("a number"))
    };
    // Arguments: `1`, `union all`; `UNION  SELECT`, `union  select`; `union select`; `union `.
    assert_eq!(figures(1000), [4, 0, 6, 6, 1 + 9 + 13 + 13 + 12 + 6]);
    assert_eq!(figures(1001), [4, 2, 6, 3, 13 + 13 + 12]);
    // The four paths (two of them begin as they must), then what the chain looks at.
    assert_eq!(figures(1002)[..3], [4, 0, 4 + 3 + 1]);
}

#[test]
fn a_table_tells_figures_parts_and_the_next_step() {
    let (_kept, rules) = written("own.conf", OWN);
    let settings = ["--rules", &rules, "--upstream", "http://127.0.0.1:3000"];
    let said = command(&[&["rules", "cost", "--top", "2"][..], &settings].concat());
    assert_eq!(said.code, 0, "{said:?}");
    for told in [
        "3 rules over 24 requests (built in)",
        "share",
        "own.conf:1\n",
        "8.0 values, 128 bytes; 1000 of 1000 values are run; 1 transformation",
        "= help: no literal that every match has: each value is run through the expression",
        "all: ",
    ] {
        assert!(said.stdout.contains(told), "{told} is not in\n{}", said.stdout);
    }
    assert_eq!(said.stdout.matches("own.conf:").count(), 2, "{}", said.stdout);
}

#[test]
fn every_faulty_line_of_a_corpus_is_told() {
    let (_held, corpus) = written(
        "corpus.jsonl",
        "{\"method\":\"GET\",\"target\":\"/\"}\n{\"method\":\"GET\"}\n\nno\n\
         {\"method\":\"GET\",\"target\":\"a\"}\n\
         {\"method\":\"GET\",\"target\":\"/\",\"heders\":[]}\n",
    );
    let arguments = ["rules", "cost", "--upstream", "http://127.0.0.1:3000", "--corpus"];
    let said = command(&[&arguments[..], &[&corpus]].concat());
    assert_eq!(said.code, 1);
    for told in [
        "error[corpus::line]: missing field `target`",
        "corpus.jsonl:2:1",
        "corpus.jsonl:4:1",
        "the target `a` does not begin with `/`",
        "unknown field `heders`",
        "= help: a line is a request, such as {",
    ] {
        assert!(said.stderr.contains(told), "{told} is not in\n{}", said.stderr);
    }
    let said = command(&[&arguments[..], &["nowhere.jsonl"]].concat());
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("the corpus `nowhere.jsonl` cannot be read"), "{said:?}");
}

#[test]
fn check_warns_of_dear_rules_of_ones_own_where_they_stand() {
    let (_kept, rules) = written("own.conf", OWN);
    let said = command(&["check", "--rules", &rules, "--upstream", "http://127.0.0.1:3000"]);
    assert_eq!(said.code, 0, "{said:?}");
    let expected = r#"warning[rules::no-literal]: rule `1000` has no literal that every match has: each value is run through its expression
 --> FILE:1:19
  |
1 | SecRule ARGS "@rx ^.{200,}$" \
  |                   ^^^^^^^^^ about 8 values, 128 bytes, of an ordinary request
  |
  = help: ask for a text of two bytes or more that every match has, or look at fewer variables; `moongate rules cost` measures it
warning[rules::backtracks]: rule `1002` leaves the linear engine: a look-ahead needs backtracking
 --> FILE:5:49
  |
5 |     SecRule ARGS|REQUEST_COOKIES "@rx (?i)(\w+)=(?!x)\1" "t:lowercase"
  |                                                 ^^^ a search may be cut short at its limit, and then counts as a match
  |
  = help: ask for the other part in the next rule of a `chain`, with `!@rx` if it must be absent
0 faults, 2 warnings
"#;
    assert_eq!(said.stdout.replace(&rules, "FILE"), expected);
}

#[test]
fn check_says_nothing_of_rules_that_come_in_packages() {
    let dear = |version: &str| {
        format!("SecRule ARGS \"@rx ^.{{200,}}$\" \"id:1000,phase:2,pass,ver:'{version}'\"\n")
    };
    let (_kept, release) = written("release.conf", &dear("OWASP_CRS/4.20.0"));
    let (_held, plugin) = written("plugin.conf", &dear("some-plugin/1.0.0"));
    for rules in [&["--rules", &release][..], &["--rules", &plugin], &[]] {
        let said =
            command(&[&["check", "--upstream", "http://127.0.0.1:3000"][..], rules].concat());
        assert_eq!((said.code, said.stdout.as_str()), (0, "no faults\n"), "{rules:?}");
    }
}
