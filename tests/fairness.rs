//! Scripts that compute are suspended, and others are served meanwhile. What is asserted is order and
//! CPU time, never the wall's clock.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use moongate::config::Budget;
use moongate::script::{DomainSpec, ScriptErrorKind, State, cpu_of_owner};

use super::support::Moongate;
use super::support::lua::{domain, on_a_worker, run_with};

/// What a script may use that is to outlast its neighbours' calls.
const LONG: Budget = Budget {
    cpu: Duration::from_secs(20),
    memory: 32 << 20,
    wait: Duration::from_secs(60),
    connections: 0,
};

fn state_of(owner: &str) -> Rc<State> {
    let spec = DomainSpec { owner: owner.into(), ..domain(&[]) };
    State::new(Arc::new(spec), 0).expect("the sandbox fits into its memory")
}

/// Scripts that run beside each other, and how many of them came to their end.
#[derive(Default)]
struct Beside {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    ended: Rc<Cell<usize>>,
}

impl Beside {
    fn start(&mut self, state: &Rc<State>, text: &str) {
        let (state, text, ended) = (state.clone(), text.to_owned(), self.ended.clone());
        self.tasks.push(tokio::task::spawn_local(async move {
            let _ = run_with(&state, "hostile.lua", &text, LONG).await;
            ended.set(ended.get() + 1);
        }));
    }

