//! The `ngx` table: every function with a case, every phase that refuses, hostile arguments.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use moongate::config::Budget;
use moongate::script::api::{Native, functions};
use moongate::script::{
    Call, Chunk, ClientSide, DomainSpec, Exit, Host, Part, State, Subject, Waiting,
};
use moongate::shared::Dictionaries;
use moongate::shared::tables::{Declaration, Tables};
use moongate::transaction::{
    Body, Client, Headers, Phase, Request, Response, Transaction, Version,
};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use super::support::lua::{chunk, domain, on_a_worker};

/// A client that sent `body`.
struct Sent {
    body: Result<Body, u16>,
    /// What scripts read by themselves.
    given: RefCell<Vec<Part>>,
}

impl Sent {
    fn new(body: Result<Body, u16>) -> Self {
        Self { body, given: RefCell::default() }
    }
}

impl Host for Sent {
    fn read_body(&self) -> Waiting<'_, Result<Body, u16>> {
        Box::pin(async { self.body.clone() })
    }

    fn give_away(&self, part: Part) -> Result<Rc<dyn ClientSide>, &'static str> {
        if self.given.borrow().contains(&part) {
            let raw = part == Part::Raw;
            return Err(if raw { "duplicate call" } else { "request body already exists" });
        }
        self.given.borrow_mut().push(part);
        let bytes = match &self.body {
            Ok(Body::Memory(bytes)) => bytes.clone(),
            _ => Bytes::new(),
        };
        let pieces = bytes.chunks(4).map(Bytes::copy_from_slice).collect();
        Ok(Rc::new(Pieces { pieces: RefCell::new(pieces), waits: Cell::new(true) }))
    }
}

/// What a client sends, four bytes at a time, each after a while.
struct Pieces {
    pieces: RefCell<VecDeque<Bytes>>,
    waits: Cell<bool>,
}

impl ClientSide for Pieces {
    fn poll_read(&self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.waits.replace(!self.waits.get()) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.pieces.borrow_mut().pop_front().unwrap_or_default()))
    }

    fn poll_write(&self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len().min(4)))
    }

    fn rest(&self) {}
}

