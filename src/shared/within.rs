//! A time limit that costs nothing where nothing has to be waited for.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::timers::Timer;

/// The time was over first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// What `future` gives, if that is within `limit` of the first time that it has to wait. Neither the
/// clock is read nor a timer set for a future that is ready at once: most reads and writes are.
///
/// # Errors
/// If the time was over first; then the future is dropped.
pub async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    within_again(&mut None, limit, future).await
}

/// The same for one who waits again and again: the timer is kept from one time to the next.
///
/// # Errors
/// As [`within`].
pub async fn within_again<F: Future>(
    kept: &mut Option<Timer>,
    limit: Duration,
    future: F,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut exact = pin!(None::<Sleep>);
    let mut waits = false;
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            if let Some(timer) = kept.as_ref().filter(|_| waits) {
                timer.rest();
            }
            return Poll::Ready(Ok(output));
        }
        if !std::mem::replace(&mut waits, true) {
            if kept.as_mut().is_none_or(|timer| !timer.set_again(limit, context)) {
                *kept = Timer::set(limit, context);
            }
            if kept.is_some() {
                return Poll::Pending;
            }
            exact.set(Some(sleep(limit)));
        }
        let over = match (&kept, exact.as_mut().as_pin_mut()) {
            (Some(timer), _) => timer.poll(context),
            (None, Some(exact)) => exact.poll(context),
            (None, None) => Poll::Pending,
        };
        over.map(|()| Err(Elapsed))
    })
    .await
}

/// A limit that somebody watches who polls other things besides.
#[derive(Debug)]
pub struct Limit(Kind);

#[derive(Debug)]
enum Kind {
    Exact(Pin<Box<Sleep>>),
    Rough(Timer),
}

impl Limit {
    /// From now on, and so long.
    pub fn of(limit: Duration, context: &Context<'_>) -> Self {
        let rough = Timer::set(limit, context).map(Kind::Rough);
        Self(rough.unwrap_or_else(|| Kind::Exact(Box::pin(sleep(limit)))))
    }

    /// Whether it is over.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Kind::Exact(exact) => exact.as_mut().poll(context),
            Kind::Rough(timer) => timer.poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_longer_is_given_up() {
        let moment = Duration::from_millis(5);
        assert_eq!(within(moment, std::future::pending::<()>()).await, Err(Elapsed));
        assert_eq!(within(1000 * moment, sleep(moment)).await, Ok(()));
    }

    #[tokio::test]
    async fn who_waits_again_is_given_up_as_soon() {
        let (moment, mut kept) = (Duration::from_millis(5), None);
        for _ in 0..2 {
            assert_eq!(within_again(&mut kept, 1000 * moment, sleep(moment)).await, Ok(()));
            let never = std::future::pending::<()>();
            assert_eq!(within_again(&mut kept, moment, never).await, Err(Elapsed));
        }
    }

    #[tokio::test]
    async fn a_timer_is_kept_where_somebody_ticks() {
        let waiting = async {
            let mut kept = None;
            for _ in 0..3 {
                let moment = sleep(Duration::from_millis(5));
                assert_eq!(within_again(&mut kept, Duration::from_secs(1), moment).await, Ok(()));
                assert!(kept.is_some());
            }
            let never = std::future::pending::<()>();
            within_again(&mut kept, Duration::from_secs(1), never).await
        };
        let over = tokio::select! {
            biased;
            () = crate::shared::tick() => unreachable!("it ticks for ever"),
            over = waiting => over,
        };
        assert_eq!(over, Err(Elapsed));
    }

    #[test]
    fn what_is_ready_needs_no_timer() {
        // Outside a runtime a timer would panic.
        let mut ready = pin!(within(Duration::ZERO, async { 7 }));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert_eq!(ready.as_mut().poll(&mut context), Poll::Ready(Ok(7)));
    }
}
