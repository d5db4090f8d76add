//! The demo's application: a small shop, honestly vulnerable, on a loopback port and a thread of
//! its own. It knows nothing of Moongate.

mod http;
mod pages;
mod sql;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use http::{Connection, Response};
use pages::{Page, Shop};

/// How many events `/events` sends, and how long it waits before each.
const EVENTS: usize = 5;
const EVENT_INTERVAL: Duration = Duration::from_millis(500);
/// How long `/slow` takes.
const SLOW: Duration = Duration::from_secs(2);

/// Opens the shop and tells where it is. It serves until the process ends.
pub(super) fn open() -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serve = move || LocalSet::new().block_on(&runtime, accept(listener));
    std::thread::Builder::new().name("shop".to_owned()).spawn(serve)?;
    Ok(address)
}

async fn accept(listener: std::net::TcpListener) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let shop = Rc::new(RefCell::new(Shop::default()));
    loop {
        // Out of file descriptors, or the client is gone already: the next one may do better.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::task::spawn_local(serve(stream, shop.clone()));
    }
}

async fn serve(stream: TcpStream, shop: Rc<RefCell<Shop>>) {
    let mut connection = BufReader::new(stream);
    // An error is a client that went away or spoke nonsense: this connection ends, no other.
    while let Ok(true) = exchange(&mut connection, &shop).await {}
}

/// One request and its answer; whether there was one.
async fn exchange(connection: &mut Connection, shop: &RefCell<Shop>) -> io::Result<bool> {
    let Some(request) = http::read(connection).await? else { return Ok(false) };
    let page = shop.borrow_mut().page(&request);
    match page {
        Page::Whole(response) => response.write(connection).await?,
        Page::Late => {
            tokio::time::sleep(SLOW).await;
            Response::text(200, "at last\n").write(connection).await?;
        }
        Page::Events => events(connection).await?,
    }
    Ok(true)
}

/// Server-sent events, in chunks.
async fn events(connection: &mut Connection) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).await?;
    for number in 1..=EVENTS {
        tokio::time::sleep(EVENT_INTERVAL).await;
        let event = format!("data: lantern {number} is lit\n\n");
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        connection.write_all(chunk.as_bytes()).await?;
    }
    connection.write_all(b"0\r\n\r\n").await
}

#[cfg(test)]
mod tests {
    use super::open;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    /// What the shop answers on one connection that is closed for writing after `requests`.
    fn answers(requests: &str) -> String {
        let mut stream = TcpStream::connect(open().unwrap()).unwrap();
        stream.write_all(requests.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn one_connection_serves_several_requests() {
        let text = answers(
            "GET /health HTTP/1.1\r\nHost: a\r\n\r\n\
             POST /comment HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             9\r\ntext=<b>x\r\n0\r\n\r\n\
             GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
        assert!(text.contains("<b>x"), "{text}");
    }

    #[test]
    fn nonsense_ends_its_connection_and_no_other() {
        assert_eq!(answers("\x16\x03\x01 nonsense\r\n\r\n"), "");
        assert_eq!(answers("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"), "");
        assert!(answers("GET /health HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn events_come_in_chunks() {
        let text = answers("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(text.ends_with("data: lantern 5 is lit\n\n\r\n0\r\n\r\n"), "{text}");
    }
}
