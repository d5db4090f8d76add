//! Every endpoint there is: one line each. The index, `docs/admin-api.md` and who may ask what are
//! made from these lines.

use std::sync::Arc;

use super::{
    Admin, Asked, Reply, audit, collections, functions, modules, node, owners, policy, rollouts,
    rules,
};
use crate::config::Role;

const MIB: usize = 1 << 20;
/// Bytes of a request body at the most, where an endpoint does not say otherwise.
const BODY: usize = 16 * MIB;
/// Bytes of a list that is imported: some millions of entries.
const LIST: usize = 128 * MIB;

/// What answers. It runs on the control thread, so what reads a disk or computes for more than a
/// millisecond is handed back as [`Reply::Aside`].
pub type Handler = fn(&Arc<Admin>, &Arc<Asked>) -> Reply;

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// Its method. GET answers HEAD too.
    pub method: &'static str,
    /// Its path; `{name}` stands for one segment, percent-decoded (see [`Asked::param`]).
    pub pattern: &'static str,
    /// What a token must be good for.
    pub role: Role,
    /// Whose things it is about.
    pub scope: Scope,
    /// Bytes of a request body at the most; what is longer is answered with 413.
    pub body: usize,
    /// What it is for, in a line.
    pub help: &'static str,
    /// What answers.
    pub handler: Handler,
}

/// Whose things an endpoint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nobody's: whoever has a token may ask, with an owner or without.
    Everybody,
    /// The node's: a token with an owner is refused.
    Node,
    /// An owner's: the handler calls [`Asked::claim`] before it touches anything, and lists only
    /// what [`super::Identity::may_touch`] allows.
    Owner,
    /// Nobody's, and no token is wanted: load balancers have none.
    Public,
}

