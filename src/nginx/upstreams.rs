//! `upstream` blocks, and the upstreams that `proxy_pass` makes by the way.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::tree::Directive;
use super::units::{milliseconds, time};
use super::{Left, scripts};

/// Letters of an upstream's name that its address gives.
const LONGEST_NAME: usize = 56;
/// The ports of servers that name none.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The upstreams of a file, as far as something passes requests to them.
pub(super) struct Upstreams<'t> {
    prefix: &'t Path,
    /// The blocks of that name in the file.
    blocks: &'t [&'t Directive],
    made: Map<String, Value>,
}

impl<'t> Upstreams<'t> {
    /// Of a file with these blocks.
    pub(super) fn of(blocks: &'t [&'t Directive], prefix: &'t Path) -> Self {
        Self { prefix, blocks, made: Map::new() }
    }

    /// Every block is an upstream that requests may go to.
    pub(super) fn make_all(&mut self) {
        for block in self.blocks {
            self.name(block.arg(0), Map::new());
        }
    }

    /// The block of that name.
    pub(super) fn block(&self, name: &str) -> Option<&'t Directive> {
        self.blocks.iter().copied().find(|block| block.arg(0) == name)
    }

    /// The name of the upstream for an authority as written in `proxy_pass`.
    pub(super) fn name(&mut self, authority: &str, settings: Map<String, Value>) -> String {
        let usual = if settings.contains_key("tls") { HTTPS } else { HTTP };
        let own_peer = || json!([with_port(authority, usual)]);
        let mut upstream = match self.block(authority) {
            Some(block) => group(block, self.prefix),
            None => Map::from_iter([("peers".to_owned(), own_peer())]),
        };
        upstream.entry("connect_timeout").or_insert(json!("1m"));
        upstream.entry("max_fails").or_insert(json!(0));
        upstream.extend(settings);
        limit_tries(&mut upstream);
        let base = base_name(authority);
        let mut name = base.clone();
        for more in 2.. {
            match self.made.get(&name) {
                Some(known) if known.as_object() == Some(&upstream) => break,
                Some(_) => name = format!("{base}-{more}"),
                None => {
                    self.made.insert(name.clone(), Value::Object(upstream));
                    break;
                }
            }
        }
        name
    }

    /// As the settings say them.
    pub(super) fn into_settings(self) -> Map<String, Value> {
        self.made
    }
}

/// What a name of ours may hold of an authority.
fn base_name(authority: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
    let letters = authority.chars().map(|letter| if plain(letter) { letter } else { '_' });
    letters.take(LONGEST_NAME).collect()
}

/// Each server is tried once, as in nginx, if a limit of tries does not say otherwise; that is told as
/// `most_tries`, which only an upstream with a script has.
fn limit_tries(upstream: &mut Map<String, Value>) {
    let peers = upstream.get("peers").and_then(Value::as_array).map_or(1, Vec::len) as u64;
    let most = match upstream.get("most_tries").and_then(Value::as_u64) {
        None | Some(0) => u64::MAX,
        Some(most) => most,
    };
    upstream.insert("retries".into(), json!(peers.min(most).clamp(1, 11) - 1));
    if !upstream.keys().any(|key| key.starts_with("balancer_by_lua")) {
        upstream.remove("most_tries");
    }
}

/// An upstream block.
fn group(block: &Directive, prefix: &Path) -> Map<String, Value> {
    let mut group = Map::new();
    for directive in &block.block {
        match directive.name.as_str() {
            "keepalive" => {
                let kept = directive.arg(0).parse::<u64>().unwrap_or(32);
                group.insert("keepalive".into(), json!(kept));
            }
            "least_conn" => drop(group.insert("balance".into(), json!("least_connections"))),
            "ip_hash" => {
                group.insert("balance".into(), json!({ "consistent_hash": "remote_addr" }));
            }
            "hash" => {
                let key = directive.arg(0).trim_start_matches('$');
                group.insert("balance".into(), json!({ "consistent_hash": key }));
            }
            name if scripts::is_of(name, "balancer") => {
                scripts::put_one(directive, "balancer", prefix, &mut group);
            }
            _ => {}
        }
    }
    let servers: Vec<&Directive> = servers(block).filter(|server| serves(server, block)).collect();
    // nginx never leaves the only server out.
    if let [first, _, ..] = servers[..] {
        judgement(first, &mut group);
    }
    let peers: Vec<Value> = servers.into_iter().map(peer).collect();
    if !peers.is_empty() {
        group.insert("peers".into(), Value::Array(peers));
    }
    group
}

