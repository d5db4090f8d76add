//! The worker threads, by the numbers under which the system knows them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

static WORKERS: Mutex<BTreeMap<usize, u32>> = Mutex::new(BTreeMap::new());

thread_local! {
    static OWN: Cell<Option<u32>> = const { Cell::new(None) };
}

/// This thread is the worker of that index.
pub fn enroll(index: usize) {
    let number = number();
    OWN.set(Some(number));
    WORKERS.lock().unwrap_or_else(PoisonError::into_inner).insert(index, number);
}

/// What this worker is known by; elsewhere than in a worker, the process.
pub fn own() -> u32 {
    OWN.get().unwrap_or_else(std::process::id)
}

/// What all workers are known by, in their order; where there are none, this process.
pub fn all() -> Vec<u32> {
    let workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
    let all: Vec<u32> = workers.values().copied().collect();
    if all.is_empty() { vec![own()] } else { all }
}

/// The thread's number: `/proc/thread-self` leads to `<process>/task/<number>`.
fn number() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").ok();
    let name = link.as_ref().and_then(|link| link.file_name()?.to_str()?.parse().ok());
    name.unwrap_or_else(std::process::id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_a_number_of_its_own() {
        let one = || std::thread::spawn(|| (enroll(number() as usize), own()).1).join().unwrap();
        let (first, second) = (one(), one());
        assert_ne!(first, second);
        assert!(all().contains(&first) && all().contains(&second));
        assert_eq!(own(), std::process::id());
    }
}
