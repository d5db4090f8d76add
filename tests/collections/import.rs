//! Lists of every length.

use std::fmt::Write as _;

use serde_json::json;

use super::{ask, done, import, started};
use crate::support::Client;

#[test]
fn lines_at_fault_are_told_by_number_and_reason() {
    let moongate = started("content_by_lua_block: ngx.print('served')\n");
    done(&moongate, 201, "PUT", "/nets", r#"{"kind":"addresses"}"#);
    let list = "address,why\n10.0.0.0/8,scanner\nexample.com,name\n10.0.0.0/99,\n192.0.2.1,\n";
    let told = import(&moongate, "nets", "format=csv&mode=merge", list);
    assert_eq!(
        (&told["stage"], &told["done"], &told["failed"]),
        (&json!("refused"), &json!(2), &json!(2))
    );
    assert_eq!(told["failed_lines"][0]["line"], 3);
    assert_eq!(done(&moongate, 200, "GET", "/nets", "")["entries"], 0);
    let told = import(&moongate, "nets", "format=csv&mode=merge&on_fault=skip", list);
    assert_ne!(told["stage"], "refused", "{told}");
    assert_eq!(done(&moongate, 200, "GET", "/nets", "")["entries"], 2);
    let found = done(&moongate, 200, "GET", "/nets/match?address=10.9.9.9", "");
    assert_eq!(found["found"]["value"], json!({ "why": "scanner" }));
}

/// On connections of their own, so that both workers are asked.
#[test]
fn one_change_among_a_million_is_seen_by_the_next_request_of_every_worker() {
    let config = "\
workers: 2
content_by_lua_block: |
  local nets = waf.collection('nets')
  ngx.print(ngx.worker.id(), ' ', tostring(nets ~= nil and nets:match('192.0.2.77') ~= nil))
";
    let moongate = started(config);
    done(&moongate, 201, "PUT", "/nets", r#"{"kind":"addresses"}"#);
    let mut list = String::with_capacity(16 << 20);
    for n in 0..1_000_000_u32 {
        let [a, b, c, d] = (0x0a00_0000 + n).to_be_bytes();
        let _ = writeln!(list, "{a}.{b}.{c}.{d}");
    }
    let told = import(&moongate, "nets", "format=list&mode=replace", &list);
    assert_eq!(told["done"], 1_000_000, "{told}");
    let mut clients = Vec::new();
    let said = |clients: &mut Vec<Client>, wanted: &str| {
        let mut workers = std::collections::BTreeSet::new();
        for client in clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let text = client.read().text();
            let (worker, found) = text.split_once(' ').unwrap();
            assert_eq!(found, wanted, "worker {worker}");
            workers.insert(worker.to_owned());
        }
        workers.len()
    };
    // The kernel chooses who accepts a connection.
    for _ in 0..50 {
        clients.extend((0..8).map(|_| Client::connect(moongate.address)));
        if said(&mut clients, "false") == 2 {
            break;
        }
    }
    for _ in 0..5 {
        said(&mut clients, "false");
        done(&moongate, 201, "PUT", "/nets/entries/192.0.2.0%2F24", "");
        said(&mut clients, "true");
        done(&moongate, 200, "DELETE", "/nets/entries/192.0.2.0%2F24", "");
    }
    assert_eq!(said(&mut clients, "false"), 2, "both workers were asked");
    assert_eq!(ask(&moongate, "GET", "/nets/entries?limit=3", "").json()["next"], "10.0.0.2");
}
