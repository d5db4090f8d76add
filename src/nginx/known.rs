//! The directives that nginx and its Lua module know: where each may stand, and what becomes of it.

/// Where a directive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Main,
    Events,
    Http,
    Server,
    Location,
    /// `if` in a location.
    If,
    /// `if` in a server.
    ServerIf,
    Upstream,
    /// The lines of `map`, `types` and their like, which are no directives.
    Free,
}

/// What ends a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    Block(Context),
}

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is translated.
    Carried,
    /// It changes nothing here, and nobody misses it.
    Ignored,
    /// It is not carried over; what to do instead.
    Left(&'static str),
}

/// A directive that is known.
#[derive(Debug)]
struct Known {
    name: &'static str,
    /// `M` main, `E` events, `H` http, `S` server, `L` location, `I` if in location, `J` if in
    /// server, `U` upstream.
    letters: &'static str,
    least: usize,
    most: usize,
    shape: Shape,
    fate: Fate,
}

/// Where a directive may stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contexts(&'static str);

impl Contexts {
    pub(super) fn contains(self, context: &Context) -> bool {
        let letter = match context {
            Context::Main => 'M',
            Context::Events => 'E',
            Context::Http => 'H',
            Context::Server => 'S',
            Context::Location => 'L',
            Context::If => 'I',
            Context::ServerIf => 'J',
            Context::Upstream => 'U',
            Context::Free => return true,
        };
        self.0.contains(letter)
    }
}

/// A known directive with its contexts.
pub(super) struct Found {
    pub(super) contexts: Contexts,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) shape: Shape,
    pub(super) fate: Fate,
}

/// The directive of that name, where it stands.
pub(super) fn find(name: &str, here: Context) -> Option<Found> {
    let known = match (by_lua(name), here) {
        (Some(family), _) => family,
        (None, Context::Upstream) if name == PEER.name => &PEER,
        (None, _) => TABLE.iter().find(|known| known.name == name)?,
    };
    Some(Found {
        contexts: Contexts(known.letters),
        least: known.least,
        most: known.most,
        shape: known.shape,
        fate: known.fate,
    })
}

/// The row of a `*_by_lua` directive in one of its three forms.
fn by_lua(name: &str) -> Option<&'static Known> {
    let (phase, form) = name.split_once("_by_lua")?;
    let is_form = matches!(form, "_block" | "_file") || (form.is_empty() && !is_late(phase));
    PHASES.iter().find(|known| is_form && known.name == phase)
}

/// Phases that came when scripts in quotes were already thought to be a mistake.
fn is_late(phase: &str) -> bool {
    !matches!(
        phase,
        "init"
            | "init_worker"
            | "set"
            | "rewrite"
            | "access"
            | "content"
            | "header_filter"
            | "body_filter"
            | "log"
    )
}

const fn row(
    name: &'static str,
    letters: &'static str,
    least: usize,
    most: usize,
    fate: Fate,
) -> Known {
    Known { name, letters, least, most, shape: Shape::Plain, fate }
}

const fn block(name: &'static str, letters: &'static str, most: usize, inner: Context) -> Known {
    let fate = Fate::Carried;
    Known { name, letters, least: 0, most, shape: Shape::Block(inner), fate }
}

/// A block that is not carried over.
const fn unread(name: &'static str, letters: &'static str, instead: &'static str) -> Known {
    let (shape, fate) = (Shape::Block(Context::Free), Fate::Left(instead));
    Known { name, letters, least: 0, most: MANY, shape, fate }
}

const MANY: usize = 99;
const CARRIED: Fate = Fate::Carried;
const IGNORED: Fate = Fate::Ignored;
const TLS: Fate = Fate::Left("TLS is not spoken yet: end it before Moongate");
const NO_CACHE: Fate = Fate::Left("there is no cache of responses: put one before Moongate");

