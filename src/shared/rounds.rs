//! A worker's rounds: what it does between two looks at its sockets.
//!
//! Where a round answers many requests and each is short, the answers leave together when all are made.
//! Whoever reads them (on another core, or behind a network card) is woken once and not for each, and
//! the worker's code and the system's do not drive each other out of the caches: a third of a short
//! request's CPU time. Redis writes its replies so.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem::take;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Answers in a round from which on they leave together.
const MANY: u32 = 2;
/// How long a round may take for each of its answers, and in all: the first of them waits so long.
const SHORT: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(2);

thread_local! {
    static ROUND: Round = const {
        Round {
            answers: Cell::new(0),
            many: Cell::new(false),
            began: Cell::new(None),
            together: Cell::new(false),
        }
    };
}

/// The round of this thread.
struct Round {
    /// Answers that were made in it.
    answers: Cell<u32>,
    /// Whether the last one that made any made many.
    many: Cell<bool>,
    /// When it began; none where the one before did not make many: it does not matter then.
    began: Cell<Option<Instant>>,
    /// Whether answers wait for each other, by how the round before was.
    together: Cell<bool>,
}

/// This thread looked at its sockets.
pub fn begin() {
    ROUND.with(|round| round.begin(Instant::now));
}

/// This thread is about to look at its sockets: nothing else is ready.
pub fn end() {
    ROUND.with(|round| round.end(Instant::now));
}

impl Round {
    fn begin(&self, now: impl FnOnce() -> Instant) {
        self.began.set(self.many.get().then(now));
    }

    fn end(&self, now: impl FnOnce() -> Instant) {
        let answers = self.answers.take();
        if answers == 0 {
            return;
        }
        self.many.set(answers >= MANY);
        let took = self.began.take().map(|began| now().saturating_duration_since(began));
        self.together.set(took.is_some_and(|took| is_short(took, answers)));
    }
}

fn is_short(took: Duration, answers: u32) -> bool {
    answers >= MANY && took <= LONGEST.min(SHORT * answers)
}

/// An answer is made: waits until the others of this round are, if that is soon.
pub async fn wait_for_others() {
    let mut waits = ROUND.with(|round| {
        round.answers.set(round.answers.get() + 1);
        round.together.get()
    });
    poll_fn(|context| {
        if take(&mut waits) {
            // Behind all that are ready.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::runtime::{Builder, LocalOptions};
    use tokio::task::spawn_local;

    use super::*;

    /// What two requests that are ready do, in its order.
    fn order(together: bool) -> Vec<&'static str> {
        ROUND.with(|round| round.together.set(together));
        let done = Rc::new(RefCell::new(Vec::new()));
        let runtime = Builder::new_current_thread().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let requests = [("made a", "sent a"), ("made b", "sent b")].map(|(made, sent)| {
                let done = done.clone();
                spawn_local(async move {
                    done.borrow_mut().push(made);
                    wait_for_others().await;
                    done.borrow_mut().push(sent);
                })
            });
            for request in requests {
                request.await.unwrap();
            }
        });
        done.take()
    }

    #[test]
    fn answers_that_wait_leave_when_all_are_made() {
        assert_eq!(order(true), ["made a", "made b", "sent a", "sent b"]);
        assert_eq!(order(false), ["made a", "sent a", "made b", "sent b"]);
    }

    #[test]
    fn answers_wait_after_a_round_that_is_known_to_be_short_and_made_many() {
        let round = Round {
            answers: Cell::new(0),
            many: Cell::new(false),
            began: Cell::new(None),
            together: Cell::new(false),
        };
        let (short, long) = (Duration::from_micros(40), Duration::from_micros(400));
        for (answers, took, together) in [
            // Nobody looked at the clock when it began.
            (2, short, false),
            (2, short, true),
            // Nothing is learnt of one without answers.
            (0, long, true),
            (2, long, false),
            (3, short, true),
            (1, short, false),
        ] {
            let began = Instant::now();
            round.begin(|| began);
            round.answers.set(answers);
            round.end(|| began + took);
            assert_eq!(round.together.get(), together, "{answers} in {took:?}");
        }
    }

    #[test]
    fn a_round_is_short_by_what_each_answer_takes_and_in_all() {
        let micros = Duration::from_micros;
        for (took, answers, short) in [
            (micros(10), 1, false),
            (micros(100), 2, true),
            (micros(101), 2, false),
            (micros(2000), 1000, true),
            (micros(2001), 1000, false),
        ] {
            assert_eq!(is_short(took, answers), short, "{took:?} for {answers}");
        }
    }
}
