//! The nine phases, by OpenResty's names, and the places in which scripts run.

/// One of OpenResty's nine phases, or another moment at which scripts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Once for each policy, before it is in force.
    Init,
    /// Once for each worker thread and policy.
    InitWorker,
    /// The request head is read; compute variables.
    Set,
    /// The route is known; change the request, redirect, answer.
    Rewrite,
    /// Admit or refuse.
    Access,
    /// Answer, or leave it to the upstream.
    Content,
    /// The response head.
    HeaderFilter,
    /// The response body, chunk by chunk.
    BodyFilter,
    /// After the last byte.
    Log,
    /// `ngx.timer`: no exchange.
    Timer,
    /// The peer of an upstream is to be chosen, once for each try.
    Balancer,
    /// The site is known, and no route yet; what may be done in [`Phase::Rewrite`] may be done here.
    ServerRewrite,
    /// The request is admitted; what may be done in [`Phase::Access`] may be done here.
    Precontent,
    /// Once for each worker thread and policy, when that is no longer in force or the worker ends.
    ExitWorker,
    /// A client began a TLS handshake: what it says of itself is known.
    SslClientHello,
    /// A certificate is to be chosen for a TLS handshake.
    SslCertificate,
}

impl Phase {
    /// The nine phases in the order in which they run.
    pub const NINE: [Self; 9] = [
        Self::Init,
        Self::InitWorker,
        Self::Set,
        Self::Rewrite,
        Self::Access,
        Self::Content,
        Self::HeaderFilter,
        Self::BodyFilter,
        Self::Log,
    ];

    /// All for which there are handlers.
    pub const HANDLED: [Self; 14] = [
        Self::Init,
        Self::InitWorker,
        Self::ExitWorker,
        Self::Set,
        Self::ServerRewrite,
        Self::Rewrite,
        Self::Access,
        Self::Precontent,
        Self::Content,
        Self::HeaderFilter,
        Self::BodyFilter,
        Self::Log,
        Self::SslClientHello,
        Self::SslCertificate,
    ];

    /// One more than the highest [`Phase::index`].
    pub const PLACES: usize = 1 + Self::SslCertificate as usize;

    /// As `ngx.get_phase` and the settings spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::InitWorker => "init_worker",
            Self::Set => "set",
            Self::Rewrite => "rewrite",
            Self::Access => "access",
            Self::Content => "content",
            Self::HeaderFilter => "header_filter",
            Self::BodyFilter => "body_filter",
            Self::Log => "log",
            Self::Timer => "timer",
            Self::Balancer => "balancer",
            Self::ServerRewrite => "server_rewrite",
            Self::Precontent => "precontent",
            Self::ExitWorker => "exit_worker",
            Self::SslClientHello => "ssl_client_hello",
            Self::SslCertificate => "ssl_certificate",
        }
    }

    /// As lua-nginx-module names it in `API disabled in the context of …`.
    pub fn context(self) -> &'static str {
        match self {
            Self::Init => "init_by_lua*",
            Self::InitWorker => "init_worker_by_lua*",
            Self::Set => "set_by_lua*",
            Self::Rewrite => "rewrite_by_lua*",
            Self::Access => "access_by_lua*",
            Self::Content => "content_by_lua*",
            Self::HeaderFilter => "header_filter_by_lua*",
            Self::BodyFilter => "body_filter_by_lua*",
            Self::Log => "log_by_lua*",
            Self::Timer => "ngx.timer",
            Self::Balancer => "balancer_by_lua*",
            Self::ServerRewrite => "server_rewrite_by_lua*",
            Self::Precontent => "precontent_by_lua*",
            Self::ExitWorker => "exit_worker_by_lua*",
            Self::SslClientHello => "ssl_client_hello_by_lua*",
            Self::SslCertificate => "ssl_certificate_by_lua*",
        }
    }

    /// Whether a script may wait here (sleep, sockets, reading the body).
    pub fn may_wait(self) -> bool {
        matches!(self.like(), Self::Rewrite | Self::Access | Self::Content | Self::Timer)
            || self.is_of_handshake()
    }

    /// The one of the nine in which the same may be done; a timer is itself.
    #[must_use]
    #[inline]
    pub const fn like(self) -> Self {
        match self {
            Self::ServerRewrite => Self::Rewrite,
            Self::Precontent => Self::Access,
            other => other,
        }
    }

    /// Whether it is one of a worker's life, and not of an exchange's: [`Phase::Init`],
    /// [`Phase::InitWorker`], [`Phase::ExitWorker`].
    pub fn is_of_worker(self) -> bool {
        matches!(self, Self::Init | Self::InitWorker | Self::ExitWorker)
    }

    /// Whether it is one of a TLS handshake, before there is an exchange.
    pub fn is_of_handshake(self) -> bool {
        matches!(self, Self::SslClientHello | Self::SslCertificate)
    }

    /// The index in [`Self::NINE`]; those that are not of the nine come after them.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A set of phases, as one word of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseSet(u16);

impl PhaseSet {
    /// From letters as in `docs/lua-api.md`: `i` init, `I` init_worker, `s` set, `r` rewrite,
    /// `a` access, `c` content, `h` header_filter, `b` body_filter, `l` log, `t` timer,
    /// `X` exit_worker, `B` balancer, `H` ssl_client_hello, `C` ssl_certificate. Other letters are ignored, so that rows of OpenResty's own tables
    /// can be used as they are.
    pub const fn of(letters: &str) -> Self {
        let bytes = letters.as_bytes();
        let mut bits = 0;
        let mut index = 0;
        while index < bytes.len() {
            #[allow(clippy::indexing_slicing, reason = "the loop's bound is the length")]
            let phase = match bytes[index] {
                b'i' => Phase::Init,
                b'I' => Phase::InitWorker,
                b's' => Phase::Set,
                b'r' => Phase::Rewrite,
                b'a' => Phase::Access,
                b'c' => Phase::Content,
                b'h' => Phase::HeaderFilter,
                b'b' => Phase::BodyFilter,
                b'l' => Phase::Log,
                b't' => Phase::Timer,
                b'X' => Phase::ExitWorker,
                b'B' => Phase::Balancer,
                b'H' => Phase::SslClientHello,
                b'C' => Phase::SslCertificate,
                _ => {
                    index += 1;
                    continue;
                }
            };
            bits |= 1 << phase as u16;
            index += 1;
        }
        Self(bits)
    }

    /// Whether the phase is one of them.
    #[inline]
    pub const fn contains(self, phase: Phase) -> bool {
        self.0 & (1 << phase.like() as u16) != 0
    }

    /// Them, in order.
    pub fn iter(self) -> impl Iterator<Item = Phase> {
        Phase::NINE
            .into_iter()
            .chain([Phase::Timer, Phase::ExitWorker, Phase::SslClientHello, Phase::SslCertificate])
            .filter(move |phase| self.contains(*phase))
    }
}

#[cfg(test)]
mod tests {
    use super::{Phase, PhaseSet};

    #[test]
    fn letters_of_other_contexts_are_passed_over() {
        let set = PhaseSet::of("rachtCFOH");
        assert!(set.contains(Phase::SslCertificate));
        assert!(set.contains(Phase::Timer) && set.contains(Phase::HeaderFilter));
        assert!(!set.contains(Phase::BodyFilter) && !set.contains(Phase::Init));
        assert_eq!(set.iter().count(), 7);
    }
}