/// The scripts' phases, before `_by_lua`.
const PHASES: &[Known] = &[
    row("init", "H", 0, 1, CARRIED),
    row("init_worker", "H", 0, 1, CARRIED),
    row(
        "exit_worker",
        "H",
        0,
        1,
        Fate::Left("there is no `exit_worker` phase: timers are told by `premature`"),
    ),
    row("set", "SLIJ", 1, MANY, CARRIED),
    row("server_rewrite", "HS", 0, 1, CARRIED),
    row("rewrite", "HSLI", 0, 1, CARRIED),
    row("access", "HSLI", 0, 1, CARRIED),
    row("precontent", "HSLI", 0, 1, CARRIED),
    row("content", "LI", 0, 1, CARRIED),
    row("header_filter", "HSLI", 0, 1, CARRIED),
    row("body_filter", "HSLI", 0, 1, CARRIED),
    row("log", "HSLI", 0, 1, CARRIED),
    row(
        "balancer",
        "U",
        0,
        1,
        Fate::Left("choose the upstream in `rewrite`: `ngx.var.upstream = \"name\"`"),
    ),
    row("ssl_client_hello", "HS", 0, 1, TLS),
    row("ssl_certificate", "HS", 0, 1, TLS),
    row("ssl_session_fetch", "H", 0, 1, TLS),
    row("ssl_session_store", "H", 0, 1, TLS),
    row("proxy_ssl_certificate", "L", 0, 1, TLS),
    row("proxy_ssl_verify", "L", 0, 1, TLS),
];