fn request() -> Request {
    let mut headers = Headers::default();
    for (name, value) in [
        ("Host", "Shop.Example:8080"),
        ("User-Agent", "lua/test"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", "session=abc; theme=dark"),
        ("X-Many", "one"),
        ("X-Many", "two"),
    ] {
        headers.append(name, value);
    }
    let target = "/a%20b/./c?x=1&y=%41+b&flag&x=2&empty=";
    let mut request = Request::new("POST".into(), target.into(), Version::Http11, headers);
    request.raw_head =
        Bytes::from(format!("POST {target} HTTP/1.1\r\nHost: Shop.Example:8080\r\n\r\n"));
    request
}

fn subject(body: Result<Body, u16>) -> Rc<Subject> {
    let socket: SocketAddr = "192.0.2.7:40000".parse().unwrap();
    let client = Client {
        address: socket.ip(),
        port: socket.port(),
        socket,
        server: "198.51.100.1:8080".parse().unwrap(),
        listener: "198.51.100.1:8080".parse().unwrap(),
        connection: 17,
        connection_requests: 3,
        tls: None,
        path: None,
    };
    let id = "0123456789abcdef0123456789abcdef".to_owned();
    let transaction = Transaction::new(id, Instant::now(), client, request());
    Rc::new(Subject::new(transaction, Box::new(Sent::new(body))))
}

fn answered(subject: &Subject) {
    let mut headers = Headers::default();
    for (name, value) in
        [("Content-Type", "text/html"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    {
        headers.append(name, value);
    }
    subject.transaction.borrow_mut().response = Some(Response { status: 200, headers });
}

fn spec() -> DomainSpec {
    let declared = BTreeMap::from([("cache".to_owned(), 100_000), ("small".to_owned(), 20_480)]);
    let dictionaries = Arc::new(Dictionaries::open(&declared, None));
    let mut spec = DomainSpec { dictionaries, tables: tables(), workers: 2, ..domain(&[]) };
    spec.network.allow = vec!["127.0.0.1:*".to_owned()];
    spec
}

/// A collection of each kind, under its kind's name.
fn tables() -> Arc<Tables> {
    let tables = Tables::default();
    tables.start(Box::new(|what| panic!("{what}"))).expect("there is no file");
    for text in [r#"{ "kind": "addresses" }"#, r#"{ "kind": "keys" }"#, r#"{ "kind": "counters" }"#]
    {
        let declaration = Declaration::read(text.as_bytes()).expect(text);
        let name = text.split('"').nth(3).expect("its kind");
        tables.declare(name, declaration, "test").expect(text);
    }
    Arc::new(tables)
}

fn state() -> Rc<State> {
    State::new(Arc::new(spec()), 0).expect("the API fits into its memory")
}

/// Runs a script for an exchange; what it returned, or the error's words.
async fn run(
    state: &Rc<State>,
    phase: Phase,
    subject: Option<&Rc<Subject>>,
    text: &str,
) -> (Result<String, String>, Rc<Call>) {
    let subject = subject.filter(|_| phase != Phase::Timer && !phase.is_of_worker()).cloned();
    let call = Call::new(phase, "test.lua".into(), subject);
    *call.chunk.borrow_mut() = Chunk { bytes: "chunk".into(), last: true };
    let budget = Budget { cpu: Duration::from_secs(5), ..Budget::default() };
    let handler = state.load(&chunk("test.lua", text), phase, budget).expect(text);
    let result = if phase.may_wait() {
        state.run(&handler, &call).await
    } else {
        state.run_now(&handler, &call)
    };
    let text = result.map(|bytes| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned());
    (text.map_err(|error| error.message), call)
}

/// Runs `text` in the access phase on a worker.
fn access(text: &'static str) -> Result<String, String> {
    on_a_worker(move || async move {
        let subject = subject(Ok(Body::Memory("a=1&b=%20&c".into())));
        run(&state(), Phase::Access, Some(&subject), text).await.0
    })
}

fn cases() -> Vec<(PathBuf, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    cases.sort();
    cases
}

/// The phase that the first line of a case names: `--- What it shows.  phase: access`.
fn phase(text: &str) -> Phase {
    let line = text.lines().next().unwrap_or_default();
    let name = line.split("phase: ").nth(1).expect("the first line names the phase").trim();
    Phase::NINE.into_iter().chain([Phase::Timer]).find(|phase| phase.as_str() == name).expect(name)
}

/// What every case can call: `same` counts.
const PRELUDE: &str = "local checks = 0 local function same(seen, wanted, what) checks = checks + 1 \
    if seen ~= wanted then error((what and what .. ': ' or '') .. 'saw ' .. tostring(seen) .. \
    ', not ' .. tostring(wanted), 2) end end \
    local function fails(words, f, ...) checks = checks + 1 local ok, err = pcall(f, ...) \
    if ok then error('it did not fail: ' .. words, 2) end \
    if not string.find(tostring(err), words, 1, true) then error('it failed otherwise: ' .. \
    tostring(err), 2) end end ";

#[test]
fn every_case_holds() {
    let checks: usize = cases()
        .into_iter()
        .map(|(path, text)| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let phase = phase(&text);
            let counted = on_a_worker(move || async move {
                let subject = subject(Ok(Body::Memory("a=1&b=%20&c".into())));
                if phase.index() >= Phase::HeaderFilter.index() {
                    answered(&subject);
                }
                let script = format!("{PRELUDE}{text}\nreturn checks");
                run(&state(), phase, Some(&subject), &script).await.0
            });
            let counted = counted.unwrap_or_else(|error| panic!("{name}: {error}"));
            counted.parse::<usize>().unwrap_or_else(|_| panic!("{name} counted {counted}"))
        })
        .sum();
    assert!(checks > 400, "{checks} checks");
}

#[test]
fn every_function_has_a_case() {
    let all: String = cases().into_iter().map(|(_, text)| text).collect();
    let missing: Vec<_> = functions()
        .map(|function| function.name)
        .filter(|name| !name.starts_with("waf.") || OF_RULES.contains(name))
        .filter(|name| match name.split_once(':') {
            Some((_, method)) => !all.contains(&format!(":{method}(")),
            None => !all.contains(name),
        })
        .collect();
    assert!(missing.is_empty(), "no case calls {missing:?}");
}

/// Names whose check is that there is a request, not which phase it is in.
fn asks_for_request(name: &str) -> bool {
    let fields = ["header", "headers_sent", "is_subrequest", "status", "var"];
    let name = name.strip_prefix("ngx.").unwrap_or_default();
    let phased = ["req.read_body", "req.socket"].contains(&name);
    fields.contains(&name) || ((name.starts_with("req.") || name.starts_with("resp.")) && !phased)
}

#[test]
fn every_function_is_refused_where_lua_nginx_module_refuses_it() {
    let refused = on_a_worker(|| async {
        let state = state();
        let subject = subject(Ok(Body::Empty));
        let keep = "package.loaded.kept = {tcpsock = ngx.socket.tcp(), udpsock = ngx.socket.udp(), \
                    collection = waf.collection('keys'), \
                    semaphore = require('ngx.semaphore').new(), reqsock = ngx.req.socket(), \
                    rawsock = ngx.req.socket(true)}";
        run(&state, Phase::Access, Some(&subject), keep).await.0.unwrap();
        answered(&subject);
        let mut refused = 0;
        for function in functions() {
            let use_of = match (function.name.split_once(':'), &function.native) {
                (Some(("ngx.shared.DICT", method)), _) => format!("ngx.shared.cache:{method}()"),
                (Some((class, method)), _) => {
                    format!("require('kept').{class}:{method}()")
                }
                (None, Native::Property { .. }) => format!("local _ = {}", function.name),
                (None, Native::Fields { .. }) => format!("local _ = {}[1]", function.name),
                (None, Native::Value(_)) => continue,
                (None, _) => format!("{}()", function.name),
            };
            for phase in Phase::NINE.into_iter().chain([Phase::Timer]) {
                if function.phases.contains(phase) {
                    continue;
                }
                let (result, _) = run(&state, phase, Some(&subject), &use_of).await;
                let words = match phase {
                    Phase::Init => "no request found".to_owned(),
                    Phase::InitWorker | Phase::Timer if asks_for_request(function.name) => {
                        "API disabled in the current context".to_owned()
                    }
                    phase => format!("API disabled in the context of {}", phase.context()),
                };
                let error = result.expect_err(function.name);
                assert_eq!(error, format!("test.lua:1: {words}"), "{} in {phase:?}", function.name);
                refused += 1;
            }
        }
        refused
    });
    assert!(refused > 150, "{refused} refusals");
}

/// What scripts tell and ask the rules; the rest of `waf` is tried with the shipped modules.
const OF_RULES: &[&str] = &[
    "waf.add_match",
    "waf.collection",
    "waf.is_sqli",
    "waf.is_xss",
    "waf.matches",
    "waf.mode",
    "waf.remove_rule",
    "waf.remove_target",
    "waf.score",
    "waf.transform",
    "waf.tx",
];

#[test]
fn hostile_arguments_are_refused_or_taken_but_never_fatal() {
    let values = [
        "nil",
        "true",
        "-1",
        "0/0",
        "1/0",
        "2^53",
        "2^64",
        "''",
        "'\\0\\255\\r\\n'",
        "string.rep('a', 100000)",
        "{}",
        "{{{}}}",
        "{[1e9]=1}",
        "print",
        "ngx.null",
        "setmetatable({}, {__tostring=function() error('x') end, __index=function() error('y') end})",
        "coroutine.create(print)",
        "'%'",
        "'$'",
        "'(?'",
    ];
    let calls = on_a_worker(move || async move {
        let mut calls = 0;
        let tried = |name: &str| name.starts_with("ngx") || OF_RULES.contains(&name);
        for function in functions().filter(|function| tried(function.name)) {
            // A sleep or a timer of a hostile length only waits.
            let waits = matches!(function.name, "ngx.sleep" | "ngx.timer.at" | "ngx.timer.every");
            let (Native::Now(_) | Native::Waits(_), false) = (&function.native, waits) else {
                continue;
            };
            let name = match function.name.split_once(':') {
                Some(("ngx.shared.DICT", method)) => format!("ngx.shared.small.{method}"),
                Some(_) => continue,
                None => function.name.to_owned(),
            };
            let state = state();
            for first in values {
                let subject = subject(Ok(Body::Memory("x".into())));
                let pairs: String = values
                    .iter()
                    .map(|second| {
                        format!("pcall({name}, {first}, {second}, {second}) pcall({name}, ngx.shared.small, {first}, {second})\n")
                    })
                    .collect();
                let (result, call) = run(&state, Phase::Access, Some(&subject), &pairs).await;
                assert!(result.is_ok() || call.exit.get().is_some(), "{name}({first}): {result:?}");
                calls += values.len();
            }
        }
        calls
    });
    assert!(calls > 10_000, "{calls} calls");
}

#[test]
fn leaving_says_how() {
    for (text, wanted, status) in [
        ("ngx.exit(ngx.OK)", Exit::Phase, 0),
        ("ngx.exit(ngx.DECLINED)", Exit::Declined, 0),
        ("ngx.exit(ngx.ERROR)", Exit::Close, 0),
        ("ngx.exit(444)", Exit::Close, 0),
        ("ngx.exit(403)", Exit::Respond(403), 403),
        ("ngx.status = 410 ngx.say('gone') ngx.exit(ngx.HTTP_OK)", Exit::Respond(410), 410),
        ("pcall(ngx.exit, 403) ngx.status = 200 while true do end", Exit::Respond(403), 403),
        ("ngx.redirect('/login')", Exit::Respond(302), 302),
        ("ngx.redirect('/login', 308)", Exit::Respond(308), 308),
    ] {
        let (exit, seen) = on_a_worker(move || async move {
            let subject = subject(Ok(Body::Empty));
            let (result, call) = run(&state(), Phase::Access, Some(&subject), text).await;
            result.expect(text);
            (call.exit.get(), subject.transaction.borrow().status())
        });
        assert_eq!((exit, seen), (Some(wanted), status), "{text}");
    }
}

#[test]
fn a_body_that_cannot_be_read_ends_the_script_with_its_status() {
    let exit = on_a_worker(|| async {
        let subject = subject(Err(413));
        let text = "pcall(ngx.req.read_body) ngx.status = 200 ngx.say('went on')";
        let (_, call) = run(&state(), Phase::Access, Some(&subject), text).await;
        call.exit.get()
    });
    assert_eq!(exit, Some(Exit::Respond(413)));
}

#[test]
fn a_chunk_loaded_for_one_exchange_sees_the_variables_of_the_next() {
    let seen = on_a_worker(|| async {
        let state = state();
        let (first, second) = (subject(Ok(Body::Empty)), subject(Ok(Body::Empty)));
        second.transaction.borrow_mut().client.address = "203.0.113.9".parse().unwrap();
        let text = "ngx.ctx.seen = (ngx.ctx.seen or 0) + 1
                    return ngx.var.remote_addr .. ' ' .. ngx.ctx.seen";
        let mut seen = Vec::new();
        for subject in [&first, &second, &first] {
            seen.push(run(&state, Phase::Access, Some(subject), text).await.0.unwrap());
        }
        seen
    });
    assert_eq!(seen, ["192.0.2.7 1", "203.0.113.9 1", "192.0.2.7 2"]);
}

#[test]
fn plain_data_of_ctx_goes_from_state_to_state_and_functions_stay() {
    let seen = on_a_worker(|| async {
        let (one, two) = (state(), state());
        let subject = subject(Ok(Body::Empty));
        let mut seen = Vec::new();
        for (state, text) in [
            (&one, "ngx.ctx.user = { name = 'anna', roles = {'a', 'b'} } ngx.ctx.f = print"),
            (&two, "return ngx.ctx.user.name .. #ngx.ctx.user.roles .. tostring(ngx.ctx.f)"),
            (&two, "ngx.ctx.user.name = 'berta' ngx.ctx.user.roles = nil ngx.ctx.more = true"),
            (
                &one,
                "return ngx.ctx.user.name .. tostring(ngx.ctx.user.roles) .. tostring(ngx.ctx.more) .. type(ngx.ctx.f)",
            ),
        ] {
            seen.push(run(state, Phase::Access, Some(&subject), text).await.0.unwrap());
        }
        seen
    });
    assert_eq!(seen, ["", "anna2nil", "", "bertaniltruefunction"]);
}

#[test]
fn a_ctx_that_holds_itself_is_carried_over_in_bounds() {
    let text = "local t = {} t.t = t for i = 1, 10000 do t[i] = {t} end ngx.ctx.t = t";
    let seen = on_a_worker(move || async move {
        let (one, two) = (state(), state());
        let subject = subject(Ok(Body::Empty));
        run(&one, Phase::Access, Some(&subject), text).await.0.unwrap();
        run(&two, Phase::Access, Some(&subject), "return type(ngx.ctx.t)").await.0
    });
    assert_eq!(seen.as_deref(), Ok("table"));
}

#[test]
fn init_on_another_worker_writes_nothing_to_dictionaries() {
    let spec = Arc::new(spec());
    let text = "local d = ngx.shared.cache d:set('k', 1) d:incr('n', 1, 0) d:lpush('l', 1)";
    for worker in [1, 0] {
        let seen = on_a_worker({
            let spec = spec.clone();
            move || async move {
                let state = State::new(spec.clone(), worker).unwrap();
                run(&state, Phase::Init, None, text).await.0.unwrap();
                spec.dictionaries.get("cache").unwrap().keys(0).len()
            }
        });
        assert_eq!(seen, if worker == 0 { 3 } else { 0 });
    }
}

#[test]
fn a_script_that_says_too_much_is_told_so() {
    let text = "local s = string.rep('x', 1024 * 1024) local ok, err
                for _ = 1, 20 do ok, err = ngx.print(s) end return tostring(ok) .. ' ' .. err";
    assert_eq!(access(text).as_deref(), Ok("nil no memory"));
}

#[test]
fn errors_tell_the_script_s_own_line() {
    let error = access("local x = 1\nngx.say(print)").unwrap_err();
    assert_eq!(
        error,
        "test.lua:2: bad argument #1 to 'say' (string, number, boolean, nil, ngx.null, or array \
         table expected, but got function)"
    );
}

#[test]
fn timers_run_outside_of_any_exchange() {
    let seen = on_a_worker(|| async {
        let state = state();
        let subject = subject(Ok(Body::Empty));
        let text = "return tostring(ngx.timer.at(0, function(premature, word)
            ngx.sleep(0.001)
            ngx.shared.cache:set('timer', ngx.get_phase() .. tostring(premature) .. word)
        end, 'x'))";
        assert_eq!(run(&state, Phase::Log, Some(&subject), text).await.0.as_deref(), Ok("1"));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let text = "return ngx.shared.cache:get('timer')";
        run(&state, Phase::Access, Some(&subject), text).await.0
    });
    assert_eq!(seen.as_deref(), Ok("timerfalsex"));
}

/// A server that answers each line with itself in upper case, until `bye`.
async fn shouting() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut read, mut write) = stream.split();
            let mut lines = tokio::io::BufReader::new(&mut read).lines();
            while let Ok(Some(line)) = lines.next_line().await
                && line != "bye"
            {
                let answer = format!("{}\r\n", line.to_uppercase());
                write.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    port
}

