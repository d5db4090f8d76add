//! The upstream's half of a WebSocket: the handshake, then every frame back as it came.

use std::io;

use base64::Engine as _;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// From RFC 6455, section 1.3.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the server answers to a client's key.
pub fn accept(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(SUFFIX).finalize();
    base64::engine::general_purpose::STANDARD.encode(digest)
}

/// Until the client goes.
pub async fn echo(stream: &mut TcpStream, key: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept(key)
    );
    stream.write_all(head.as_bytes()).await?;
    loop {
        let (opcode, payload) = frame(stream).await?;
        let mut answer = vec![0x80 | opcode, payload.len() as u8];
        answer.extend(payload);
        stream.write_all(&answer).await?;
    }
}

/// A client's frame of up to 125 bytes: its opcode and what it says.
async fn frame(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    let length = stream.read_u8().await? & 0x7f;
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut payload = vec![0; usize::from(length)];
    stream.read_exact(&mut payload).await?;
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
    Ok((first & 0x0f, payload))
}
