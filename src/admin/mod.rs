//! What the admin address answers: metrics, health, the policy in force, and all that may be
//! changed while it runs.
//!
//! Plain values in and out: the sockets are in [`crate::server`]. A request comes in three steps:
//! [`admit`] says who asks and whether they may, before a byte of the body is read; [`answer`] has
//! the endpoint's handler work; [`conclude`] counts it, and records what a handler did not.

mod access;
mod answer;
mod asked;
mod audit;
mod collections;
mod functions;
mod modules;
mod node;
mod owners;
mod page;
mod policy;
mod rollouts;
mod route;
mod rules;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

pub use access::{Access, Identity};
pub use answer::{Answer, Reply, Wish};
pub use asked::{Asked, Fields, Head};
pub use audit::{Audit, Entry};
pub use page::admin_page;
pub use table::{ENDPOINTS, Endpoint, Handler, Scope};

use crate::config::Role;
use crate::functions::FunctionStore;
use crate::policy::PolicyStore;
use crate::telemetry::events;

/// What answers need.
pub struct Admin {
    /// The policy in force and how it came to be.
    pub store: Arc<PolicyStore>,
    /// The functions of this node.
    pub functions: Arc<FunctionStore>,
    /// Whether every worker serves and none is stopping.
    pub ready: Arc<AtomicBool>,
    /// Who may ask.
    pub access: Access,
    /// Who changed what.
    pub audit: Audit,
}

/// Who asks, and what: or why they get no answer.
///
/// # Errors
/// What to answer instead. The body is not to be read then.
pub fn admit(admin: &Admin, head: &Head<'_>) -> Result<Asked, Answer> {
    let found = route::find(head.method, head.path);
    let endpoint = found.as_ref().ok().map(|found| found.endpoint);
    let settings = &admin.store.current().config;
    let admitted = admin.access.admit(settings, head, endpoint);
    let refused = match (admitted, found) {
        (Ok(who), Ok(found)) => match Asked::new(head, found, who) {
            Ok(asked) => return Ok(asked),
            Err(answer) => answer,
        },
        (Ok(_), Err(answer)) => answer,
        (Err(denied), _) => {
            events::AdminDenied { reason: denied.reason() }.emit();
            admin.audit.refused(head, endpoint, &denied);
            denied.answer()
        }
    };
    count(endpoint, &refused);
    Err(refused)
}

/// Has the endpoint's handler work.
pub fn answer(admin: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    if asked.endpoint.changes()
        && let Err(error) = admin.audit.open()
    {
        return Reply::Now(Answer::error(
            503,
            format!("the audit log cannot be written, so nothing is changed: {error}"),
            "name a folder that can be written with `state_dir`",
        ));
    }
    (asked.endpoint.handler)(admin, asked)
}

/// What must be done with each answer before it is sent: it is counted, and a change or an attempt
/// at one that its handler did not record is recorded.
pub fn conclude(admin: &Admin, asked: &Asked, answer: &Answer) {
    count(Some(asked.endpoint), answer);
    if answer.status == 403 {
        events::AdminDenied { reason: "owner" }.emit();
    }
    if asked.endpoint.changes() && !asked.is_recorded() {
        admin.audit.attempted(asked, answer);
    }
}

fn count(endpoint: Option<&Endpoint>, answer: &Answer) {
    events::AdminAnswered {
        method: endpoint.map_or("-", |endpoint| endpoint.method),
        endpoint: endpoint.map_or("-", |endpoint| endpoint.pattern),
        status: answer.status,
    }
    .emit();
}

impl Admin {
    /// Records a change that was made: `what` in two words with a dot (`function.push`), on what,
    /// and what was before and is now. On the disk when this returns, so work that changes much is
    /// recorded once; better called from [`Reply::Aside`] than from the thread of all requests.
    pub fn audit(
        &self,
        asked: &Asked,
        what: &str,
        target: &str,
        before: impl Into<Value>,
        after: impl Into<Value>,
    ) {
        asked.recorded();
        self.audit.changed(asked, what, target, before.into(), after.into());
    }

    /// The number of the policy in force.
    pub fn generation(&self) -> u64 {
        self.store.generation()
    }

    /// Whether every worker serves and none is stopping.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

impl Endpoint {
    /// Whether asking it may change something: such a request is recorded whatever comes of it.
    pub fn changes(&self) -> bool {
        self.method != "GET" && self.role > Role::Read
    }
}
