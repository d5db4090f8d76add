//! How much fits into a dictionary: the bookkeeping of nginx's slab allocator, so that entries push
//! each other out just when they do in nginx. Only places are given out; the bytes live elsewhere.
//!
//! Pages of 4096 bytes; up to 2048 bytes a place is a chunk, of a power of two, in a page of its kind.

/// Bytes of a page.
const PAGE: usize = 4096;
/// The smallest chunk is of 8 bytes, the largest of 2048.
const SHIFT: u32 = 3;
const KINDS: usize = 9;
/// Bytes that the allocator itself takes: its head, and what it notes of each page.
const HEAD: usize = 704;
const NOTE: usize = 24;
/// Bytes of what nginx's module keeps in each dictionary besides entries.
const ROOTS: [usize; 2] = [80, 32];

/// No page.
const NONE: u32 = u32::MAX;

/// Where something was put: the first page of it.
pub type Place = u32;

/// The pages of one dictionary.
pub struct Slab {
    pages: Vec<Page>,
    /// By kind of chunk: the first page that has room.
    open: [u32; KINDS],
    /// The first of a run of free pages; the list goes on by `next`.
    free: u32,
    free_pages: usize,
    used: usize,
}

#[derive(Clone, Copy)]
struct Page {
    kind: Kind,
    next: u32,
    before: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Chunks of that kind, so many of them taken.
    Chunks { kind: u8, taken: u16 },
    /// The first of so many free ones.
    Free { pages: u32 },
    /// The last of several free ones, whose first is there.
    FreeEnd { first: u32 },
    /// In the middle of something.
    Inner,
    /// The first of so many taken ones.
    Taken { pages: u32 },
}

impl Slab {
    /// The pages of a dictionary of that many bytes.
    pub fn new(capacity: usize) -> Self {
        let count = capacity.saturating_sub(HEAD) / (PAGE + NOTE);
        let begin = (HEAD + count * NOTE).next_multiple_of(PAGE);
        let count = count.min(capacity.saturating_sub(begin) / PAGE).max(1);
        let page = Page { kind: Kind::Inner, next: NONE, before: NONE };
        let (pages, open) = (vec![page; count], [NONE; KINDS]);
        let mut slab = Self { pages, open, free: NONE, free_pages: 0, used: 0 };
        slab.give_back(0, count as u32);
        if count > ROOTS.len() {
            for bytes in ROOTS {
                slab.take(bytes);
            }
        }
        slab.used = 0;
        slab
    }

    /// Bytes that are taken, with what is lost to rounding.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes of pages of which nothing is taken.
    pub fn free(&self) -> usize {
        self.free_pages * PAGE
    }

    /// Whether so much would fit if nothing else were there.
    pub fn could_hold(&self, bytes: usize) -> bool {
        let roots = if self.pages.len() > ROOTS.len() { ROOTS.len() } else { 0 };
        bytes.div_ceil(PAGE) <= self.pages.len() - roots
    }

    /// A place for so many bytes, if there is one.
    pub fn take(&mut self, bytes: usize) -> Option<Place> {
        let Some(kind) = kind_of(bytes) else {
            let pages = u32::try_from(bytes.div_ceil(PAGE)).ok()?;
            let first = self.take_pages(pages)?;
            self.used += pages as usize * PAGE;
            return Some(first);
        };
        let page = match self.open_page(kind) {
            Some(page) => page,
            None => self.new_page(kind)?,
        };
        self.used += chunk(kind);
        let capacity = capacity(kind);
        let found = self.page_mut(page)?;
        if let Kind::Chunks { taken, .. } = &mut found.kind {
            *taken += 1;
            if *taken == capacity {
                self.close(kind, page);
            }
        }
        Some(page)
    }

    /// Gives a place back.
    pub fn give(&mut self, place: Place) {
        let Some(page) = self.page_mut(place) else { return };
        match &mut page.kind {
            Kind::Taken { pages } => {
                let pages = *pages;
                self.used -= pages as usize * PAGE;
                self.give_back(place, pages);
            }
            Kind::Chunks { kind, taken } => {
                let (kind, was) = (usize::from(*kind), *taken);
                *taken -= 1;
                self.used -= chunk(kind);
                if was == capacity(kind) {
                    self.reopen(kind, place);
                }
                if was == 1 {
                    self.close(kind, place);
                    self.give_back(place, 1);
                }
            }
            Kind::Free { .. } | Kind::FreeEnd { .. } | Kind::Inner => {}
        }
    }

    fn page(&self, place: u32) -> Option<Page> {
        self.pages.get(place as usize).copied()
    }

    fn page_mut(&mut self, place: u32) -> Option<&mut Page> {
        self.pages.get_mut(place as usize)
    }

    fn set_kind(&mut self, place: u32, kind: Kind) {
        if let Some(page) = self.page_mut(place) {
            page.kind = kind;
        }
    }

    fn open_page(&self, kind: usize) -> Option<u32> {
        self.open.get(kind).copied().filter(|page| *page != NONE)
    }

    fn new_page(&mut self, kind: usize) -> Option<u32> {
        let page = self.take_pages(1)?;
        self.set_kind(page, Kind::Chunks { kind: kind as u8, taken: 0 });
        self.reopen(kind, page);
        Some(page)
    }

    /// A page has room: it is the first that is asked.
    fn reopen(&mut self, kind: usize, place: u32) {
        let Some(first) = self.open.get_mut(kind) else { return };
        let next = std::mem::replace(first, place);
        self.link(place, next);
    }

    /// A page has no room any more.
    fn close(&mut self, kind: usize, place: u32) {
        let next = self.unlink(place);
        if let Some(first) = self.open.get_mut(kind)
            && *first == place
        {
            *first = next;
        }
    }