/// The endpoints, in the order of the page. Where two patterns match, the one that says more
/// wins: `/functions/status` before `/functions/{name}`.
pub static ENDPOINTS: &[Endpoint] = &[
    on("GET", "/", Role::Read, Scope::Everybody, node::index, "what can be asked here"),
    on("GET", "/healthz", Role::Read, Scope::Public, node::health, "the process lives"),
    on("GET", "/readyz", Role::Read, Scope::Public, node::readiness, "every worker serves"),
    on("GET", "/whoami", Role::Read, Scope::Everybody, node::whoami, "whose token this is"),
    on("GET", "/metrics", Role::Read, Scope::Node, node::metrics, "what Prometheus scrapes"),
    on("GET", "/policy", Role::Read, Scope::Node, policy::describe, "the policy in force"),
    on(
        "POST",
        "/policy/reload",
        Role::Activate,
        Scope::Node,
        policy::reload,
        "read the files again (canary, sticky, gates: try them for a share of the clients)",
    ),
    on(
        "POST",
        "/policy/promote",
        Role::Activate,
        Scope::Node,
        policy::promote,
        "the policy that is tried is in force",
    ),
    on(
        "POST",
        "/policy/abort",
        Role::Activate,
        Scope::Node,
        policy::abort,
        "the policy that is tried no longer is",
    ),
    on(
        "GET",
        "/functions",
        Role::Read,
        Scope::Owner,
        functions::list,
        "who holds what, since when",
    ),
    on("GET", "/functions/{name}", Role::Read, Scope::Owner, functions::show, "one of them"),
    on(
        "GET",
        "/functions/{name}/versions/{version}",
        Role::Read,
        Scope::Owner,
        functions::text,
        "the text of a version",
    ),
    on(
        "PUT",
        "/functions/{name}",
        Role::Publish,
        Scope::Owner,
        functions::push,
        "a version, tried before it is kept (route, owner, message, ttl, activate, dry_run)",
    ),
    on(
        "POST",
        "/functions/{name}/activate",
        Role::Activate,
        Scope::Owner,
        functions::activate,
        "another version serves (version; the newest)",
    ),
    on(
        "POST",
        "/functions/{name}/rollback",
        Role::Activate,
        Scope::Owner,
        functions::rollback,
        "the version that served before serves again (to)",
    ),
    on(
        "POST",
        "/functions/{name}/deactivate",
        Role::Activate,
        Scope::Owner,
        functions::deactivate,
        "no version serves",
    ),
    on(
        "POST",
        "/functions/{name}/shadow",
        Role::Activate,
        Scope::Owner,
        rollouts::shadow,
        "a version runs beside the live one, without effect (version, percent, route, gates)",
    ),
    on(
        "POST",
        "/functions/{name}/canary",
        Role::Activate,
        Scope::Owner,
        rollouts::canary,
        "a version answers some clients (version, percent, sticky, route, gates)",
    ),
    on(
        "POST",
        "/functions/{name}/promote",
        Role::Activate,
        Scope::Owner,
        rollouts::promote,
        "the version that is tried serves",
    ),
    on(
        "POST",
        "/functions/{name}/abort",
        Role::Activate,
        Scope::Owner,
        rollouts::abort,
        "the version that is tried no longer is",
    ),
    on(
        "GET",
        "/functions/{name}/differences",
        Role::Read,
        Scope::Owner,
        rollouts::differences,
        "what the version that is tried would have done otherwise (limit)",
    ),
    on(
        "DELETE",
        "/functions/{name}",
        Role::Activate,
        Scope::Owner,
        functions::remove,
        "it goes, with all its versions",
    ),
    on(
        "GET",
        "/owners",
        Role::Read,
        Scope::Owner,
        owners::list,
        "what owners may have, and what their functions came to together",
    ),
    on(
        "GET",
        "/modules",
        Role::Read,
        Scope::Node,
        modules::list,
        "the operator's modules: which version, where, how far it counts, who holds it",
    ),
    on("GET", "/modules/{name}", Role::Read, Scope::Node, modules::show, "one of them"),
    on(
        "GET",
        "/modules/{name}/differences",
        Role::Read,
        Scope::Node,
        modules::differences,
        "what it would have done where it runs without effect (limit, route)",
    ),
    on(
        "GET",
        "/rules",
        Role::Read,
        Scope::Node,
        rules::list,
        "what is done with what rules find, route by route, and rules beside them",
    ),
    on(
        "GET",
        "/rules/differences",
        Role::Read,
        Scope::Node,
        rules::differences,
        "what the rules under `rules.shadow` would have done otherwise (limit, route)",
    ),
    on("GET", "/upstreams", Role::Read, Scope::Node, policy::upstreams, "peers and their health"),
    on("GET", "/audit", Role::Admin, Scope::Node, audit::list, "who changed what (limit, since)"),
    // Typed collections: an owner's are those that are granted to it.
    on(
        "GET",
        "/collections",
        Role::Read,
        Scope::Owner,
        collections::all,
        "the collections that are granted",
    ),
    on(
        "PUT",
        "/collections/{name}",
        Role::Activate,
        Scope::Node,
        collections::declare,
        "declare a collection: kind, schema, bounds, grants",
    ),
    on(
        "GET",
        "/collections/{name}",
        Role::Read,
        Scope::Owner,
        collections::describe,
        "its declaration, counts and version",
    ),
    on(
        "DELETE",
        "/collections/{name}",
        Role::Activate,
        Scope::Node,
        collections::remove,
        "remove it with all its entries",
    ),
    on(
        "GET",
        "/collections/{name}/entries",
        Role::Read,
        Scope::Owner,
        collections::list,
        "entries (key, prefix, where, limit, after)",
    ),
    on(
        "POST",
        "/collections/{name}/entries",
        Role::Publish,
        Scope::Owner,
        collections::put_all,
        "set and remove many, all or none",
    ),
    on(
        "GET",
        "/collections/{name}/entries/{key}",
        Role::Read,
        Scope::Owner,
        collections::show,
        "an entry, with its ETag",
    ),
    on(
        "PUT",
        "/collections/{name}/entries/{key}",
        Role::Publish,
        Scope::Owner,
        collections::put,
        "set an entry",
    ),
    on(
        "PATCH",
        "/collections/{name}/entries/{key}",
        Role::Publish,
        Scope::Owner,
        collections::patch,
        "set fields of an entry (RFC 7396); add to a counter",
    ),
    on(
        "DELETE",
        "/collections/{name}/entries/{key}",
        Role::Publish,
        Scope::Owner,
        collections::delete,
        "remove an entry",
    ),
    on(
        "GET",
        "/collections/{name}/match",
        Role::Read,
        Scope::Owner,
        collections::matching,
        "the longest network that an address is in (address)",
    ),
    Endpoint {
        body: LIST,
        ..on(
            "POST",
            "/collections/{name}/import",
            Role::Publish,
            Scope::Owner,
            collections::begin,
            "read a list into it (format, mode, on_fault)",
        )
    },
    on(
        "GET",
        "/collections/{name}/imports/{id}",
        Role::Read,
        Scope::Owner,
        collections::progress,
        "how far an import is, and lines at fault",
    ),
    on(
        "GET",
        "/collections/{name}/history",
        Role::Read,
        Scope::Owner,
        collections::history,
        "who changed what (limit, before)",
    ),
    on(
        "POST",
        "/collections/{name}/restore",
        Role::Publish,
        Scope::Owner,
        collections::restore,
        "make it again what it was (version)",
    ),
    on(
        "GET",
        "/collections/{name}/views",
        Role::Read,
        Scope::Owner,
        collections::views,
        "its saved questions",
    ),
    on(
        "GET",
        "/collections/{name}/views/{view}",
        Role::Read,
        Scope::Owner,
        collections::ask_view,
        "entries that answer one (limit, after)",
    ),
    on(
        "PUT",
        "/collections/{name}/views/{view}",
        Role::Publish,
        Scope::Owner,
        collections::put_view,
        "save a question",
    ),
    on(
        "DELETE",
        "/collections/{name}/views/{view}",
        Role::Publish,
        Scope::Owner,
        collections::drop_view,
        "forget a question",
    ),
];

const fn on(
    method: &'static str,
    pattern: &'static str,
    role: Role,
    scope: Scope,
    handler: Handler,
    help: &'static str,
) -> Endpoint {
    Endpoint { method, pattern, role, scope, body: BODY, help, handler }
}
