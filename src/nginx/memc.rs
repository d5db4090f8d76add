//! `memc_pass`: the memc module's location as a script that asks memcached over a socket.

use std::fmt::Write as _;

use super::Emerg;
use super::echo::{literal, template};
use super::location::Place;
use super::scope::Scope;
use super::tree::Directive;
use super::units::milliseconds;

/// What the script does with what its first lines say: servers, times, how many connections wait.
const SCRIPT: &str = include_str!("memc.luau");

/// The variables by which a location says what it wants.
pub(super) const VARIABLES: [&str; 6] =
    ["memc_cmd", "memc_key", "memc_value", "memc_exptime", "memc_flags", "memcached_key"];

/// Milliseconds that nginx waits where nothing is said.
const MINUTE: u64 = 60_000;

/// The script of a location with this directive.
pub(super) fn script(
    place: &Place<'_, '_>,
    pass: &Directive,
    scope: &Scope<'_>,
) -> Result<String, Emerg> {
    let (servers, kept) = servers(place, pass)?;
    let mut code = "local function v(name) return ngx.var[name] or \"\" end\n".to_owned();
    let _ = writeln!(code, "local servers = {{ {servers} }}\nlocal kept = {kept}");
    for (directive, name) in [
        ("memc_connect_timeout", "connect_time"),
        ("memc_send_timeout", "send_time"),
        ("memc_read_timeout", "read_time"),
    ] {
        let said = scope.get(directive).and_then(|found| milliseconds(found.arg(0)));
        let _ = writeln!(code, "local {name} = {}", said.unwrap_or(MINUTE).max(1));
    }
    let allowed = scope.get("memc_cmds_allowed").map(|found| {
        let words = found.args.iter().map(|word| format!("[{}] = true", literal(word)));
        format!("{{ {} }}", words.collect::<Vec<_>>().join(", "))
    });
    let _ = writeln!(code, "local allowed = {}", allowed.unwrap_or_else(|| "nil".to_owned()));
    code.push_str(SCRIPT);
    Ok(code)
}

/// Hosts and ports as a list, and how many idle connections are kept.
fn servers(place: &Place<'_, '_>, pass: &Directive) -> Result<(String, String), Emerg> {
    let authority = pass.arg(0);
    if authority.contains('$') {
        let whole = template(authority);
        return Ok((format!("{{ ({whole}):match(\"^(.*):(%d+)$\") }}"), "nil".to_owned()));
    }
    let Some(block) = place.top.upstreams.block(authority) else {
        return Ok((server(pass, authority)?, "nil".to_owned()));
    };
    let named = |name: &'static str| block.block.iter().filter(move |line| line.name == name);
    let peers = named("server").map(|line| server(line, line.arg(0)));
    let peers = peers.collect::<Result<Vec<_>, Emerg>>()?;
    let kept = named("keepalive").next_back().and_then(|line| line.arg(0).parse::<u32>().ok());
    Ok((peers.join(", "), kept.map_or_else(|| "nil".to_owned(), |kept| kept.to_string())))
}

fn server(directive: &Directive, authority: &str) -> Result<String, Emerg> {
    if authority.starts_with("unix:") {
        return Ok(format!("{{ {} }}", literal(authority)));
    }
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "11211"));
    let port = port
        .parse::<u16>()
        .map_err(|_| directive.fault(format!("invalid port in upstream \"{authority}\"")))?;
    Ok(format!("{{ {}, {port} }}", literal(host)))
}