    fn link(&mut self, place: u32, next: u32) {
        if let Some(page) = self.page_mut(place) {
            (page.next, page.before) = (next, NONE);
        }
        if let Some(page) = self.page_mut(next) {
            page.before = place;
        }
    }

    /// Takes a page out of the list in which it stands; the one that stood behind it.
    fn unlink(&mut self, place: u32) -> u32 {
        let Some(Page { next, before, .. }) = self.page(place) else { return NONE };
        if let Some(page) = self.page_mut(next) {
            page.before = before;
        }
        if let Some(page) = self.page_mut(before) {
            page.next = next;
        }
        next
    }

    /// The first run of free pages that is long enough; what is left of it keeps its turn.
    fn take_pages(&mut self, wanted: u32) -> Option<u32> {
        let mut place = self.free;
        loop {
            let Kind::Free { pages } = self.page(place)?.kind else { return None };
            if pages >= wanted {
                self.cut(place, pages, wanted);
                self.free_pages -= wanted as usize;
                return Some(place);
            }
            place = self.page(place)?.next;
        }
    }

    fn cut(&mut self, place: u32, pages: u32, wanted: u32) {
        let before = self.page(place).map_or(NONE, |page| page.before);
        let next = self.unlink(place);
        let mut follows = next;
        if pages > wanted {
            let rest = place + wanted;
            self.mark_free(rest, pages - wanted);
            self.link(rest, next);
            if let Some(page) = self.page_mut(rest) {
                page.before = before;
            }
            if let Some(page) = self.page_mut(before) {
                page.next = rest;
            }
            follows = rest;
        }
        if self.free == place {
            self.free = follows;
        }
        for inner in place..place + wanted {
            self.set_kind(inner, Kind::Inner);
        }
        self.set_kind(place, Kind::Taken { pages: wanted });
    }

    /// Pages are free again, joined with free ones next to them.
    fn give_back(&mut self, place: u32, pages: u32) {
        self.free_pages += pages as usize;
        let (mut first, mut count) = (place, pages);
        if let Some(Page { kind: Kind::Free { pages: more }, .. }) = self.page(place + pages) {
            self.leave(place + pages);
            count += more;
        }
        let before = match place.checked_sub(1).and_then(|last| Some((last, self.page(last)?.kind)))
        {
            Some((last, Kind::Free { pages: 1 })) => Some(last),
            Some((_, Kind::FreeEnd { first })) => Some(first),
            _ => None,
        };
        if let Some(start) = before {
            self.leave(start);
            count += first - start;
            first = start;
        }
        self.mark_free(first, count);
        let next = std::mem::replace(&mut self.free, first);
        self.link(first, next);
    }

    /// Takes a run out of the free ones.
    fn leave(&mut self, place: u32) {
        let next = self.unlink(place);
        if self.free == place {
            self.free = next;
        }
    }

    fn mark_free(&mut self, first: u32, pages: u32) {
        for inner in first..first + pages {
            self.set_kind(inner, Kind::Inner);
        }
        self.set_kind(first + pages - 1, Kind::FreeEnd { first });
        self.set_kind(first, Kind::Free { pages });
    }
}

/// The kind of chunk for so many bytes; none: it takes whole pages.
fn kind_of(bytes: usize) -> Option<usize> {
    let shift = bytes.max(1).next_power_of_two().trailing_zeros().max(SHIFT);
    let kind = (shift - SHIFT) as usize;
    (kind < KINDS).then_some(kind)
}

fn chunk(kind: usize) -> usize {
    1 << (kind + SHIFT as usize)
}

/// How many chunks a page holds. Of small ones, some hold the note of which are taken.
fn capacity(kind: usize) -> u16 {
    let (size, all) = (chunk(kind), PAGE / chunk(kind));
    let notes = if size < 64 { (all / (size * 8)).max(1) } else { 0 };
    (all - notes) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_fits_as_in_nginx() {
        // nginx: 20k are four pages, two of which the module takes for itself.
        let mut slab = Slab::new(20 << 10);
        assert_eq!(slab.free(), 2 * PAGE);
        let one = slab.take(4000).unwrap();
        let two = slab.take(4000).unwrap();
        assert_eq!(slab.take(2049), None);
        slab.give(one);
        assert_eq!(slab.take(4097), None, "one page is not two");
        slab.give(two);
        assert!(slab.take(8192).is_some(), "neighbours are joined");
    }

    #[test]
    fn a_page_of_chunks_comes_back_when_its_last_goes() {
        let mut slab = Slab::new(20 << 10);
        let places: Vec<Place> = (0..16).map(|_| slab.take(200).unwrap()).collect();
        assert_eq!(slab.free(), PAGE);
        let other = slab.take(200).unwrap();
        assert_eq!(slab.free(), 0);
        for place in places {
            slab.give(place);
        }
        slab.give(other);
        assert_eq!((slab.free(), slab.used()), (2 * PAGE, 0));
    }

    #[test]
    fn whatever_is_taken_and_given_the_books_are_right() {
        let mut slab = Slab::new(200 << 10);
        let (whole, mut held, mut state) = (slab.free(), Vec::new(), 1_u64);
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = (state >> 33) as usize;
            if random.is_multiple_of(3) && !held.is_empty() {
                slab.give(held.swap_remove(random % held.len()));
            } else if let Some(place) =
                slab.take(random % if random.is_multiple_of(7) { 20_000 } else { 700 })
            {
                held.push(place);
            }
        }
        for place in held {
            slab.give(place);
        }
        assert_eq!((slab.free(), slab.used()), (whole, 0));
    }
}