fn servers(block: &Directive) -> impl Iterator<Item = &Directive> {
    block.block.iter().filter(|directive| directive.name == "server")
}

fn has(server: &Directive, word: &str) -> bool {
    server.args.iter().skip(1).any(|argument| argument == word)
}

/// Whether a server gets requests as long as nothing fails.
fn serves(server: &Directive, block: &Directive) -> bool {
    let is_first_choice = |server: &Directive| !has(server, "down") && !has(server, "backup");
    is_first_choice(server) || (!has(server, "down") && !servers(block).any(is_first_choice))
}

/// When servers are left out: what the first says holds for all.
fn judgement(first: &Directive, group: &mut Map<String, Value>) {
    let said = |name: &str| first.args.iter().find_map(|argument| argument.strip_prefix(name));
    let fails = said("max_fails=").and_then(|fails| fails.parse::<u64>().ok()).unwrap_or(1);
    let pause = said("fail_timeout=").and_then(milliseconds).unwrap_or(10_000);
    group.insert("max_fails".into(), json!(fails));
    group.insert("fail_time".into(), json!(time(pause.clamp(1, 3_600_000))));
}

fn peer(directive: &Directive) -> Value {
    let address = with_port(directive.arg(0), HTTP);
    let weight =
        directive.args.iter().find_map(|arg| arg.strip_prefix("weight=")?.parse::<u32>().ok());
    match weight {
        Some(weight) => json!({ "address": address, "weight": weight.clamp(1, 1000) }),
        None => json!(address),
    }
}

fn with_port(authority: &str, usual: u16) -> String {
    if authority.starts_with("unix:") {
        return authority.trim_end_matches(':').to_owned();
    }
    let bare = authority.rsplit(']').next().unwrap_or(authority);
    if bare.contains(':') { authority.to_owned() } else { format!("{authority}:{usual}") }
}

/// What servers of these blocks say that is not carried over.
pub(super) fn left_of(blocks: &[&Directive]) -> Vec<Left> {
    let mut left = Vec::new();
    for block in blocks {
        let first = servers(block).find(|server| serves(server, block));
        for server in servers(block) {
            let instead = match server.args.get(1..).unwrap_or_default() {
                _ if has(server, "backup") && !serves(server, block) => {
                    "it gets no requests: name it among the servers, or choose it in \
                     `balancer_by_lua_block`"
                }
                words if words.iter().any(|word| is_unknown(word)) => {
                    "of a server only weight, max_fails and fail_timeout are obeyed"
                }
                _ if serves(server, block) && first.is_some_and(|first| differs(first, server)) => {
                    "max_fails and fail_timeout of the first server hold for all of them"
                }
                _ => continue,
            };
            let (directive, file) = (server.shown(), server.file.to_string());
            left.push(Left { directive, file, line: server.line, instead: instead.to_owned() });
        }
    }
    left
}

fn is_unknown(word: &str) -> bool {
    let known = ["weight=", "max_fails=", "fail_timeout="];
    !known.iter().any(|name| word.starts_with(name)) && !matches!(word, "down" | "backup")
}

fn differs(one: &Directive, other: &Directive) -> bool {
    let said = |server: &Directive, name: &str| {
        server.args.iter().find(|argument| argument.starts_with(name)).cloned()
    };
    ["max_fails=", "fail_timeout="].iter().any(|name| said(one, name) != said(other, name))
}
