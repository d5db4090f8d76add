//! Lua 5.1 as OpenResty's scripts are written in it, and what is told where Luau has no such thing.

use std::sync::Arc;
use std::time::Duration;

use moongate::config::Budget;
use moongate::script::{Call, DomainSpec, State};
use moongate::transaction::Phase;

use super::support::lua::{chunk, domain, eval, eval_in, on_a_worker, state};

#[test]
fn lua_5_1_has_what_it_had() {
    for (text, seen) in [
        ("return unpack({1, 2, 3})", "1"),
        ("return select('#', unpack({1, 2, 3}))", "3"),
        ("return table.getn({1, 2, 3})", "3"),
        ("return table.maxn({1, [7] = 2})", "7"),
        ("local n = 0 table.foreach({a = 1, b = 2}, function(_, v) n = n + v end) return n", "3"),
        ("return table.foreachi({5, 6}, function(i, v) if v == 6 then return i end end)", "2"),
        ("local n = 0 for w in string.gfind('a b', '%a') do n = n + 1 end return n", "2"),
        ("return math.mod(7, 3)", "1"),
        ("return ('a\\0b'):find('%z')", "2"),
        ("return '\\x41\\66' .. #'\\0'", "AB1"),
        ("return ('THE (quick) fox'):find('%f[%a]%a+%f[%A]')", "1"),
        ("local f = loadstring('return x') setfenv(f, {x = 5}) return f()", "5"),
        ("x = 3 return getfenv().x", "3"),
        ("return getfenv(1) == getfenv()", "true"),
        ("local f = function() return y end setfenv(f, {y = 2}) return f() .. type(y)", "2nil"),
        ("setfenv(1, {tostring = tostring}) return tostring(string)", "nil"),
        ("local f = assert(loadstring('return ...')) return f(9)", "9"),
        ("local f, err = loadstring('x =') return err:match('^%S+')", "(load):1:"),
        ("jit.off() return type(jit.version)", "string"),
        ("local ok, err = pcall(setfenv, string.format, {}) return ok", "false"),
        ("local ok, err = pcall(setfenv, table.sort, {}) return ok", "false"),
        ("local ok, err = pcall(setfenv, 0, {}) return ok", "false"),
    ] {
        assert_eq!(eval(text), seen, "{text}");
    }
}

#[test]
fn a_module_of_the_old_kind_is_required() {
    let seen = on_a_worker(|| async {
        let old = "local tostring = tostring
            module('old.counter', package.seeall)
            count = 0
            function add(n) count = count + n return tostring(count) .. type(ngx) end";
        let spec = domain(&[("lua/old/counter.lua", old)]);
        let state = State::new(Arc::new(spec), 0).unwrap();
        let text = "local c = require 'old.counter' c.add(2)
                    return c.add(3) .. c._NAME .. c._PACKAGE .. type(add)";
        eval_in(&state, Phase::Set, text).map_err(|error| error.message)
    });
    assert_eq!(seen.as_deref(), Ok("5tableold.counterold.nil"));
}

#[test]
fn what_luau_has_not_is_told_with_its_line_and_what_to_write() {
    for (text, words) in [
        (
            "for i = 1, 2 do\n  goto continue\n  ::continue::\nend",
            "test.lua:2: there is no `goto` in Luau: write `continue`",
        ),
        ("\x1bLJ\x02", "test.lua:1: bytecode is not loaded: give the source text"),
    ] {
        assert_eq!(eval(text), words);
    }
    let ffi = eval("local x = 1\nlocal ffi = require 'ffi'");
    assert!(ffi.starts_with("test.lua:2: module 'ffi' not found"), "{ffi}");
    assert!(ffi.contains("there is no FFI"), "{ffi}");
    assert_eq!(
        eval("local f, err = loadstring('\\27LJ', 'x') return err"),
        "x:1: bytecode is not loaded: give the source text"
    );
}

#[test]
fn who_is_no_operator_compiles_nothing_and_exchanges_no_globals() {
    let seen = on_a_worker(|| async {
        let state = State::new(Arc::new(DomainSpec { trusted: false, ..domain(&[]) }), 0).unwrap();
        let text = "return type(loadstring) .. type(load) .. type(setfenv) .. type(getfenv) ..
                    type(module) .. type(package.seeall)";
        eval_in(&state, Phase::Set, text).map_err(|error| error.message)
    });
    assert_eq!(seen.as_deref(), Ok("nilnilnilnilnilnil"));
}

/// A global table of `init`, functions compiled from a string while requests are served.
#[test]
fn functions_are_compiled_from_strings_and_kept_by_the_worker() {
    let seen = on_a_worker(|| async {
        let state = state();
        eval_in(&state, Phase::Init, "demo = {}").map_err(|error| error.message)?;
        let mut seen = Vec::new();
        let run = "return tostring(demo.f and demo.f())";
        let add = |body: &str| format!("demo.f = assert(loadstring([[{body}]]))");
        let texts =
            [run.to_owned(), add("return 'one'"), run.to_owned(), add("return 1 + 1"), run.into()];
        for text in texts {
            let budget = Budget { cpu: Duration::from_secs(5), ..Budget::default() };
            let handler = state.load(&chunk("demo.lua", &text), Phase::Content, budget);
            let handler = handler.map_err(|error| error.message)?;
            let call = Call::new(Phase::Content, "demo.lua".into(), None);
            let said = state.run(&handler, &call).await.map_err(|error| error.message)?;
            seen.extend(said.map(|said| String::from_utf8_lossy(&said).into_owned()));
        }
        Ok::<_, String>(seen)
    });
    assert_eq!(seen.unwrap(), ["nil", "one", "2"]);
}
