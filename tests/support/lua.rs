//! Scripts run in a state, as a worker would.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use moongate::config::{Budget, HandlerSource, Network};
use moongate::script::{Call, DomainSpec, Library, ScriptError, State};
use moongate::transaction::Phase;

/// A domain with `files` for `require`, looked for at `lua/?.lua` and `lua/?/init.lua`.
pub fn domain(files: &[(&str, &str)]) -> DomainSpec {
    let files: BTreeMap<String, Arc<str>> =
        files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
    DomainSpec {
        owner: moongate::script::OPERATOR.into(),
        name: "test".into(),
        digest: String::new(),
        memory: Budget::default().memory,
        library: Arc::new(Library {
            patterns: vec!["lua/?.lua".into(), "lua/?/init.lua".into()],
            files,
        }),
        files: Arc::default(),
        dictionaries: Arc::default(),
        tables: Arc::default(),
        collections: None,
        secrets: Default::default(),
        reads_only: false,
        network: Network::default(),
        routes: None,
        variables: None,
        prefix: None,
        pools: Arc::default(),
        max_timers: 16,
        max_running_timers: 16,
        workers: 1,
        guest: false,
        trusted: true,
        open: false,
        env: Arc::default(),
        regex_steps: 200_000,
    }
}

/// A state of [`domain`] without files.
pub fn state() -> Rc<State> {
    State::new(Arc::new(domain(&[])), 0).expect("the sandbox fits into its memory")
}

/// A chunk of that name.
pub fn chunk(name: &str, text: &str) -> HandlerSource {
    HandlerSource::Chunk {
        name: name.into(),
        text: Arc::from(text),
        line_offset: 0,
        variable: None,
    }
}

/// Runs a chunk in a phase that may wait.
pub async fn run_with(
    state: &Rc<State>,
    name: &str,
    text: &str,
    budget: Budget,
) -> Result<Option<Bytes>, ScriptError> {
    let handler = state.load(&chunk(name, text), Phase::Access, budget)?;
    let call = Call::new(Phase::Access, name.into(), None);
    state.run(&handler, &call).await
}

/// Runs a chunk in a phase that may not wait, and gives what it returned as text.
pub fn eval_in(state: &Rc<State>, phase: Phase, text: &str) -> Result<String, ScriptError> {
    let budget = Budget { cpu: std::time::Duration::from_secs(5), ..Budget::default() };
    let handler = state.load(&chunk("test.lua", text), phase, budget)?;
    let call = Call::new(phase, "test.lua".into(), None);
    let value = state.run_now(&handler, &call)?;
    Ok(value.map_or("nil".into(), |value| String::from_utf8_lossy(&value).into_owned()))
}

/// As [`eval_in`] a fresh state; the error's message, if there is one.
pub fn eval(text: &str) -> String {
    eval_in(&state(), Phase::Set, text).unwrap_or_else(|error| error.message)
}

/// Runs `work` on a thread like a worker's: a runtime of its own, 8 MiB of stack.
pub fn on_a_worker<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> T {
    let worker = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, work())
    });
    worker.unwrap().join().unwrap()
}
