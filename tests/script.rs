//! Scripts in their state: environments, built-ins, `require`, errors, budgets, timers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moongate::config::{Budget, HandlerSource};
use moongate::script::{Call, Exit, ScriptErrorKind, State};
use moongate::transaction::Phase;

use super::support::lua::{chunk, domain, eval, eval_in, on_a_worker, run_with, state};

/// The message of the error that `text` ends with.
fn fault(text: &str) -> String {
    eval_in(&state(), Phase::Set, text).expect_err("it fails").message
}

#[test]
fn a_chunk_returns_its_first_value_as_text() {
    for (text, value) in [
        ("return 1 + 1, 5", "2"),
        ("return true", "true"),
        ("return 'a\\0b'", "a\0b"),
        ("return 0.5", "0.5"),
        ("return {}", "nil"),
        ("return", "nil"),
    ] {
        assert_eq!(eval(text), value, "{text}");
    }
}

#[test]
fn a_leaked_global_dies_with_its_request() {
    let state = state();
    assert_eq!(eval_in(&state, Phase::Set, "leak = 1 return _G.leak").unwrap(), "1");
    assert_eq!(eval_in(&state, Phase::Set, "return leak").unwrap(), "nil");
    assert_eq!(eval_in(&state, Phase::Set, "_G.leak = 2 return leak").unwrap(), "2");
    assert_eq!(eval_in(&state, Phase::Set, "return rawget(_G, 'leak')").unwrap(), "nil");
}

#[test]
fn globals_of_init_are_seen_by_all_and_changed_by_none() {
    let state = state();
    eval_in(&state, Phase::Init, "shared = { n = 1 } function twice(x) return 2 * x end").unwrap();
    assert_eq!(eval_in(&state, Phase::Set, "return twice(shared.n)").unwrap(), "2");
    eval_in(&state, Phase::Set, "twice = nil shared = nil").unwrap();
    assert_eq!(eval_in(&state, Phase::Set, "return twice(21)").unwrap(), "42");
    // A table that init made is the domain's own, and may change.
    eval_in(&state, Phase::Set, "shared.n = 5").unwrap();
    assert_eq!(eval_in(&state, Phase::Set, "return shared.n").unwrap(), "5");
}

#[test]
fn init_may_hide_a_built_in_and_handlers_see_it() {
    let state = state();
    eval_in(&state, Phase::Init, "function tostring(x) return 'mine' end").unwrap();
    assert_eq!(eval_in(&state, Phase::Set, "return tostring(1)").unwrap(), "mine");
}

#[test]
fn built_ins_cannot_be_changed() {
    for text in [
        "string.find = nil",
        "rawset(string, 'find', nil)",
        "table.clear(math)",
        "setmetatable(table, {})",
        "getmetatable('').__index = {}",
        "getmetatable('').__len = function() end",
        "getmetatable(_G).__index = {}",
        "setmetatable(_G, {})",
        "package.path = 'x'",
        "coroutine.wrap = 1",
        "table.insert(os, 1)",
    ] {
        let message = fault(text);
        let known = ["readonly", "read-only", "index", "protected", "nil"];
        assert!(known.iter().any(|word| message.contains(word)), "{text}: {message}");
    }
}

#[test]
fn what_reaches_outside_is_not_there() {
    let names = "io os.execute os.exit os.getenv os.remove os.rename os.tmpname debug.getinfo \
                 debug.sethook debug.info debug.getregistry package.loadlib loadfile dofile \
                 newproxy getfenv setfenv gcinfo string.dump jit ffi";
    for name in names.split_whitespace() {
        assert_eq!(eval(&format!("return {name}")), "nil", "{name}");
    }
    assert_eq!(eval("return type(os.time() + os.clock()) .. type(os.date('%Y'))"), "numberstring");
}

#[test]
fn errors_tell_file_and_line() {
    assert_eq!(fault("\n\nerror('boom')"), "test.lua:3: boom");
    assert_eq!(fault("\nlocal x = nil\nreturn x.y"), "test.lua:3: attempt to index nil with 'y'");
    assert!(fault("return ((").starts_with("test.lua:1: "));
    assert_eq!(fault("\ntable.sort({1, 'a'})"), "test.lua:2: attempt to compare string < number");
    assert_eq!(
        fault("\n\nrequire('no.such')").lines().next().unwrap(),
        "test.lua:3: module 'no.such' not found:"
    );
}