/// All others, as their modules document them.
const TABLE: &[Known] = &[
    block("events", "M", 0, Context::Events),
    block("http", "M", 0, Context::Http),
    block("server", "H", 0, Context::Server),
    block("location", "SL", 2, Context::Location),
    block("if", "SL", MANY, Context::If),
    block("upstream", "H", 1, Context::Upstream),
    block("types", "HSL", 0, Context::Free),
    unread("limit_except", "L", "match methods: `match: { method: [GET] }`"),
    unread("map", "H", "compute the variable with `set_by_lua_block`"),
    unread("geo", "H", "compute the variable with `set_by_lua_block`"),
    unread("split_clients", "H", "compute the variable with `set_by_lua_block`"),
    unread("stream", "M", "only HTTP is spoken"),
    unread("mail", "M", "only HTTP is spoken"),
    // The process.
    row("daemon", "M", 1, 1, IGNORED),
    row("master_process", "M", 1, 1, IGNORED),
    row("worker_processes", "M", 1, 1, CARRIED),
    row("worker_rlimit_nofile", "M", 1, 1, IGNORED),
    row("worker_rlimit_core", "M", 1, 1, IGNORED),
    row("worker_cpu_affinity", "M", 1, MANY, IGNORED),
    row("worker_priority", "M", 1, 1, IGNORED),
    row("worker_shutdown_timeout", "M", 1, 1, CARRIED),
    row("working_directory", "M", 1, 1, IGNORED),
    row("timer_resolution", "M", 1, 1, IGNORED),
    row("thread_pool", "M", 2, 3, IGNORED),
    row("load_module", "M", 1, 1, IGNORED),
    row("pcre_jit", "M", 1, 1, IGNORED),
    row("debug_points", "M", 1, 1, IGNORED),
    row("lock_file", "M", 1, 1, IGNORED),
    row("user", "M", 1, 2, IGNORED),
    row("pid", "M", 1, 1, CARRIED),
    row("env", "M", 1, 1, CARRIED),
    row("ssl_engine", "M", 1, 1, IGNORED),
    row("error_log", "MHSL", 1, MANY, CARRIED),
    row("worker_connections", "E", 1, 1, IGNORED),
    row("use", "E", 1, 1, IGNORED),
    row("accept_mutex", "E", 1, 1, IGNORED),
    row("accept_mutex_delay", "E", 1, 1, IGNORED),
    row("multi_accept", "E", 1, 1, IGNORED),
    row("debug_connection", "E", 1, 1, IGNORED),
    // Who connects, and what it may cost.
    row("listen", "S", 1, MANY, CARRIED),
    row("server_name", "S", 1, MANY, CARRIED),
    row("http2", "HS", 1, 1, IGNORED),
    row("keepalive_timeout", "HSL", 1, 2, CARRIED),
    row("keepalive_requests", "HSL", 1, 1, CARRIED),
    row("keepalive_time", "HSL", 1, 1, IGNORED),
    row("keepalive_disable", "HSL", 1, MANY, IGNORED),
    row("client_max_body_size", "HSL", 1, 1, CARRIED),
    row("client_body_buffer_size", "HSL", 1, 1, CARRIED),
    row("client_body_in_file_only", "HSL", 1, 1, CARRIED),
    row("client_body_in_single_buffer", "HSL", 1, 1, IGNORED),
    row("client_body_temp_path", "HSL", 1, 4, IGNORED),
    row("client_body_timeout", "HSL", 1, 1, CARRIED),
    row("client_header_timeout", "HS", 1, 1, CARRIED),
    row("client_header_buffer_size", "HS", 1, 1, CARRIED),
    row("large_client_header_buffers", "HS", 2, 2, CARRIED),
    row("connection_pool_size", "HS", 1, 1, IGNORED),
    row("request_pool_size", "HS", 1, 1, IGNORED),
    row("ignore_invalid_headers", "HS", 1, 1, IGNORED),
    row("underscores_in_headers", "HS", 1, 1, IGNORED),
    row("merge_slashes", "HS", 1, 1, IGNORED),
    row("reset_timedout_connection", "HSL", 1, 1, IGNORED),
    row("lingering_close", "HSL", 1, 1, IGNORED),
    row("lingering_time", "HSL", 1, 1, IGNORED),
    row("lingering_timeout", "HSL", 1, 1, IGNORED),
    row("send_timeout", "HSL", 1, 1, CARRIED),
    row("send_lowat", "HSL", 1, 1, IGNORED),
    row("postpone_output", "HSL", 1, 1, IGNORED),
    row("output_buffers", "HSL", 2, 2, IGNORED),
    row("limit_rate", "HSLI", 1, 1, IGNORED),
    row("limit_rate_after", "HSLI", 1, 1, IGNORED),
    row(
        "limit_conn",
        "HSL",
        2,
        2,
        Fate::Left("use `limits.connections_per_client`, or the library `resty.limit.conn`"),
    ),
    row(
        "limit_conn_zone",
        "H",
        2,
        2,
        Fate::Left("use `limits.connections_per_client`, or the library `resty.limit.conn`"),
    ),
    row("limit_req", "HSL", 1, MANY, Fate::Left("use the module `rate_limit`")),
    row("limit_req_zone", "H", 3, MANY, Fate::Left("use the module `rate_limit`")),
    row("max_ranges", "HSL", 1, 1, IGNORED),
    row("tcp_nodelay", "HSL", 1, 1, IGNORED),
    row("tcp_nopush", "HSL", 1, 1, IGNORED),
    row("sendfile", "HSLI", 1, 1, IGNORED),
    row("sendfile_max_chunk", "HSL", 1, 1, IGNORED),
    row("aio", "HSL", 1, 1, IGNORED),
    row("directio", "HSL", 1, 1, IGNORED),
    row("read_ahead", "HSL", 1, 1, IGNORED),
    row("chunked_transfer_encoding", "HSL", 1, 1, CARRIED),
    row("server_tokens", "HSL", 1, 1, CARRIED),
    row("resolver", "HSL", 1, MANY, CARRIED),
    row("resolver_timeout", "HSL", 1, 1, CARRIED),
    row("open_file_cache", "HSL", 1, MANY, IGNORED),
    row("open_file_cache_valid", "HSL", 1, 1, IGNORED),
    row("open_file_cache_min_uses", "HSL", 1, 1, IGNORED),
    row("open_file_cache_errors", "HSL", 1, 1, IGNORED),
    row("variables_hash_max_size", "H", 1, 1, IGNORED),
    row("variables_hash_bucket_size", "H", 1, 1, IGNORED),
    row("server_names_hash_max_size", "H", 1, 1, IGNORED),
    row("server_names_hash_bucket_size", "H", 1, 1, IGNORED),
    row("types_hash_max_size", "HSL", 1, 1, IGNORED),
    row("types_hash_bucket_size", "HSL", 1, 1, IGNORED),
    row("map_hash_max_size", "H", 1, 1, IGNORED),
    row("map_hash_bucket_size", "H", 1, 1, IGNORED),
    row("access_log", "HSLI", 1, MANY, CARRIED),
    row("log_format", "H", 2, MANY, IGNORED),
    row("log_subrequest", "HSL", 1, 1, IGNORED),
    row("log_not_found", "HSL", 1, 1, IGNORED),
    row("open_log_file_cache", "HSL", 1, 4, IGNORED),
    row("rewrite_log", "HSLIJ", 1, 1, IGNORED),
    row("uninitialized_variable_warn", "HSLIJ", 1, 1, IGNORED),
    row("set_real_ip_from", "HSL", 1, 1, CARRIED),
    row("real_ip_header", "HSL", 1, 1, IGNORED),
    row("real_ip_recursive", "HSL", 1, 1, IGNORED),
    // Which request goes where, and is answered how.
    row("internal", "L", 0, 0, CARRIED),
    row("set", "SLIJ", 2, 2, CARRIED),
    row("rewrite", "SLIJ", 2, 3, CARRIED),
    row("return", "SLIJ", 1, 2, CARRIED),
    row("break", "SLIJ", 0, 0, CARRIED),
    row("root", "HSLI", 1, 1, CARRIED),
    row("alias", "L", 1, 1, CARRIED),
    row("index", "HSL", 1, MANY, CARRIED),
    row("autoindex", "HSL", 1, 1, Fate::Left("folders are not listed: write an index file")),
    row("try_files", "SL", 2, MANY, CARRIED),
    row("default_type", "HSL", 1, 1, CARRIED),
    row("charset", "HSLI", 1, 1, IGNORED),
    row("charset_types", "HSL", 1, MANY, IGNORED),
    row("etag", "HSL", 1, 1, CARRIED),
    row("if_modified_since", "HSL", 1, 1, IGNORED),
    row("error_page", "HSLI", 2, MANY, CARRIED),
    row("recursive_error_pages", "HSL", 1, 1, IGNORED),
    row("msie_padding", "HSL", 1, 1, IGNORED),
    row("server_name_in_redirect", "HSL", 1, 1, IGNORED),
    row("port_in_redirect", "HSL", 1, 1, IGNORED),
    row("absolute_redirect", "HSL", 1, 1, IGNORED),
    row("add_header", "HSLI", 2, 3, CARRIED),
    row("add_trailer", "HSLI", 2, 3, Fate::Left("trailers are not sent")),
    row("expires", "HSLI", 1, 2, CARRIED),
    row("more_set_headers", "HSLI", 1, MANY, CARRIED),
    row("more_clear_headers", "HSLI", 1, MANY, CARRIED),
    row("more_set_input_headers", "HSLI", 1, MANY, CARRIED),
    row("more_clear_input_headers", "HSLI", 1, MANY, CARRIED),
    row("allow", "HSL", 1, 1, CARRIED),
    row("deny", "HSL", 1, 1, CARRIED),
    row("satisfy", "HSL", 1, 1, CARRIED),
    row("auth_basic", "HSL", 1, 1, Fate::Left("use the module `basic_auth`")),
    row("auth_basic_user_file", "HSL", 1, 1, Fate::Left("use the module `basic_auth`")),
    row(
        "auth_request",
        "HSL",
        1,
        1,
        Fate::Left("ask in `access_by_lua_block` by `ngx.location.capture`"),
    ),
    row(
        "auth_request_set",
        "HSL",
        2,
        2,
        Fate::Left("ask in `access_by_lua_block` by `ngx.location.capture`"),
    ),
    row(
        "valid_referers",
        "SL",
        1,
        MANY,
        Fate::Left("look at `ngx.var.http_referer` in `access_by_lua_block`"),
    ),
    row("gzip", "HSLI", 1, 1, IGNORED),
    row("gzip_types", "HSL", 1, MANY, IGNORED),
    row("gzip_min_length", "HSL", 1, 1, IGNORED),
    row("gzip_buffers", "HSL", 2, 2, IGNORED),
    row("gzip_comp_level", "HSL", 1, 1, IGNORED),
    row("gzip_disable", "HSL", 1, MANY, IGNORED),
    row("gzip_http_version", "HSL", 1, 1, IGNORED),
    row("gzip_proxied", "HSL", 1, MANY, IGNORED),
    row("gzip_vary", "HSL", 1, 1, IGNORED),
    row("gzip_static", "HSL", 1, 1, IGNORED),
    row("gunzip", "HSL", 1, 1, IGNORED),
    row("dav_methods", "HSL", 1, MANY, Fate::Left("files are only read")),
    row("create_full_put_path", "HSL", 1, 1, Fate::Left("files are only read")),
    row("stub_status", "SL", 0, 1, Fate::Left("metrics are at the admin address: `/metrics`")),
    row("addition_types", "HSL", 1, MANY, IGNORED),
    row("add_after_body", "HSL", 1, 1, Fate::Left("add it in `body_filter_by_lua_block`")),
    row("add_before_body", "HSL", 1, 1, Fate::Left("add it in `body_filter_by_lua_block`")),
    row("sub_filter", "HSL", 2, 2, Fate::Left("use the module `body_rewrite`")),
    row("sub_filter_once", "HSL", 1, 1, Fate::Left("use the module `body_rewrite`")),
    row("sub_filter_types", "HSL", 1, MANY, Fate::Left("use the module `body_rewrite`")),
    row("slice", "HSL", 1, 1, IGNORED),
    row("mirror", "HSL", 1, 1, Fate::Left("requests are not mirrored; see `moongate replay`")),
    // Upstreams.
    row("proxy_pass", "LI", 1, 1, CARRIED),
    row("proxy_set_header", "HSL", 2, 2, CARRIED),
    row("proxy_pass_header", "HSL", 1, 1, IGNORED),
    row("proxy_hide_header", "HSL", 1, 1, CARRIED),
    row("proxy_ignore_headers", "HSL", 1, MANY, IGNORED),
    row(
        "proxy_set_body",
        "HSL",
        1,
        1,
        Fate::Left("set it in `access_by_lua_block` by `ngx.req.set_body_data`"),
    ),
    row("proxy_method", "HSL", 1, 1, CARRIED),
    row("proxy_pass_request_headers", "HSL", 1, 1, CARRIED),
    row("proxy_pass_request_body", "HSL", 1, 1, CARRIED),
    row("proxy_http_version", "HSL", 1, 1, IGNORED),
    row("proxy_connect_timeout", "HSL", 1, 1, CARRIED),
    row("proxy_read_timeout", "HSL", 1, 1, CARRIED),
    row("proxy_send_timeout", "HSL", 1, 1, CARRIED),
    row("proxy_next_upstream", "HSL", 1, MANY, CARRIED),
    row("proxy_next_upstream_tries", "HSL", 1, 1, CARRIED),
    row("proxy_next_upstream_timeout", "HSL", 1, 1, IGNORED),
    row("proxy_redirect", "HSL", 1, 2, IGNORED),
    row("proxy_intercept_errors", "HSL", 1, 1, CARRIED),
    row("proxy_ignore_client_abort", "HSL", 1, 1, IGNORED),
    row("proxy_buffering", "HSL", 1, 1, IGNORED),
    row("proxy_request_buffering", "HSL", 1, 1, IGNORED),
    row("proxy_buffers", "HSL", 2, 2, IGNORED),
    row("proxy_buffer_size", "HSL", 1, 1, IGNORED),
    row("proxy_busy_buffers_size", "HSL", 1, 1, IGNORED),
    row("proxy_headers_hash_max_size", "HSL", 1, 1, IGNORED),
    row("proxy_headers_hash_bucket_size", "HSL", 1, 1, IGNORED),
    row("proxy_max_temp_file_size", "HSL", 1, 1, IGNORED),
    row("proxy_temp_file_write_size", "HSL", 1, 1, IGNORED),
    row("proxy_temp_path", "HSL", 1, 4, IGNORED),
    row("proxy_socket_keepalive", "HSL", 1, 1, IGNORED),
    row("proxy_bind", "HSL", 1, 2, IGNORED),
    row("proxy_force_ranges", "HSL", 1, 1, IGNORED),
    row(
        "proxy_cookie_path",
        "HSL",
        1,
        2,
        Fate::Left("change `Set-Cookie` in `header_filter_by_lua_block`"),
    ),
    row(
        "proxy_cookie_domain",
        "HSL",
        1,
        2,
        Fate::Left("change `Set-Cookie` in `header_filter_by_lua_block`"),
    ),
    row("proxy_store", "HSL", 1, 1, NO_CACHE),
    row("proxy_cache", "HSL", 1, 1, NO_CACHE),
    row("proxy_cache_path", "H", 2, MANY, NO_CACHE),
    row("proxy_cache_key", "HSL", 1, 1, NO_CACHE),
    row("proxy_cache_valid", "HSL", 1, MANY, NO_CACHE),
    row("proxy_cache_lock", "HSL", 1, 1, NO_CACHE),
    row("proxy_cache_bypass", "HSL", 1, MANY, NO_CACHE),
    row("proxy_no_cache", "HSL", 1, MANY, NO_CACHE),
    row("proxy_cache_use_stale", "HSL", 1, MANY, NO_CACHE),
    row("proxy_cache_methods", "HSL", 1, MANY, NO_CACHE),
    row("proxy_cache_min_uses", "HSL", 1, 1, NO_CACHE),
    row("proxy_cache_revalidate", "HSL", 1, 1, NO_CACHE),
    row("fastcgi_pass", "LI", 1, 1, Fate::Left("only HTTP upstreams are spoken to")),
    row("fastcgi_param", "HSL", 2, 3, Fate::Left("only HTTP upstreams are spoken to")),
    row("fastcgi_index", "HSL", 1, 1, Fate::Left("only HTTP upstreams are spoken to")),
    row("fastcgi_temp_path", "HSL", 1, 4, IGNORED),
    row("uwsgi_pass", "LI", 1, 1, Fate::Left("only HTTP upstreams are spoken to")),
    row("uwsgi_temp_path", "HSL", 1, 4, IGNORED),
    row("scgi_pass", "LI", 1, 1, Fate::Left("only HTTP upstreams are spoken to")),
    row("scgi_temp_path", "HSL", 1, 4, IGNORED),
    row("grpc_pass", "LI", 1, 1, Fate::Left("HTTP/2 to upstreams is not spoken yet")),
    row(
        "memcached_pass",
        "LI",
        1,
        1,
        Fate::Left("ask it from `content_by_lua_block` by `ngx.socket.tcp`"),
    ),
    row("keepalive", "U", 1, 1, CARRIED),
    row("balancer_keepalive", "U", 1, MANY, IGNORED),
    row("zone", "U", 1, 2, IGNORED),
    row("ip_hash", "U", 0, 0, CARRIED),
    row("least_conn", "U", 0, 0, CARRIED),
    row("hash", "U", 1, 2, CARRIED),
    row("random", "U", 0, 2, IGNORED),
    // TLS.
    row("ssl", "HS", 1, 1, TLS),
    row("ssl_certificate", "HS", 1, 1, TLS),
    row("ssl_certificate_key", "HS", 1, 1, TLS),
    row("ssl_protocols", "HS", 1, MANY, TLS),
    row("ssl_ciphers", "HS", 1, 1, TLS),
    row("ssl_prefer_server_ciphers", "HS", 1, 1, TLS),
    row("ssl_session_cache", "HS", 1, 2, TLS),
    row("ssl_session_timeout", "HS", 1, 1, TLS),
    row("ssl_session_tickets", "HS", 1, 1, TLS),
    row("ssl_client_certificate", "HS", 1, 1, TLS),
    row("ssl_trusted_certificate", "HS", 1, 1, TLS),
    row("ssl_verify_client", "HS", 1, 1, TLS),
    row("ssl_verify_depth", "HS", 1, 1, TLS),
    row("ssl_early_data", "HS", 1, 1, TLS),
    row("ssl_password_file", "HS", 1, 1, TLS),
    row("ssl_conf_command", "HS", 2, 2, TLS),
    row("proxy_ssl_verify", "HSL", 1, 1, TLS),
    row("proxy_ssl_name", "HSL", 1, 1, TLS),
    row("proxy_ssl_server_name", "HSL", 1, 1, TLS),
    row("proxy_ssl_session_reuse", "HSL", 1, 1, TLS),
    row("proxy_ssl_certificate", "HSL", 1, 1, TLS),
    row("proxy_ssl_certificate_key", "HSL", 1, 1, TLS),
    row("proxy_ssl_trusted_certificate", "HSL", 1, 1, TLS),
    row("proxy_ssl_protocols", "HSL", 1, MANY, TLS),
    row("proxy_ssl_ciphers", "HSL", 1, 1, TLS),
    row("proxy_ssl_verify_depth", "HSL", 1, 1, TLS),
    row("proxy_ssl_conf_command", "HSL", 2, 2, TLS),
    // Lua.
    row("lua_package_path", "H", 1, 1, CARRIED),
    row("lua_package_cpath", "H", 1, 1, IGNORED),
    row("lua_shared_dict", "H", 2, 2, CARRIED),
    row("lua_code_cache", "HSLI", 1, 1, CARRIED),
    row("lua_need_request_body", "HSLI", 1, 1, CARRIED),
    row("lua_max_pending_timers", "H", 1, 1, CARRIED),
    row("lua_max_running_timers", "H", 1, 1, CARRIED),
    row("lua_check_client_abort", "HSLI", 1, 1, CARRIED),
    row("lua_use_default_type", "HSLI", 1, 1, CARRIED),
    row("lua_http10_buffering", "HSLI", 1, 1, CARRIED),
    row("lua_transform_underscores_in_response_headers", "HSLI", 1, 1, CARRIED),
    row("rewrite_by_lua_no_postpone", "H", 1, 1, CARRIED),
    row("access_by_lua_no_postpone", "H", 1, 1, IGNORED),
    row("precontent_by_lua_no_postpone", "H", 1, 1, IGNORED),
    row("lua_load_resty_core", "H", 1, 1, IGNORED),
    row("lua_capture_error_log", "H", 1, 1, CARRIED),
    row("lua_malloc_trim", "H", 1, 1, IGNORED),
    row("lua_sa_restart", "H", 1, 1, IGNORED),
    row("lua_thread_cache_max_entries", "H", 1, 1, IGNORED),
    row("lua_regex_cache_max_entries", "H", 1, 1, CARRIED),
    row("lua_regex_match_limit", "H", 1, 1, CARRIED),
    row("lua_worker_thread_vm_pool_size", "H", 1, 1, IGNORED),
    row("lua_socket_connect_timeout", "HSLI", 1, 1, CARRIED),
    row("lua_socket_send_timeout", "HSLI", 1, 1, CARRIED),
    row("lua_socket_read_timeout", "HSLI", 1, 1, CARRIED),
    row("lua_socket_send_lowat", "HSLI", 1, 1, IGNORED),
    row("lua_socket_buffer_size", "HSLI", 1, 1, IGNORED),
    row("lua_socket_pool_size", "HSLI", 1, 1, CARRIED),
    row("lua_socket_keepalive_timeout", "HSLI", 1, 1, CARRIED),
    row("lua_socket_log_errors", "HSLI", 1, 1, CARRIED),
    row("lua_ssl_ciphers", "HSLI", 1, 1, IGNORED),
    row("lua_ssl_crl", "HSLI", 1, 1, IGNORED),
    row("lua_ssl_protocols", "HSLI", 1, MANY, IGNORED),
    row("lua_ssl_certificate", "HSLI", 1, 1, IGNORED),
    row("lua_ssl_certificate_key", "HSLI", 1, 1, IGNORED),
    row("lua_ssl_trusted_certificate", "HSLI", 1, 1, CARRIED),
    row("lua_ssl_verify_depth", "HSLI", 1, 1, CARRIED),
    row("lua_ssl_key_log", "HSLI", 1, 1, IGNORED),
    row("lua_ssl_conf_command", "HSLI", 2, 2, IGNORED),
    row("lua_upstream_skip_openssl_default_verify", "LI", 1, 1, IGNORED),
    // What the echo module says; its directives become a content script.
    row("echo", "LI", 0, MANY, CARRIED),
    row("echo_duplicate", "LI", 2, 2, CARRIED),
    row("echo_flush", "LI", 0, 0, CARRIED),
    row("echo_sleep", "LI", 1, 1, CARRIED),
    row("echo_status", "LI", 1, 1, CARRIED),
    row("echo_exec", "LI", 1, 2, CARRIED),
    row("echo_location", "LI", 1, 2, CARRIED),
    row("echo_location_async", "LI", 1, 2, CARRIED),
    row("echo_subrequest", "LI", 2, MANY, CARRIED),
    row("echo_subrequest_async", "LI", 2, MANY, CARRIED),
    row("echo_read_request_body", "LI", 0, 0, CARRIED),
    row("echo_request_body", "LI", 0, 0, CARRIED),
    row("echo_before_body", "LI", 0, MANY, CARRIED),
    row("echo_after_body", "LI", 0, MANY, CARRIED),
    row("echo_blocking_sleep", "LI", 1, 1, CARRIED),
    row("echo_end", "LI", 0, 0, IGNORED),
];

/// In an upstream, a `server` is a peer.
static PEER: Known = row("server", "U", 1, MANY, CARRIED);
