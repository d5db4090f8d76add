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
    ROUND.with(|round| round.began.set(round.many.get().then(Instant::now)));
}

/// This thread is about to look at its sockets: nothing else is ready.
pub fn end() {
    ROUND.with(|round| {
        let answers = round.answers.take();
        if answers == 0 {
            return;
        }
        round.many.set(answers >= MANY);
        let took = round.began.take().map(|began| began.elapsed());
        round.together.set(took.is_some_and(|took| is_short(took, answers)));
    });
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
    use std::thread::park_timeout;

    use tokio::runtime::{Builder, LocalOptions};
    use tokio::sync::Notify;
    use tokio::task::spawn_local;

    use super::*;

    const TOGETHER: [&str; 4] = ["made a", "made b", "sent a", "sent b"];
    const ALONE: [&str; 4] = ["made a", "sent a", "made b", "sent b"];

    /// What two requests that come together do, in its order; each is computed for so long.
    async fn round(each: Duration) -> Vec<&'static str> {
        let (done, ready) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Notify::new()));
        let requests = [("made a", "sent a"), ("made b", "sent b")].map(|(made, sent)| {
            let (done, ready) = (done.clone(), ready.clone());
            spawn_local(async move {
                ready.notified().await;
                park_timeout(each);
                done.borrow_mut().push(made);
                wait_for_others().await;
                done.borrow_mut().push(sent);
            })
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        ready.notify_waiters();
        for request in requests {
            request.await.unwrap();
        }
        done.take()
    }

    fn rounds(number: usize, each: Duration) -> Vec<Vec<&'static str>> {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().on_thread_park(end).on_thread_unpark(begin);
        let runtime = builder.build_local(LocalOptions::default()).unwrap();
        let mut seen = Vec::new();
        runtime.block_on(async {
            for _ in 0..number {
                seen.push(round(each).await);
            }
        });
        seen
    }

    #[test]
    fn answers_leave_together_after_short_rounds_with_many() {
        let seen = rounds(100, Duration::ZERO);
        assert_eq!(seen[0], ALONE, "nothing is known of the round before");
        assert!(seen.iter().any(|order| *order == TOGETHER), "{seen:?}");
    }

    #[test]
    fn no_answer_waits_after_a_round_that_was_long() {
        for order in rounds(5, Duration::from_millis(2)) {
            assert_eq!(order, ALONE);
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