#[test]
fn a_socket_talks_to_where_it_may() {
    let seen = on_a_worker(|| async {
        let port = shouting().await;
        let text = format!(
            "{PRELUDE} local s = ngx.socket.tcp() s:settimeout(2000)
             same(s:connect('127.0.0.1', {port}), 1)
             same(s:send({{'hello', {{'\\n', 'wor', 'ld\\n'}}}}), 12)
             same(s:receive(), 'HELLO') same(s:receive('*l'), 'WORLD')
             s:send('abc\\n') same(s:receive(2), 'AB') same(s:receiveany(100), 'C\\r\\n')
             same(s:getreusedtimes(), 0)
             s:settimeouts(10, 10, 10)
             local data, err, partial = s:receive() same(data, nil) same(err, 'timeout') same(partial, '')
             s:settimeout(2000)
             s:send('x\\nbye\\n') same(s:receive('*a'), 'X\\r\\n')
             data, err, partial = s:receive() same(err, 'closed') same(partial, '')
             data, err = s:receive() same(err, 'closed') same(s:close(), 1)
             local ok ok, err = s:connect('127.0.0.2', {port}) same(ok, nil)
             same(err, 'connection to 127.0.0.2:{port} is not allowed by lua.network')
             same(s:connect('127.0.0.1', {port}), 1) same(s:setkeepalive(), 1)
             for _ = 1, 20 do ok, err = s:connect('127.0.0.1', {port}) end
             same(err, 'too many connections in one call')
             return checks"
        );
        let subject = subject(Ok(Body::Empty));
        run(&state(), Phase::Access, Some(&subject), &text).await.0
    });
    assert_eq!(seen.as_deref(), Ok("20"));
}

