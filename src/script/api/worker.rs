//! `ngx.worker`, `ngx.get_phase`: where a script runs.

use mlua::{Lua, Value};

use super::arguments::{one, string};
use super::{EVERYWHERE, Function, Native};
use crate::script::{WorkerIndex, spec_of};
use crate::transaction::PhaseSet;

pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "ngx.get_phase",
        phases: EVERYWHERE,
        syntax: "local phase = ngx.get_phase()",
        doc: "The phase: `init`, `init_worker`, `set`, `rewrite`, `access`, `content`, \
              `header_filter`, `body_filter`, `log` or `timer`.",
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
        doc: "The process; all workers are threads of one.",
        native: Native::Now(|_, _, _| Ok(one(Value::Integer(std::process::id().into())))),
    },
    Function {
        name: "ngx.worker.pids",
        phases: PhaseSet::of("XsrachbltB"),
        syntax: "local pids = ngx.worker.pids()",
        doc: "An array with the one process.",
        native: Native::Now(|lua, _, _| {
            let pids = lua.create_sequence_from([std::process::id()])?;
            Ok(one(Value::Table(pids)))
        }),
    },
    Function {
        name: "ngx.worker.exiting",
        phases: EVERYWHERE,
        syntax: "local exiting = ngx.worker.exiting()",
        doc: "False: timers are told by their argument `premature`.",
        native: Native::Now(|_, _, _| Ok(one(Value::Boolean(false)))),
    },
];

/// Which worker's state this is, from 0.
pub fn index(lua: &Lua) -> usize {
    lua.app_data_ref::<WorkerIndex>().map_or(0, |worker| worker.0)
}
