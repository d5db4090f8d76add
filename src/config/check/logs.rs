//! `access_log`.

use std::time::Duration;

use crate::config::raw::Value;
use crate::config::section::{Found, Section};
use crate::config::settings::{ACCESS_LOG, LOG_TARGET};
use crate::config::{AccessLog, LogFormat, LogTarget, values};
use crate::diagnostic::Diagnostic;

/// The access logs; empty where `access_log: false`.
pub fn read(file: &Section<'_>) -> Vec<AccessLog> {
    let Some(found) = file.get("access_log") else {
        return vec![log(&Section::absent(file.check, &ACCESS_LOG), LogTarget::Stdout)];
    };
    match found.node.text(&file.check.source) {
        Some("false" | "off" | "no" | "none") => Vec::new(),
        _ => found.items().iter().filter_map(one).collect(),
    }
}

fn one(found: &Found<'_>) -> Option<AccessLog> {
    if !matches!(found.node.value, Value::Map(_)) {
        let section = Section::absent(found.check, &ACCESS_LOG);
        return Some(log(&section, target(found)?));
    }
    let section = Section::open(found, &ACCESS_LOG);
    let target = section.get("to").map_or(Some(LogTarget::Stdout), |to| target(&to));
    let log = log(&section, target.clone().unwrap_or(LogTarget::Stdout));
    target.map(|_| log)
}

fn log(section: &Section<'_>, target: LogTarget) -> AccessLog {
    let format = match section.choice("format") {
        "combined" => LogFormat::Combined,
        _ => LogFormat::Json,
    };
    AccessLog { format, target, queue: section.count("queue") as usize }
}

fn target(found: &Found<'_>) -> Option<LogTarget> {
    if matches!(found.node.value, Value::Map(_)) {
        return named(&Section::open(found, &LOG_TARGET), found);
    }
    let text = found.text("write `stdout` or a path")?;
    match found.node.value {
        Value::Scalar(serde_json::Value::Bool(true)) => Some(LogTarget::Stdout),
        _ if text == "stdout" => Some(LogTarget::Stdout),
        Value::Scalar(serde_json::Value::String(_)) => {
            Some(LogTarget::File(found.check.root.join(text)))
        }
        _ => {
            found.expected(
                "`stdout`, a path or a mapping",
                "write `stdout`, or a path such as `access.log`",
            );
            None
        }
    }
}

fn named(section: &Section<'_>, found: &Found<'_>) -> Option<LogTarget> {
    let file = section.text("file");
    let http = section.text("http");
    let syslog = section.text("syslog");
    let (batch, every) = (section.count("batch") as usize, section.time("every"));
    match (file, http, syslog) {
        (Some((path, _)), None, None) => Some(LogTarget::File(section.check.root.join(path))),
        (None, Some((url, place)), None) => collector(url, &place, batch, every),
        (None, None, Some((url, place))) => syslog_target(&url, &place),
        _ => {
            found.bad_value("one of `file`, `http` and `syslog`, and only one", "write `stdout`, or for example `{ file: access.log }`; for two logs make `access_log` a list");
            None
        }
    }
}

fn collector(url: String, found: &Found<'_>, batch: usize, every: Duration) -> Option<LogTarget> {
    let host = url.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let with_port =
        |host: &str| if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    if host.is_none_or(|host| values::reachable(&with_port(host)).is_err()) {
        bad_url(
            found,
            &url,
            "`http://host:port/path`",
            "write it like `http://logs.internal:8088/lines`",
        );
        return None;
    }
    Some(LogTarget::Http { url, batch, every })
}

fn syslog_target(url: &str, found: &Found<'_>) -> Option<LogTarget> {
    let fits = |address: &str| values::reachable(address).is_ok();
    let target = if let Some(address) = url.strip_prefix("udp://").filter(|address| fits(address)) {
        LogTarget::SyslogUdp(address.to_owned())
    } else if let Some(address) = url.strip_prefix("tcp://").filter(|address| fits(address)) {
        LogTarget::SyslogTcp(address.to_owned())
    } else if let Some(path) = url.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
        LogTarget::SyslogUnix(path.into())
    } else {
        bad_url(
            found,
            url,
            "`udp://host:port`, `tcp://host:port` or `unix:/path`",
            "write it like `udp://127.0.0.1:514` or `unix:/dev/log`",
        );
        return None;
    };
    Some(target)
}

fn bad_url(found: &Found<'_>, url: &str, label: &str, help: &str) {
    let fault =
        Diagnostic::error("config::bad-address", format!("lines cannot be sent to `{url}`"));
    found.report(fault.help(help), format!("expected {label}"));
}
