//! Room in a state: for the host's own work, and for what scripts make between two waits.

use std::cell::Cell;

use mlua::Lua;

use super::spec_of;

/// Steps of the collector at one wait, each of some kilobytes: less than a millisecond in all.
const STEPS: usize = 256;

/// Has the collector go on where a script waits and much is held. Luau's works a little at each
/// allocation, however large: a few long texts would spend the memory before they are collected.
pub(super) struct Relief {
    limit: usize,
    /// From how many bytes on.
    next: Cell<usize>,
}

impl Relief {
    /// For a state: from half of its memory on.
    pub(super) fn of(lua: &Lua) -> Self {
        let limit = spec_of(lua).map_or(usize::MAX, |spec| spec.memory);
        Self { limit, next: Cell::new(limit / 2) }
    }

    /// Whether there is something to be done where so much is used.
    pub(super) fn is_due(&self, used: usize) -> bool {
        used > self.next.get()
    }

    /// A script is about to wait. What is left after a whole collection may grow by half of the rest.
    pub(super) fn look(&self, lua: &Lua) {
        if !self.is_due(lua.used_memory()) {
            return;
        }
        // A collector without memory for its own work is of no use: then the script is told.
        if (0..STEPS).any(|_| lua.gc_step().unwrap_or(true)) {
            let used = lua.used_memory();
            self.next.set(used + self.limit.saturating_sub(used) / 2);
        }
    }
}

/// Puts the limit back, also when the work panics.
struct Limited<'a> {
    lua: &'a Lua,
    limit: usize,
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        // It was set before, so it can be set again.
        let _ = self.lua.set_memory_limit(self.limit);
    }
}

/// Does a piece of the host's own work that allocates at most so many bytes and runs no script. Under a
/// memory limit mlua protects each allocation, which costs more than the allocation; where there is room
/// to spare, the limit is set aside for the moment.
pub(super) fn with_room<T>(lua: &Lua, bytes: usize, work: impl FnOnce() -> T) -> T {
    let Ok(limit) = lua.set_memory_limit(0) else { return work() };
    let limited = Limited { lua, limit };
    if limit > 0 && lua.used_memory().saturating_add(bytes) > limit {
        drop(limited);
        return work();
    }
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_set_aside_where_there_is_room_and_put_back() {
        let lua = Lua::new();
        let limit = lua.used_memory() + (1 << 20);
        lua.set_memory_limit(limit).unwrap();
        let large = vec![b'x'; 2 << 20];
        assert!(with_room(&lua, 1 << 10, || lua.create_string(&large)).is_ok());
        lua.gc_collect().unwrap();
        assert!(with_room(&lua, large.len(), || lua.create_string(&large)).is_err());
        assert_eq!(lua.set_memory_limit(0).unwrap(), limit);
    }
}
