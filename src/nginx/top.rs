//! The whole configuration: the process, `http`, its servers and upstreams.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::known::Context;
use super::scope::{self, Scope};
use super::tree::Directive;
use super::units::{milliseconds, size, time};
use super::upstreams::{self, Upstreams};
use super::{Emerg, Left, Translation, memc, pools, scripts, server, steps};

/// Where the error log goes, and from which level on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The file; none: standard error.
    pub file: Option<PathBuf>,
    /// nginx's word, such as `error`.
    pub level: String,
}

/// What is gathered while servers are translated.
pub(super) struct Top<'t> {
    pub(super) prefix: &'t Path,
    pub(super) left: Vec<Left>,
    /// The folder of the file, in which certificates are.
    pub(super) conf: &'t Path,
    listeners: Vec<Listening>,
    paths: Vec<(String, bool)>,
    pub(super) upstreams: Upstreams<'t>,
}

/// An address to listen on.
struct Listening {
    address: SocketAddr,
    proxy_protocol: bool,
    tls: bool,
}

/// Steps of a regex that backtracks where the file says nothing: PCRE takes more.
const REGEX_STEPS: u64 = 2_000_000;
/// Steps of ours for those of PCRE's, as measured with the patterns of lua-nginx-module's own tests.
const FINER: (u64, u64) = (67, 2);

/// nginx's number for `[warn]`.
const WARN: i64 = 5;

/// The memory that scripts may take: nginx knows no bound.
const MEMORY: &str = "1GiB";

/// Translates a tree of directives.
pub(super) fn translate(tree: &[Directive], path: &Path) -> Result<Translation, Emerg> {
    let prefix = prefix(path);
    let main = Scope::outermost(tree);
    let mut left = Vec::new();
    scope::left_of(tree, Context::Main, &mut left);
    let Some(http) = tree.iter().find(|directive| directive.name == "http") else {
        let message = "no \"http\" section in configuration".to_owned();
        return Err(Emerg { message, file: path.display().to_string(), line: 0 });
    };
    if !tree.iter().any(|directive| directive.name == "events") {
        let message = "no \"events\" section in configuration".to_owned();
        return Err(Emerg { message, file: String::new(), line: 0 });
    }
    let scope = main.inner(&http.block);
    let blocks: Vec<&Directive> =
        http.block.iter().filter(|directive| directive.name == "upstream").collect();
    let mut top = Top {
        prefix: &prefix,
        conf: path.parent().unwrap_or(Path::new("/")),
        left,
        listeners: Vec::new(),
        paths: Vec::new(),
        upstreams: Upstreams::of(&blocks, &prefix),
    };
    let mut sites = Vec::new();
    for directive in http.block.iter().filter(|directive| directive.name == "server") {
        sites.extend(server::translate(&mut top, directive, &scope)?);
    }
    if passes_by_variable(tree) {
        top.upstreams.make_all();
    }
    let mut settings = process(&main, &scope, tree);
    settings.insert("body_files".into(), json!(body_files(tree, &prefix)));
    settings.insert("listen".into(), top.listening());
    settings.insert("lua".into(), lua(&scope, tree, &prefix)?);
    for phase in ["init", "init_worker", "exit_worker"] {
        scripts::put_phase(&scope, phase, &prefix, &mut settings);
    }
    let mut left = std::mem::take(&mut top.left);
    left.extend(upstreams::left_of(&blocks));
    let made = top.upstreams.into_settings();
    if !made.is_empty() {
        settings.insert("upstreams".into(), Value::Object(made));
    }
    settings.insert("sites".into(), Value::Array(sites));
    left.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    let mut notes = Vec::new();
    note_code_cache(tree, &mut notes);
    notes.extend(http.block.iter().filter(|found| found.name == "lua_load_resty_core").map(|found| {
        let what = "lua_load_resty_core is deprecated (the lua-resty-core library is required since \
                    ngx_lua v0.10.16)";
        (WARN, format!("{what} in {}:{}", found.file, found.line))
    }));
    Ok(Translation {
        settings: Value::Object(settings),
        left,
        notes,
        log: log(&main, &prefix),
        pid: main.get("pid").map(|found| prefix.join(found.arg(0))),
        prefix,
    })
}

