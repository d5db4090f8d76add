//! The control thread: signals, watched files, the admin address, health checks; never a request.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::aside::aside;
use super::reload::{Reloaded, Reloader};
use super::watch::Watch;
use super::worker::Command;
use crate::admin::Admin;
use crate::admin::Wish;
use crate::functions::Happening;
use crate::memory::{heap, image};
use crate::policy::{Bundle, PolicyStore};
use crate::telemetry;
use crate::upstream::{Upstreams, watch_health};

/// How long after a policy came in force the one before it is taken to be gone: exchanges that began
/// under it end first.
const SOON: Duration = Duration::from_millis(500);

/// How often the gates of a policy that is tried are judged.
const JUDGED: Duration = Duration::from_millis(250);

/// Someone on the admin address wants this, and waits to hear what it came to; none: there was nothing
/// to do it to.
pub(super) type ReloadRequest = (Wish, oneshot::Sender<Option<Reloaded>>);

/// Who wants a reload.
enum Asker {
    /// Someone on the admin address.
    Admin(oneshot::Sender<Option<Reloaded>>),
    /// Nobody who waits for an answer: a file changed, or a signal came.
    Nobody(&'static str),
}

/// The signals that are obeyed, from the moment this is made.
pub(super) struct Signals {
    hang_up: Signal,
    reopen: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }
}

/// Runs until a signal says to stop.
pub(super) async fn run(
    reloader: &Reloader,
    admin: &Admin,
    bundle: Bundle,
    mut requests: mpsc::Receiver<ReloadRequest>,
    signals: &mut Signals,
) {
    let Signals { hang_up, reopen, terminate, interrupt, quit } = signals;
    let mut watch = Watch::new(reloader.store.current().config.watch);
    watch.follow(&bundle);
    drop(bundle);
    tokio::task::spawn_local(give_back(reloader.store.clone()));
    let mut health = check_health(reloader);
    loop {
        let (asker, terms) = tokio::select! {
            () = watch.changed() => (Asker::Nobody("(files)"), None),
            _ = hang_up.recv() => (Asker::Nobody("(signal)"), None),
            Some((wish, asker)) = requests.recv() => match wish {
                Wish::Reload(terms) => (Asker::Admin(asker), terms),
                wish => {
                    drop(asker.send(decide(reloader, wish).await));
                    health.abort();
                    health = check_health(reloader);
                    continue;
                }
            },
            () = tokio::time::sleep(JUDGED), if reloader.store.tried().is_some() => {
                let generation = reloader.store.generation();
                reloader.judge(admin).await;
                if reloader.store.generation() != generation {
                    health.abort();
                    health = check_health(reloader);
                }
                continue;
            }
            _ = reopen.recv() => {
                telemetry::logs::reopen();
                continue;
            }
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = quit.recv() => return,
        };
        let before = reloader.store.current().digest.clone();
        let (outcome, bundle) = reloader.reload(terms).await;
        watch.follow(&bundle);
        tokio::task::spawn_local(give_back(reloader.store.clone()));
        if matches!(outcome, Reloaded::Swapped { .. }) {
            health.abort();
            health = check_health(reloader);
        }
        match asker {
            Asker::Admin(asker) => drop(asker.send(Some(outcome))),
            Asker::Nobody(who) => record(admin, who, before, &outcome),
        }
    }
}

/// Does what somebody wants of the policy that is tried.
async fn decide(reloader: &Reloader, wish: Wish) -> Option<Reloaded> {
    const WHY: &str = "it was asked for";
    match wish {
        Wish::Reload(_) => None,
        Wish::Promote(by) => reloader.promote(WHY, &by).await,
        Wish::Abort(by) => {
            let ended = reloader.end_trial(Happening::Aborted, WHY, &by).await;
            ended.then_some(Reloaded::Unchanged)
        }
    }
}

/// Soon, gives back the memory of the policy before and of what was used to build this one, code
/// among it. Most of it is that of threads that ended: one thread does it for them.
async fn give_back(store: Arc<PolicyStore>) {
    tokio::time::sleep(SOON).await;
    let policy = store.current();
    aside(move || {
        policy.matchers.sweep();
        drop(policy);
        heap::give_back();
        image::give_back();
    })
    .await;
    // What this thread used meanwhile.
    heap::give_back();
}

/// What a reload that no request asked for came to is in the audit log too.
fn record(admin: &Admin, who: &str, before: String, outcome: &Reloaded) {
    let outcome = match outcome {
        Reloaded::Unchanged => return,
        Reloaded::Swapped { .. } | Reloaded::Tried { .. } => "done",
        Reloaded::Refused { .. } => "refused",
    };
    let after = admin.store.current().digest.clone();
    admin.audit.by_itself(who, "policy.reload", before.into(), after.into(), outcome);
}

fn check_health(reloader: &Reloader) -> AbortHandle {
    let upstreams: Arc<Upstreams> = reloader.store.current().upstreams.clone();
    tokio::task::spawn_local(watch_health(upstreams)).abort_handle()
}

/// How much longer than the grace workers may take: for what scripts do when a worker ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// Asks every worker to stop and waits for them, up to `grace` or until a second signal says that
/// this is too long.
pub(super) async fn stop(reloader: Reloader, grace: Duration, signals: &mut Signals) {
    let mut threads = Vec::new();
    for worker in reloader.workers {
        drop(worker.commands.send(Command::Stop(grace)));
        threads.push(worker.thread);
    }
    let joined = tokio::task::spawn_blocking(move || {
        for thread in threads {
            drop(thread.join());
        }
    });
    tokio::select! {
        _ = tokio::time::timeout(grace + GOODBYE, joined) => {}
        _ = signals.terminate.recv() => {}
        _ = signals.interrupt.recv() => {}
    }
}
