//! `ssl_client_hello` and `ssl_certificate`: scripts decide about a TLS handshake. There is no exchange
//! yet; what they want is in the handshake.

use std::rc::Rc;
use std::time::Instant;

use super::Exchange;
use super::step::Account;
use crate::config::OnError;
use crate::policy::{Live, StepId};
use crate::script::{self, Exit, Handshake};
use crate::telemetry::events;
use crate::transaction::Phase;

/// `[alert]`.
const ALERT: i64 = 2;

/// In which phase a handshake ended.
pub struct Ended(pub Phase);

/// Runs the scripts of a handshake with a site (none: there are no sites).
///
/// # Errors
/// If one of them ends it, or failed.
pub async fn handshake(
    live: &Live,
    site: Option<usize>,
    handshake: &Rc<Handshake>,
) -> Result<(), Ended> {
    for phase in [Phase::SslClientHello, Phase::SslCertificate] {
        let Some(plan) = live.policy.plan_of(site) else { return Err(Ended(phase)) };
        let steps = plan.of(phase);
        if steps.is_empty() {
            if is_missed(live, site, phase, handshake) {
                return Err(Ended(phase));
            }
            continue;
        }
        let what = if phase == Phase::SslCertificate { "cert" } else { "client hello" };
        for message in ["reusable connection: 0", &format!("ssl {what}: connection reusable: 0")] {
            events::HandshakeStep { message }.emit();
        }
        let started = Instant::now();
        let mut goes_on = true;
        for id in steps {
            goes_on = goes_on && run(live, *id, handshake).await;
        }
        events::PhaseRan { phase, took: started.elapsed() }.emit();
        if !goes_on {
            return Err(Ended(phase));
        }
    }
    Ok(())
}

/// Whether a site without a script has no certificate either, and those of the site that has them are
/// chosen by its script: nobody chooses then.
fn is_missed(live: &Live, site: Option<usize>, phase: Phase, handshake: &Handshake) -> bool {
    let policy = &live.policy;
    let default = policy.router.site_of(&handshake.client, None);
    let chooses = || policy.plan_of(default).is_some_and(|plan| !plan.of(phase).is_empty());
    let is_missed = phase == Phase::SslCertificate
        && site.is_some()
        && policy.handshakes.of_site(site).is_none()
        && chooses();
    if is_missed {
        let name = site.and_then(|site| policy.router.own(site)).map(|(_, name)| &**name);
        let name = name.unwrap_or_default();
        let message = format!("no ssl_certificate_by_lua* defined in server {name}");
        let (client, server) = handshake.client.ends();
        let peer = format!("client: {client}, server: {server}");
        events::Outside { level: ALERT, message: &message, phase, peer: Some(&peer) }.emit();
    }
    is_missed
}

/// Whether a client asks for a site that wants to know whose certificate it has, over a connection whose
/// handshake was with another: that one asked for none, or for another.
pub(super) fn is_misdirected(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    let Some(secured) = &transaction.client.tls else { return false };
    let (policy, site) = (&exchange.live.policy, transaction.request.site);
    let verifies = policy.handshakes.of_site(site).is_some_and(|terms| terms.verify_clients());
    let shaken = || policy.router.site_of(&transaction.client, secured.server_name.as_deref());
    verifies && !transaction.is_subrequest && shaken() != site
}

/// Runs one handler; whether the handshake goes on.
async fn run(live: &Live, id: StepId, handshake: &Rc<Handshake>) -> bool {
    let Some((step, state, handler)) = live.step(id) else { return false };
    let call = handshake.call(step.phase, &handler.module);
    let account = Account::begin(live, id);
    let result = state.run(handler, &call).await;
    account.end(state, &call, &result);
    let goes_on = match (&result, call.exit.get()) {
        (Ok(_), None | Some(Exit::Phase | Exit::Declined)) => true,
        (Ok(_), Some(Exit::Close | Exit::Reroute | Exit::Respond(_))) => false,
        (Err(error), _) => {
            script::tell(&call, state, error);
            step.on_error == OnError::Pass
        }
    };
    let value = match (&result, goes_on) {
        (Err(_), _) => 500,
        (_, false) => -1,
        (_, true) => 0,
    };
    tell(step.phase, value, goes_on);
    goes_on
}

/// As lua-nginx-module tells it while it is debugged: first of a script that did not wait, then of one
/// that did.
fn tell(phase: Phase, value: i32, goes_on: bool) {
    let what = if phase == Phase::SslCertificate { "cert" } else { "client hello" };
    let (place, code) = (phase.as_str(), u8::from(goes_on));
    for message in [
        format!("{place}_by_lua: handler return value: {value}, {what} cb exit code: {code}"),
        format!("{place}_by_lua: {what} cb exit code: {code}"),
    ] {
        events::HandshakeStep { message: &message }.emit();
    }
}