/// nginx's prefix: the folder around `conf`, else that of the file.
fn prefix(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let around = folder.parent().filter(|_| folder.ends_with("conf"));
    around.unwrap_or(folder).to_owned()
}

/// What a proxy of nginx's kind does by itself, so that the appliance's defaults change nothing.
fn process(main: &Scope<'_>, http: &Scope<'_>, tree: &[Directive]) -> Map<String, Value> {
    let mut settings = Map::new();
    let workers = main.get("worker_processes").map_or("1", |found| found.arg(0));
    let workers: u64 = workers.parse().unwrap_or(0);
    settings.insert("workers".into(), json!(workers));
    settings.insert("rules".into(), json!({ "engine": "off" }));
    settings.insert("access_log".into(), json!(false));
    settings.insert("pages".into(), json!("html"));
    settings.insert("watch".into(), json!(false));
    let grace = main.get("worker_shutdown_timeout").and_then(|found| milliseconds(found.arg(0)));
    settings.insert("grace".into(), json!(time(grace.unwrap_or(1_000).min(3_600_000))));
    let mut limits = Map::new();
    let (head, target) = head_bytes(tree);
    limits.insert("head_bytes".into(), json!(head.clamp(32 << 10, 1 << 20)));
    limits.insert("target_bytes".into(), json!(target.clamp(64, 1 << 20)));
    limits.insert("headers".into(), json!(1000));
    limits.insert("bare_line_feeds".into(), json!(true));
    // As nginx, which limits the pauses of a body alone.
    limits.insert("body_time".into(), json!(time(86_400_000)));
    limits.insert("connections_per_client".into(), json!(1_000_000));
    limits.insert("handshake_time".into(), json!("60s"));
    for (directive, key, least) in [
        ("keepalive_timeout", "idle_time", 100),
        ("client_header_timeout", "head_time", 100),
        ("client_header_timeout", "handshake_time", 100),
        ("send_timeout", "write_time", 100),
    ] {
        if let Some(wait) = http.get(directive).and_then(|found| milliseconds(found.arg(0))) {
            limits.insert(key.into(), json!(time(wait.max(least).min(86_400_000))));
        }
    }
    if let Some(Ok(most)) = http.get("keepalive_requests").map(|found| found.arg(0).parse::<u64>())
    {
        limits.insert("requests_per_connection".into(), json!(most.clamp(1, 1_000_000_000)));
    }
    settings.insert("limits".into(), Value::Object(limits));
    let trusted: Vec<&str> =
        http.all("set_real_ip_from").iter().map(|found| found.arg(0)).collect();
    if !trusted.is_empty() {
        settings.insert("trusted_proxies".into(), json!(trusted));
    }
    settings
}

/// Bytes of a head and of its first line: the most that any server takes, for the head says which.
fn head_bytes(tree: &[Directive]) -> (u64, u64) {
    let found = every(tree, "large_client_header_buffers");
    let sizes = found.iter().filter_map(|found| {
        let (count, bytes) = (found.arg(0).parse::<u64>().ok()?, size(found.arg(1))?);
        Some((count.saturating_mul(bytes), bytes))
    });
    let most = sizes.reduce(|one, other| (one.0.max(other.0), one.1.max(other.1)));
    most.unwrap_or((32 << 10, 8 << 10))
}

/// The folder of spooled bodies: there is one for all servers, that of the first that says so.
fn body_files(tree: &[Directive], prefix: &Path) -> String {
    let found = every(tree, "client_body_temp_path");
    let folder = found.first().map_or("client_body_temp", |found| found.arg(0));
    prefix.join(folder).to_string_lossy().into_owned()
}

