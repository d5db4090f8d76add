//! A TLS handshake, as its scripts see it.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{Call, api};
use crate::shared::tls::pem::Chain;
use crate::shared::tls::{Terms, Wishes};
use crate::transaction::{Client, ClientHello, Phase};

/// A TLS handshake, as its scripts see it.
pub struct Handshake {
    /// Who began it.
    pub client: Client,
    /// What the client says of itself.
    pub hello: ClientHello,
    /// The host that it names, in lower case.
    pub server_name: Option<String>,
    /// What the settings say of it.
    pub terms: Arc<Terms>,
    wishes: RefCell<Wishes>,
    pending: RefCell<Pending>,
    /// `ngx.ctx` of the connection.
    contexts: Above,
}

/// A certificate without its key so far, or a key without its certificate.
pub(super) type Pending = (Option<Chain>, Option<PrivateKeyDer<'static>>);

/// `ngx.ctx` of a connection: its requests' own begin with what is in it.
pub type Above = Rc<RefCell<api::Contexts>>;

impl Handshake {
    /// One that begins, under these terms.
    pub fn new(
        client: Client,
        hello: ClientHello,
        server_name: Option<String>,
        terms: Arc<Terms>,
    ) -> Rc<Self> {
        let (wishes, pending, contexts) = Default::default();
        Rc::new(Self { client, hello, server_name, terms, wishes, pending, contexts })
    }

    /// What scripts want of it.
    pub fn wishes(&self) -> Ref<'_, Wishes> {
        self.wishes.borrow()
    }

    /// The same, to want more.
    pub(super) fn wishes_mut(&self) -> RefMut<'_, Wishes> {
        self.wishes.borrow_mut()
    }

    pub(super) fn pending(&self) -> RefMut<'_, Pending> {
        self.pending.borrow_mut()
    }

    pub(super) fn contexts(&self) -> &RefCell<api::Contexts> {
        &self.contexts
    }

    /// `ngx.ctx` of the connection, if a script used it.
    pub fn above(&self) -> Option<Above> {
        let is_used = !self.contexts.borrow().is_empty();
        is_used.then(|| self.contexts.clone())
    }

    /// A call of a handler for it.
    pub fn call(self: &Rc<Self>, phase: Phase, module: &Rc<str>) -> Rc<Call> {
        let (client, server) = self.client.ends();
        let peer = format!("client: {client}, server: {server}");
        Call::of_handshake(phase, module.clone(), self.clone(), peer.into())
    }
}
