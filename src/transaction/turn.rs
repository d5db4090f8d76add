//! What a script that chooses peers decides of one try, and what it may know of those before.

use std::net::SocketAddr;
use std::time::Duration;

/// What a script that chooses peers decides of one try, and what it may know of those before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// The peer that it chose for this try.
    pub peer: Option<SocketAddr>,
    /// The address of ours from which peers are asked; none: the system chooses one.
    pub local: Option<SocketAddr>,
    /// How long a peer may take; they hold for the tries that follow too.
    pub times: Times,
    /// How connections to this peer are kept; none: they are not.
    pub kept: Option<Kept>,
    /// Whether the request is to be made anew for the upstream, from what it is now.
    pub recreates: bool,
    /// Tries that are left, this one among them.
    pub left: u32,
    /// Tries that it wants besides.
    pub more: u32,
    /// Tries so far, this one among them.
    pub made: u32,
    /// Tries of the request at the most; 0: as many as the script wants.
    pub most: u32,
    /// How the try before ended; none: this is the first.
    pub failure: Option<PeerFailure>,
}

/// How long a peer may take; none: as the upstream's settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// To accept a connection.
    pub connect: Option<Duration>,
    /// For each write.
    pub send: Option<Duration>,
    /// Between two reads.
    pub read: Option<Duration>,
}

/// How a connection is kept for the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// How long.
    pub idle: Duration,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerFailure {
    /// The status that the client would have got for it.
    pub status: u16,
    /// Whether the peer answered that it has not what was asked for, which says nothing against it.
    pub is_sound: bool,
}

impl Turn {
    /// The turns of a request that may be tried so often.
    pub fn new(tries: u32, most: u32) -> Self {
        let left = if most == 0 { tries } else { tries.min(most) };
        Self { left, most, ..Self::default() }
    }

    /// The next try begins.
    pub fn begin(&mut self) {
        self.peer = None;
        self.kept = None;
        self.recreates = false;
        self.more = 0;
        self.made += 1;
    }

    /// Wants more tries; false if they are fewer than wanted, for there are only so many.
    pub fn want(&mut self, more: u32) -> bool {
        let planned = (self.made + self.left).saturating_sub(1);
        let room = if self.most == 0 { MOST } else { self.most }.saturating_sub(planned);
        self.more = more.min(room);
        self.more == more
    }

    /// What the script wanted is so from now on.
    pub fn settle(&mut self) {
        if self.peer.is_some() {
            self.left += std::mem::take(&mut self.more);
        }
    }

    /// The try failed; whether there is another.
    pub fn fail(&mut self, failure: PeerFailure) -> bool {
        self.failure = Some(failure);
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }
}

/// Tries of one request at the most, whatever a script wants.
const MOST: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: PeerFailure = PeerFailure { status: 502, is_sound: false };

    fn tries(most: u32, more: u32) -> u32 {
        let mut turn = Turn::new(1, most);
        loop {
            turn.begin();
            turn.peer = Some(SocketAddr::from(([127, 0, 0, 1], 81)));
            turn.want(more);
            turn.settle();
            if !turn.fail(FAILURE) {
                return turn.made;
            }
        }
    }

    #[test]
    fn a_script_that_wants_ever_more_tries_gets_no_more_than_there_are() {
        assert_eq!(tries(5, 2), 5);
        assert_eq!(tries(1, 2), 1);
        assert_eq!(tries(0, 0), 1);
        assert_eq!(tries(0, 7), MOST);
    }

    #[test]
    fn tries_that_were_wanted_are_lost_where_no_peer_was_chosen() {
        let mut turn = Turn::new(1, 0);
        turn.begin();
        assert!(turn.want(3));
        turn.settle();
        assert!(!turn.fail(FAILURE));
    }
}
