//! How many sockets and files the process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::Limits;
use crate::telemetry::events;

/// Descriptors that are not of clients and their upstreams: logs, watches, epoll, the admin address.
const OWN: u64 = 256;

/// Raises the soft limit as far as the system lets an unprivileged process; says so if the
/// connections that the settings allow would not fit.
pub(super) fn raise(limits: &Limits) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let raised = soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    let allowed = if raised { hard } else { soft };
    let wanted = limits.connections as u64 + OWN;
    if allowed < wanted {
        events::Trouble {
            what: &format!(
                "the system allows {allowed} open files, but `limits.connections` ({}) need {wanted}",
                limits.connections
            ),
            next: "raise the limit (`LimitNOFILE=` of the service, `ulimit -Hn`) or lower `limits.connections`; connections past it wait to be accepted",
        }
        .emit();
    }
}
