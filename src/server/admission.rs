//! How many connections there may be, in all and of one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Limits;
use crate::telemetry::events;

/// Counts open connections of all workers.
#[derive(Debug, Default)]
pub(super) struct Admission {
    total: AtomicUsize,
    clients: Mutex<HashMap<IpAddr, usize>>,
}

/// One admitted connection; it is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    /// Whose it is, once that is known.
    client: Option<IpAddr>,
    /// Whether it was told as opened.
    told: bool,
}

impl Admission {
    /// Admits a connection, or says no (and counts that).
    pub(super) fn admit(self: &Arc<Self>, socket: IpAddr, limits: &Limits) -> Option<Admitted> {
        if self.total.fetch_add(1, Ordering::Relaxed) >= limits.connections {
            self.total.fetch_sub(1, Ordering::Relaxed);
            events::ConnectionRefused { client: socket, limit: "total" }.emit();
            return None;
        }
        Some(Admitted { admission: self.clone(), client: None, told: false })
    }

    fn admit_client(&self, client: IpAddr, limits: &Limits) -> bool {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        let fits = *count < limits.connections_per_client;
        *count += usize::from(fits);
        fits
    }

    fn leave(&self, client: Option<IpAddr>) {
        self.total.fetch_sub(1, Ordering::Relaxed);
        let Some(client) = client else { return };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&client);
            }
        }
    }
}

impl Admitted {
    /// Counts the connection as one of this client's, or says no (and counts that). A trusted proxy
    /// is none: behind it are many.
    pub(super) fn of_client(mut self, client: Option<IpAddr>, limits: &Limits) -> Option<Self> {
        if let Some(address) = client.filter(|client| !self.admission.admit_client(*client, limits))
        {
            events::ConnectionRefused { client: address, limit: "per_client" }.emit();
            return None;
        }
        self.client = client;
        self.told = true;
        events::ConnectionOpened.emit();
        Some(self)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.leave(self.client);
        if self.told {
            events::ConnectionClosed.emit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_in_all_and_for_each_client() {
        let admission = Arc::new(Admission::default());
        let limits = Limits { connections: 3, connections_per_client: 2, ..Limits::default() };
        let admit = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            admission.admit(address, &limits)?.of_client(Some(address), &limits)
        };
        let first = admit("192.0.2.1");
        let second = admit("192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(admit("192.0.2.1").is_none(), "its third");
        let other = admit("192.0.2.2");
        assert!(other.is_some());
        assert!(admit("192.0.2.3").is_none(), "the fourth in all");
        drop(first);
        assert!(admit("192.0.2.1").is_some(), "a place is free again");
        drop((second, other));
        assert!(admission.clients.lock().unwrap().is_empty(), "nobody is remembered for ever");
    }
}
