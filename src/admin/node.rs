//! What the node is and how it is: index, health, metrics, who asks.

use std::sync::Arc;

use serde_json::json;

use super::{Admin, Answer, Asked, Reply, page};
use crate::telemetry;

/// `GET /`.
pub(super) fn index(_: &Arc<Admin>, _: &Arc<Asked>) -> Reply {
    Answer::text(200, page::index()).into()
}

/// `GET /healthz`.
pub(super) fn health(_: &Arc<Admin>, _: &Arc<Asked>) -> Reply {
    Answer::text(200, "ok\n").into()
}

/// `GET /readyz`.
pub(super) fn readiness(admin: &Arc<Admin>, _: &Arc<Asked>) -> Reply {
    if admin.is_ready() {
        Answer::text(200, "ready\n").into()
    } else {
        Answer::text(503, "not ready: starting or stopping\n").into()
    }
}

/// `GET /metrics`.
pub(super) fn metrics(_: &Arc<Admin>, _: &Arc<Asked>) -> Reply {
    const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
    Answer::bytes(200, MEDIA_TYPE, telemetry::metrics_text()).into()
}

/// `GET /whoami`.
pub(super) fn whoami(_: &Arc<Admin>, asked: &Arc<Asked>) -> Reply {
    let who = &asked.who;
    let told = json!({ "name": who.name, "role": who.role.as_str(), "owner": who.owner });
    Answer::json(200, &told).into()
}
