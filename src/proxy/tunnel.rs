//! A WebSocket: after its upgrade, bytes pass both ways until one side ends.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::downstream::Downstream;
use super::framing::take_all;
use super::{Answered, ClientStream, Sent, respond};
use crate::phases::{self, Exchange, Flow};
use crate::upstream::Connection;

/// Passes the upgrade on and then every byte. The connection ends with the tunnel.
pub(super) async fn tunnel(
    exchange: &Exchange,
    downstream: &Downstream,
    answered: Answered,
) -> Sent {
    let Answered { connection, lease: _busy, .. } = answered;
    take_all(exchange, &connection);
    match phases::response_head(exchange).await {
        Flow::Continue => {}
        Flow::Close | Flow::Reroute => return Sent::Cut,
        Flow::Respond(status) => return respond::respond(exchange, downstream, status).await,
    }
    let Some(mut loan) = downstream.lend() else { return Sent::Cut };
    let client = loan.stream();
    if write_head(&mut client.waiting, exchange).is_some() {
        // Whoever breaks the tunnel ends it.
        let _ = pass(client, connection).await;
    }
    Sent::Cut
}

fn write_head(out: &mut Vec<u8>, exchange: &Exchange) -> Option<()> {
    let transaction = exchange.subject.transaction.borrow();
    respond::head(out, transaction.response.as_ref()?, &[])?;
    out.extend_from_slice(b"\r\n");
    Some(())
}

/// Until either side ends or fails. Reads are safe to cancel; writes are awaited whole, so a side
/// that does not read slows the other down.
async fn pass(client: &mut ClientStream, upstream: Connection) -> Option<()> {
    let (mut upstream, mut down) = upstream.into_tunnel()?;
    let mut up = std::mem::take(&mut client.unread);
    client.send([b"", b""]).await.ok()?;
    loop {
        if !up.is_empty() {
            upstream.write_all(&up).await.ok()?;
            upstream.flush().await.ok()?;
            client.body_read += up.len() as u64;
            up.clear();
        }
        if !down.is_empty() {
            client.send([&down, b""]).await.ok()?;
            client.body_sent += down.len() as u64;
            down.clear();
        }
        up.reserve(PIECE);
        down.reserve(PIECE);
        let read = tokio::select! {
            read = client.socket()?.read_buf(&mut up) => read,
            read = upstream.read_buf(&mut down) => read,
        };
        read.ok().filter(|read| *read > 0)?;
    }
}

/// Bytes that are passed at once.
const PIECE: usize = 16 << 10;
