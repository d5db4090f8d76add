//! What a script takes of a client's connection, to read and to write by itself.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::{Declared, Downstream, LEAVE};
use crate::proxy::ClientStream;
use crate::script::ClientSide;
use crate::transaction::{Body, Version};

/// What a script took of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Given {
    /// All of it.
    All,
    /// The body, of which so many bytes are still to come.
    Body(u64),
    #[default]
    Nothing,
}

/// What a script that reads a connection knows of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ReadByScript {
    /// It was told that nothing more comes.
    Ended,
    #[default]
    No,
    /// It waits for more.
    Waits,
}

impl Downstream {
    /// A script reads the body from now on; for all others there is none.
    pub(super) fn give_body(&self) -> Result<(), &'static str> {
        if self.declared == Declared::Chunked {
            return Err("chunked request bodies not supported yet");
        }
        if self.held.borrow().is_some() {
            return Err("request body already exists");
        }
        let Declared::Length(length @ 1..) = self.declared else { return Err("no body") };
        if self.terms().is_none_or(|(limits, _)| length > limits.total) {
            return Err("request body too large");
        }
        self.given.set(Given::Body(length));
        self.held.replace(Some(Ok(Body::Empty)));
        Ok(())
    }

    /// A script answers by itself from now on.
    pub(super) fn give_all(&self) -> Result<(), &'static str> {
        let exchange = self.exchange().ok_or("closed")?;
        let mut transaction = exchange.subject.transaction.borrow_mut();
        if self.is_being_read() {
            return Err("pending request body reading in some other thread");
        }
        if self.given.get() == Given::All {
            return Err("duplicate call");
        }
        let reply = &mut transaction.reply;
        if !self.outflow.is_idle_or_begun() || self.stream.borrow().is_none() {
            return Err("pending data to write");
        }
        if reply.said && !self.outflow.has_begun() {
            let is_old = transaction.request.version == Version::Http10;
            return Err(if is_old { "http 1.0 buffering" } else { "pending data to write" });
        }
        if !reply.body.is_empty() {
            return Err("pending data to write");
        }
        reply.is_raw = true;
        reply.is_locked = true;
        self.outflow.give_up();
        self.given.set(Given::All);
        self.held.borrow_mut().get_or_insert(Ok(Body::Empty));
        Ok(())
    }

    /// Whether a script waits for the body, or reads it piece by piece.
    fn is_being_read(&self) -> bool {
        match &*self.held.borrow() {
            None => self.is_asked_for.get() && !self.body_ended.get(),
            Some(held) => held.is_err() || matches!(self.given.get(), Given::Body(1..)),
        }
    }

    /// Whether the client may still send what nobody reads: a connection that is closed meanwhile takes
    /// the answer with it.
    pub(in crate::proxy) fn may_linger(&self) -> bool {
        self.given.get() == Given::All || matches!(self.given.get(), Given::Body(1..))
    }

    /// What a script reads, as far as it may.
    fn poll_given(&self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let most = match self.given.get() {
            Given::All => u64::MAX,
            Given::Body(left) => left,
            Given::Nothing => 0,
        };
        if most == 0 {
            return Poll::Ready(Ok(Bytes::new()));
        }
        let mut stream = self.stream.borrow_mut();
        let Some(client) = stream.as_mut() else {
            self.waiting.replace(Some(context.waker().clone()));
            return Poll::Pending;
        };
        ready!(self.poll_invite(client, context))?;
        if client.unread.is_empty() {
            let read = usize::try_from(most).unwrap_or(usize::MAX);
            if ready!(pin!(client.read(read)).poll(context))? == 0 {
                return Poll::Ready(self.end_of_given());
            }
        }
        let length = client.unread.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let bytes = client.unread.split_to(length).freeze();
        client.body_read += bytes.len() as u64;
        if let Given::Body(left) = self.given.get() {
            let left = left - bytes.len() as u64;
            self.given.set(Given::Body(left));
            self.body_ended.set(left == 0);
        }
        Poll::Ready(Ok(bytes))
    }

    /// The client sends no more: an error, where it owes some or somebody wants to know.
    fn end_of_given(&self) -> io::Result<Bytes> {
        let is_watched = self.exchange().is_some_and(|exchange| exchange.plan().lua.watch_client);
        if is_watched || matches!(self.given.get(), Given::Body(_)) {
            return Err(io::Error::other("client aborted"));
        }
        Ok(Bytes::new())
    }

    fn poll_invite(
        &self,
        client: &mut ClientStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.expects_continue.get() {
            // So short that it leaves whole or not at all.
            ready!(client.poll_write(context, LEAVE))?;
            self.expects_continue.set(false);
        }
        Poll::Ready(Ok(()))
    }
}

impl ClientSide for Downstream {
    fn poll_read(&self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let polled = self.poll_given(context);
        self.read_by_script.set(match &polled {
            Poll::Pending => ReadByScript::Waits,
            Poll::Ready(Ok(bytes)) if !bytes.is_empty() => ReadByScript::No,
            Poll::Ready(_) if matches!(self.given.get(), Given::Body(0)) => ReadByScript::No,
            Poll::Ready(_) => ReadByScript::Ended,
        });
        polled
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match (&mut *self.stream.borrow_mut(), self.given.get()) {
            (Some(client), Given::All) => client.poll_write(context, bytes).map_ok(|written| {
                client.body_sent += written as u64;
                written
            }),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn rest(&self) {
        if self.read_by_script.get() == ReadByScript::Waits {
            self.read_by_script.set(ReadByScript::No);
        }
    }
}
