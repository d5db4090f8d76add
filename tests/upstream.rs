//! Connections to real servers: kept, dropped, refused, and checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use moongate::config::{self, Address, Balance, HealthCheck, Retries, Timeouts};
use moongate::upstream::{
    Asked, Connection, Group, Lease, Pool, UpstreamError, Upstreams, watch_health,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SHORT: Duration = Duration::from_millis(50);

/// What a server does after a response.
#[derive(Clone, Copy)]
enum Then {
    Close,
    Send(&'static str),
    Wait,
}

/// A server on a port of its own that gives one response to every request.
struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    open: AtomicUsize,
}

impl Server {
    async fn start(response: &'static str, then: Then) -> Self {
        Self::answer(move || response, then).await
    }

    async fn answer(
        response: impl Fn() -> &'static str + Clone + Send + 'static,
        then: Then,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = Arc::clone(&server.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, response) = (Arc::clone(&seen), response.clone());
                seen.connections.fetch_add(1, SeqCst);
                seen.open.fetch_add(1, SeqCst);
                tokio::spawn(async move {
                    serve(stream, &seen, response, then).await;
                    seen.open.fetch_sub(1, SeqCst);
                });
            }
        });
        server
    }

    fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Seen,
    response: impl Fn() -> &'static str,
    then: Then,
) {
    let mut head = Vec::new();
    while stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        seen.requests.fetch_add(1, SeqCst);
        stream.write_all(response().as_bytes()).await.unwrap();
        match then {
            Then::Close => return,
            Then::Send(more) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                stream.write_all(more.as_bytes()).await.unwrap();
            }
            Then::Wait => {}
        }
    }
}

fn upstream(address: impl Into<Where>) -> config::Upstream {
    let Where(address) = address.into();
    config::Upstream {
        name: "app".to_owned(),
        peers: vec![config::Peer { address, weight: 1 }],
        balance: Balance::RoundRobin,
        timeouts: Timeouts::default(),
        retries: Retries { tries: 1 },
        health: HealthCheck::default(),
        keepalive: 8,
        keepalive_time: Duration::from_secs(60),
        host: None,
        tls: None,
        retry_on: Vec::new(),
        balancing: None,
    }
}

struct Where(Address);

impl From<&Server> for Where {
    fn from(server: &Server) -> Self {
        Self(Address::Socket(server.address))
    }
}

impl From<SocketAddr> for Where {
    fn from(address: SocketAddr) -> Self {
        Self(Address::Socket(address))
    }
}

impl From<(&str, u16)> for Where {
    fn from((host, port): (&str, u16)) -> Self {
        Self(Address::Name(host.to_owned(), port))
    }
}

fn lease(config: config::Upstream) -> Lease {
    Upstreams::new(&[config], None).get(0).unwrap().pick(None, &[]).unwrap()
}

/// A request and its whole response on a connection from the pool.
async fn exchange(pool: &Pool, lease: &Lease) -> Connection {
    let mut connection = asked(pool, lease).await;
    connection.hear(Asked::Anything).await.unwrap();
    while connection.body().await.unwrap().is_some() {}
    connection
}

async fn asked(pool: &Pool, lease: &Lease) -> Connection {
    let mut connection = pool.connect(lease).await.unwrap();
    connection.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n", b"").await.unwrap();
    connection
}

