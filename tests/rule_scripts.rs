//! Rules that call Lua, over the wire: `@inspectFile`, `exec`, and the table `m`.

use std::time::{Duration, Instant};

use super::support::{Builder, Moongate, Upstream};

const SCAN: &str = "SecRule FILES_TMPNAMES \"@inspectFile lua/scan.lua\" \
    \"id:1,phase:2,deny,msg:'a file that is no good'\"\n";
/// What antivirus products find in place of a virus, in two halves so that none finds this file.
const NO_VIRUS: [&str; 2] =
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!"];

/// A Moongate of one worker that judges by these rules, with these scripts beside them.
fn judging(upstream: &Upstream, rules: &str, scripts: &[(&str, &str)]) -> Moongate {
    prepared(upstream, rules, scripts).start()
}

fn prepared(upstream: &Upstream, rules: &str, scripts: &[(&str, &str)]) -> Builder {
    let config = "workers: 1\naccess_log: false\nrules: { files: [rules/own.conf] }\n\
        lua: { budget: { cpu: 50ms } }\n";
    let with_rules = Moongate::with_upstream(upstream, config).file("rules/own.conf", rules);
    scripts.iter().fold(with_rules, |built, (name, text)| built.file(name, text))
}

/// Uploads files of these contents; the status.
fn upload(moongate: &Moongate, files: &[&str]) -> u16 {
    let part = |(number, content): (usize, &&str)| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"f{number}\"; filename=\"{number}.txt\"\
             \r\nContent-Type: text/plain\r\n\r\n{content}\r\n"
        )
    };
    let parts: String = files.iter().enumerate().map(part).collect();
    let form = ("Content-Type", "multipart/form-data; boundary=b");
    moongate.request("POST", "/", &[form], format!("{parts}--b--\r\n")).status
}

#[test]
fn a_script_looks_into_uploads() {
    let upstream = Upstream::start();
    let script = "#!/usr/bin/lua\nlocal bad = 'EICAR' .. '-STANDARD'\n\
        function main(content)\n  if string.find(content, bad, 1, true) then return 'found' end\n\
          return nil\nend\n";
    let moongate = judging(&upstream, SCAN, &[("rules/lua/scan.lua", script)]);
    let bad = NO_VIRUS.concat();
    let within = format!("{}{bad}", "x".repeat(100_000));
    for (files, status) in [
        (vec![&*bad], 403),
        (vec!["nothing", "", &bad], 403),
        (vec![&within], 403),
        (vec!["nothing", "EICAR"], 200),
        (vec![], 200),
    ] {
        assert_eq!(upload(&moongate, &files), status, "{} files", files.len());
    }
    assert_eq!(upstream.requests(), 2, "a bad file left");
}

#[test]
fn files_that_no_script_could_look_into_are_refused() {
    let upstream = Upstream::start();
    let script = "function main() return false end";
    let rules = format!("{SCAN}SecRule REQBODY_ERROR \"@eq 1\" \"id:2,phase:2,deny,status:400\"\n");
    let moongate = judging(&upstream, &rules, &[("rules/lua/scan.lua", script)]);
    let contents: Vec<String> = (0..40).map(|number| format!("file {number}")).collect();
    let files: Vec<&str> = contents.iter().map(String::as_str).collect();
    assert_eq!(upload(&moongate, &files[..32]), 200);
    assert_eq!(upload(&moongate, &files), 403, "more scripts than may run for a request");
    let large = "x".repeat(128 << 10);
    let files = vec![&*large; 33];
    assert_eq!(upload(&moongate, &files), 400, "more content than is kept");
}

#[test]
fn a_script_that_fails_or_loops_counts_as_a_match() {
    let upstream = Upstream::start();
    let script = "function main(text)\n  if text == 'loop' then while true do end end\n\
          if text == 'raise' then error('no') end\n\
          if text == 'exit' then ngx.exit(403) end\n\
          if text == 'hoard' then local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end end\n\
          return false\nend\n";
    let moongate = judging(&upstream, SCAN, &[("rules/lua/scan.lua", script)]);
    for (text, status) in
        [("fine", 200), ("loop", 403), ("raise", 403), ("exit", 403), ("hoard", 403), ("fine", 200)]
    {
        let started = Instant::now();
        assert_eq!(upload(&moongate, &[text]), status, "{text}");
        assert!(started.elapsed() < Duration::from_secs(5), "{text}: {:?}", started.elapsed());
    }
    moongate.wait_for_log("CPU budget of 50ms is spent");
    moongate.wait_for_log("rules/lua/scan.lua:3: no");
}

