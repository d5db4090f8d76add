//! Hot swap over the wire: what is edited is in force, what is faulty is not, and nobody notices.

mod faults;
mod kept;
mod load;
mod rule_set;
mod states;
mod ways;

use std::time::{Duration, Instant};

use crate::support::{Client, Moongate, wait_until};

/// How long an edit may take to be in force. Generous: machines that test are busy, and the program
/// that they test is not optimised.
const IN_FORCE: Duration = Duration::from_secs(5);

/// Settings whose answers are `text`, said in each response with the worker that served it.
fn saying(text: &str) -> String {
    format!(
        "content_by_lua_block: |\n  ngx.header['X-Worker'] = ngx.worker.id()\n  ngx.print('{text}')\n"
    )
}

/// Connections of which each worker serves at least one.
fn one_of_each_worker(moongate: &Moongate, workers: usize) -> Vec<Client> {
    let mut clients: Vec<(String, Client)> = Vec::new();
    let found = wait_until(IN_FORCE, || {
        let mut client = moongate.connect();
        let answer = client.ask("/").read();
        let worker = answer.header("x-worker").expect("it tells its worker").to_owned();
        if !clients.iter().any(|(known, _)| *known == worker) {
            clients.push((worker, client));
        }
        clients.len() == workers
    });
    assert!(found, "{} of {workers} workers answer", clients.len());
    clients.into_iter().map(|(_, client)| client).collect()
}

/// Asks every connection until all of them get `text`, and tells how long that took.
fn until_all_say(clients: &mut [Client], text: &str, what: &str) -> Duration {
    let began = Instant::now();
    let mut said = Vec::new();
    let all = wait_until(IN_FORCE, || {
        said = clients.iter_mut().map(|client| client.ask("/").read().text()).collect();
        said.iter().all(|answer| answer == text)
    });
    assert!(all, "{what}: `{text}` is not in force, but {said:?}");
    began.elapsed()
}