/// Whether the connection of a second exchange is the first one's.
async fn is_reused(server: &Server, config: config::Upstream, between: Duration) -> bool {
    let (pool, lease) = (Pool::new(), lease(config));
    let first = exchange(&pool, &lease).await;
    assert!(!first.reused);
    pool.release(first).await;
    tokio::time::sleep(between).await;
    let second = exchange(&pool, &lease).await;
    assert_eq!(server.connections(), if second.reused { 1 } else { 2 });
    second.reused
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = Server::start(OK, Then::Wait).await;
    let (pool, lease) = (Pool::new(), lease(upstream(&server)));
    for n in 0..5 {
        let connection = exchange(&pool, &lease).await;
        assert_eq!(connection.reused, n > 0);
        assert_eq!(connection.address, server.address);
        pool.release(connection).await;
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_it_was_idle_is_not_used() {
    let server = Server::start(OK, Then::Close).await;
    assert!(!is_reused(&server, upstream(&server), SHORT).await);
}

#[tokio::test]
async fn a_connection_on_which_came_what_nobody_asked_for_is_not_used() {
    let server = Server::start(OK, Then::Send(OK)).await;
    assert!(!is_reused(&server, upstream(&server), SHORT).await);
}

#[tokio::test]
async fn a_connection_that_either_side_closes_is_not_kept() {
    for response in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nKeep-Alive: max=9, timeout=0\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let server = Server::start(response, Then::Wait).await;
        assert!(!is_reused(&server, upstream(&server), Duration::ZERO).await, "{response}");
    }
}

#[tokio::test]
async fn a_response_with_more_bytes_than_it_said_spoils_its_connection() {
    const LONGER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n";
    let server = Server::start(LONGER, Then::Wait).await;
    assert!(!is_reused(&server, upstream(&server), SHORT).await);
}

#[tokio::test]
async fn a_connection_whose_response_was_not_read_to_its_end_is_not_kept() {
    let server = Server::start(OK, Then::Wait).await;
    let (pool, lease) = (Pool::new(), lease(upstream(&server)));
    let mut connection = asked(&pool, &lease).await;
    connection.hear(Asked::Anything).await.unwrap();
    pool.release(connection).await;
    assert!(!pool.connect(&lease).await.unwrap().reused);
    pool.release(asked(&pool, &lease).await).await;
    assert!(!pool.connect(&lease).await.unwrap().reused);
}

#[tokio::test]
async fn an_idle_connection_is_not_used_past_its_time() {
    let server = Server::start(OK, Then::Wait).await;
    let config = config::Upstream { keepalive_time: SHORT, ..upstream(&server) };
    assert!(!is_reused(&server, config, SHORT * 2).await);
}

#[tokio::test]
async fn no_more_connections_are_kept_than_the_upstream_says() {
    for (keepalive, expected) in [(0, 0), (1, 1), (2, 2), (8, 3)] {
        let server = Server::start(OK, Then::Wait).await;
        let (pool, lease) =
            (Pool::new(), lease(config::Upstream { keepalive, ..upstream(&server) }));
        let mut busy = Vec::new();
        for _ in 0..3 {
            busy.push(exchange(&pool, &lease).await);
        }
        for connection in busy.drain(..) {
            pool.release(connection).await;
        }
        for _ in 0..3 {
            busy.push(pool.connect(&lease).await.unwrap());
        }
        assert_eq!(busy.iter().filter(|connection| connection.reused).count(), expected);
    }
}

#[tokio::test]
async fn a_fresh_connection_is_never_an_idle_one() {
    let server = Server::start(OK, Then::Wait).await;
    let (pool, lease) = (Pool::new(), lease(upstream(&server)));
    let connection = exchange(&pool, &lease).await;
    pool.release(connection).await;
    assert!(!pool.connect_fresh(&lease).await.unwrap().reused);
    assert!(pool.connect(&lease).await.unwrap().reused);
}

#[tokio::test]
async fn a_sweep_closes_what_is_too_old_and_nothing_else() {
    let server = Server::start(OK, Then::Wait).await;
    let pool = Pool::new();
    let long = lease(upstream(&server));
    let short = lease(config::Upstream { keepalive_time: SHORT, ..upstream(&server) });
    let (old, young) = (exchange(&pool, &short).await, exchange(&pool, &long).await);
    pool.release(old).await;
    pool.release(young).await;
    tokio::time::sleep(SHORT * 2).await;
    pool.sweep();
    eventually("the old one is closed", || server.seen.open.load(SeqCst) == 1).await;
    assert!(pool.connect(&long).await.unwrap().reused);
}

#[tokio::test]
async fn a_refused_connection_is_an_error_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failed = Pool::new().connect(&lease(upstream(address))).await.err().unwrap();
    assert_eq!(failed.outcome(), "connect_error");
    assert_eq!(failed.to_string(), format!("upstream `app`: no connection to {address}"));
}

#[tokio::test]
async fn a_connection_that_is_not_accepted_is_waited_for_no_longer_than_allowed() {
    let (_listener, _queue, address) = deaf();
    let timeouts = Timeouts { connect: SHORT * 2, ..Timeouts::default() };
    let started = Instant::now();
    let lease = lease(config::Upstream { timeouts, ..upstream(address) });
    let failed = Pool::new().connect(&lease).await.err().unwrap();
    assert_eq!(failed.outcome(), "timeout");
    assert_eq!(failed.to_string(), "upstream `app` did not accept a connection within 100ms");
    assert!((SHORT..Duration::from_secs(5)).contains(&started.elapsed()));
}