#[test]
fn a_log_handler_sends_by_a_timer() {
    let (seen, length) = on_a_worker(|| async {
        let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let text = format!(
            "local line = ngx.var.request_method .. ' ' .. ngx.var.uri
             ngx.timer.at(0, function(premature, line)
                 local s = ngx.socket.udp() s:setpeername('127.0.0.1', {port}) s:send(line) s:close()
             end, line)"
        );
        let subject = subject(Ok(Body::Empty));
        answered(&subject);
        let state = state();
        run(&state, Phase::Log, Some(&subject), &text).await.0.unwrap();
        let mut datagram = [0; 100];
        let wait = tokio::time::timeout(Duration::from_secs(5), server.recv(&mut datagram));
        let length = wait.await.unwrap().unwrap();
        (String::from_utf8_lossy(&datagram[..length]).into_owned(), length)
    });
    assert_eq!((seen.as_str(), length), ("POST /a b/c", 11));
}

#[test]
fn timers_are_bounded() {
    let text = "local ok, err for _ = 1, 50 do ok, err = ngx.timer.at(60, function() end) end
                return tostring(ok) .. ' ' .. err .. ' ' .. ngx.timer.pending_count()";
    assert_eq!(access(text).as_deref(), Ok("nil too many pending timers 16"));
}