#[test]
fn lines_of_a_block_are_those_of_its_file() {
    let source = HandlerSource::Chunk {
        name: "moongate.yaml".into(),
        text: Arc::from("local a = 1\nerror('x')"),
        line_offset: 40,
        variable: None,
    };
    let state = state();
    let handler = state.load(&source, Phase::Access, Budget::default()).unwrap();
    let call = Call::new(Phase::Access, "block".into(), None);
    let error = state.run_now(&handler, &call).unwrap_err();
    assert_eq!(error.message, "moongate.yaml:42: x");
    assert!(error.traceback.contains("moongate.yaml:42:"), "{}", error.traceback);
    assert_eq!(error.kind, ScriptErrorKind::Runtime);
}

#[test]
fn pcall_gives_errors_as_they_were_raised() {
    for (text, value) in [
        ("return select(2, pcall(error, 'x'))", "x"),
        ("local t = {} local ok, e = pcall(error, t) return e == t", "true"),
        ("return select('#', pcall(function() return 1, nil, nil end))", "4"),
        ("return select(2, xpcall(error, function(e) return e .. '!' end, 'x'))", "x!"),
        (
            "return select(2, pcall(string.find, ('a'):rep(2^20), ('b'):rep(2^17), 1, true))",
            "text to find is longer than 65536 bytes",
        ),
    ] {
        assert!(eval(text).ends_with(value), "{text}: {}", eval(text));
    }
}

#[test]
fn lua_5_1_names_that_luau_lacks_are_there() {
    for (text, value) in [
        ("return unpack({7, 8})", "7"),
        ("return table.getn({1, 2}) + table.maxn({1, 2, 3})", "5"),
        ("return math.mod(7, 4) + math.pow(2, 3)", "11"),
        ("for w in string.gfind('a b', '%a') do return w end", "a"),
        ("return loadstring('return 1 + ...')(2)", "3"),
        ("return select(2, loadstring('return +'))", "(load):1: "),
        ("x = 5 return loadstring('x = x + 1 return x')() + x", "12"),
        ("return load('return x', 'n', 't', { x = 7 })()", "7"),
        ("return tostring(select(2, pcall(loadstring, 'leak = 1 return _G.leak'))())", "1"),
        ("return ('x'):rep(3, ',')", "x,x,x"),
        ("return ('%s %s %5.1f'):format(nil, true, 2)", "nil true   2.0"),
        ("return require('table.new')(4, 0) ~= nil", "true"),
        ("return require('table.nkeys')({a = 1, b = 2})", "2"),
        ("return collectgarbage('count') > 0", "true"),
        ("return table.concat(string.split('a,b', ','), ';')", "a;b"),
    ] {
        let is = eval(text);
        assert!(is.starts_with(value), "{text}: {is}");
    }
}

#[test]
fn sort_sorts_and_is_stable() {
    let text = "local t = {} for i = 1, 500 do t[i] = { (i * 7919) % 50, i } end
        table.sort(t, function(a, b) return a[1] < b[1] end)
        for i = 2, 500 do
            local a, b = t[i - 1], t[i]
            assert(a[1] < b[1] or a[1] == b[1] and a[2] < b[2], i)
        end
        local e = {} table.sort(e) assert(next(e) == nil)
        local one = {5} table.sort(one) return one[1]";
    assert_eq!(eval(text), "5");
}