/// A listener whose queue is full, so that the kernel drops who knocks.
fn deaf() -> (socket2::Socket, Vec<socket2::Socket>, SocketAddr) {
    let socket = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let listener = socket().unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let knock = |_| {
        let client = socket().unwrap();
        client.set_nonblocking(true).unwrap();
        // In progress is no success, but a place in the queue.
        let _ = client.connect(&address);
        client
    };
    (listener, (0..4).map(knock).collect(), address.as_socket().unwrap())
}

#[tokio::test]
async fn a_name_leads_to_whichever_of_its_addresses_answers() {
    let server = Server::start(OK, Then::Wait).await;
    let (pool, lease) = (Pool::new(), lease(upstream(("localhost", server.address.port()))));
    let connection = exchange(&pool, &lease).await;
    assert_eq!(connection.address, server.address);
    pool.release(connection).await;
    assert!(pool.connect(&lease).await.unwrap().reused);
}

#[tokio::test]
async fn a_name_that_is_none_is_an_error_that_tells_it() {
    let failed = Pool::new().connect(&lease(upstream(("no\0name", 80)))).await.err().unwrap();
    assert!(matches!(failed, UpstreamError::Resolve { .. }), "{failed}");
    assert_eq!(failed.to_string(), "upstream `app`: no address found for `no\0name:80`");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_past_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let timeouts = Timeouts { read: SHORT, ..Timeouts::default() };
    let config = config::Upstream { timeouts, ..upstream(listener.local_addr().unwrap()) };
    let mut connection = asked(&Pool::new(), &lease(config)).await;
    let read = connection.hear(Asked::Anything);
    let failed = tokio::time::timeout(SHORT * 100, read).await.expect("ends").unwrap_err();
    let failed = connection.error(failed);
    assert_eq!(failed.to_string(), "upstream `app` did not answer within 50ms");
}

#[tokio::test]
async fn a_computed_address_is_connected_to_and_its_connection_used_again() {
    let server = Server::start(OK, Then::Wait).await;
    let pool = Pool::new();
    for reused in [false, true] {
        let lease = Group::computed(Address::Socket(server.address)).pick(None, &[]).unwrap();
        let connection = exchange(&pool, &lease).await;
        assert_eq!(connection.reused, reused);
        pool.release(connection).await;
    }
}

/// An upstream whose peer is asked every 5 ms.
fn checked(address: impl Into<Where>) -> Arc<Upstreams> {
    let health = HealthCheck {
        path: Some("/healthz".to_owned()),
        interval: Duration::from_millis(5),
        timeout: SHORT * 5,
        ..HealthCheck::default()
    };
    Arc::new(Upstreams::new(&[config::Upstream { health, ..upstream(address) }], None))
}

#[tokio::test]
async fn a_peer_that_turns_bad_is_out_and_back_when_it_is_good_again() {
    let good = Arc::new(AtomicBool::new(true));
    let word = Arc::clone(&good);
    let bad = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let server = Server::answer(move || if word.load(SeqCst) { OK } else { bad }, Then::Wait).await;
    let upstreams = checked(&server);
    let watch = tokio::spawn(watch_health(Arc::clone(&upstreams)));
    eventually("asked", || server.seen.requests.load(SeqCst) > 3).await;
    assert!(upstreams.status()[0].healthy);
    good.store(false, SeqCst);
    eventually("out", || !upstreams.status()[0].healthy).await;
    good.store(true, SeqCst);
    eventually("back", || upstreams.status()[0].healthy).await;
    watch.abort();
}

#[tokio::test]
async fn a_peer_that_refuses_or_says_nothing_is_out() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let chatty = Server::start("hello, is it me you are looking for?\n", Then::Wait).await;
    for address in [nobody, silent.local_addr().unwrap(), chatty.address] {
        let upstreams = checked(address);
        let watch = tokio::spawn(watch_health(Arc::clone(&upstreams)));
        eventually("out", || !upstreams.status()[0].healthy).await;
        watch.abort();
    }
}

#[tokio::test]
async fn checks_end_when_they_are_dropped() {
    let server = Server::start(OK, Then::Wait).await;
    let watch = tokio::spawn(watch_health(checked(&server)));
    eventually("asked", || server.seen.requests.load(SeqCst) > 0).await;
    watch.abort();
    assert!(watch.await.unwrap_err().is_cancelled());
    tokio::time::sleep(SHORT).await;
    let asked = server.seen.requests.load(SeqCst);
    tokio::time::sleep(SHORT).await;
    assert_eq!(server.seen.requests.load(SeqCst), asked);
}
