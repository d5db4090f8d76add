//! What a call's native functions wait for, until their coroutines go on.

use std::cell::{Cell, RefCell};

use std::task::{Context, Poll};

use mlua::MultiValue;

use super::Waiting;
use super::api::Stack;

/// What a native function that waits comes to.
pub type Answer = mlua::Result<MultiValue>;

/// What a native function waits for whose results go onto Luau's stack as they are, with no value of
/// mlua's between.
pub trait Native {
    /// Whether it is there. Once it is, it is not asked again.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Puts the results onto the stack, which has room for a few; how many they are. Luau may raise: what
    /// is held is dropped as that passes.
    fn put(self: Box<Self>, stack: &mut Stack<'_>) -> usize;
}

/// What somebody waits for.
pub(super) enum Awaited {
    /// Of a function of mlua's.
    Answer(Waiting<'static, Answer>),
    Native(Box<dyn Native>),
}

/// Bits of a ticket that say which place it is for.
const PLACES: u32 = 24;

/// What a coroutine holds while it waits. No two of a thread are alike, so that one which outlived its
/// call finds nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// What a call's native functions wait for.
#[derive(Default)]
pub(super) struct Parked {
    places: RefCell<Vec<Place>>,
    /// Places that nobody has.
    free: RefCell<Vec<usize>>,
}

struct Place {
    /// Whose it is; none: nobody's.
    ticket: Option<Ticket>,
    /// The light thread whose function waits; 0: the call's own coroutine.
    owner: usize,
    /// None while it is polled.
    waiting: Option<Awaited>,
}

thread_local! {
    static TICKETS: Cell<u64> = const { Cell::new(0) };
}

impl Parked {
    /// Keeps what a function of `owner` waits for.
    ///
    /// # Errors
    /// If there are too many.
    pub(super) fn keep(&self, waiting: Awaited, owner: usize) -> mlua::Result<Ticket> {
        let mut places = self.places.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or(places.len());
        if index >> PLACES > 0 {
            return Err(mlua::Error::runtime("too many functions wait"));
        }
        let number = TICKETS.get() + 1;
        TICKETS.set(number);
        let ticket = Ticket(number << PLACES | index as u64);
        let place = Place { ticket: Some(ticket), owner, waiting: Some(waiting) };
        match places.get_mut(index) {
            Some(free) => *free = place,
            None => places.push(place),
        }
        Ok(ticket)
    }

    /// What that ticket is for, to be polled: then [`Self::put_back`] or [`Self::give_up`].
    pub(super) fn take(&self, ticket: Ticket) -> Option<Awaited> {
        self.of(ticket, |place| place.waiting.take()).flatten()
    }

    /// Goes on to wait, unless it was given up meanwhile.
    pub(super) fn put_back(&self, ticket: Ticket, waiting: Awaited) {
        let mut places = self.places.borrow_mut();
        let place = places.get_mut(ticket.index()).filter(|place| place.ticket == Some(ticket));
        let left = match place {
            Some(place) => place.waiting.replace(waiting),
            None => Some(waiting),
        };
        drop(places);
        // What is dropped may look here.
        drop(left);
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&self, ticket: Ticket) {
        let left = self.of(ticket, Place::leave);
        if left.is_some() {
            self.free.borrow_mut().push(ticket.index());
        }
    }

    /// What functions of that light thread wait for ends.
    pub(super) fn end_of(&self, owner: usize) {
        let places = self.places.borrow();
        let tickets: Vec<_> = places
            .iter()
            .filter(|place| place.owner == owner)
            .filter_map(|place| place.ticket)
            .collect();
        drop(places);
        for ticket in tickets {
            self.give_up(ticket);
        }
    }

    /// All of it ends.
    pub(super) fn end(&self) {
        self.free.take();
        // What is dropped may look here.
        drop(self.places.take());
    }

    fn of<T>(&self, ticket: Ticket, work: impl FnOnce(&mut Place) -> T) -> Option<T> {
        let mut places = self.places.borrow_mut();
        let place = places.get_mut(ticket.index())?;
        (place.ticket == Some(ticket)).then(|| work(place))
    }
}

impl Place {
    fn leave(&mut self) -> Option<Awaited> {
        self.ticket = None;
        self.waiting.take()
    }
}

impl Ticket {
    /// As a number, to be held where only the host looks.
    pub fn number(self) -> usize {
        self.0 as usize
    }

    /// What [`Self::number`] gave.
    pub fn from_number(number: usize) -> Self {
        Self(number as u64)
    }

    fn index(self) -> usize {
        (self.0 & ((1 << PLACES) - 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Awaited {
        Awaited::Answer(Box::pin(std::future::pending()))
    }

    #[test]
    fn a_ticket_finds_what_it_is_for_until_that_is_given_up() {
        let parked = Parked::default();
        let (first, second) =
            (parked.keep(waiting(), 0).unwrap(), parked.keep(waiting(), 7).unwrap());
        let taken = parked.take(first).unwrap();
        assert!(parked.take(first).is_none(), "it is polled");
        parked.put_back(first, taken);
        parked.give_up(first);
        let third = parked.keep(waiting(), 7).unwrap();
        assert_eq!(third.index(), first.index());
        assert!(parked.take(first).is_none(), "another has its place");
        parked.end_of(7);
        assert!(parked.take(second).is_none() && parked.take(third).is_none());
    }

    #[test]
    fn what_was_given_up_while_it_was_polled_does_not_come_back() {
        let parked = Parked::default();
        let ticket = parked.keep(waiting(), 0).unwrap();
        let taken = parked.take(ticket).unwrap();
        parked.end_of(0);
        parked.put_back(ticket, taken);
        assert!(parked.take(ticket).is_none());
    }
}
