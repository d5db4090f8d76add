//! Sockets of scripts, against servers of our own: pools, patterns, TLS, Unix sockets.

mod servers;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use moongate::config::{Budget, SocketSettings};
use moongate::script::{DomainSpec, State};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixDatagram, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::support::lua::{domain, on_a_worker, run_with};

/// What every script here can call.
const PRELUDE: &str = "local function same(seen, wanted, what) if seen ~= wanted then \
    error((what and what .. ': ' or '') .. 'saw ' .. tostring(seen) .. ', not ' .. tostring(wanted), \
    2) end end ";

fn settled(sockets: SocketSettings) -> Rc<State> {
    let mut spec = DomainSpec { workers: 1, ..domain(&[]) };
    spec.network.allow = ["127.0.0.1:*", "localhost:*", "unix:/tmp/*"].map(str::to_owned).to_vec();
    spec.network.sockets = Arc::new(sockets);
    State::new(Arc::new(spec), 0).expect("the API fits into its memory")
}

fn state() -> Rc<State> {
    settled(SocketSettings::default())
}

/// Runs a script that fails where it does not see what it should; what it returns.
async fn run(state: &Rc<State>, script: &str) -> String {
    let budget = Budget {
        cpu: Duration::from_secs(5),
        wait: Duration::from_secs(20),
        connections: 100,
        ..Budget::default()
    };
    let text = format!("{PRELUDE}{script}");
    let told = run_with(state, "test.lua", &text, budget).await;
    let bytes = told.unwrap_or_else(|error| panic!("{error}\n{script}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A server that answers each line with the number of its connection and the line, until `bye`.
async fn numbering() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Rc::new(Cell::new(0));
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.set(count.get() + 1);
            let number = count.get();
            tokio::task::spawn_local(async move {
                let (read, mut write) = stream.split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await
                    && line != "bye"
                {
                    let answer = format!("{number}:{line}\r\n");
                    write.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    port
}

/// A server that sends one text, in pieces of `size` bytes, to whoever comes.
async fn sending(text: &'static [u8], size: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            for piece in text.chunks(size) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    port
}

const TALK: &str = "local function talk(state, options, keep, time, size)
    local s = ngx.socket.tcp() s:settimeout(5000)
    local ok, err = s:connect('127.0.0.1', PORT, options)
    if not ok then return nil, err end
    s:send('x\\n') local line = s:receive()
    local reused = s:getreusedtimes()
    if keep then assert(s:setkeepalive(time, size)) else s:close() end
    return line, reused end ";

#[test]
fn a_kept_connection_is_used_again_by_its_domain_alone() {
    on_a_worker(|| async {
        let port = numbering().await;
        let talk = TALK.replace("PORT", &port.to_string());
        let (one, other) = (state(), state());
        let say = format!("{talk} local line, reused = talk(nil, nil, true) return line .. reused");
        for (state, seen) in [(&one, "1:x0"), (&one, "1:x1"), (&other, "2:x0"), (&one, "1:x2")] {
            assert_eq!(run(state, &say).await, seen);
        }
    });
}

#[test]
fn pools_have_names_sizes_and_times() {
    on_a_worker(|| async {
        let port = numbering().await;
        let talk = TALK.replace("PORT", &port.to_string());
        let script = "
            same(talk(nil, {pool = 'mine'}, true), '1:x') same(talk(nil, nil, true), '2:x')
            same(talk(nil, {pool = 'mine'}, true), '1:x') same(talk(nil, {pool = 'mine'}, true, 20), '1:x')
            ngx.sleep(0.1)
            same(talk(nil, {pool = 'mine'}, true), '3:x', 'after its time')
            local a, b = ngx.socket.tcp(), ngx.socket.tcp()
            a:connect('127.0.0.1', P, {pool = 'two', pool_size = 1}) b:connect('127.0.0.1', P, {pool = 'two'})
            for _, s in ipairs({a, b}) do s:send('y\\n') s:receive() assert(s:setkeepalive()) end
            same(talk(nil, {pool = 'two'}, false), '5:x', 'the one that came back last')
            same(talk(nil, {pool = 'two'}, false), '6:x', 'the other had no room')
            local s = ngx.socket.tcp() s:connect('127.0.0.1', P)
            s:send('bye\\n') same(s:receive('*a'), '') local ok, err = s:setkeepalive() same(ok, nil) same(err, 'closed')
            s = ngx.socket.tcp() s:connect('127.0.0.1', P) s:send('a\\nb\\n') s:receive() ngx.sleep(0.05) s:receive(1)
            ok, err = s:setkeepalive() same(ok, nil) same(err, 'unread data in buffer')
            s:close() ok, err = s:setkeepalive() same(err, 'closed')";
        run(&state(), &format!("{talk} local P = {port} {script}")).await;
    });
}

#[test]
fn a_backlog_lets_connects_wait_for_their_turn() {
    on_a_worker(|| async {
        let port = numbering().await;
        let script = format!(
            "local options = {{pool_size = 1, backlog = 0}}
             local a, b = ngx.socket.tcp(), ngx.socket.tcp()
             same(a:connect('127.0.0.1', {port}, options), 1)
             local ok, err = b:connect('127.0.0.1', {port}, options)
             same(ok, nil) same(err, 'too many waiting connect operations')
             a:close() same(b:connect('127.0.0.1', {port}, options), 1) b:close()
             options = {{pool = 'q', pool_size = 1, backlog = 1}}
             same(a:connect('127.0.0.1', {port}, options), 1)
             b:settimeout(20) ok, err = b:connect('127.0.0.1', {port}, options) same(err, 'timeout')
             a:close() same(b:connect('127.0.0.1', {port}, options), 1) b:close()"
        );
        run(&state(), &script).await;
    });
}

#[test]
fn two_calls_share_a_pool_of_one_with_a_backlog() {
    on_a_worker(|| async {
        let port = numbering().await;
        let state = state();
        let script = format!(
            "local s = ngx.socket.tcp() s:settimeout(5000)
             assert(s:connect('127.0.0.1', {port}, {{pool_size = 1, backlog = 5}}))
             s:send('x\\n') local line = s:receive() ngx.sleep(0.02) assert(s:setkeepalive())
             return line .. s.n"
        )
        .replace(" .. s.n", "");
        let (one, two, three) =
            tokio::join!(run(&state, &script), run(&state, &script), run(&state, &script));
        assert_eq!([one, two, three], ["1:x", "1:x", "1:x"]);
    });
}

#[test]
fn a_socket_of_another_call_is_refused() {
    on_a_worker(|| async {
        let port = numbering().await;
        let state = state();
        let open = format!(
            "local s = ngx.socket.tcp() assert(s:connect('127.0.0.1', {port})) package.loaded.kept = {{s}}
             ngx.sleep(0.1)"
        );
        let steal = "ngx.sleep(0.03) local s = require('kept')[1]
             for _, method in ipairs({'send', 'receive', 'close', 'setkeepalive'}) do
                 local ok, err
                 if method == 'send' then ok, err = pcall(s.send, s, 'x') else ok, err = pcall(s[method], s) end
                 same(ok, false, method .. tostring(err)) same(string.find(err, 'bad request', 1, true) ~= nil, true)
             end";
        tokio::join!(run(&state, &open), run(&state, steal));
        let after =
            "local ok, err = require('kept')[1]:send('x') same(ok, nil) same(err, 'closed')";
        run(&state, after).await;
    });
}

#[test]
fn patterns_are_found_however_their_bytes_arrive() {
    for size in [1, 2, 3, 1000] {
        on_a_worker(move || async move {
            let port = sending(b"hello---abc world--abc\r\n\r\nab--end", size).await;
            let script = format!(
                "local s = ngx.socket.tcp() s:settimeout(2000) s:connect('127.0.0.1', {port})
                 local read = s:receiveuntil('--abc')
                 same(read(), 'hello-') same(read(), ' world')
                 local line = s:receiveuntil('\\r\\n', {{inclusive = true}}) same(line(), '\\r\\n') same(line(), '\\r\\n')
                 local piece = s:receiveuntil('--')
                 same(piece(1), 'a') same(piece(1), 'b') same(piece(1), '')
                 local data, err, partial = piece(1) same(data, nil) same(err, nil) same(partial, nil)
                 data, err, partial = piece() same(data, nil) same(err, 'closed') same(partial, 'end')
                 data, err, partial = piece() same(data, nil) same(err, 'closed') same(partial, nil)"
            );
            run(&state(), &script).await;
        });
    }
}

#[test]
fn a_unix_socket_is_connected_by_its_path() {
    on_a_worker(|| async {
        let folder = tempfile::Builder::new().prefix("sockets").tempdir_in("/tmp").unwrap();
        let path = folder.path().join("stream");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(b"seen\n").await.unwrap();
            let _ = stream.read(&mut bytes).await;
        });
        let named = folder.path().join("datagram");
        let datagrams = UnixDatagram::bind(&named).unwrap();
        tokio::task::spawn_local(async move {
            let mut bytes = [0; 10];
            let (length, from) = datagrams.recv_from(&mut bytes).await.unwrap();
            assert_eq!(&bytes[..length], b"ping");
            let name = from.as_abstract_name().map(<[u8]>::to_vec);
            let address = std::os::unix::net::SocketAddr::from(from);
            drop((name, address));
        });
        let script = format!(
            "local s = ngx.socket.tcp() same(s:connect('unix:{}'), 1) s:send('hello') same(s:receive(), 'seen')
             same(s:setkeepalive(), 1)
             local ok, err = s:connect('unix:{}.gone') same(ok, nil) same(err, 'no such file or directory')
             local u = ngx.socket.udp() same(u:setpeername('unix:{}'), 1) same(u:send('ping'), 1) same(u:close(), 1)",
            path.display(),
            path.display(),
            named.display(),
        );
        run(&state(), &script).await;
    });
}

/// A server that speaks TLS and answers one line with whether the session was resumed.
async fn sealed() -> u16 {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sockets");
    let chain: Vec<_> = CertificateDer::pem_file_iter(format!("{folder}/server.pem"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(format!("{folder}/server.key")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move {
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                let kind = format!("{:?}", tls.get_ref().1.handshake_kind().unwrap());
                let name = tls.get_ref().1.server_name().unwrap_or("-").to_owned();
                let mut lines = String::new();
                let mut reader = BufReader::new(&mut tls);
                while reader.read_line(&mut lines).await.is_ok_and(|read| read > 0) {
                    let answer = format!("{kind} {name} {}\n", lines.trim_end());
                    reader.get_mut().write_all(answer.as_bytes()).await.unwrap();
                    lines.clear();
                }
            });
        }
    });
    port
}

fn trusting() -> Rc<State> {
    let authority = include_bytes!("sockets/authority.pem");
    let trusted = Some(bytes::Bytes::from_static(authority));
    settled(SocketSettings { trusted, ..SocketSettings::default() })
}

#[test]
fn tls_is_spoken_and_the_certificate_judged() {
    on_a_worker(|| async {
        let port = sealed().await;
        let script = format!(
            "local function shake(...)
                 local s = ngx.socket.tcp() s:settimeout(5000) assert(s:connect('127.0.0.1', {port}))
                 local session, err = s:sslhandshake(...)
                 if not session then return nil, err, s end
                 s:send('hi\\n') return session, s:receive(), s
             end
             local session, line, s = shake(nil, 'shop.example', true)
             same(line, 'Full shop.example hi') same(type(session), 'userdata') same(type(s:getsslsession()), 'userdata')
             same(s:sslhandshake(session) ~= nil, true, 'once more') s:send('ho\\n') same(s:receive(), 'Full shop.example ho')
             s:close()
             session, line = shake(session, 'shop.example', true) same(line, 'Resumed shop.example hi')
             session, line = shake(false) same(session, true) same(line, 'Full - hi')
             local ok, err
             ok, err, s = shake(nil, 'other.example', true) same(ok, nil) same(err, 'certificate host mismatch')
             ok, err = s:send('x') same(err, 'closed')
             session, line, s = shake(nil, 'other.example', false) same(line, 'Full other.example hi')
             same(s:setkeepalive(), 1)
             s = ngx.socket.tcp() s:connect('127.0.0.1', {port}) same(s:getreusedtimes(), 1)
             same(s:sslhandshake(session, 'other.example') ~= nil, true)
             s:send('again\\n') same(s:receive(), 'Full other.example again')"
        );
        run(&trusting(), &script).await;
        let script = format!(
            "local s = ngx.socket.tcp() assert(s:connect('127.0.0.1', {port}))
             local ok, err = s:sslhandshake(nil, 'shop.example', true)
             same(ok, nil) same(err, '20: unable to get local issuer certificate')"
        );
        let nobody = SocketSettings {
            trusted: Some(bytes::Bytes::from_static(b"")),
            ..SocketSettings::default()
        };
        run(&settled(nobody), &script).await;
        let plain = numbering().await;
        let script = format!(
            "local s = ngx.socket.tcp() s:settimeout(2000) assert(s:connect('127.0.0.1', {plain}))
             s:send('x\\n')
             local ok, err = s:sslhandshake() same(ok, nil) same(err, 'handshake failed')"
        );
        run(&state(), &script).await;
    });
}

#[test]
fn lines_lose_their_carriage_returns_and_partial_ones_are_told() {
    on_a_worker(|| async {
        let port = sending(b"a\r\r\nb\rc\nrest", 2).await;
        let script = format!(
            "local s = ngx.socket.tcp() s:settimeout(500) assert(s:connect('127.0.0.1', {port}))
             same(s:receive(), 'a') same(s:receive('*l'), 'bc')
             local data, err, partial = s:receive(100) same(data, nil) same(err, 'closed') same(partial, 'rest')
             same(s:send('still open'), 10) same(s:close(), 1) local ok, err = s:close() same(err, 'closed')"
        );
        run(&state(), &script).await;
    });
}

#[test]
fn what_is_kept_is_used_again_however_it_is_asked_for() {
    on_a_worker(|| async {
        let port = numbering().await;
        let script = format!(
            "local s = ngx.socket.tcp()
             for n = 0, 2 do
               same(s:connect('127.0.0.1', {port}), 1) same(s:getreusedtimes(), n) same(s:send('a\\nb\\n'), 4)
               same(s:receive(), '1:a') same(s:receive('*l'), '1:b') same(s:setkeepalive(10000, 4), 1)
               local ok, err = s:send('x') same(ok, nil) same(err, 'closed')
               ok, err = s:receive() same(ok, nil) same(err, 'closed')
             end
             same(s:connect('127.0.0.1', '{port}'), 1) same(s:getreusedtimes(), 3) same(s:send{{'c', '\\n'}}, 2)
             same(s:receive(4), '1:c\\r')
             local ok, err = s:setkeepalive() same(ok, nil) same(err, 'unread data in buffer')
             same(s:receive(1), '\\n') same(s:setkeepalive(), 1)"
        );
        run(&state(), &script).await;
    });
}

#[test]
fn what_the_other_side_closes_while_it_is_kept_is_not_used_again() {
    on_a_worker(|| async {
        let port = numbering().await;
        let script = format!(
            "local s = ngx.socket.tcp()
             for n = 1, 3 do
               same(s:connect('127.0.0.1', {port}), 1) same(s:getreusedtimes(), 0)
               same(s:send('a\\n'), 2) same(s:receive(), n .. ':a')
               same(s:send('bye\\n'), 4) s:setkeepalive(60000, 4) ngx.sleep(0.1)
             end"
        );
        run(&state(), &script).await;
    });
}

#[test]
fn what_the_system_does_not_take_at_once_is_sent_all_the_same() {
    on_a_worker(|| async {
        let port = numbering().await;
        let script = format!(
            "local line = string.rep('x', 3 * 1024 * 1024)
             local s = ngx.socket.tcp() assert(s:connect('127.0.0.1', {port}))
             same(s:send(line .. '\\n'), #line + 1) same(s:receive() == '1:' .. line, true)"
        );
        run(&state(), &script).await;
    });
}