/// The directives of that name, wherever they stand.
fn every<'a>(tree: &'a [Directive], name: &str) -> Vec<&'a Directive> {
    let one = |directive: &'a Directive| {
        let own = (directive.name == name).then_some(directive);
        own.into_iter().chain(every(&directive.block, name))
    };
    tree.iter().flat_map(one).collect()
}

fn lua(http: &Scope<'_>, tree: &[Directive], prefix: &Path) -> Result<Value, Emerg> {
    let mut lua = Map::new();
    let mut path = Vec::new();
    if let Some(found) = http.get("lua_package_path") {
        // As written with braces, it ends with a slash.
        let braced = format!("{}/", prefix.display());
        let text = found.arg(0).replace("${prefix}", &braced);
        let text = text.replace("$prefix", &prefix.to_string_lossy());
        let patterns = text.split(';').filter(|pattern| pattern.contains('?'));
        path.extend(patterns.map(str::to_owned));
    }
    if !path.is_empty() {
        lua.insert("path".into(), json!(path));
    }
    let mut dictionaries = Map::new();
    for found in http.own.iter().filter(|directive| directive.name == "lua_shared_dict") {
        let name = found.arg(0);
        let bytes = size(found.arg(1)).filter(|bytes| *bytes > 8191);
        let Some(bytes) = bytes else {
            let message = format!("invalid lua shared dict size \"{}\"", found.arg(1));
            return Err(found.fault(message));
        };
        if dictionaries.insert(name.to_owned(), json!(bytes)).is_some() {
            return Err(
                found.fault(format!("lua_shared_dict \"{name}\" is already defined as \"{name}\""))
            );
        }
    }
    if !dictionaries.is_empty() {
        lua.insert("shared_dict".into(), Value::Object(dictionaries));
    }
    let mut variables = Vec::new();
    steps::variables(tree, &mut variables);
    if mentions(tree, "memc_pass") {
        variables.extend(memc::VARIABLES.map(str::to_owned));
    }
    lua.insert("variables".into(), json!(variables));
    lua.insert("error_status".into(), json!(500));
    lua.insert("on_error".into(), json!("refuse"));
    lua.insert("confined".into(), json!(false));
    let trim = http.get("lua_malloc_trim").and_then(|found| found.arg(0).parse::<u32>().ok());
    if let Some(exchanges) = trim {
        lua.insert("trim_after".into(), json!(exchanges.min(1_000_000_000)));
    }
    let limit =
        http.get("lua_regex_match_limit").and_then(|found| found.arg(0).parse::<u32>().ok());
    let steps = limit
        .filter(|limit| *limit > 0)
        .map_or(REGEX_STEPS, |limit| (u64::from(limit) * FINER.0 / FINER.1).clamp(1, 10_000_000));
    lua.insert("regex_steps".into(), json!(steps));
    let shown: Vec<&str> =
        tree.iter().filter(|found| found.name == "env").map(|found| found.arg(0)).collect();
    lua.insert("env".into(), json!(shown));
    lua.insert("load".into(), json!("when_needed"));
    lua.insert("network".into(), json!(["*:*"]));
    let budget = json!({ "cpu": "60s", "memory": MEMORY, "wait": "1h", "connections": 10_000 });
    lua.insert("budget".into(), budget);
    let timers = http.get("lua_max_pending_timers").and_then(|found| found.arg(0).parse().ok());
    lua.insert("max_timers".into(), json!(timers.unwrap_or(1024_u32)));
    if let Some(most) =
        http.get("lua_max_running_timers").and_then(|found| found.arg(0).parse::<u32>().ok())
    {
        lua.insert("max_running_timers".into(), json!(most));
    }
    pools::put(http, tree, &mut lua)?;
    lua.insert("prefix".into(), json!(format!("{}/", prefix.display())));
    if !code_is_kept(http.own) {
        lua.insert("code_cache".into(), json!(false));
    }
    Ok(Value::Object(lua))
}

