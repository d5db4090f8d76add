//! States from within: native functions that wait, leaving, timers.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mlua::{Function, IntoLuaMulti as _, MultiValue, Value};

use super::meter::Meter;
use super::{Call, DomainSpec, Exit, Library, ScriptErrorKind, State, current, slot, state_of};
use crate::config::{Budget, HandlerSource, Network};
use crate::transaction::Phase;

fn state() -> Rc<State> {
    State::new(Arc::new(spec()), 0).expect("the sandbox fits into its memory")
}

fn spec() -> DomainSpec {
    DomainSpec {
        owner: super::OPERATOR.into(),
        name: "test".into(),
        digest: String::new(),
        memory: 16 << 20,
        library: Arc::new(Library { patterns: Vec::new(), files: BTreeMap::new() }),
        files: Arc::default(),
        dictionaries: Arc::default(),
        tables: Arc::default(),
        collections: None,
        secrets: super::SecretsFor::default(),
        reads_only: false,
        network: Network::default(),
        routes: None,
        variables: None,
        prefix: None,
        pools: Arc::default(),
        max_timers: 3,
        max_running_timers: 2,
        workers: 1,
        guest: false,
        trusted: false,
        open: false,
        env: Arc::default(),
        regex_steps: 200_000,
    }
}

#[test]
fn a_script_that_is_not_confined_gives_an_environment_to_its_own_call_alone() {
    on_a_worker(async {
        let spec = DomainSpec { trusted: true, open: true, ..spec() };
        let state = State::new(Arc::new(spec), 0).expect("the sandbox fits into its memory");
        let (phase, budget) = (Phase::Access, Budget::default());
        let source = |text: &str| HandlerSource::Chunk {
            name: "t.lua".into(),
            text: Arc::from(text),
            line_offset: 0,
            variable: None,
        };
        let own = "local before = tostring(here) setfenv(1, { here = 1 }) return before .. here";
        let all = "seen = (seen or 0) + 1 return seen";
        let own = state.load(&source(own), phase, budget).expect("it compiles");
        let all = state.load(&source(all), phase, budget).expect("it compiles");
        for (handler, said) in [(&own, "nil1"), (&own, "nil1"), (&all, "1"), (&all, "2")] {
            let call = Call::new(phase, "t.lua".into(), None);
            let result = state.run(handler, &call).await.expect("it runs");
            assert_eq!(result.as_deref(), Some(said.as_bytes()));
        }
    });
}

/// A state with `sleep(ms)` and `leave(status)`.
fn equipped() -> Rc<State> {
    let state = state();
    let vm = state.vm().expect("it has one");
    let sleep = vm.lua.create_async_function(|lua, ms: u64| async move {
        let call = current().ok_or_else(|| mlua::Error::runtime("no call"))?;
        let slept = async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            (ms, "slept").into_lua_multi(&lua)
        };
        call.awaited(Box::pin(slept)).await
    });
    let leave = vm.lua.create_function(|_, status: u16| -> mlua::Result<()> {
        let call = current().ok_or_else(|| mlua::Error::runtime("no call"))?;
        Err(call.leave(Exit::Respond(status)))
    });
    vm.sandbox.home.set("sleep", sleep.expect("made")).expect("set");
    vm.sandbox.home.set("leave", leave.expect("made")).expect("set");
    state
}

fn on_a_worker<F: Future<Output = ()>>(work: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), work);
}

struct Ran {
    result: Result<Option<String>, ScriptErrorKind>,
    exit: Option<Exit>,
    took: Duration,
}

async fn run_with(state: &Rc<State>, text: &str, budget: Budget) -> Ran {
    let source = HandlerSource::Chunk {
        name: "t.lua".into(),
        text: Arc::from(text),
        line_offset: 0,
        variable: None,
    };
    let handler = state.load(&source, Phase::Access, budget).expect("it compiles");
    let call = Call::new(Phase::Access, "t.lua".into(), None);
    let began = Instant::now();
    let result = state.run(&handler, &call).await;
    let result = result.map(|value| value.map(|v| String::from_utf8_lossy(&v).into_owned()));
    let result = result.map_err(|error| error.kind);
    Ran { result, exit: call.exit.get(), took: began.elapsed() }
}

async fn run(state: &Rc<State>, text: &str) -> Ran {
    run_with(state, text, Budget { cpu: Duration::from_millis(200), ..Budget::default() }).await
}

