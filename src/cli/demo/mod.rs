//! `moongate demo`: a small shop, Moongate before it, and what to try.

mod shop;
mod welcome;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use clap::Args;

use self::welcome::Places;
use super::terminal;
use crate::config::Overrides;
use crate::server::{self, Bound, Options};

const EXAMPLES: &str = "\
Examples:
  moongate demo                               listens on 127.0.0.1:8080, or the next free port
  moongate demo --listen 127.0.0.1:9000
  moongate demo --print-config > moongate.yaml   a configuration to begin with";

/// The demo's configuration, in which this stands for the shop's address.
const CONFIGURATION: &str = include_str!("moongate.yaml");
const SHOP: &str = "127.0.0.1:3000";
/// The event log that the configuration names, beside it.
const EVENTS: &str = "events.jsonl";

const USUAL_PORT: u16 = 8080;
const USUAL_ADMIN_PORT: u16 = 9180;
/// How many ports from the usual one on are tried.
const PORTS_TRIED: u16 = 20;

/// Start a small vulnerable shop behind Moongate; needs no file, no root, no network
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Where to listen; without it 127.0.0.1:8080, or the next port that is free
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where metrics are; without it 127.0.0.1:9180, or the next port that is free
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Print the demo's configuration and exit
    #[arg(long)]
    print_config: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if arguments.print_config {
        terminal::say(CONFIGURATION);
        return ExitCode::SUCCESS;
    }
    match stage(arguments) {
        Err(error) => terminal::fail(&error),
        Ok(stage) => match server::run(stage.options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => terminal::fail_to_start(&error),
        },
    }
}

/// All that must be there while the server runs.
struct Stage {
    options: Options,
    /// Holds the configuration; goes when the demo ends.
    _folder: tempfile::TempDir,
}

fn stage(arguments: &Arguments) -> io::Result<Stage> {
    let shop = shop::open()?;
    let listen = arguments.listen.or_else(|| free_port(USUAL_PORT)).ok_or_else(no_port)?;
    let admin = arguments.admin.or_else(|| free_port(USUAL_ADMIN_PORT)).ok_or_else(no_port)?;
    let folder = tempfile::tempdir()?;
    let config_path = folder.path().join("moongate.yaml");
    std::fs::write(&config_path, configuration(shop))?;
    let overrides = Overrides {
        listen: vec![listen.to_string()],
        admin: Some(admin.to_string()),
        ..Overrides::default()
    };
    let events = folder.path().join(EVENTS);
    let moved = arguments.listen.is_none() && listen.port() != USUAL_PORT;
    let on_ready = move |bound: &Bound| {
        terminal::tell_addresses(bound);
        terminal::say(&welcome::text(&Places { bound, shop, events: &events }, moved));
    };
    let options =
        Options { config_path: Some(config_path), overrides, on_ready: Some(Box::new(on_ready)) };
    Ok(Stage { options, _folder: folder })
}

fn configuration(shop: SocketAddr) -> String {
    CONFIGURATION.replace(SHOP, &shop.to_string())
}

/// The first loopback address from `port` on that nobody listens on.
fn free_port(port: u16) -> Option<SocketAddr> {
    (port..port.saturating_add(PORTS_TRIED))
        .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()?.local_addr().ok())
}

fn no_port() -> io::Error {
    io::Error::new(
        io::ErrorKind::AddrInUse,
        "no free port near the usual one; choose with `--listen 127.0.0.1:PORT` and `--admin 127.0.0.1:PORT`",
    )
}

#[cfg(test)]
mod tests {
    use super::{CONFIGURATION, EVENTS, SHOP, configuration, free_port};
    use std::net::TcpListener;

    #[test]
    fn the_shop_s_address_takes_its_place_in_the_configuration() {
        assert_eq!(CONFIGURATION.matches(SHOP).count(), 1);
        assert!(CONFIGURATION.contains(&format!("events: {EVENTS}")));
        assert!(configuration("127.0.0.1:7".parse().unwrap()).contains("127.0.0.1:7"));
    }

    #[test]
    fn the_configuration_has_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("moongate.yaml");
        std::fs::write(&path, CONFIGURATION).unwrap();
        let found = crate::policy::check(Some(&path), &crate::config::Overrides::default());
        assert_eq!(crate::diagnostic::render(&found), "");
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = first.local_addr().unwrap().port();
        let free = free_port(taken).expect("one of the next is free");
        assert!(free.port() > taken);
    }
}
