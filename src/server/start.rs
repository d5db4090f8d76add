//! From the command line to a serving appliance, and to its end.

use std::os::unix::net::UnixListener;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;

use super::admission::Admission;
use super::reload::{Reloader, keep};
use super::worker::{self, Shared, Worker};
use super::{Bound, Options, StartError, admin, control, descriptors, functions, listen};
use crate::admin::{Access, Admin, Audit};
use crate::config::{Config, Overrides};
use crate::diagnostic::{Diagnostic, render};
use crate::memory::heap::{self, Heap};
use crate::policy::{
    self, Built, Bundle, LastGood, Live, Origin, Policy, PolicyStore, Refusal, Status,
};
use crate::shared::{Dictionary, Tables};
use crate::telemetry::{self, DictionaryReading, events};

/// Reload requests of the admin address that may wait.
const RELOADS: usize = 16;

/// Serves until a signal says to stop.
///
/// # Errors
/// If what the operator wrote is at fault and no last good policy was kept, or an address cannot be
/// listened on.
pub fn run(options: Options) -> Result<(), StartError> {
    heap::keep_little();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = LocalSet::new().block_on(&runtime, serve(options));
    // Past the grace nobody is waited for: not a worker that still serves, not a build that runs.
    runtime.shutdown_background();
    result
}

async fn serve(options: Options) -> Result<(), StartError> {
    let started = Instant::now();
    telemetry::log::start();
    let first = First::find_aside(&options)?;
    let config = &first.policy.config;
    let (grace, workers) = (config.grace, config.workers);
    descriptors::raise(&config.limits);
    telemetry::logs::configure(&config.access_log, config.events.as_deref())
        .map_err(StartError::Faults)?;
    let (listeners, mut bound) = open_listeners(config)?;
    let admin_socket = listen::open(config.admin.address)?;
    bound.admin = admin_socket.local_addr()?;
    let audit = Audit::in_folder(config.state_folder());
    telemetry::set_secrets(config.secrets.clone());
    start_collections(&first.policy.tables);
    let store = Arc::new(PolicyStore::new(first.policy.clone(), first.status(started, workers)));
    tell_dictionaries(store.clone());
    let held = store.clone();
    telemetry::set_collections(move || held.current().collections.statistics());
    let folder = options.config_path.as_deref().map(|path| state_folder(path, Some(config)));
    let functions = functions::open(folder.as_deref());
    functions::grant(&functions, store.clone());
    functions::tell_owners();
    tokio::task::spawn_local(super::tend::tend(functions.clone()));
    let (open, is_open) = watch::channel(false);
    let shared = Shared {
        store: store.clone(),
        functions: functions.clone(),
        admission: Arc::new(Admission::default()),
        listeners: Arc::new(listeners),
        paths: Arc::new(open_paths(config)?),
        open: is_open,
    };
    let paths = config.listen_paths.clone();
    let workers = start_workers(workers, shared).await?;
    open.send_replace(true);
    let ready = Arc::new(AtomicBool::new(true));
    tokio::task::spawn_local(functions::expire(functions.clone()));
    let (reloads, requests) = mpsc::channel(RELOADS);
    let admin = Arc::new(Admin {
        functions,
        store: store.clone(),
        ready: ready.clone(),
        access: Access::default(),
        audit,
    });
    admin.access.look(config);
    let admin_socket = tokio::net::TcpListener::from_std(admin_socket)?;
    tokio::task::spawn_local(admin::serve(admin_socket, admin.clone(), reloads));
    let (generation, digest) = (first.policy.generation, first.policy.digest.as_str());
    events::PolicySwapped { generation, digest, took: started.elapsed() }.emit();
    if let Some(Refusal { faults, report, .. }) = &first.refused {
        events::PolicyRefused { faults: *faults, generation, report }.emit();
    }
    let tables = first.policy.tables.clone();
    let reloader = Reloader {
        path: options.config_path,
        overrides: options.overrides,
        store,
        workers,
        last_good: first.last_good,
    };
    if let (Some(last_good), None) = (&reloader.last_good, &first.refused) {
        keep(last_good, &first.bundle);
    }
    heap::take_turns();
    // From here on the store alone says how long it is held.
    drop(first.policy);
    // Before anybody is told that it is ready: a signal would else end it.
    let mut signals = control::Signals::listen()?;
    if let Some(on_ready) = options.on_ready {
        on_ready(&bound);
    }
    control::run(&reloader, &admin, first.bundle, requests, &mut signals).await;
    ready.store(false, Ordering::Relaxed);
    control::stop(reloader, grace, &mut signals).await;
    for path in paths {
        // Whoever comes next may have taken it out already.
        drop(std::fs::remove_file(&*path));
    }
    tables.close();
    telemetry::logs::flush(grace);
    Ok(())
}