#[test]
fn bounded_string_functions_agree_with_the_native_ones() {
    // Long subjects take the bounded way; the answers are those for short ones.
    let text = "local long = ('a'):rep(2^20) .. 'xyz,;]' 
        local class = '[' .. ('b'):rep(100) .. 'x]'
        assert(long:find('xyz') == 2^20 + 1 and long:find('xyz', -6, true) == 2^20 + 1)
        assert(select(2, long:find(class .. 'y')) == 2^20 + 2)
        assert(long:match('(' .. class .. ')y(z)') == 'x')
        assert(select(2, long:gsub(class, '%0%0')) == 1)
        for found in long:gmatch(class) do assert(found == 'x') end
        assert(#string.split(long, ',') == 2 and #string.split(('a,'):rep(40000), ',') == 40001)
        local t = {} for i = 1, 5000 do t[i] = i end
        table.move(t, 1, 5000, 2) assert(t[5001] == 5000 and t[2] == 1 and t[1] == 1)
        return 'same'";
    assert_eq!(eval(text), "same");
}

#[test]
fn coroutines_work_as_in_lua() {
    for (text, value) in [
        ("local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
          local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10)
          return x + y .. coroutine.status(co)", "22dead"),
        ("local n = 0 for i in coroutine.wrap(function() for i = 1, 4 do coroutine.yield(i) end end) do
          n = n + i end return n", "10"),
        ("local co = coroutine.create(function() error({code = 5}) end)
          local ok, e = coroutine.resume(co) return tostring(ok) .. e.code", "false5"),
        ("return select(2, pcall(coroutine.wrap(function() error('x', 0) end)))", "x"),
        ("return coroutine.isyieldable()", "false"),
    ] {
        assert_eq!(eval(text), value, "{text}");
    }
}

#[test]
fn require_finds_loads_once_unloads_and_explains() {
    let files = [
        ("lua/a.lua", "loads = (loads or 0) + 1 return { name = ... }"),
        ("lua/b/c.lua", "return 'b.c'"),
        ("lua/d/init.lua", "local M = {} function M.f() return 'd' end return M"),
        ("lua/e.lua", "return require('f')"),
        ("lua/f.lua", "return require('e')"),
        ("lua/bad.lua", "\nreturn +"),
        ("lua/nothing.lua", ""),
    ];
    let state = State::new(Arc::new(domain(&files)), 0).unwrap();
    let eval = |text: &str| eval_in(&state, Phase::Set, text).unwrap_or_else(|error| error.message);
    assert_eq!(eval("return require('a').name .. require('b.c') .. require('d').f()"), "ab.cd");
    assert_eq!(eval("return require('a') == require('a')"), "true");
    assert_eq!(
        eval("kept = require('a') package.loaded.a = nil return kept == require('a')"),
        "false"
    );
    assert_eq!(eval("return require('nothing')"), "true");
    assert_eq!(
        eval("package.preload.p = function(n) return n .. '!' end return require('p')"),
        "p!"
    );
    assert_eq!(eval("return loads"), "nil");
    assert!(eval("require('e')").contains("loop or previous error loading module 'e'"));
    assert!(eval("require('e')").contains("loop"), "a failed load can be tried again");
    assert_eq!(
        eval("require('bad')"),
        concat!(
            "test.lua:1: error loading module 'bad' from file 'lua/bad.lua':\n",
            "\tlua/bad.lua:2: Expected identifier when parsing expression, got '+'"
        )
    );
    assert_eq!(
        eval("require('x.y')"),
        concat!(
            "test.lua:1: module 'x.y' not found:\n",
            "\tno field package.preload['x.y']\n",
            "\tno file 'lua/x/y.lua'\n",
            "\tno file 'lua/x/y/init.lua'"
        )
    );
    assert!(eval("require('lpeg')").contains("C module"));
    assert_eq!(eval("return package.path .. package.cpath"), "lua/?.lua;lua/?/init.lua");
}

#[test]
fn a_module_is_loaded_once_and_its_settings_are_read_only() {
    let text = "local loads = 0 loads = loads + 1 count = (count or 0) + loads
        return { access = function(settings) return settings.list[2] .. count end,
                 log = function(settings) settings.list[1] = 'x' end }";
    let place = (moongate::diagnostic::Source::new("moongate.yaml", ""), Default::default());
    let source = HandlerSource::Module {
        name: "m".into(),
        text: Arc::from(text),
        origin: "lua/modules/m.lua".into(),
        settings: serde_json::json!({ "list": ["a", "b"] }),
        place,
    };
    let state = state();
    let run = |phase| {
        let handler = state.load(&source, phase, Budget::default()).unwrap();
        state.run_now(&handler, &Call::new(phase, "m".into(), None))
    };
    for _ in 0..3 {
        assert_eq!(run(Phase::Access).unwrap().as_deref(), Some(b"b1".as_slice()));
    }
    assert!(
        run(Phase::Log).unwrap_err().message.starts_with("lua/modules/m.lua:3: attempt to modify")
    );
    let missing = state.load(&source, Phase::Content, Budget::default()).err().unwrap();
    assert_eq!(missing.message, "lua/modules/m.lua: no handler for phase content");
}

#[test]
fn a_spent_budget_is_told_with_its_place_and_kind() {
    on_a_worker(|| async {
        let state = state();
        let text = "\nlocal function spin() while true do end end\nspin()";
        let error = run_with(&state, "spin.lua", text, Budget::default()).await.unwrap_err();
        assert_eq!(error.kind, ScriptErrorKind::Cpu);
        assert_eq!(error.message, "spin.lua:2: CPU budget of 10ms is spent");
        assert!(error.traceback.contains("spin.lua:3: in"), "{}", error.traceback);
        let text = "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end";
        let budget = Budget { cpu: Duration::from_secs(20), ..Budget::default() };
        let error = run_with(&state, "hoard.lua", text, budget).await.unwrap_err();
        assert_eq!(error.kind, ScriptErrorKind::Memory, "{error}");
    });
}

#[test]
fn a_state_whose_memory_is_lost_begins_anew_with_what_init_made() {
    let state = state();
    eval_in(&state, Phase::Init, "answer = 42 hoard = {}").unwrap();
    let text = "while true do hoard[#hoard + 1] = ('x'):rep(1e6) .. #hoard end";
    let error = eval_in(&state, Phase::Set, text).unwrap_err();
    assert_eq!(error.kind, ScriptErrorKind::Memory, "{error}");
    assert_eq!(eval_in(&state, Phase::Set, "return answer + #hoard").unwrap(), "42");
    assert!(state.memory() < state.spec().memory / 4, "{}", state.memory());
}

#[test]
fn a_handler_outlives_its_vm() {
    let state = state();
    eval_in(&state, Phase::Init, "hoard = {}").unwrap();
    let handler = state.load(&chunk("h", "return 'still'"), Phase::Set, Budget::default()).unwrap();
    let text = "while true do hoard[#hoard + 1] = ('x'):rep(1e6) .. #hoard end";
    eval_in(&state, Phase::Set, text).unwrap_err();
    let served = state.run_now(&handler, &Call::new(Phase::Set, "h".into(), None));
    assert_eq!(served.unwrap().as_deref(), Some(b"still".as_slice()));
}

#[test]
fn a_script_that_left_goes_no_further() {
    // No function of the API is needed: the error of a native function that leaves is one.
    let state = state();
    let call = Call::new(Phase::Access, "leave".into(), None);
    let source = chunk("leave", "while true do pcall(string.rep, 'x', 2^40) end");
    let handler = state.load(&source, Phase::Access, Budget::default()).unwrap();
    call.exit.set(Some(Exit::Respond(403)));
    assert_eq!(state.run_now(&handler, &call).unwrap(), None, "the exit counts, not the cut");
    assert_eq!(call.exit.get(), Some(Exit::Respond(403)));
}

#[test]
fn endless_yields_end_too() {
    on_a_worker(|| async {
        let began = Instant::now();
        let text = "local co = coroutine.wrap(function() while true do coroutine.yield() end end)
            while true do co() end";
        let error = run_with(&state(), "y.lua", text, Budget::default()).await.unwrap_err();
        assert_eq!(error.kind, ScriptErrorKind::Cpu);
        assert!(began.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn two_states_on_one_worker_do_not_end_each_other() {
    on_a_worker(|| async {
        let (one, other) = (state(), state());
        for _ in 0..5 {
            let cut = run_with(&one, "a.lua", "while true do end", Budget::default()).await;
            assert_eq!(cut.unwrap_err().kind, ScriptErrorKind::Cpu);
            let text = "local n = 0 for i = 1, 1e4 do n = n + i end return n";
            let served = run_with(&other, "b.lua", text, Budget::default()).await;
            assert_eq!(served.unwrap().as_deref(), Some(b"50005000".as_slice()));
        }
    });
}
