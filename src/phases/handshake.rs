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
            continue;
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

/// Whether a client asks for a site that wants to know whose certificate it has, over a connection whose
/// handshake was with another: that one asked for none, or for another.
pub(super) fn is_misdirected(exchange: &Exchange) -> bool {
    let transaction = exchange.subject.transaction.borrow();
    let Some(secured) = &transaction.client.tls else { return false };
    let (policy, site) = (&exchange.live.policy, transaction.request.site);
    let verifies =
        policy.handshakes.of_site(site).is_some_and(|terms| terms.verify_clients());
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
    tell(step.phase, goes_on);
    goes_on
}

/// As lua-nginx-module tells it while it is debugged.
fn tell(phase: Phase, goes_on: bool) {
    let what = if phase == Phase::SslCertificate { "cert" } else { "client hello" };
    let (value, code) = if goes_on { (0, 1) } else { (-1, 0) };
    let place = phase.as_str();
    let message = format!("{place}_by_lua: handler return value: {value}, {what} cb exit code: {code}");
    events::HandshakeStep { message: &message }.emit();
}