/// The policy to begin with.
struct First {
    policy: Arc<Policy>,
    bundle: Bundle,
    last_good: Option<LastGood>,
    /// What is wrong with the files on disk: the policy is the last good one.
    refused: Option<Refusal>,
}

impl First {
    /// The same as [`First::find`], on a thread of its own: what compiling leaves behind goes with it.
    fn find_aside(options: &Options) -> Result<Self, StartError> {
        let (path, overrides) = (options.config_path.clone(), options.overrides.clone());
        let finder = thread::Builder::new().name("aside".to_owned());
        let finder = finder.spawn(move || {
            let _taking = Heap::next().enter();
            Self::find(path.as_deref(), &overrides)
        })?;
        finder.join().unwrap_or_else(|bug| resume_unwind(bug))
    }

    /// What is on disk, or the last good bundle if that is at fault.
    fn find(path: Option<&Path>, overrides: &Overrides) -> Result<Self, StartError> {
        let Built { policy, bundle, diagnostics } =
            policy::build(path, overrides, Origin::Disk, None);
        let given_up = path.and_then(|path| given_up(path, policy.as_ref()?));
        if let (Some(path), Some(fault)) = (path, given_up)
            && let Some(restored) = Self::restore(path, overrides, &[fault])
        {
            return Ok(Self { bundle, ..restored });
        }
        match sound(policy, diagnostics) {
            Ok(policy) => {
                // nginx does not start on a faulty file, and what stands for it does neither.
                let kept = path.filter(|_| !overrides.nginx);
                let last_good = kept.map(|path| last_good(path, Some(&policy.config)));
                Ok(Self { policy, bundle, last_good, refused: None })
            }
            Err(faults) => match path
                .filter(|_| !overrides.nginx)
                .and_then(|path| Self::restore(path, overrides, &faults))
            {
                // The files on disk are watched: they are to be mended.
                Some(restored) => Ok(Self { bundle, ..restored }),
                None => Err(StartError::Faults(faults)),
            },
        }
    }

    fn restore(path: &Path, overrides: &Overrides, faults: &[Diagnostic]) -> Option<Self> {
        let last_good = last_good(path, None);
        let bundle = last_good.restore().ok()?;
        let built = policy::build(Some(path), overrides, Origin::Kept(&bundle), None);
        let policy = sound(built.policy, built.diagnostics).ok()?;
        let report = format!(
            "{}`{}` is at fault; the last good policy serves in its place\n",
            render(faults),
            path.display(),
        );
        let faults = faults.iter().filter(|fault| fault.is_error()).count();
        let refused = Some(Refusal { at: SystemTime::now(), faults, report });
        Some(Self { policy, bundle, last_good: Some(last_good), refused })
    }

    fn status(&self, started: Instant, workers: usize) -> Status {
        Status {
            since: SystemTime::now(),
            took: started.elapsed(),
            workers,
            swaps: 0,
            restored: self.refused.is_some(),
            refused: self.refused.clone(),
            history: Vec::new(),
        }
    }
}

