//! `@rbl`: lists of addresses that are asked by DNS.

use std::fmt::Write;
use std::net::IpAddr;

use super::{Argument, Fault, Kind, Matcher, Operator, Question, Scope, address, name};

pub(super) const OPERATOR: Operator = Operator {
    name: "rbl",
    aliases: &[],
    doc: "The list of the argument, asked by DNS, has the address or host name that the value is.",
    kind: Kind::Compiled(compile),
};

/// The longest name that DNS can ask, in bytes.
const LONGEST: usize = 253;

/// A list, by the domain that is asked.
#[derive(Debug)]
struct List(String);

impl Matcher for List {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let Some(asked) = self.asked(value) else { return false };
        let found = scope.answer(Question::Resolves(asked));
        if found {
            scope.capture(0..value.len());
        }
        found
    }

    fn is_pure(&self) -> bool {
        false
    }
}

impl List {
    /// The name to ask; none if the value is neither an address nor a host name.
    fn asked(&self, value: &[u8]) -> Option<String> {
        // Project Honeypot answers only with a key, which is never sent: without one ModSecurity
        // finds nobody in it either, and CRS 3 names it.
        if self.0.ends_with("httpbl.org") {
            return None;
        }
        let subject = match address(value) {
            Some(address) => reversed(address.to_canonical()),
            None => host(value)?,
        };
        let asked = format!("{subject}.{}", self.0);
        (asked.len() <= LONGEST).then_some(asked)
    }
}

/// An address's bytes (IPv6: half bytes), the last first.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(63);
            for byte in address.octets().iter().rev() {
                let dot = if name.is_empty() { "" } else { "." };
                let _ = write!(name, "{dot}{:x}.{:x}", byte & 0xf, byte >> 4);
            }
            name
        }
    }
}

fn host(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let host = text.strip_suffix('.').unwrap_or(text);
    let labels = host.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    labels.then(|| host.to_ascii_lowercase())
}

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let written = name(argument.text)?;
    let Some(domain) = host(written.as_bytes()) else {
        return Err(Fault::new(format!("`{written}` is no domain")));
    };
    Ok(Box::new(List(domain)))
}
