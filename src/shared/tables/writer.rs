//! The thread that writes changes to disk and drops what is over its time.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Transaction;

use super::content::now;
use super::disk::{self, Disk, DiskError, Rows};
use super::journal::{Batch, Durability, Queue, Ticket, Work};
use super::{Registry, Tell};

/// How often counters are written and entries looked at whose time may be over.
const BEAT: Duration = Duration::from_secs(1);

/// The thread's own state.
pub(super) struct Writer {
    registry: Arc<Registry>,
    queue: Arc<Queue>,
    /// Where to write; none: all is in memory alone.
    file: Option<PathBuf>,
    /// It, open. It is opened when there is something to write.
    disk: Option<Disk>,
    /// The number under which the entries of a collection are.
    contents: HashMap<u64, i64>,
    /// The last such number that was given.
    last_content: i64,
    /// Collections that are written whole, a shard in a turn, so that others do not wait.
    copies: VecDeque<Copy>,
    /// Whether the last turn wrote a piece of one.
    piece: bool,
    /// Entries that nobody has any more.
    garbage: Vec<i64>,
    /// Says what is wrong, once for each time that it begins to be.
    tell: Tell,
    troubled: bool,
}

/// What was found on disk.
pub(super) struct Loaded {
    pub(super) disk: Disk,
    pub(super) contents: HashMap<u64, i64>,
    pub(super) last_content: i64,
}

/// A collection on its way to disk.
struct Copy {
    id: u64,
    content: i64,
    shard: usize,
    tickets: Vec<Ticket>,
}

impl Writer {
    /// One that keeps nothing.
    pub(super) fn new(registry: Arc<Registry>, queue: Arc<Queue>, tell: Tell) -> Self {
        Self {
            registry,
            queue,
            file: None,
            disk: None,
            contents: HashMap::new(),
            last_content: 0,
            copies: VecDeque::new(),
            piece: false,
            garbage: Vec::new(),
            tell,
            troubled: false,
        }
    }

    /// Writes to a file, which has that.
    pub(super) fn keep(&mut self, file: &Path, loaded: Option<Loaded>) {
        self.file = Some(file.to_owned());
        if let Some(Loaded { disk, contents, last_content }) = loaded {
            (self.disk, self.contents, self.last_content) = (Some(disk), contents, last_content);
        }
    }

    /// Runs until the queue is closed and all is written.
    pub(super) fn run(mut self) {
        self.collect_garbage();
        let mut beat = Instant::now() + BEAT;
        loop {
            let idle = self.copies.is_empty() && self.garbage.is_empty();
            let busy = !(self.troubled || idle);
            let patience = beat.saturating_duration_since(Instant::now());
            let mut batch = self.queue.take(if busy { Duration::ZERO } else { patience });
            if Instant::now() >= beat || batch.closed {
                beat = Instant::now() + BEAT;
                batch.counted = self.queue.take_counted();
                self.registry.sweep();
            }
            let closed = batch.closed;
            self.turn(batch);
            if closed && (self.troubled || self.copies.is_empty()) {
                break;
            }
            if self.troubled {
                self.queue.rest(BEAT);
            }
        }
        if let (Some(disk), false) = (&self.disk, self.troubled) {
            drop(disk.set_clean(true));
        }
    }

    /// Writes a batch, and a piece of what is written whole.
    fn turn(&mut self, batch: Batch) {
        if self.disk.is_none() && (self.file.is_none() || batch.is_empty()) {
            return;
        }
        match self.write_all(&batch) {
            Ok(()) => {
                self.troubled = false;
                self.advance();
                for (work, ticket) in batch.works {
                    match work {
                        Work::Copy { id } => self.begin_copy(id, ticket),
                        _ => ticket.tell(Ok(Durability::Disk)),
                    }
                }
            }
            Err(error) => self.fail(batch, &error.to_string()),
        }
    }

    fn write_all(&mut self, batch: &Batch) -> Result<(), DiskError> {
        let mut disk = match (self.disk.take(), &self.file) {
            (Some(disk), _) => disk,
            (None, Some(file)) => Disk::open(file)?,
            (None, None) => return Ok(()),
        };
        let written = self.write(&mut disk, batch);
        self.disk = Some(disk);
        written.map_err(DiskError::from)
    }

    fn write(&mut self, disk: &mut Disk, batch: &Batch) -> rusqlite::Result<()> {
        let on = disk.begin()?;
        let mut rows = Rows::of(&on)?;
        for (work, _) in &batch.works {
            self.write_one(&on, &mut rows, work)?;
        }
        for (id, keys) in &batch.counted {
            self.write_entries(&mut rows, *id, keys)?;
            if let Some(table) = self.registry.by_id(*id) {
                disk::set_version(&on, *id, table.version())?;
            }
        }
        // Whoever waits for a change of theirs waits for at most one piece.
        self.piece = batch.works.is_empty() || !self.piece;
        if self.piece {
            self.write_piece(&on, &mut rows)?;
        }
        drop(rows);
        if let Some(content) = self.garbage.last().copied()
            && !disk::drop_entries(&on, content)?
        {
            self.garbage.pop();
        }
        disk::drop_over(&on, now())?;
        on.commit()
    }