/// A policy that builds and initialises; its warnings are said.
fn sound(
    policy: Option<Policy>,
    mut diagnostics: Vec<Diagnostic>,
) -> Result<Arc<Policy>, Vec<Diagnostic>> {
    let Some(policy) = policy.map(Arc::new) else { return Err(diagnostics) };
    if let Err(faults) = Live::rehearse(&policy) {
        diagnostics.extend(faults);
        return Err(diagnostics);
    }
    if !diagnostics.is_empty() {
        events::Trouble { what: &render(&diagnostics), next: "these are warnings" }.emit();
    }
    Ok(policy)
}

/// Where the last good bundle is kept: in `state_dir`, else beside the settings. Where the settings
/// cannot be read, their line `state_dir:` is looked for as text.
fn last_good(path: &Path, config: Option<&Config>) -> LastGood {
    LastGood::in_folder(&state_folder(path, config))
}

/// What is wrong with files that were tried and given up.
fn given_up(path: &Path, policy: &Policy) -> Option<Diagnostic> {
    let given_up = last_good(path, Some(&policy.config)).is_given_up(&policy.digest);
    let help = "change the files, or try them again with `moongate reload --canary 5`";
    let what = "these files were tried for some clients, and given up";
    given_up.then(|| Diagnostic::error("policy::given-up", what).help(help))
}

fn state_folder(path: &Path, config: Option<&Config>) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let named = match config {
        Some(config) => config.state_dir.clone(),
        None => named_state_dir(path).map(|named| folder.join(named)),
    };
    named.unwrap_or_else(|| folder.join(".moongate"))
}

fn named_state_dir(path: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("state_dir:"))?;
    let value = line.split('#').next()?.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.into())
}

/// Collections are loaded before anybody asks for one. That they cannot be kept is no reason not to
/// serve; that rules and scripts then find none has to be said.
fn start_collections(tables: &Arc<Tables>) {
    let next = "look at `collections.db` in the state folder, and restart";
    let tell = Box::new(move |what: &str| events::Trouble { what, next }.emit());
    if let Err(error) = tables.start(tell) {
        let what = format!(
            "the collections on disk cannot be read: {error}; none is there, and what is declared \
             now lives in memory alone"
        );
        events::Trouble { what: &what, next }.emit();
    }
    let held = tables.clone();
    telemetry::set_tables(move || held.statistics());
}

/// Metrics of dictionaries are those of the policy in force.
fn tell_dictionaries(store: Arc<PolicyStore>) {
    let reading = |(name, dictionary): (&str, &Arc<Dictionary>)| DictionaryReading {
        name: name.to_owned(),
        bytes: dictionary.bytes_used() as u64,
        capacity: dictionary.capacity() as u64,
        entries: dictionary.entries() as u64,
        evictions: dictionary.evictions(),
    };
    telemetry::set_dictionaries(move || store.current().dictionaries.iter().map(reading).collect());
}

type Listening = Vec<(crate::config::Listener, std::net::TcpListener)>;

fn open_listeners(config: &Config) -> Result<(Listening, Bound), StartError> {
    let mut listeners = Vec::with_capacity(config.listen.len());
    let mut addresses = Vec::with_capacity(config.listen.len());
    for listener in &config.listen {
        let socket = listen::open(listener.address)?;
        addresses.push(socket.local_addr()?);
        listeners.push((listener.clone(), socket));
    }
    Ok((listeners, Bound { listeners: addresses, admin: config.admin.address }))
}

fn open_paths(config: &Config) -> Result<Vec<(Arc<str>, UnixListener)>, StartError> {
    let open = |path: &Arc<str>| listen::open_path(path).map(|listener| (path.clone(), listener));
    config.listen_paths.iter().map(open).collect()
}

/// The listening sockets are then the workers' alone: they close when these stop accepting.
async fn start_workers(count: usize, shared: Shared) -> Result<Vec<Worker>, StartError> {
    let mut workers = Vec::with_capacity(count);
    for index in 0..count {
        let (ready, started) = oneshot::channel();
        workers.push(worker::start(index, shared.clone(), ready)?);
        let gone = || vec![Diagnostic::error("server::worker", "a worker ended as it started")];
        started.await.unwrap_or_else(|_| Err(gone())).map_err(StartError::Faults)?;
    }
    Ok(workers)
}
