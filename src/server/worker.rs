//! A worker: one thread, one runtime, its own Lua states; it accepts connections and serves them to
//! their end.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::admission::Admission;
use super::guard::{self, Head};
use super::handshake::{self, Shaken};
use super::proxy_protocol;
use crate::config::Listener;
use crate::diagnostic::Diagnostic;
use crate::functions::{FunctionStore, Holder};
use crate::policy::{Live, Policy, PolicyStore};
use crate::proxy::head::refusal;
use crate::proxy::{self, Arrived, ClientStream, Site, is_trusted};
use crate::script::{self, Above};
use crate::shared::{Socket, rounds, tick, workers};
use crate::transaction::Client;

/// Bytes of stack: scripts recurse, and a stack that overflows ends the process.
const STACK: usize = 8 << 20;
/// Polls between two looks at sockets and timers at the most, where something is ready all the time: an
/// answer that leaves with others takes two.
const EVENT_INTERVAL: u32 = 61;
/// How often idle upstream connections are looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// How long to wait before accepting again when the process is out of file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// What the control thread asks of a worker.
pub(super) enum Command {
    /// Prepare this policy, and say whether that went well.
    Prepare(Arc<Policy>, oneshot::Sender<Result<(), Vec<Diagnostic>>>),
    /// Forget what is not in force, and say so.
    Settle(oneshot::Sender<()>),
    /// Stop accepting; end when the last exchange did, and timers and `exit_worker` after it, or
    /// after so long.
    Stop(Duration),
}

/// What all workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) store: Arc<PolicyStore>,
    pub(super) functions: Arc<FunctionStore>,
    pub(super) admission: Arc<Admission>,
    pub(super) listeners: Arc<Vec<(Listener, TcpListener)>>,
    pub(super) paths: Arc<Vec<(Arc<str>, UnixListener)>>,
    /// Whether all workers are ready: nobody is served before.
    pub(super) open: watch::Receiver<bool>,
}

/// A running worker, as the control thread knows it.
pub(super) struct Worker {
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) thread: std::thread::JoinHandle<()>,
}

/// Starts a worker; it serves once it answers the `ready` channel with success.
pub(super) fn start(
    index: usize,
    shared: Shared,
    ready: oneshot::Sender<Result<(), Vec<Diagnostic>>>,
) -> std::io::Result<Worker> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let thread = std::thread::Builder::new()
        .name(format!("worker-{index}"))
        .stack_size(STACK)
        .spawn(move || match runtime() {
            Ok(runtime) => runtime.block_on(run(index, shared, ready, inbox)),
            Err(error) => drop(ready.send(Err(vec![fault(&error)]))),
        })?;
    Ok(Worker { commands, thread })
}

/// The runtime of the calling thread, which has it to its end. Its tasks are its own: where a set of
/// local tasks runs in a runtime, each that is woken wakes the set, and the set the runtime.
fn runtime() -> io::Result<LocalRuntime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().event_interval(EVENT_INTERVAL).on_thread_park(rounds::end);
    builder.on_thread_unpark(|| {
        rounds::begin();
        script::polled();
    });
    builder.build_local(LocalOptions::default())
}

fn fault(error: &io::Error) -> Diagnostic {
    Diagnostic::error("server::listen", error.to_string())
}

/// One worker's own.
struct Local {
    site: Rc<Site>,
    admission: Arc<Admission>,
    connections: Cell<u64>,
    index: usize,
    open: Cell<usize>,
    stopping: Cell<bool>,
    stop: Notify,
}

async fn run(
    index: usize,
    shared: Shared,
    ready: oneshot::Sender<Result<(), Vec<Diagnostic>>>,
    inbox: mpsc::UnboundedReceiver<Command>,
) {
    workers::enroll(index);
    let policy = shared.store.current();
    script::limit_owners(&policy.config.owners);
    let live = match Live::prepare(&policy, index, None) {
        Ok(live) => live,
        Err(faults) => return drop(ready.send(Err(faults))),
    };
    let workers = live.policy.config.workers;
    let holder = Holder::new(shared.functions.clone(), index, workers);
    let local = Rc::new(Local {
        site: Rc::new(Site::new(shared.store.clone(), live, holder)),
        admission: shared.admission.clone(),
        connections: Cell::new(0),
        index,
        open: Cell::new(0),
        stopping: Cell::new(false),
        stop: Notify::new(),
    });
    let doors = match Doors::of(&shared) {
        Ok(doors) => doors,
        Err(error) => return drop(ready.send(Err(vec![fault(&error)]))),
    };
    let mut open = shared.open.clone();
    drop(shared);
    tokio::task::spawn_local(tick());
    tokio::task::spawn_local(sweep(local.clone()));
    if ready.send(Ok(())).is_err() || open.wait_for(|open| *open).await.is_err() {
        return;
    }
    doors.open(&local);
    obey(&local, inbox).await;
}

