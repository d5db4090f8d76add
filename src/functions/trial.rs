//! A function is tried before it is kept: compiled, asked what it declares, its own tests run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::declaration::routes_in;
use super::{Declaration, Fault, Name};
use crate::config::Secrets;
use crate::script::{DomainSpec, Library, ScriptError, SecretsFor, Tried, try_function};

/// How a function's text is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// It runs from its first line with each request.
    Chunk,
    /// It returns a table with a function `content`.
    Table,
}

/// What came of trying a function.
#[derive(Debug, Clone)]
pub struct Trial {
    /// How its text is to be taken.
    pub form: Form,
    /// What it may reach and cost.
    pub declaration: Declaration,
    /// Whether it has a test, which then held.
    pub tested: bool,
}

/// What a state of a function may know and cost.
pub(super) fn domain(name: &Name, owner: &Name, declaration: &Declaration) -> DomainSpec {
    DomainSpec {
        name: format!("{owner}/{name}"),
        owner: owner.shared(),
        digest: String::new(),
        memory: declaration.limits.budget().memory,
        library: Arc::new(Library::default()),
        files: Arc::default(),
        dictionaries: Arc::default(),
        tables: Arc::default(),
        secrets: SecretsFor { kept: Arc::new(Secrets::stand_ins()), declared: None },
        reads_only: false,
        collections: Some(declaration.collections.clone().into()),
        network: declaration.network(),
        routes: Some(declaration.routes.clone().into()),
        variables: None,
        prefix: None,
        pools: Arc::default(),
        max_timers: 0,
        max_running_timers: 0,
        workers: 1,
        guest: true,
        trusted: false,
        open: false,
        env: Arc::default(),
        regex_steps: 200_000,
    }
}

/// Tries a function in a state that nobody will use, which can connect to nothing. Takes as long as
/// its tests: to be done where nobody waits.
///
/// # Errors
/// What is wrong with it, at its line.
pub fn attempt(
    name: &Name,
    owner: &Name,
    text: &Arc<str>,
    given: Option<Declaration>,
) -> Result<Trial, Fault> {
    let limits = given.as_ref().map(|given| given.limits).unwrap_or_default();
    let declaration = Declaration { limits, ..Declaration::default() };
    let spec = Arc::new(domain(name, owner, &declaration));
    let file = format!("{name}.lua");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::internal(&error))?;
    let local = tokio::task::LocalSet::new();
    let tried = local.block_on(&runtime, try_function(spec, &file, text, limits.budget()));
    let Tried { returns_table, declares, has_test, failed } =
        tried.map_err(|error| at_fault(&error))?;
    if !failed.is_empty() {
        let message = format!("its test fails:\n{}", failed.join("\n"));
        return Err(Fault::unfit("function::test", message));
    }
    let form = if returns_table { Form::Table } else { Form::Chunk };
    let mut declaration = match given {
        Some(given) => given,
        None if declares.is_null() => Declaration::default(),
        None => serde_json::from_value(declares).map_err(|error| {
            Fault::unfit("function::declares", format!("{file}: `declares`: {error}"))
        })?,
    };
    if declaration.routes.is_empty() {
        declaration.routes = routes_in(text);
    }
    if let Some(fault) = declaration.fault() {
        return Err(Fault::unfit("function::declares", fault));
    }
    Ok(Trial { form, declaration, tested: has_test })
}

fn at_fault(error: &ScriptError) -> Fault {
    let mut message = error.message.clone();
    if !error.traceback.is_empty() {
        message = format!("{message}\n{}", error.traceback);
    }
    Fault::unfit("function::script", message)
}