    fn drop_all(self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Calls a neighbour so often, now and then, and expects the right answer each time.
async fn serve(times: usize) {
    let state = state_of("neighbour");
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let text = "local n = 0 for i = 1, 50 do n = n + i end return n";
        let answer = run_with(&state, "neighbour.lua", text, Budget::default()).await;
        assert_eq!(answer.expect("it is served").as_deref(), Some(b"1275".as_slice()));
    }
}

#[test]
fn a_neighbour_is_served_while_others_compute() {
    for count in [1, 10] {
        on_a_worker(move || async move {
            let mut hostile = Beside::default();
            for number in 0..count {
                hostile.start(&state_of(&format!("hostile-{number}")), "while true do end");
            }
            serve(20).await;
            assert_eq!(hostile.ended.get(), 0, "{count} loops");
            hostile.drop_all();
        });
    }
}

/// Each computes for ever, where it can be suspended.
const ENDLESS: &[(&str, &str)] = &[
    ("calls", "local function f() end while true do f() end"),
    ("pcall", "while true do pcall(function() while true do end end) end"),
    ("xpcall", "while true do xpcall(function() while true do end end, tostring) end"),
    ("coroutine", "coroutine.wrap(function() while true do end end)()"),
    (
        "coroutines in coroutines",
        "local function nest(n)
            if n == 0 then while true do end end
            return coroutine.wrap(nest)(n - 1)
        end nest(20)",
    ),
    (
        "coroutines that yield",
        "local next = coroutine.wrap(function() while true do coroutine.yield() end end)
        while true do next() end",
    ),
    (
        "sort",
        "local t = {} for i = 1, 1e5 do t[i] = i end
        while true do table.sort(t, function(a, b) return a > b end) end",
    ),
    ("sort's order", "table.sort({1, 2, 3}, function() while true do end end)"),
    ("gsub", "local s = ('x'):rep(1e5) while true do s:gsub('x', function() end) end"),
    ("gsub's callback", "('x'):gsub('x', function() while true do end end)"),
    ("matches", "while true do ('key=value; other=thing'):match('other=(%w+)') end"),
    ("gmatch", "while true do for word in ('a b c d'):gmatch('%a') do end end"),
    ("an iterator", "for _ in function() return 1 end do end"),
    ("a callable", "local f = setmetatable({}, { __call = function() end }) while true do f() end"),
    ("garbage", "while true do local t = {{}, {}, {}} end"),
];

#[test]
fn whatever_computes_is_suspended() {
    for (name, text) in ENDLESS {
        on_a_worker(move || async move {
            let mut hostile = Beside::default();
            hostile.start(&state_of("hostile"), text);
            serve(10).await;
            assert_eq!(hostile.ended.get(), 0, "{name}");
            hostile.drop_all();
        });
    }
}

/// Each computes where Luau cannot suspend it.
const STUCK: &[(&str, &str)] = &[
    (
        "__index",
        "local t = setmetatable({}, { __index = function() while true do end end }) return t.x",
    ),
    (
        "__lt",
        "local t = setmetatable({}, { __lt = function() while true do end end }) return t < t",
    ),
    ("a pattern", "return (('a'):rep(200)):find(('.-'):rep(20) .. 'b')"),
    (
        "many in pcall",
        "while true do pcall(string.find, ('a'):rep(200), ('.-'):rep(20) .. 'b') end",
    ),
    (
        "tostring",
        "return tostring(setmetatable({}, { __tostring = function() while true do end end }))",
    ),
];

#[test]
fn whatever_cannot_be_suspended_is_ended_long_before_its_budget() {
    for (name, text) in STUCK {
        on_a_worker(move || async move {
            let owner = format!("stuck-{name}");
            let state = state_of(&owner);
            let ended = run_with(&state, "stuck.lua", text, LONG).await;
            assert_eq!(ended.expect_err(name).kind, ScriptErrorKind::Cpu, "{name}");
            let used = cpu_of_owner(&owner);
            assert!(used < LONG.cpu / 20, "{name}: {used:?}");
            serve(1).await;
        });
    }
}

/// Computes for some slices.
const SOME: &str =
    "local function some() local t = os.clock() while os.clock() - t < 0.02 do end end ";

#[test]
fn long_texts_are_substituted_as_the_budget_allows() {
    // Some hundred milliseconds of a debug build, in one call.
    let text = "local s, n = string.rep('hello   world ', 40000):gsub('%s+', REPLACEMENT)
        return #s .. ' ' .. n";
    for (owner, replacement) in
        [("operator", "' '"), ("operator", "'%0'"), ("guest", "' '"), ("guest", "{}")]
    {
        let text = text.replace("REPLACEMENT", replacement);
        let length = if replacement == "' '" { 480_000 } else { 560_000 };
        on_a_worker(move || async move {
            let answer = run_with(&state_of(owner), "long.lua", &text, LONG).await;
            let wanted = format!("{length} 80000");
            assert_eq!(answer.expect(owner).as_deref(), Some(wanted.as_bytes()), "{text}");
        });
    }
    on_a_worker(|| async {
        let text = "return (('a'):rep(60)):find('.-.-.-.-.-b')";
        let error = run_with(&state_of("guest"), "stuck.lua", text, LONG).await.unwrap_err();
        assert!(error.message.contains("a native function ran for so long"), "{}", error.message);
    });
}

#[test]
fn who_was_suspended_goes_on_as_if_it_had_not_been() {
    on_a_worker(|| async {
        let state = state_of("operator");
        for (text, value) in [
            ("some() return 'done'", "done"),
            ("return select('#', (function(...) some() return ... end)(1, nil, 3, nil))", "4"),
            ("return (coroutine.wrap(function(a) some() return a end)(7))", "7"),
            (
                "local co = coroutine.wrap(function(a) for i = 1, 3 do some() a = a + coroutine.yield(a) end
                    return a end)
                return co(1) .. co(2) .. co(3) .. co(4)",
                "13610",
            ),
            ("return (select(2, pcall(function() some() error('x', 0) end)))", "x"),
            ("local t = {} for i = 1, 20000 do t[i] = i * 7919 % 20011 end
              table.sort(t, function(a, b) return a > b end)
              for i = 2, #t do assert(t[i - 1] >= t[i]) end return #t", "20000"),
            ("return (('a,b'):gsub('%a', function(c) some() return c:upper() end))", "A,B"),
        ] {
            let text = format!("{SOME}{text}");
            let ran = run_with(&state, "t.lua", &text, LONG).await;
            assert_eq!(ran.expect(value).as_deref(), Some(value.as_bytes()), "{text}");
        }
        let failed = run_with(&state, "t.lua", &format!("{SOME}some()\nerror('why')"), LONG).await;
        assert_eq!(failed.expect_err("it fails").message, "t.lua:2: why");
    });
}

#[test]
fn gsub_with_a_callback_is_luas() {
    on_a_worker(|| async {
        let state = state_of("operator");
        let upper = "function(a, b) return (b or a) .. '!' end";
        for (subject, pattern, limit, wanted) in [
            ("hello world", "%w+", "nil", "hello! world!:2"),
            ("hello", "", "nil", "!h!e!l!l!o!:6"),
            ("abc", "%w*", "nil", "abc!!:2"),
            ("abc", "^%w", "nil", "a!bc:1"),
            ("abc", "%w", "2", "a!b!c:2"),
            ("abc", "%w", "1.5", "a!bc:1"),
            ("abc", "%w", "-1", "abc:0"),
            ("a=1, b=2", "(%w)=(%w)", "nil", "1!, 2!:2"),
            ("ab", "()%w", "nil", "1!2!:2"),
            ("THE (quick) fox", "%f[%a]%a+", "nil", "THE! (quick!) fox!:3"),
            ("", "x*", "nil", "!:1"),
        ] {
            let text = format!(
                "local s, n = ('{subject}'):gsub('{pattern}', {upper}, {limit}) return s .. ':' .. n"
            );
            let ran = run_with(&state, "t.lua", &text, Budget::default()).await;
            assert_eq!(ran.expect(wanted).as_deref(), Some(wanted.as_bytes()), "{text}");
        }
        for (callback, wanted) in [("{}", "invalid replacement value (a table)"), ("1", "1")] {
            let text =
                format!("local s = ('a'):gsub('a', function() return {callback} end) return s");
            let ran = run_with(&state, "t.lua", &text, Budget::default()).await;
            let said = ran.map_or_else(
                |error| error.message,
                |value| String::from_utf8_lossy(&value.unwrap_or_default()).into_owned(),
            );
            assert!(said.ends_with(wanted), "{said}");
        }
    });
}

#[test]
fn owners_have_equal_shares_however_many_calls_they_make() {
    on_a_worker(|| async {
        let mut hostile = Beside::default();
        for (owner, calls) in [("one", 1), ("ten", 10), ("three", 3)] {
            let state = state_of(owner);
            for _ in 0..calls {
                hostile.start(&state, "while true do end");
            }
        }
        while cpu_of_owner("one") < Duration::from_millis(100) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let used = ["one", "ten", "three"].map(|owner| cpu_of_owner(owner).as_secs_f64());
        let share = used.iter().sum::<f64>() / 3.0;
        for used in used {
            assert!((used / share - 1.0).abs() < 0.1, "{used} of {share}");
        }
        hostile.drop_all();
    });
}

#[test]
fn a_call_that_is_dropped_while_it_is_suspended_holds_nobody_up() {
    on_a_worker(|| async {
        let state = state_of("operator");
        for _ in 0..20 {
            let mut hostile = Beside::default();
            for _ in 0..3 {
                hostile.start(&state, "while true do end");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            hostile.drop_all();
        }
        serve(3).await;
        let ran = run_with(&state, "t.lua", &format!("{SOME}some() return 1"), LONG).await;
        assert!(ran.is_ok());
    });
}

const ROUTES: &str = "\
workers: 1
routes:
  - match: { path: /loop }
    lua: { budget: { cpu: 20s } }
    content_by_lua_block: while true do end
  - match: { path: /quick }
    content_by_lua_block: ngx.say('served')
";

#[test]
fn a_request_is_answered_while_another_one_computes_in_the_same_worker() {
    let moongate = Moongate::start(ROUTES);
    let mut looping: Vec<_> = (0..3).map(|_| moongate.connect()).collect();
    for client in &mut looping {
        client.ask("/loop");
    }
    let mut neighbour = moongate.connect();
    for _ in 0..50 {
        assert_eq!(neighbour.ask("/quick").read().text(), "served\n");
    }
    assert!(moongate.metric("moongate_owner_suspensions_total{owner=\"operator\"}") > 3.0);
    let kills = moongate.metrics();
    assert!(
        !kills
            .lines()
            .any(|line| line.starts_with("moongate_lua_kills_total") && line.contains("cpu"))
    );
}