/// A worker's own handles of the sockets on which all of them listen.
struct Doors {
    far: Vec<(Listener, tokio::net::TcpListener)>,
    near: Vec<(Arc<str>, tokio::net::UnixListener)>,
}

impl Doors {
    fn of(shared: &Shared) -> io::Result<Self> {
        let far = shared.listeners.iter().map(|(listener, socket)| {
            let socket = tokio::net::TcpListener::from_std(socket.try_clone()?)?;
            Ok((listener.clone(), socket))
        });
        let near = shared.paths.iter().map(|(path, socket)| {
            let socket = tokio::net::UnixListener::from_std(socket.try_clone()?)?;
            Ok((path.clone(), socket))
        });
        Ok(Self { far: far.collect::<io::Result<_>>()?, near: near.collect::<io::Result<_>>()? })
    }

    /// From now on clients are let in.
    fn open(self, local: &Rc<Local>) {
        for (listener, socket) in self.far {
            tokio::task::spawn_local(accept(local.clone(), listener, socket));
        }
        for (path, socket) in self.near {
            tokio::task::spawn_local(accept_near(local.clone(), path, socket));
        }
    }
}

async fn sweep(local: Rc<Local>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        local.site.pool.sweep();
        local.site.functions.sweep(Instant::now());
        script::tell_floods();
    }
}

/// Does what the control thread asks, until it asks to stop.
async fn obey(local: &Rc<Local>, mut inbox: mpsc::UnboundedReceiver<Command>) {
    while let Some(command) = inbox.recv().await {
        match command {
            Command::Prepare(policy, answer) => {
                let current = local.site.current();
                let prepared = Live::prepare(&policy, local.index, Some(&current));
                drop(answer.send(prepared.map(|live| local.site.prepare(live))));
            }
            Command::Settle(answer) => {
                local.site.settle();
                script::limit_owners(&local.site.current().policy.config.owners);
                let _ = answer.send(());
            }
            Command::Stop(grace) => return stop(local, grace).await,
        }
    }
    stop(local, Duration::MAX).await;
}

/// Serves to their end those that are here, and then lets the scripts say good-bye.
async fn stop(local: &Local, grace: Duration) {
    let began = Instant::now();
    local.stopping.set(true);
    local.stop.notify_waiters();
    let idle = async {
        while local.open.get() > 0 {
            local.stop.notified().await;
        }
    };
    let _ = tokio::time::timeout(grace, idle).await;
    local.site.current().end(grace.saturating_sub(began.elapsed())).await;
}

async fn accept(local: Rc<Local>, listener: Listener, socket: tokio::net::TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = local.stop.notified() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                tokio::task::spawn_local(admit(local.clone(), listener.clone(), stream, address));
            }
            // Out of descriptors or memory: others may end meanwhile.
            Err(_) => tokio::time::sleep(EXHAUSTED).await,
        }
    }
}

/// Accepts what comes by a Unix socket.
async fn accept_near(local: Rc<Local>, path: Arc<str>, socket: tokio::net::UnixListener) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = local.stop.notified() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::task::spawn_local(admit_near(local.clone(), path.clone(), stream));
            }
            Err(_) => tokio::time::sleep(EXHAUSTED).await,
        }
    }
}

/// From an accepted Unix socket to its last request. Who is behind it nobody knows, so that none is
/// refused for having many connections.
async fn admit_near(local: Rc<Local>, path: Arc<str>, stream: UnixStream) {
    let policy = local.site.current().policy.clone();
    let limits = &policy.config.limits;
    let near = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let Some(admitted) = local.admission.admit(near.ip(), limits) else { return };
    let Some(_admitted) = admitted.of_client(None, limits) else { return };
    drop(policy);
    local.connections.set(local.connections.get() + 1);
    let client = Client {
        address: near.ip(),
        port: 0,
        socket: near,
        server: near,
        listener: near,
        connection: local.connections.get(),
        connection_requests: 0,
        tls: None,
        path: Some(path),
    };
    begin(&local, stream.into(), client).await;
}

