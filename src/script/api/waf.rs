//! `waf`: what Moongate offers to scripts beyond lua-nginx-module's names.

use super::native::{
    codings, headers, ip_sets, json_edit, jwt, keys, passwords, rules, secrets, users,
};
use super::{Function, Native};
use crate::transaction::PhaseSet;

/// Where no exchange is needed.
const ANYWHERE: PhaseSet = PhaseSet::of("iIsrachbltX");

/// Where there is an exchange that rules may judge.
const JUDGED: PhaseSet = PhaseSet::of("srachbl");

/// The table's functions.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "waf.add_match",
        phases: PhaseSet::of("rachb"),
        syntax: "ok, err = waf.add_match(id, msg, score?)",
        doc: "Tells the rules of something that the script found: it stands in the event log like a \
              rule's match, and its score counts as that of a rule of the first paranoia level, so \
              that the rule set's own threshold decides. Before phase 2 (`rewrite`, `access`) that \
              can refuse the request; later it is only told. Nil and `no rules` where none judge.",
        native: Native::Now(rules::add_match),
    },
    Function {
        name: "waf.constant_time_equals",
        phases: ANYWHERE,
        syntax: "equal = waf.constant_time_equals(a, b)",
        doc: "Whether two strings are the same; how long it takes does not tell where they differ.",
        native: Native::Now(keys::constant_time_equals),
    },
    Function {
        name: "waf.decode_body",
        phases: ANYWHERE,
        syntax: "bytes, err = waf.decode_body(bytes, coding, limit?)",
        doc: "Undoes the codings of a Content-Encoding field: `gzip`, `deflate`, `br`, `zstd`, \
              four of them at most. If more than `limit` bytes (default 8 MiB) would come out it answers nil and \
              `too large`; otherwise nil comes with `malformed` or `unknown coding`.",
        native: Native::Now(codings::decode_body),
    },
    Function {
        name: "waf.encode_body",
        phases: ANYWHERE,
        syntax: "bytes, err = waf.encode_body(bytes, coding)",
        doc: "Applies the codings of a Content-Encoding field, at a fast level.",
        native: Native::Now(codings::encode_body),
    },
    Function {
        name: "waf.ip_set",
        phases: ANYWHERE,
        syntax: "set = waf.ip_set{ items = {...}, files = {...} }",
        doc: "A set of addresses and networks. `files` are paths that a setting of type `file` \
              names: one entry a line, `#` and `;` begin a comment. `set:contains(address?)` tells \
              whether the address (default: the client's) is in it; `set:len()` counts its ranges. \
              It is built once for all workers: make it in `init`, a million entries take a moment.",
        native: Native::Now(ip_sets::ip_set),
    },
    Function {
        name: "waf.is_sqli",
        phases: ANYWHERE,
        syntax: "found, fingerprint = waf.is_sqli(text)",
        doc: "Whether a text is an SQL injection, read as it is and as if it stood behind a quote \
              (`@detectSQLi`); the fingerprint is libinjection's.",
        native: Native::Now(rules::is_sqli_text),
    },
    Function {
        name: "waf.is_xss",
        phases: ANYWHERE,
        syntax: "found = waf.is_xss(text)",
        doc: "Whether a text would run a script in a browser (`@detectXSS`).",
        native: Native::Now(rules::is_xss_text),
    },
    Function {
        name: "waf.json_edit",
        phases: ANYWHERE,
        syntax: "text, err = waf.json_edit(text, { set = {path = value}, remove = {paths}, mask = {paths} })",
        doc: "Edits fields of a JSON text and leaves every other byte as it is. A path has names \
              and element numbers (from 0) between dots, `*` stands for all of them: \
              `items.*.card`. `set` adds a field that is not there; `mask` puts `\"***\"`. Where \
              paths meet, `remove` goes before `mask`, and `mask` before `set`. Nil and a message \
              if the text is no JSON.",
        native: Native::Now(json_edit::json_edit),
    },
    Function {
        name: "waf.jwt_verifier",
        phases: ANYWHERE,
        syntax: "verifier = waf.jwt_verifier{ secret =, secret_file =, public_key =, public_key_file =, \
                 jwks_file =, algorithms =, issuer =, audience =, leeway =, require_exp = }",
        doc: "Checks signed tokens. `verifier:verify(token)` answers the claims as a table (JSON's \
              null as ngx.null), or nil and the reason. Algorithms are those of the key's kind, \
              unless `algorithms` names fewer; `leeway` is in seconds.",
        native: Native::Now(jwt::jwt_verifier),
    },
    Function {
        name: "waf.key_set",
        phases: ANYWHERE,
        syntax: "set = waf.key_set{ keys = {consumer = key}, files = {...} }",
        doc: "API keys, kept by their SHA-256. A key is written plain or as `sha256:` and 64 hex \
              digits; files have `consumer:key` lines. `set:find(key)` answers the consumer or nil.",
        native: Native::Now(keys::key_set),
    },
    Function {
        name: "waf.matches",
        phases: JUDGED,
        syntax: "list = waf.matches()",
        doc: "The rules that matched so far, in order: tables with `id`, `phase`, `msg`, `data`, \
              `severity`, `tags`, `variable`, `value` and `disruptive`. Phases 1 and 2 of the rules \
              run after `access`, 3 after `header_filter`, 4 before the first `body_filter`, 5 \
              before `log`. Values may hold secrets: only the event log leaves them out.",
        native: Native::Now(rules::matches),
    },
    Function {
        name: "waf.mode",
        phases: JUDGED,
        syntax: "mode = waf.mode()",
        doc: "What is done with what the rules find in this exchange: `on`, `detect`, or `off` where \
              no rules judge it.",
        native: Native::Now(rules::mode),
    },
    Function {
        name: "waf.remove_rule",
        phases: JUDGED,
        syntax: "count, err = waf.remove_rule(rules)",
        doc: "Rules do not run any more in this exchange: one id (`942100`), a range \
              (`\"942100-942199\"`) or a tag, letter by letter (`\"attack-sqli\"`). Answers how many \
              they are; nil and `no rules` where none judge.",
        native: Native::Now(rules::remove_rule),
    },
    Function {
        name: "waf.remove_target",
        phases: JUDGED,
        syntax: "count, err = waf.remove_target(rules, target)",
        doc: "Rules, named as for `waf.remove_rule`, do not look at something any more in this \
              exchange: `ARGS:comment`, `REQUEST_COOKIES:/^_ga/`. Nil and a message if there is no \
              such target.",
        native: Native::Now(rules::remove_target),
    },
    Function {
        name: "waf.score",
        phases: JUDGED,
        syntax: "inbound, outbound = waf.score()",
        doc: "The anomaly scores so far, of request and response; 0 where the rules keep none.",
        native: Native::Now(rules::score),
    },
    Function {
        name: "waf.secret",
        phases: ANYWHERE,
        syntax: "text, err = waf.secret(name)",
        doc: "A secret of the settings (`secrets`), if it is granted to the script's owner and, in a \
              function, declared. Nil and a message otherwise. No log line and no error message \
              shows its value. In a function's tests it is `(secret NAME)`.",
        native: Native::Now(secrets::secret),
    },
    Function {
        name: "waf.set_trusted_header",
        phases: PhaseSet::of("rac"),
        syntax: "waf.set_trusted_header(name, value?)",
        doc: "Sets a request header that the upstream may trust: every spelling of it that the \
              client sent (`_` for `-`, any case) is removed first. Control characters in the value \
              become spaces. Without a value it only removes.",
        native: Native::Now(headers::set_trusted_header),
    },
    Function {
        name: "waf.transform",
        phases: ANYWHERE,
        syntax: "text, err = waf.transform(name, text)",
        doc: "What a transformation of the rules makes of a text: `waf.transform(\"urlDecodeUni\", \
              value)`. Nil and a message if there is none of that name.",
        native: Native::Now(rules::transform),
    },
    Function {
        name: "waf.tx",
        phases: JUDGED,
        syntax: "value = waf.tx(name)   waf.tx(name, value)",
        doc: "Reads a member of the rules' `TX` collection, or sets it (nil removes it). What the \
              settings pin, such as `paranoia`, stays. What is set in `rewrite` or `access` is there \
              before the first rule.",
        native: Native::Now(rules::tx),
    },
    Function {
        name: "waf.user_list",
        phases: ANYWHERE,
        syntax: "list = waf.user_list{ users = {name = hash}, files = {...} }",
        doc: "Names and password hashes (argon2, bcrypt); files have `user:hash` lines, as \
              `htpasswd -B` writes them. `list:find(name)` answers a hash, and whether the name is \
              there: if it is not, the hash is one that no password fits and that costs as much.",
        native: Native::Now(users::user_list),
    },
    Function {
        name: "waf.verify_password",
        phases: PhaseSet::of("ract"),
        syntax: "fits, err = waf.verify_password(hash, password)",
        doc: "Whether the password fits the argon2 or bcrypt hash. The work is done on another \
              thread while the script waits; nil and `busy` if too many wait already.",
        native: Native::Waits(passwords::verify_password),
    },
];
