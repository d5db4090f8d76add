//! Work beside the requests: on a thread of its own, which the system runs after those that serve.
#![allow(unsafe_code, reason = "a thread's priority is set only through libc")]

use std::thread;

use tokio::sync::oneshot;

/// How far behind (`nice`): where both want a processor, it gets a quarter.
const BEHIND: libc::c_int = 5;

/// What the work comes to; none if it panics. The thread ends with it, and with the thread the memory
/// that it did not hand on goes back; threads that it starts stand behind as well.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let started = thread::Builder::new().name("aside".to_owned()).spawn(move || {
        stand_behind();
        drop(answer.send(work()));
    });
    started.ok()?;
    answered.await.ok()
}

/// On Linux this is said of the calling thread alone. Where it is refused, the work is as urgent as
/// any other.
fn stand_behind() {
    // SAFETY: it takes three numbers, of which 0 means the caller, and touches no memory.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, BEHIND) };
}

#[cfg(test)]
mod tests {
    use super::aside;

    #[tokio::test]
    async fn what_the_work_comes_to_is_handed_back_and_a_panic_is_not_passed_on() {
        assert_eq!(aside(|| 1 + 1).await, Some(2));
        assert_eq!(aside(|| assert_eq!(1, 2, "a bug")).await, None);
    }

    #[tokio::test]
    async fn only_the_thread_of_the_work_stands_behind() {
        let nice = || std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let nice = move || {
            nice().rsplit(')').next().unwrap().split_whitespace().nth(16).map(str::to_owned)
        };
        let own = nice();
        assert_ne!(aside(nice).await.flatten(), own);
        assert_eq!(nice(), own);
    }
}
