//! When a push was answered, it is in force: on all workers, for the very next request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::{node, serve, token, told};
use crate::support::{Upstream, pause, request};

/// Versions that are pushed.
const VERSIONS: u64 = 12;

#[test]
fn the_next_request_of_every_connection_sees_what_was_pushed() {
    let upstream = Upstream::start();
    // A fast machine asks more on one connection than is usual.
    let moongate = node(&upstream, "limits: { requests_per_connection: 1000000 }\n");
    serve(&moongate, "now", "ngx.print(0)");
    // What was answered to those who pushed.
    let (in_force, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let seen = thread::scope(|scope| {
        // Also when a push fails: else the clients would go on, and nobody would hear of it.
        let _over = AtTheEnd(&over);
        let load = || {
            let mut client = moongate.connect();
            let mut seen = 0;
            while !over.load(Ordering::SeqCst) {
                // The kernel chooses who accepts a connection: in the end it was each worker.
                if seen % 8 == 7 {
                    client = moongate.connect();
                }
                let least = in_force.load(Ordering::SeqCst);
                let answer = client.ask("/now").read();
                let number: u64 = answer.text().parse().expect("a number");
                assert_eq!(answer.status, 200);
                assert!(number >= least, "{number} after {least} was in force");
                seen += 1;
                // Sixteen that never pause leave nothing of two cores to those who push.
                pause(Duration::from_millis(5));
            }
            seen
        };
        let clients: Vec<_> = (0..16).map(|_| scope.spawn(load)).collect();
        for number in 1..=VERSIONS {
            let authorization = format!("Bearer {}", token("ops"));
            let headers = [("Authorization", authorization.as_str())];
            let text = format!("ngx.print({number})");
            let path = "/functions/now?activate=true";
            let pushed = request(moongate.admin, "PUT", path, &headers, text);
            assert_eq!(pushed.status, 201, "{}", pushed.text());
            in_force.store(number, Ordering::SeqCst);
        }
        over.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().expect("it saw what it should")).sum::<u64>()
    });
    assert!(seen > VERSIONS, "{seen} requests");
    let versions = told(&moongate, "now")["versions"].as_array().unwrap().clone();
    let by_worker = |at: usize| {
        let calls = versions.iter().filter_map(|version| {
            let workers = version["workers"].as_array()?;
            workers.iter().find(|one| one["worker"] == at)?["calls"].as_u64()
        });
        calls.sum::<u64>()
    };
    assert!(by_worker(0) > 0 && by_worker(1) > 0, "both workers served");
    assert_eq!(by_worker(0) + by_worker(1), seen, "each call is on record once");
}

/// Becomes true when this is dropped.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
