//! `ngx.run_worker_thread`: a function of a module computes aside, while the worker serves on.

use std::rc::Rc;

use mlua::{IntoLua as _, Lua, MultiValue, Value};
use tokio::sync::oneshot;

use super::arguments::at;
use super::{Function, Native};
use crate::script::pool::{Outcome, Plain, Work, plain};
use crate::script::{Call, Waiting, WorkerIndex, spec_of};
use crate::transaction::PhaseSet;

pub const FUNCTIONS: &[Function] = &[Function {
    name: "ngx.run_worker_thread",
    phases: PhaseSet::of("rac"),
    syntax: "local ok, ... = ngx.run_worker_thread(pool, module, function, ...)",
    doc: "Calls a function of a module on a thread of a pool (`lua.thread_pools`), in a state of its own: \
          with plain data, the API that needs no request, and the pool's CPU time. `false` and why, if \
          that cannot be.",
    native: Native::Waits(run),
}];

fn run(lua: Lua, _: Rc<Call>, args: MultiValue) -> Waiting<'static, mlua::Result<MultiValue>> {
    Box::pin(async move {
        let outcome = match post(&lua, &args) {
            Ok(reply) => reply.await.unwrap_or_else(|_| Err("the thread was ended".to_owned())),
            Err(why) => Err(why),
        };
        let (done, values) = match outcome {
            Ok(values) => (true, Plain::all_into_lua(values, &lua)?),
            Err(why) => (false, MultiValue::from_iter([why.into_lua(&lua)?])),
        };
        let mut answer = MultiValue::from_iter([Value::Boolean(done)]);
        answer.extend(values);
        Ok(answer)
    })
}

/// Hands the work to its pool; where what comes of it will be.
fn post(lua: &Lua, args: &MultiValue) -> Result<oneshot::Receiver<Outcome>, String> {
    if args.len() < 3 {
        return Err("expecting at least 3 arguments".to_owned());
    }
    let name = text(args, 1, "threadpool")?;
    let spec = spec_of(lua).ok_or("the state is gone")?;
    let pool = spec.pools.find(&name).ok_or_else(|| format!("thread pool {name} not found"))?;
    let (module, function) = (text(args, 2, "module name")?, text(args, 3, "function name")?);
    let permit = spec.pools.admit().ok_or("no available Lua vm")?;
    let given: Vec<Value> = args.iter().skip(3).cloned().collect();
    let arguments = plain(&given).map_err(|why| format!("{why} in the argument"))?;
    let worker = lua.app_data_ref::<WorkerIndex>().map_or(0, |index| index.0);
    let (reply, waiting) = oneshot::channel();
    let (label, cpu, spec) = (pool.label(), pool.cpu(), spec.clone());
    let work = Work { spec, worker, label, cpu, module, function, arguments, reply, permit };
    pool.post(work).map_err(|_| "ngx_thread_task_post failed".to_owned())?;
    Ok(waiting)
}

fn text(args: &MultiValue, index: usize, what: &str) -> Result<String, String> {
    match at(args, index) {
        Value::String(text) => Ok(text.to_string_lossy()),
        _ => Err(format!("{what} should be a string")),
    }
}