    fn write_one(
        &mut self,
        on: &Transaction<'_>,
        rows: &mut Rows<'_>,
        work: &Work,
    ) -> rusqlite::Result<()> {
        match work {
            // It begins once the transaction that tells of it is over.
            Work::Copy { .. } => Ok(()),
            Work::Declared { id } => {
                let content = self.content_of(*id);
                match self.registry.by_id(*id) {
                    Some(table) => disk::declare(on, &table, content),
                    None => Ok(()),
                }
            }
            Work::Dropped { id } => {
                self.garbage.extend(self.contents.remove(id));
                disk::drop_collection(on, *id)
            }
            Work::Entries { id, version, keys } => {
                self.write_entries(rows, *id, keys)?;
                disk::set_version(on, *id, *version)
            }
            Work::Record { id, record, floor } => disk::remember(on, *id, record, *floor),
        }
    }

    fn write_entries<'a>(
        &self,
        rows: &mut Rows<'_>,
        id: u64,
        keys: impl IntoIterator<Item = &'a super::key::Key>,
    ) -> rusqlite::Result<()> {
        let Some(table) = self.registry.by_id(id) else { return Ok(()) };
        let Some(content) = self.contents.get(&id) else { return Ok(()) };
        let copying = self.copies.iter().filter(|copy| copy.id == id).map(|copy| copy.content);
        let contents: Vec<i64> = copying.chain([*content]).collect();
        for key in keys {
            let entry = table.kept(key);
            for content in &contents {
                rows.write(*content, key, entry.as_ref())?;
            }
        }
        Ok(())
    }

    /// Writes a shard of the collection that is written whole.
    fn write_piece(&self, on: &Transaction<'_>, rows: &mut Rows<'_>) -> rusqlite::Result<()> {
        let Some(copy) = self.copies.front() else { return Ok(()) };
        let Some(table) = self.registry.by_id(copy.id) else { return Ok(()) };
        let content = table.content();
        let mut entries = Vec::new();
        content.each(copy.shard, |key, entry| entries.push((key.clone(), entry.clone())));
        for (key, entry) in &entries {
            rows.write(copy.content, key, Some(entry))?;
        }
        if copy.shard + 1 >= content.shards() {
            disk::set_content(on, copy.id, copy.content)?;
            disk::set_version(on, copy.id, table.version())?;
        }
        Ok(())
    }

    /// A piece was written.
    fn advance(&mut self) {
        let Some(copy) = self.copies.front_mut().filter(|_| self.piece) else { return };
        copy.shard += 1;
        let table = self.registry.by_id(copy.id);
        let shards = table.map_or(0, |table| table.content().shards());
        if copy.shard < shards {
            return;
        }
        let Some(copy) = self.copies.pop_front() else { return };
        let before = match shards {
            0 => Some(copy.content),
            _ => self.contents.insert(copy.id, copy.content),
        };
        self.garbage.extend(before);
        copy.tickets.iter().for_each(|ticket| ticket.tell(Ok(Durability::Disk)));
    }

    fn begin_copy(&mut self, id: u64, ticket: Ticket) {
        // One that has not begun yet does for both.
        let waiting = self.copies.iter_mut().find(|copy| copy.id == id && copy.shard == 0);
        if let Some(copy) = waiting {
            copy.tickets.push(ticket);
            return;
        }
        self.last_content += 1;
        let content = self.last_content;
        self.copies.push_back(Copy { id, content, shard: 0, tickets: vec![ticket] });
    }

    fn content_of(&mut self, id: u64) -> i64 {
        let next = self.last_content + 1;
        let content = *self.contents.entry(id).or_insert(next);
        self.last_content = self.last_content.max(content);
        content
    }

    fn collect_garbage(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        let orphans = disk.begin().and_then(|on| disk::orphans(&on));
        self.garbage.extend(orphans.unwrap_or_default());
    }

    /// Whoever waits hears of it; what was not written is tried again.
    fn fail(&mut self, batch: Batch, error: &str) {
        for (_, ticket) in &batch.works {
            ticket.tell(Err(error.to_owned()));
        }
        if !self.troubled {
            (self.tell)(&format!(
                "changes of collections are not kept on disk: {error}; they are in force, and tried \
                 again"
            ));
        }
        self.troubled = true;
        self.queue.put_back(batch);
    }
}
