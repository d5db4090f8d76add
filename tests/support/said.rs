//! What a process says on a pipe, line by line as it comes.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What was said so far, and a thread that listens for more.
pub struct Said {
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    words: Mutex<Words>,
    more: Condvar,
}

#[derive(Default)]
struct Words {
    text: String,
    ended: bool,
}

impl Said {
    /// Listens to this pipe until its end.
    pub fn on(pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let told = shared.clone();
        let listener = std::thread::spawn(move || told.listen(pipe));
        Self { shared, listener: Some(listener) }
    }

    /// All so far.
    pub fn text(&self) -> String {
        self.shared.words.lock().unwrap().text.clone()
    }

    /// What `find` finds in the text, as soon as it does; none when the deadline is over or the
    /// process has closed its end.
    pub fn wait_for<T>(&self, deadline: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let end = Instant::now() + deadline;
        let mut words = self.shared.words.lock().unwrap();
        loop {
            let found = find(&words.text);
            let left = end.saturating_duration_since(Instant::now());
            if found.is_some() || left.is_zero() || words.ended {
                return found;
            }
            words = self.shared.more.wait_timeout(words, left).unwrap().0;
        }
    }

    /// Waits for the end of the pipe: its process must have ended, or be about to.
    pub fn join(&mut self) {
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn listen(&self, pipe: impl Read) {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            self.words.lock().unwrap().text += &String::from_utf8_lossy(&line);
            self.more.notify_all();
            line.clear();
        }
        self.words.lock().unwrap().ended = true;
        self.more.notify_all();
    }
}
