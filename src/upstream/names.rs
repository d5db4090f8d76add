//! Host names and their addresses, remembered for a while.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::config::Address;

/// How long an answer is believed. The system's resolver does not tell how long the name's owner
/// would have it believed.
const GOOD: Duration = Duration::from_secs(30);

/// How long a name that was not found is not looked up again.
const BAD: Duration = Duration::from_secs(1);

/// How long the last good answer is used where looking up again fails: a resolver that is down must
/// not take the site down.
const STALE: Duration = Duration::from_secs(600);

type Addresses = Rc<[SocketAddr]>;

/// The names that one worker knows.
#[derive(Default)]
pub(super) struct Names {
    known: RefCell<HashMap<Address, Rc<Name>>>,
}

/// One name. All who need it at the same time wait for one look-up.
#[derive(Default)]
struct Name {
    answer: OnceCell<Answer>,
    /// What the look-up before found, and until when that may still be used.
    before: Option<(Addresses, Instant)>,
}

struct Answer {
    found: Result<Addresses, io::ErrorKind>,
    /// What `found` may be replaced by when the next look-up fails.
    good: Option<(Addresses, Instant)>,
    until: Instant,
}

impl Names {
    /// The addresses of a peer, at least one.
    pub(super) async fn resolve(&self, address: &Address) -> io::Result<Addresses> {
        let (host, port) = match address {
            Address::Socket(address) => return Ok(Rc::from([*address])),
            Address::Name(host, port) => (host.as_str(), *port),
            Address::Unix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let name = self.name(address);
        let answer = name.answer.get_or_init(|| look_up(host, port, name.before.clone())).await;
        answer.found.clone().map_err(io::Error::from)
    }

    /// Forgets what nobody asked for in a long time.
    pub(super) fn sweep(&self, now: Instant) {
        let fresh = |name: &Name| name.answer.get().is_none_or(|answer| answer.until + STALE > now);
        self.known.borrow_mut().retain(|_, name| fresh(name));
    }

    /// What is known of this name, begun anew where that is too old.
    fn name(&self, address: &Address) -> Rc<Name> {
        let mut known = self.known.borrow_mut();
        let before = match known.get(address).map(|name| (name, name.answer.get())) {
            Some((name, None)) => return Rc::clone(name),
            Some((name, Some(answer))) if answer.until > Instant::now() => return Rc::clone(name),
            Some((_, Some(answer))) => answer.good.clone(),
            None => None,
        };
        let name = Rc::new(Name { before, ..Name::default() });
        known.insert(address.clone(), Rc::clone(&name));
        name
    }
}

async fn look_up(host: &str, port: u16, before: Option<(Addresses, Instant)>) -> Answer {
    let asked = tokio::net::lookup_host((host, port)).await;
    let found = asked.map(Addresses::from_iter);
    let now = Instant::now();
    match found {
        Ok(found) if !found.is_empty() => {
            let good = Some((Rc::clone(&found), now + GOOD + STALE));
            Answer { found: Ok(found), good, until: now + GOOD }
        }
        failed => {
            let good = before.filter(|(_, until)| *until > now);
            let kind = failed.map_or_else(|error| error.kind(), |_| io::ErrorKind::NotFound);
            let found = good.as_ref().map(|(found, _)| Rc::clone(found)).ok_or(kind);
            Answer { found, good, until: now + BAD }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No resolver is asked for a name with a NUL in it: it is an error at once.
    const NOT_A_NAME: &str = "not\0a.name";

    fn name(host: &str) -> Address {
        Address::Name(host.to_owned(), 81)
    }

    impl Names {
        /// As if this name had been looked up now.
        pub(in crate::upstream) fn learn(&self, name: Address, addresses: &[SocketAddr]) {
            let until = Instant::now() + GOOD;
            let answer = Answer { found: Ok(Rc::from(addresses)), good: None, until };
            let answer = OnceCell::new_with(Some(answer));
            self.known.borrow_mut().insert(name, Rc::new(Name { answer, before: None }));
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_then_known() {
        let names = Names::default();
        let first = names.resolve(&name("localhost")).await.unwrap();
        assert!(first.iter().all(|address| address.ip().is_loopback() && address.port() == 81));
        let second = names.resolve(&name("localhost")).await.unwrap();
        assert!(Rc::ptr_eq(&first, &second));
    }

    #[tokio::test]
    async fn an_address_needs_no_look_up() {
        let names = Names::default();
        let address = SocketAddr::from(([192, 0, 2, 1], 80));
        assert_eq!(*names.resolve(&Address::Socket(address)).await.unwrap(), [address]);
        assert!(names.known.borrow().is_empty());
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_is_not_asked_for_again_at_once() {
        let names = Names::default();
        assert!(names.resolve(&name(NOT_A_NAME)).await.is_err());
        let known = names.name(&name(NOT_A_NAME));
        let until = known.answer.get().unwrap().until;
        assert!(until > Instant::now() && until <= Instant::now() + BAD);
    }

    #[tokio::test]
    async fn an_old_answer_is_better_than_none() {
        let old: Addresses = Rc::from([SocketAddr::from(([192, 0, 2, 1], 81))]);
        let before = Some((Rc::clone(&old), Instant::now() + STALE));
        assert_eq!(look_up(NOT_A_NAME, 81, before).await.found, Ok(old.clone()));
        let too_old = Some((old, Instant::now()));
        assert!(look_up(NOT_A_NAME, 81, too_old).await.found.is_err());
    }

    #[tokio::test]
    async fn names_that_nobody_asked_for_in_long_are_forgotten() {
        let names = Names::default();
        names.resolve(&name(NOT_A_NAME)).await.unwrap_err();
        names.sweep(Instant::now() + BAD);
        assert_eq!(names.known.borrow().len(), 1);
        names.sweep(Instant::now() + BAD + STALE);
        assert!(names.known.borrow().is_empty());
    }
}
