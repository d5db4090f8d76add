//! Whom `confined: false` sets free: the operator's own scripts, and nobody else.

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
