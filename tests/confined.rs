//! Whom `confined: false` sets free: the operator's own scripts, and nobody else.

use std::thread;

use crate::support::{Moongate, Upstream};

const MODULE: &str = r#"
return {
    phases = { "access" },
    access = function(settings)
        seen = (seen or 0) + 1
        ngx.header["X-Module"] = tostring(io) .. " " .. tostring(os.execute) .. " " .. seen
        ngx.header["X-Trim"] = tostring(string.shout)
    end,
}"#;

fn answering(confined: bool) -> (Upstream, Moongate) {
    let upstream = Upstream::start();
    let config = format!(
        "workers: 1\nlua: {{ confined: {confined} }}\nroutes:\n  - match: {{ path: exact:/t }}\n    \
         access: [looks]\n    content_by_lua_block: |\n      string.shout = string.upper\n      \
         hits = (hits or 0) + 1\n      ngx.say(type(io), ' ', type(os.execute), ' ', hits)\n"
    );
    let moongate =
        Moongate::with_upstream(&upstream, &config).file("lua/modules/looks.lua", MODULE).start();
    (upstream, moongate)
}

#[test]
fn scripts_that_are_not_confined_share_globals_and_have_files_and_modules_do_not() {
    let (_upstream, moongate) = answering(false);
    for hit in 1..=3 {
        let answer = moongate.get("/t");
        assert_eq!(answer.text(), format!("table function {hit}\n"));
        let looked = format!("nil nil {hit}");
        assert_eq!(answer.header("x-module"), Some(&*looked), "a module stays confined");
        assert_eq!(answer.header("x-trim"), Some("nil"), "what a script adds is its own");
    }
}

#[test]
fn scripts_are_confined_unless_the_settings_say_otherwise() {
    let (_upstream, moongate) = answering(true);
    let answer = moongate.get("/t");
    assert_eq!(answer.status, 503, "a library cannot be changed");
    moongate.wait_for_log("attempt to modify a readonly table");
}

/// Requests that are at work at the same time, in the one state of one worker.
const AT_ONCE: usize = 16;

/// Whatever the script does to `ngx.ctx` while others wait, it finds its own there.
fn keeps_contexts_apart(confined: bool, assign: &str) {
    let rest = "for _ = 1, 5 do
            ngx.sleep(0.003)
            if ngx.ctx.n ~= n then return ngx.say('not its own: ', ngx.ctx.n) end
            ngx.ctx.n, n = n .. '.', n .. '.'
        end
        ngx.say(ngx.ctx.n)";
    finds_nothing_left_over(confined, &[assign, rest].join("\n        "));
}

/// Every request finds an empty `ngx.ctx`, and the script says its argument and five dots.
fn finds_nothing_left_over(confined: bool, script: &str) {
    let upstream = Upstream::start();
    let script = format!(
        "local n = ngx.var.arg_n
        if next(ngx.ctx) then return ngx.say('left over: ', next(ngx.ctx)) end
        {script}"
    );
    let config = format!(
        "workers: 1\nlua: {{ confined: {confined}, budget: {{ cpu: 5s }} }}\nroutes:\n  - match: {{ path: exact:/t }}\n    \
         log_by_lua_block: |\n      ngx.ctx.n = nil\n    content_by_lua_block: |\n        {script}\n"
    );
    let moongate = Moongate::with_upstream(&upstream, &config).start();
    thread::scope(|scope| {
        for client in 0..AT_ONCE {
            let (moongate, script) = (&moongate, &script);
            scope.spawn(move || {
                for round in 0..4 {
                    let text = moongate.get(&format!("/t?n={client}-{round}")).text().to_owned();
                    assert_eq!(text, format!("{client}-{round}.....\n"), "{confined} {script}");
                }
            });
        }
    });
}

#[test]
fn what_one_request_keeps_in_its_context_no_other_sees() {
    keeps_contexts_apart(true, "ngx.ctx.n = n");
    keeps_contexts_apart(false, "ngx.ctx.n = n");
}

#[test]
fn a_context_that_a_script_assigns_is_its_own_too_and_must_be_a_table() {
    let assign = "local ok, why = pcall(function() ngx.ctx = n end)
        if ok or not why:find('ctx should be a table while getting a string', 1, true) then
            return ngx.say(tostring(why))
        end
        ngx.ctx = { n = n }";
    keeps_contexts_apart(true, assign);
    keeps_contexts_apart(false, assign);
}

#[test]
fn what_a_script_does_to_the_api_leaves_nothing_to_the_next_request() {
    let rest = "ngx.sleep(0.003) ngx.say(n, '.....')";
    for deed in
        ["ngx[table.concat({ 'c', 't', 'x' })] = { mine = true }", "pcall(table.freeze, ngx)"]
    {
        finds_nothing_left_over(false, &format!("ngx.ctx.n = n {deed} ngx.ctx.n = n {rest}"));
    }
}