/// Whether an upstream is named by a variable somewhere.
fn passes_by_variable(block: &[Directive]) -> bool {
    block.iter().any(|directive| {
        (directive.name == "proxy_pass" && directive.arg(0).contains('$'))
            || passes_by_variable(&directive.block)
    })
}

/// Whether a directive stands anywhere in the file.
fn mentions(block: &[Directive], name: &str) -> bool {
    block.iter().any(|directive| directive.name == name || mentions(&directive.block, name))
}

/// Whether no place of the file wants its scripts read anew for each request.
fn code_is_kept(block: &[Directive]) -> bool {
    block.iter().all(|directive| {
        (directive.name != "lua_code_cache" || directive.is_on()) && code_is_kept(&directive.block)
    })
}

/// What nginx warns of where scripts are read anew for each request: `[alert]`, as it says.
fn note_code_cache(block: &[Directive], notes: &mut Vec<(i64, String)>) {
    const ALERT: i64 = 2;
    for directive in block {
        if directive.name == "lua_code_cache" && !directive.is_on() {
            let (file, line) = (&directive.file, directive.line);
            let what = "lua_code_cache is off; this will hurt performance";
            notes.push((ALERT, format!("{what} in {file}:{line}")));
        }
        note_code_cache(&directive.block, notes);
    }
}

fn log(main: &Scope<'_>, prefix: &Path) -> Option<Log> {
    let found = main.get("error_log")?;
    let file = match found.arg(0) {
        "stderr" => None,
        file => Some(prefix.join(file)),
    };
    let level = if found.arg(1).is_empty() { "error" } else { found.arg(1) };
    Some(Log { file, level: level.to_owned() })
}

impl Top<'_> {
    /// One more address to listen on. What one server says of it holds for all.
    pub(super) fn listen(&mut self, address: SocketAddr, proxy_protocol: bool, tls: bool) {
        match self.listeners.iter_mut().find(|known| known.address == address) {
            Some(known) => known.tls |= tls,
            None => self.listeners.push(Listening { address, proxy_protocol, tls }),
        }
    }

    /// One more Unix socket to listen on.
    pub(super) fn listen_on(&mut self, path: &str, tls: bool) {
        match self.paths.iter_mut().find(|(known, _)| known == path) {
            Some((_, known)) => *known |= tls,
            None => self.paths.push((path.to_owned(), tls)),
        }
    }

    /// The addresses to open: one of all interfaces takes in those of one.
    fn listening(&self) -> Value {
        let all = |listening: &Listening| {
            let address = listening.address;
            let wide = |known: &Listening| {
                let known = known.address;
                let one_family = known.is_ipv4() == address.is_ipv4();
                one_family && known.ip().is_unspecified() && known.port() == address.port()
            };
            !address.ip().is_unspecified() && self.listeners.iter().any(wide)
        };
        let open = self.listeners.iter().filter(|listening| !all(listening));
        let shown = open.map(|listening| {
            let address = listening.address.to_string();
            endpoint(address, listening.proxy_protocol, listening.tls)
        });
        let paths = self.paths.iter().map(|(path, tls)| endpoint(path.clone(), false, *tls));
        Value::Array(shown.chain(paths).collect())
    }
}

/// An entry of `listen`.
fn endpoint(address: String, proxy_protocol: bool, tls: bool) -> Value {
    if !proxy_protocol && !tls {
        return json!(address);
    }
    let mut entry = Map::from_iter([("address".to_owned(), json!(address))]);
    if proxy_protocol {
        entry.insert("proxy_protocol".into(), json!(true));
    }
    if tls {
        // Certificates are the sites'.
        entry.insert("tls".into(), json!({}));
    }
    Value::Object(entry)
}