#[test]
fn native_functions_may_wait_in_coroutines_of_scripts() {
    on_a_worker(async {
        let state = equipped();
        for (text, value) in [
            ("local ms, word = sleep(2) return word .. ms", "slept2"),
            ("return select(2, coroutine.wrap(function() return sleep(2) end)())", "slept"),
            (
                "local co = coroutine.wrap(function()
                    for i = 1, 3 do sleep(1) coroutine.yield(i) end end)
                 return co() + co() + co()",
                "6",
            ),
            (
                "local function nest(n) if n == 0 then return (sleep(1)) end
                    return coroutine.wrap(nest)(n - 1) end
                 return nest(10)",
                "1",
            ),
            ("local ok, ms = pcall(sleep, 1) return tostring(ok) .. ms", "true1"),
            (
                "local n = 0 for _ in coroutine.wrap(function() while n < 3 do n = n + 1 sleep(1)
                    coroutine.yield(n) end end) do end return n",
                "3",
            ),
            (
                "return (pcall(table.sort, {2, 1}, function(a, b) sleep(1) return a < b end))",
                "true",
            ),
        ] {
            assert_eq!(run(&state, text).await.result.unwrap().as_deref(), Some(value), "{text}");
        }
    });
}

#[test]
fn waiting_costs_no_cpu_but_has_its_own_bound() {
    on_a_worker(async {
        let state = equipped();
        let text = "for i = 1, 5 do sleep(10) end return 'done'";
        let ran = run_with(&state, text, Budget::default()).await;
        assert_eq!(ran.result.unwrap().as_deref(), Some("done"));
        let budget = Budget { wait: Duration::from_millis(60), ..Budget::default() };
        for text in ["while true do pcall(sleep, 20000) end", "coroutine.wrap(sleep)(20000)"] {
            let ran = run_with(&state, text, budget).await;
            assert_eq!(ran.result, Err(ScriptErrorKind::Wait), "{text}");
            assert!(ran.took < Duration::from_secs(10), "{text}: {:?}", ran.took);
        }
    });
}

#[test]
fn cpu_time_adds_up_over_waits() {
    on_a_worker(async {
        let state = equipped();
        let text =
            "local function work() local t = os.clock() while os.clock() - t < 0.003 do end end
            for i = 1, 1000 do work() sleep(1) end";
        let ran = run_with(&state, text, Budget::default()).await;
        assert_eq!(ran.result, Err(ScriptErrorKind::Cpu));
        assert!(ran.took < Duration::from_secs(2), "{:?}", ran.took);
    });
}

#[test]
fn leaving_cannot_be_caught() {
    on_a_worker(async {
        let state = equipped();
        for text in [
            "leave(403) error('not here')",
            "while true do pcall(leave, 403) end",
            "pcall(leave, 403) local t = {} for i = 1, 10 do t[i] = i end error('not here')",
            "coroutine.wrap(function() leave(403) end)() error('not here')",
            "xpcall(leave, function() while true do end end, 403) while true do end",
            "sleep(1) pcall(leave, 403) sleep(10000)",
        ] {
            let ran = run(&state, text).await;
            assert_eq!(ran.result, Ok(None), "{text}");
            assert_eq!(ran.exit, Some(Exit::Respond(403)), "{text}");
            assert!(ran.took < Duration::from_secs(3), "{text}: {:?}", ran.took);
        }
        assert_eq!(run(&state, "return 1").await.result, Ok(Some("1".into())));
    });
}

#[test]
fn calls_that_wait_take_turns() {
    on_a_worker(async {
        let state = equipped();
        let began = Instant::now();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let state = state.clone();
                tokio::task::spawn_local(
                    async move { run(&state, "return sleep(200)").await.result },
                )
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.expect("it ran"), Ok(Some("200".into())));
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    });
}

#[test]
fn an_abandoned_call_leaves_the_state_whole() {
    on_a_worker(async {
        let state = equipped();
        for text in ["sleep(1000)", "coroutine.wrap(function() pcall(sleep, 1000) end)()"] {
            let abandoned =
                tokio::time::timeout(Duration::from_millis(20), run(&state, text)).await;
            assert!(abandoned.is_err());
            assert_eq!(run(&state, "return sleep(1)").await.result, Ok(Some("1".into())));
        }
    });
}

#[test]
fn a_vm_is_gone_with_its_state_even_if_calls_were_abandoned_in_it() {
    on_a_worker(async {
        let state = equipped();
        let weak = state.vm().expect("it has one").lua.weak();
        let text = "coroutine.wrap(function() pcall(sleep, 1000) end)()";
        let abandoned = tokio::time::timeout(Duration::from_millis(20), run(&state, text)).await;
        assert!(abandoned.is_err());
        drop(state);
        assert!(weak.try_upgrade().is_none());
    });
}

