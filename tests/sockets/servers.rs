//! Real servers, which the tests start on ports of their own: Redis, memcached and MariaDB from Debian's
//! packages, with the clients that Debian has for nginx, unmodified.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moongate::script::{DomainSpec, State};
use tempfile::TempDir;

use super::{domain, on_a_worker, run};

/// A server that ends with its test.
struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a program that listens on `port`, and waits until it does.
fn start(command: &mut Command, port: u16, folder: TempDir) -> Server {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn();
    let child = child.unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    let server = Server { child, port, folder };
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "{program} does not listen on {port}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    server
}

/// A state in which `require` finds these files.
fn with(files: &[(&str, &str)]) -> Rc<State> {
    let mut spec = DomainSpec { workers: 1, ..domain(files) };
    spec.network.allow = vec!["127.0.0.1:*".to_owned(), "unix:/tmp/*".to_owned()];
    State::new(Arc::new(spec), 0).expect("the API fits into its memory")
}

/// A library of Debian's for nginx.
fn library(name: &str) -> String {
    let path = format!("/usr/share/lua/5.1/nginx/{name}.lua");
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{path}: {error}; tests/run installs it"))
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("moongate").tempdir_in("/tmp").unwrap()
}

fn redis() -> Server {
    let (port, folder) = (free_port(), folder());
    let mut command = Command::new("redis-server");
    command.args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.arg("--unixsocket").arg(folder.path().join("redis.sock"));
    command.arg("--dir").arg(folder.path());
    start(&mut command, port, folder)
}

#[test]
fn redis_is_talked_to_by_its_library() {
    let server = redis();
    let (port, path) = (server.port, server.folder.path().join("redis.sock"));
    let library = library("redis");
    on_a_worker(move || async move {
        let script = format!(
            "local redis = require('resty.redis')
             local r = redis:new() r:set_timeout(5000) same(r:connect('127.0.0.1', {port}), 1)
             same(r:set('dog', 'an animal'), 'OK') same(r:get('dog'), 'an animal') same(r:get('cat'), ngx.null)
             r:init_pipeline() r:set('n', 1) r:incr('n') r:get('n')
             local all = r:commit_pipeline() same(all[3], '2')
             r:hmset('h', {{x = 1, y = 2}}) same(#r:hgetall('h'), 4)
             same(r:eval([[return {{1, {{2, 'x'}}}}]], 0)[2][2], 'x')
             local bytes = string.rep('\\r\\n\\0', 100000) r:set('b', bytes) same(r:get('b') == bytes, true)
             local ok, err = r:incr('dog') same(ok, false) same(err, 'ERR value is not an integer or out of range')
             same(r:set_keepalive(10000, 5), 1)
             r = redis:new() r:connect('127.0.0.1', {port}) same(r:get_reused_times(), 1)
             local other = redis:new() same(other:connect('unix:{}'), 1)
             other:subscribe('news') same(r:publish('news', 'it works'), 1) same(other:read_reply()[3], 'it works')
             other:set_timeout(20) ok, err = other:read_reply() same(ok, nil) same(err, 'timeout')",
            path.display()
        );
        run(&with(&[("lua/resty/redis.lua", &library)]), &script).await;
    });
}

#[test]
fn memcached_is_talked_to_by_its_library() {
    let port = free_port();
    let mut command = Command::new("memcached");
    command.args(["-u", "nobody", "-l", "127.0.0.1", "-p", &port.to_string()]);
    let _server = start(&mut command, port, folder());
    let library = library("memcached");
    on_a_worker(move || async move {
        let script = format!(
            "local m = require('resty.memcached'):new() m:set_timeout(5000)
             same(m:connect('127.0.0.1', {port}), 1) same(m:flush_all(), 1)
             same(m:set('dog', 32), 1) same(m:get('dog'), '32') same(m:incr('dog', 2), '34')
             same(m:set('text', 'two\\r\\nlines'), 1) same(m:get('text'), 'two\\r\\nlines')
             local none, _, err = m:get('cat') same(none, nil) same(err, nil)
             local ok, why = m:add('dog', 1) same(ok, nil) same(why, 'NOT_STORED')
             same(m:delete('dog'), 1) same(m:set_keepalive(1000, 2), 1)
             m:connect('127.0.0.1', {port}) same(m:get_reused_times(), 1)"
        );
        run(&with(&[("lua/resty/memcached.lua", &library)]), &script).await;
    });
}

fn mariadb() -> Server {
    let (port, folder) = (free_port(), folder());
    let data = folder.path().join("data");
    let socket = folder.path().join("sock");
    let installed = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(format!("--datadir={}", data.display()))
        .args(own_user())
        .output()
        .expect("tests/run installs mariadb-server");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stdout));
    let first = data.join("first.sql");
    fs::write(
        &first,
        "CREATE USER tester@localhost IDENTIFIED BY 'secret';\nCREATE DATABASE shop;\nGRANT ALL ON shop.* TO tester@localhost;\n",
    )
    .unwrap();
    let mut command = Command::new(program("mariadbd"));
    command.args(["--no-defaults", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=8M"]);
    command.arg(format!("--datadir={}", data.display()));
    command.arg(format!("--socket={}", socket.display()));
    command.arg(format!("--init-file={}", first.display()));
    command.arg(format!("--port={port}")).args(own_user());
    start(&mut command, port, folder)
}

/// Debian keeps servers where not everybody's PATH leads.
fn program(name: &str) -> String {
    let path = format!("/usr/sbin/{name}");
    if Path::new(&path).exists() { path } else { name.to_owned() }
}

/// MariaDB runs as root only where it is told to.
fn own_user() -> Option<&'static str> {
    nix::unistd::geteuid().is_root().then_some("--user=root")
}

#[test]
fn mariadb_is_talked_to_over_a_socket() {
    let server = mariadb();
    let port = server.port;
    on_a_worker(move || async move {
        let client = include_str!("mysql.lua");
        let script = format!(
            "local mysql = require('mysql') local db = mysql.connect({port}, 'tester', 'secret')
             assert(mysql.query(db, 'CREATE TABLE shop.cats (id INT, name VARCHAR(20))'))
             assert(mysql.query(db, \"INSERT INTO shop.cats VALUES (1, 'Bob'), (2, NULL)\"))
             local rows = assert(mysql.query(db, 'SELECT * FROM shop.cats ORDER BY id'))
             same(#rows, 2) same(rows[1][2], 'Bob') same(rows[2][1], '2') same(rows[2][2], false)
             local long = assert(mysql.query(db, \"SELECT REPEAT('x', 100000)\")) same(#long[1][1], 100000)
             local none, err = mysql.query(db, 'SELECT nothing') same(none, nil) same(err:find('nothing', 1, true) ~= nil, true)
             same(db:setkeepalive(10000, 2), 1)
             db = mysql.connect({port}, 'tester', 'secret') same(db:getreusedtimes(), 1)
             same(mysql.query(db, 'SELECT COUNT(*) FROM shop.cats')[1][1], '2')"
        );
        run(&with(&[("lua/mysql.lua", client)]), &script).await;
    });
}
