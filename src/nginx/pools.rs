//! `thread_pool`: threads on which scripts have things computed aside.

use serde_json::{Map, Value, json};

use super::Emerg;
use super::scope::Scope;
use super::tree::Directive;

/// CPU time of one call: nginx knows no bound.
const CPU: &str = "1h";

/// Puts the pools of a file into the settings of its scripts.
///
/// # Errors
/// If one is declared wrongly.
pub(super) fn put(
    http: &Scope<'_>,
    tree: &[Directive],
    lua: &mut Map<String, Value>,
) -> Result<(), Emerg> {
    let declared = tree.iter().filter(|directive| directive.name == "thread_pool");
    let mut pools = Map::from_iter([("default".to_owned(), json!({ "cpu": CPU }))]);
    for found in declared {
        pools.insert(found.arg(0).to_owned(), Value::Object(pool(found)?));
    }
    lua.insert("thread_pools".into(), Value::Object(pools));
    let states = http.get("lua_worker_thread_vm_pool_size");
    if let Some(Ok(states)) = states.map(|found| found.arg(0).parse::<u32>()) {
        lua.insert("thread_pool_states".into(), json!(states.max(1)));
    }
    Ok(())
}

fn pool(found: &Directive) -> Result<Map<String, Value>, Emerg> {
    let mut pool = Map::from_iter([("cpu".to_owned(), json!(CPU))]);
    for argument in found.args.iter().skip(1) {
        let (key, count) = match argument.split_once('=') {
            Some(("threads", count)) => ("threads", count),
            Some(("max_queue", count)) => ("queue", count),
            _ => return Err(found.fault(format!("invalid parameter \"{argument}\""))),
        };
        let number = count.parse::<u64>().ok();
        let number = number.filter(|number| *number > 0);
        let number = number.ok_or_else(|| found.fault(format!("invalid value \"{argument}\"")))?;
        pool.insert(key.to_owned(), json!(number));
    }
    Ok(pool)
}