#[test]
fn a_stack_that_grew_is_given_back_where_the_memory_is_spent_to_the_last_page() {
    on_a_worker(async {
        let state = equipped();
        let text = "local function deep(n) return n > 0 and 1 + deep(n - 1) or 0 end deep(1000)
            local kept, size = {}, 2 ^ 20
            local function fill()
                while true do kept[#kept + 1] = string.rep('x', size) .. #kept end
            end
            while size >= 16 do pcall(fill) size = size / 2 end
            if leaves then sleep(10000) end error('full')";
        let budget = Budget { cpu: Duration::from_secs(20), ..Budget::default() };
        for text in [text.to_owned(), text.replace("leaves", "true")] {
            let run = run_with(&state, &text, budget);
            let _ = tokio::time::timeout(Duration::from_secs(5), run).await;
            state.vm().expect("it has one").lua.gc_collect().expect("it can be tidied");
            assert_eq!(run_with(&state, "return 1", budget).await.result, Ok(Some("1".into())));
        }
    });
}

fn function(state: &Rc<State>, text: &str) -> Function {
    let vm = state.vm().expect("it has one");
    let function = vm.compile("timer.lua", text, 0).expect("it compiles");
    function.set_environment(vm.sandbox.home.clone()).expect("a Lua function");
    function
}

fn start(state: &Rc<State>, ms: u64, every: Option<u64>, text: &str) -> Result<(), &'static str> {
    let every = every.map(Duration::from_millis);
    let arguments = MultiValue::from_iter([Value::Integer(2)]);
    let (function, budget) = (function(state, text), Budget::default());
    let terms = super::Terms { module: "t".into(), budget, peer: None, sockets: None };
    let work = super::Work { function, arguments, terms };
    state.spawn_timer(Duration::from_millis(ms), every, work)
}

async fn all_over(state: &Rc<State>) {
    while state.timers().pending.get() + state.timers().running.get() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn fired(state: &Rc<State>) -> String {
    run(state, "return (fired or 0) .. tostring(early)").await.result.unwrap().unwrap_or_default()
}

const COUNT: &str = "local premature, by = ... fired = (fired or 0) + by early = premature";

#[test]
fn timers_fire_once_or_again_and_again() {
    on_a_worker(async {
        let state = state();
        start(&state, 5, None, COUNT).expect("taken");
        assert_eq!(state.timers().pending.get(), 1);
        all_over(&state).await;
        assert_eq!(fired(&state).await, "2false");
        assert_eq!(state.timers().pending.get(), 0);
        start(&state, 0, Some(5), COUNT).expect("taken");
        let again =
            |fired: String| fired.trim_end_matches("false").parse::<u32>().is_ok_and(|n| n >= 8);
        while !again(fired(&state).await) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn timers_are_bounded_in_number_and_cost() {
    on_a_worker(async {
        let state = state();
        for _ in 0..3 {
            start(&state, 1, None, "while true do end").expect("taken");
        }
        assert_eq!(start(&state, 1, None, COUNT), Err("too many pending timers"));
        let began = Instant::now();
        all_over(&state).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    });
}

#[test]
fn retiring_fires_pending_timers_early_and_takes_no_more() {
    on_a_worker(async {
        let state = state();
        start(&state, 60_000, None, COUNT).expect("taken");
        start(&state, 60_000, Some(60_000), COUNT).expect("taken");
        tokio::task::yield_now().await;
        state.retire();
        assert_eq!(start(&state, 1, None, COUNT), Err("process exiting"));
        all_over(&state).await;
        tokio::task::yield_now().await;
        assert_eq!(fired(&state).await, "4true");
        let weak = Rc::downgrade(&state);
        drop(state);
        assert!(weak.upgrade().is_none(), "nothing holds a retired state");
    });
}

#[test]
fn a_timer_does_not_keep_its_state_alive() {
    on_a_worker(async {
        let state = state();
        start(&state, 10, None, COUNT).expect("taken");
        tokio::task::yield_now().await;
        drop(state);
        tokio::time::sleep(Duration::from_millis(30)).await;
    });
}

#[test]
fn native_functions_find_their_state() {
    let state = state();
    let vm = state.vm().expect("it has one");
    assert!(state_of(&vm.lua).is_some_and(|found| Rc::ptr_eq(&found, &state)));
    assert_eq!(super::spec_of(&vm.lua).map(|spec| spec.max_timers), Some(3));
}

#[test]
fn what_was_woken_while_it_waited_for_its_turn_looks_again() {
    on_a_worker(async {
        let task = tokio::task::spawn_local(async {
            let state = state();
            let vm = state.vm().expect("it has one");
            let call = Call::new(Phase::Timer, "t.lua".into(), None);
            let mut polls = 0;
            // Its slice is over between its look at what it waits for and its going to sleep, and what
            // it waits for comes meanwhile: nobody wakes it a second time.
            let script = pin!(poll_fn(|_| {
                polls += 1;
                match polls {
                    1 => {
                        assert!(slot::suspend());
                        Poll::Pending
                    }
                    2 => Poll::Pending,
                    _ => Poll::Ready(Ok(())),
                }
            }));
            let mut meter = Meter::begin(Budget::default(), &state.queue).expect("it may");
            assert!(meter.drive(&vm, &call, script).await.is_ok());
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(task.is_finished(), "it waits in vain");
        task.await.expect("it came to its end");
    });
}