/// What fills the memory to the last bytes, in pieces that get smaller, and then calls `work` again and
/// again: each time there is a little more room, so that it fails at every place at which it allocates.
const FULL: &str = "
    local work, kept, size, failed = ..., {}, 65536, 0
    while size >= 16 do
        if not pcall(function() while true do kept[#kept + 1] = string.rep('x', size) .. #kept end end) then
            size = math.floor(size / 4)
        end
    end
    for _ = 1, 400 do
        kept[#kept] = nil
        if not pcall(work) then failed = failed + 1 end
    end
    return failed";

#[test]
fn a_memory_that_is_full_fails_short_ways_and_harms_nothing() {
    let works = [
        "ngx.md5(tostring(math.random()) .. 'x')",
        "ngx.encode_base64(('x'):rep(3000))",
        "ngx.escape_uri(('%'):rep(900) .. math.random())",
        "ngx.req.get_headers()",
        "ngx.decode_args('a=1&b=2&c=' .. math.random())",
        "for i = 1, 9 do ngx.decode_args('a=1&b=' .. math.random(2)) end",
        "ngx.ctx[math.random()] = tostring(math.random())",
        "require('cjson').decode('[' .. ('\"abc' .. math.random() .. '\",'):rep(60) .. '1]')",
        "require('cjson').encode({ math.random(), ('x'):rep(2000) })",
        "ngx.re.match('a' .. math.random(), '(.)(.)(.*)', 'jo')",
        "ngx.re.gsub(('ab'):rep(800), 'a', 'xyz', 'jo')",
        "ngx.shared.cache:set('k', ('v'):rep(900)) return ngx.shared.cache:get('k')",
        "ngx.http_time(math.random(1, 1e9))",
        "return ngx.var['http_x' .. math.random()]",
        "ngx.say(('word'):rep(700), 1, true)",
    ];
    for work in works {
        let script =
            format!("local full = (function(...) {FULL} end)\nreturn full(function() {work} end)");
        let script: &'static str = script.leak();
        let (failed, after) = on_a_worker(move || async move {
            let spec = DomainSpec { memory: 8 << 20, ..spec() };
            let state = State::new(Arc::new(spec), 0).expect("the API fits");
            let subject = subject(Ok(Body::Memory("a=1".into())));
            let failed = run(&state, Phase::Content, Some(&subject), script).await.0;
            let after = "return ngx.md5('a') .. #ngx.req.get_headers()";
            (failed, run(&state, Phase::Content, Some(&subject), after).await.0)
        });
        assert_eq!(after.as_deref(), Ok("0cc175b9c0f1b6a831c399e2697726610"), "{work}: {failed:?}");
        // Either it was told of each failure, or it was ended at last.
        let told = failed.as_ref().map_or(true, |count| count != "0");
        assert!(told, "{work} never met the limit");
    }
}
