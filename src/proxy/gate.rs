//! Where one task at a time may pass, of those of a thread.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Where one task at a time may pass. That costs next to nothing where nobody else wants to.
#[derive(Default)]
pub(super) struct Gate {
    is_taken: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

/// Until it goes, nobody else passes.
pub(super) struct Passing<'a>(&'a Gate);

impl Gate {
    /// Waits until nobody passes.
    pub(super) async fn enter(&self) -> Passing<'_> {
        poll_fn(|context| {
            if self.is_taken.replace(true) {
                self.wake_later(context.waker());
                return Poll::Pending;
            }
            Poll::Ready(Passing(self))
        })
        .await
    }

    /// Once for each task, however often it looks.
    fn wake_later(&self, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.is_taken.set(false);
        if self.0.waiting.borrow().is_empty() {
            return;
        }
        // All of them: one that was woken alone may be gone by now.
        self.0.waiting.take().into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_passes_and_none_is_forgotten() {
        let (gate, inside, most) = (Gate::default(), Cell::new(0), Cell::new(0));
        let pass = async || {
            let _passing = gate.enter().await;
            inside.set(inside.get() + 1);
            most.set(most.get().max(inside.get()));
            tokio::task::yield_now().await;
            inside.set(inside.get() - 1);
        };
        tokio::join!(pass(), pass(), async {
            // Whoever gives up while it waits leaves its turn to others.
            let _ = tokio::time::timeout(std::time::Duration::ZERO, pass()).await;
        });
        tokio::join!(pass(), pass());
        assert_eq!((inside.get(), most.get()), (0, 1));
    }
}