#[test]
fn what_exec_sets_later_rules_see() {
    let upstream = Upstream::start();
    let rules = "SecRule ARGS:a \"@rx .\" \"id:1,phase:1,pass,nolog,exec:mark.lua\"\n\
        SecAction \"id:2,phase:1,pass,nolog,exec:mark.lua\"\n\
        SecAction \"id:3,phase:1,pass,nolog,exec:mark.lua\"\n\
        SecRule TX:marked \"@streq evil|192|3\" \"id:4,phase:1,deny,status:418\"\n";
    let script = "function main(text)\n\
          if m.getvar('ARGS.fail') then error('not today') end\n\
          local runs = (tonumber(m.getvar('TX.runs')) or 0) + 1\n\
          m.setvar('tx.runs', runs)\n\
          local agent = m.getvar('REQUEST_HEADERS.User-Agent', { 'none', 'lowercase' }) or ''\n\
          local address = m.getvar('REMOTE_ADDR') == '127.0.0.1' and #m.getvars('ARGS') == 2\n\
          m.setvar('TX.marked', agent .. '|' .. (address and 192 or 0) .. '|' .. runs)\n\
          m.log(1, 'marked ' .. runs)\nend\n";
    let moongate = judging(&upstream, rules, &[("rules/mark.lua", script)]);
    let agent = [("User-Agent", "EVIL")];
    assert_eq!(moongate.request("GET", "/?a=1&b=2", &agent, "").status, 418);
    assert_eq!(moongate.request("GET", "/?a=&b=2", &agent, "").status, 200);
    moongate.wait_for_log("marked 3");
    assert_eq!(moongate.request("GET", "/?a=1&fail=2", &agent, "").status, 200);
    moongate.wait_for_log("not today");
}

#[test]
fn what_is_wrong_with_a_script_is_told_before_it_serves() {
    let upstream = Upstream::start();
    let with = |rules: &str, script: Option<&str>| {
        let scripts: Vec<_> = script.iter().map(|text| ("rules/lua/scan.lua", *text)).collect();
        prepared(&upstream, rules, &scripts).check()
    };
    let negated = SCAN.replace("@inspect", "!@inspect");
    let which = SCAN.replace("scan.lua", "%{ARGS.a}.lua");
    let program = SCAN.replace("scan.lua", "scan.pl");
    for (rules, script, words) in [
        (SCAN, None, "rules/own.conf:1:"),
        (SCAN, None, "^^^^^^^^^^^^ argument of `@inspectFile`"),
        (SCAN, Some("local x = 1\nfunction main( return end"), "rules/lua/scan.lua:2:"),
        (SCAN, Some("function mian() end"), "the file defines no function `main`"),
        (SCAN, Some("error('at once')\nfunction main() end"), "at once"),
        (&negated, Some("function main() end"), "which `!` would turn around"),
        (&which, Some("function main() end"), "cannot depend on the request"),
        (&program, Some("function main() end"), "is a program; none is run"),
        ("SecRuleScript lua/scan.lua \"id:1,deny\"\n", Some(""), "SecRule UNIQUE_ID"),
    ] {
        let output = with(rules, script);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_ne!(output.code, 0, "{words}: {said}");
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    assert_eq!(with(SCAN, Some("function main() end")).code, 0);
}

#[test]
fn an_edited_script_is_in_force_and_a_broken_one_is_not() {
    let upstream = Upstream::start();
    let script = "function main() return true end";
    let moongate = judging(&upstream, SCAN, &[("rules/lua/scan.lua", script)]);
    assert_eq!(upload(&moongate, &["a"]), 403);
    moongate.edit("rules/lua/scan.lua", "function main() return false end");
    assert_eq!(moongate.reload().status, 200);
    assert_eq!(upload(&moongate, &["a"]), 200);
    moongate.edit("rules/lua/scan.lua", "function main() return");
    assert_ne!(moongate.reload().status, 200);
    assert_eq!(upload(&moongate, &["a"]), 200);
}
