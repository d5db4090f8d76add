//! `ngx.worker`, `ngx.get_phase`: where a script runs.

use mlua::{Lua, Value};

use super::arguments::{one, string};
use super::{EVERYWHERE, Function, Native};
use crate::script::{WorkerIndex, spec_of, state_of};
use crate::shared::workers;
use crate::transaction::PhaseSet;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.get_phase",
        phases: EVERYWHERE,
        syntax: "local phase = ngx.get_phase()",
        doc: "The phase: `init`, `init_worker`, `set`, `rewrite`, `access`, `content`, \
              `header_filter`, `body_filter`, `log`, `timer` or `exit_worker`.",
        native: Native::Now(|lua, call, _| string(lua, call.phase.as_str()).map(one)),
    },
    Function {
        name: "ngx.worker.id",
        phases: PhaseSet::of("IXsrachbltB"),
        syntax: "local id = ngx.worker.id()",
        doc: "Which worker thread this is, from 0.",
        native: Native::Now(|lua, _, _| Ok(one(Value::Integer(index(lua) as i64)))),
    },
    Function {
        name: "ngx.worker.count",
        phases: EVERYWHERE,
        syntax: "local count = ngx.worker.count()",
        doc: "How many worker threads there are.",
        native: Native::Now(|lua, _, _| {
            let workers = spec_of(lua).map_or(1, |spec| spec.workers);
            Ok(one(Value::Integer(workers as i64)))
        }),
    },
    Function {
        name: "ngx.worker.pid",
        phases: EVERYWHERE,
        syntax: "local pid = ngx.worker.pid()",
        doc: "What the system knows this worker by: the number of its thread, which takes signals for \
              the process.",
        native: Native::Now(|_, _, _| Ok(one(Value::Integer(workers::own().into())))),
    },
    Function {
        name: "ngx.worker.pids",
        phases: PhaseSet::of("XsrachbltB"),
        syntax: "local pids = ngx.worker.pids()",
        doc: "An array with `ngx.worker.pid()` of each worker.",
        native: Native::Now(|lua, _, _| {
            let pids = lua.create_sequence_from(workers::all())?;
            Ok(one(Value::Table(pids)))
        }),
    },
    Function {
        name: "ngx.worker.exiting",
        phases: EVERYWHERE,
        syntax: "local exiting = ngx.worker.exiting()",
        doc: "Whether the worker ends, or the policy is no longer in force.",
        native: Native::Now(|lua, _, _| {
            let exiting = state_of(lua).is_some_and(|state| state.timers().are_retired());
            Ok(one(Value::Boolean(exiting)))
        }),
    },
];

/// Which worker's state this is, from 0.
pub fn index(lua: &Lua) -> usize {
    lua.app_data_ref::<WorkerIndex>().map_or(0, |worker| worker.0)
}