/// From an accepted socket to its last request.
async fn admit(local: Rc<Local>, listener: Listener, mut stream: TcpStream, socket: SocketAddr) {
    let policy = local.site.current().policy.clone();
    let limits = &policy.config.limits;
    let Some(admitted) = local.admission.admit(socket.ip().to_canonical(), limits) else { return };
    let _ = stream.set_nodelay(true);
    let mut source = socket;
    if listener.proxy_protocol {
        if let Ok(said) = proxy_protocol::read(&mut stream, limits.head_time).await {
            source = said.unwrap_or(socket);
        } else {
            let mut stream = ClientStream::new(stream);
            return guard::refuse(&mut stream, socket, refusal::NO_PROXY_HEADER).await;
        }
    }
    let address = source.ip().to_canonical();
    let client = (!is_trusted(&policy.config.trusted_proxies, address)).then_some(address);
    let Some(_admitted) = admitted.of_client(client, limits) else { return };
    let Ok(server) = stream.local_addr() else { return };
    drop(policy);
    local.connections.set(local.connections.get() + 1);
    let client = Client {
        address,
        port: source.port(),
        socket: source,
        server,
        listener: listener.address,
        connection: local.connections.get(),
        connection_requests: 0,
        tls: None,
        path: None,
    };
    begin(&local, stream.into(), client).await;
}

/// Shakes hands, where TLS is spoken, and serves.
async fn begin(local: &Local, socket: Socket, mut client: Client) {
    let _open = Open::count(local);
    let live = local.site.current();
    let Some(terms) = live.policy.handshakes.at(&client).cloned() else {
        drop(live);
        return serve(local, ClientStream::new(socket), client, None).await;
    };
    let limits = live.policy.config.limits.clone();
    drop(live);
    // On the heap: a plain connection's task is none the larger for it.
    let shaking = handshake::shake(&local.site, socket, &client, terms, &limits);
    let notified = pin!(local.stop.notified());
    let mut stop = Stop::new(notified);
    let shaken = unless_stopped(local, &mut stop, Box::pin(shaking).as_mut()).await.flatten();
    let Some(Shaken { stream, secured, above }) = shaken else { return };
    client.tls = Some(secured);
    serve(local, stream, client, above).await;
}

/// A connection that the worker waits for when it stops; also one whose exchange panicked.
struct Open<'a>(&'a Local);

impl<'a> Open<'a> {
    fn count(local: &'a Local) -> Self {
        local.open.set(local.open.get() + 1);
        Self(local)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.stopping.get() {
            self.0.stop.notify_waiters();
        }
    }
}

/// Request after request, until the client or a limit ends it.
async fn serve(local: &Local, stream: ClientStream, mut client: Client, above: Option<Above>) {
    let mut stream = Box::new(stream);
    let notified = pin!(local.stop.notified());
    let mut stop = Stop::new(notified);
    loop {
        // Copied, for a connection that waits must not keep a policy from being forgotten.
        let limits = local.site.current().policy.config.limits.clone();
        let next = {
            let next = pin!(guard::next(&mut stream, client.socket, &limits));
            unless_stopped(local, &mut stop, next).await
        };
        let Some(Head::Passed(request, started)) = next else { return };
        client.connection_requests += 1;
        let last = local.stopping.get()
            || client.connection_requests >= u64::from(limits.requests_per_connection);
        stream.begin(limits.write_time);
        let (client, above) = (&client, above.clone());
        let arrived = Arrived { stream, client, request, started, last, above };
        match proxy::serve(&local.site, arrived).await {
            Some(next) => stream = next,
            None => return,
        }
    }
}

/// The end of the worker, as a connection's task waits for it: the same for all its requests.
struct Stop<'a, 'b> {
    notified: Pin<&'a mut Notified<'b>>,
    /// Whether the task is woken then: to be told so once is enough, for it stays the same task.
    wakes: bool,
}

impl<'a, 'b> Stop<'a, 'b> {
    fn new(notified: Pin<&'a mut Notified<'b>>) -> Self {
        Self { notified, wakes: false }
    }
}

/// Waits for the next request; none when the worker stops.
async fn unless_stopped<T>(
    local: &Local,
    stop: &mut Stop<'_, '_>,
    mut next: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    poll_fn(|context| {
        if let Poll::Ready(next) = next.as_mut().poll(context) {
            return Poll::Ready(Some(next));
        }
        let is_told = std::mem::replace(&mut stop.wakes, true);
        let mut stops = || stop.notified.as_mut().poll(context).is_ready();
        if local.stopping.get() || (!is_told && stops()) {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}
