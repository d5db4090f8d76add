//! A set of addresses and networks: sorted, merged ranges, found by a search tree without pointers.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Faults that [`IpSet::parse`] tells at most; a file of another kind would have one in each line.
const MAX_FAULTS: usize = 100;

/// Keys that one step of the search looks at: 16 IPv4 addresses are one cache line.
const FAN_OUT: usize = 16;

/// A set of addresses and networks. IPv4 addresses that are mapped into IPv6 (`::ffff:192.0.2.1`)
/// are the IPv4 addresses they stand for, in the set and in questions to it.
#[derive(Debug, Default)]
pub struct IpSet {
    v4: Ranges<u32>,
    /// IPv6 networks of /64 and shorter, which most are, by their upper half: half the memory, and
    /// half the way.
    v6: Ranges<u64>,
    /// IPv6 networks longer than /64.
    v6_long: Ranges<u128>,
}

impl IpSet {
    /// Reads one address or network a line, such as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`.
    /// Empty lines, and all from a `#` or `;` on, are passed over. Bits past the prefix are ignored.
    ///
    /// # Errors
    /// Every line that is neither, with its number from 1 and what to write; at most 100 of them.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<(usize, String)>> {
        let (nets, faults) = networks(text);
        if faults.is_empty() { Ok(Self::from_nets(nets)) } else { Err(faults) }
    }

    /// A set of these; what overlaps or touches becomes one range.
    pub fn from_nets(nets: impl IntoIterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6, mut v6_long) = (Vec::new(), Vec::new(), Vec::new());
        for net in nets {
            match bounds(net) {
                Bounds::V4(first, last) => v4.push((first, last)),
                Bounds::V6(first, last) => v6.push((first, last)),
                Bounds::V6Long(first, last) => v6_long.push((first, last)),
            }
        }
        Self { v4: Ranges::merge(v4), v6: Ranges::merge(v6), v6_long: Ranges::merge(v6_long) }
    }

    /// Whether the address is in it: one step for each factor of 16 in size. In a set of a million
    /// networks, asked for addresses at random, most of the time is that of two misses of the cache.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                self.v6.contains((bits >> 64) as u64) || self.v6_long.contains(bits)
            }
        }
    }

    /// How many ranges are left after merging.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len() + self.v6_long.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that its ranges take.
    pub fn memory(&self) -> usize {
        self.v4.memory() + self.v6.memory() + self.v6_long.memory()
    }
}

/// The networks named in a text, and the lines that name none: what [`IpSet::parse`] reads, for
/// those who make one set of several texts.
pub fn networks(text: &[u8]) -> (Vec<IpNet>, Vec<(usize, String)>) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let (mut nets, mut faults) = (Vec::new(), Vec::new());
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let content = line.split(|byte| matches!(byte, b'#' | b';')).next().unwrap_or_default();
        let content = content.trim_ascii();
        if content.is_empty() {
            continue;
        }
        match network(content) {
            Some(net) => nets.push(net),
            None if faults.len() < MAX_FAULTS => faults.push((index + 1, complaint(content))),
            None => break,
        }
    }
    (nets, faults)
}

/// The address that a text names; an IPv6 address may stand in brackets.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

fn network(text: &[u8]) -> Option<IpNet> {
    let text = std::str::from_utf8(text).ok()?;
    if text.contains('/') {
        text.parse().ok()
    } else {
        text.parse::<IpAddr>().ok().map(IpNet::from)
    }
}

fn complaint(content: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(content).chars().take(64).collect();
    format!(
        "`{shown}` is no address or network; write `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`"
    )
}

enum Bounds {
    V4(u32, u32),
    V6(u64, u64),
    V6Long(u128, u128),
}

fn bounds(net: IpNet) -> Bounds {
    match net {
        IpNet::V4(net) => Bounds::V4(net.network().to_bits(), net.broadcast().to_bits()),
        IpNet::V6(net) => {
            let (first, last) = (net.network(), net.broadcast());
            match (first.to_ipv4_mapped(), last.to_ipv4_mapped()) {
                (Some(first), Some(last)) => Bounds::V4(first.to_bits(), last.to_bits()),
                _ if net.prefix_len() <= 64 => {
                    Bounds::V6((first.to_bits() >> 64) as u64, (last.to_bits() >> 64) as u64)
                }
                _ => Bounds::V6Long(first.to_bits(), last.to_bits()),
            }
        }
    }
}

/// An address as a number.
trait Number: Copy + Ord {
    /// The one after it; none after the last.
    fn next(self) -> Option<Self>;
}

impl Number for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u64 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Sorted ranges that neither overlap nor touch, as the borders between inside and outside.
#[derive(Debug)]
struct Ranges<T> {
    /// The first level has, for every range in turn, its first address and the one after its last.
    /// Each further level has every [`FAN_OUT`]th key of the one before, until one step reads it.
    /// Never empty.
    levels: Vec<Box<[T]>>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self { levels: vec![Box::default()] }
    }
}

impl<T: Number> Ranges<T> {
    fn merge(mut pairs: Vec<(T, T)>) -> Self {
        pairs.sort_unstable();
        let mut borders: Vec<T> = Vec::with_capacity(2 * pairs.len());
        let mut covered: Option<T> = None;
        for (first, last) in pairs {
            let touches = covered.is_some_and(|end| end.next().is_none_or(|next| first <= next));
            if !touches {
                borders.extend(covered.and_then(T::next));
                borders.push(first);
            }
            covered = if touches { covered.max(Some(last)) } else { Some(last) };
        }
        borders.extend(covered.and_then(T::next));
        borders.shrink_to_fit();
        Self { levels: levels(borders.into()) }
    }

    fn len(&self) -> usize {
        // The range that ends with the last address of all has no border after it.
        self.levels.first().map_or(0, |borders| borders.len().div_ceil(2))
    }

    /// An address is inside if the number of borders at or before it is odd: that number is known
    /// roughly at the top level, and exactly at the first.
    fn contains(&self, address: T) -> bool {
        let mut count = 0;
        for level in self.levels.iter().rev() {
            let from = usize::saturating_sub(count, 1) * FAN_OUT;
            let rest = level.get(from..).unwrap_or(&[]);
            // A step of known length is counted without branches.
            let within = match rest.first_chunk::<FAN_OUT>() {
                Some(step) => count_up_to(step, address),
                None => count_up_to(rest, address),
            };
            if within == 0 {
                return false;
            }
            count = from + within as usize;
        }
        count % 2 == 1
    }

    fn memory(&self) -> usize {
        let keys: usize = self.levels.iter().map(|level| level.len()).sum();
        keys * size_of::<T>()
    }
}

#[inline]
fn count_up_to<T: Number>(keys: &[T], address: T) -> u32 {
    keys.iter().map(|key| u32::from(*key <= address)).sum()
}

fn levels<T: Number>(borders: Box<[T]>) -> Vec<Box<[T]>> {
    let mut levels = vec![borders];
    while let Some(level) = levels.last().filter(|level| level.len() > FAN_OUT) {
        let above = level.iter().step_by(FAN_OUT).copied().collect();
        levels.push(above);
    }
    levels
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use ipnet::{IpNet, Ipv4Net, Ipv6Net};

    use super::{FAN_OUT, IpSet};

    /// Numbers that look random and are the same in every run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ (mixed >> 29)
        }

        fn v4(&mut self) -> Ipv4Addr {
            // Few high bytes, so that ranges meet.
            Ipv4Addr::from_bits((self.next() as u32) & 0x03ff_ffff)
        }

        fn v6(&mut self) -> Ipv6Addr {
            let low = u128::from(self.next()) & 0xff_ffff;
            Ipv6Addr::from_bits((0x2001_0db8 << 96) | (low << 64) | u128::from(self.next() & 7))
        }

        fn net(&mut self) -> IpNet {
            let wide = self.next().is_multiple_of(50);
            if self.next().is_multiple_of(2) {
                let prefix = if wide { self.next() % 33 } else { 20 + self.next() % 13 };
                Ipv4Net::new_assert(self.v4(), prefix as u8).into()
            } else {
                let prefix = if wide { self.next() % 129 } else { 40 + self.next() % 89 };
                Ipv6Net::new_assert(self.v6(), prefix as u8).into()
            }
        }
    }

    #[test]
    fn it_agrees_with_a_scan_of_all_networks() {
        let mut random = Random(1);
        let mut compared = 0;
        for size in [0, 1, 2, FAN_OUT, FAN_OUT + 1, 100, FAN_OUT * FAN_OUT + 1, 700] {
            for _ in 0..4 {
                let nets: Vec<IpNet> = (0..size).map(|_| random.net()).collect();
                let set = IpSet::from_nets(nets.iter().copied());
                let mut questions: Vec<IpAddr> = Vec::new();
                for net in &nets {
                    questions.extend(edges(*net));
                }
                questions.extend((0..200).map(|_| IpAddr::V4(random.v4())));
                questions.extend((0..200).map(|_| IpAddr::V6(random.v6())));
                for address in questions {
                    let scanned = nets.iter().any(|net| net.contains(&address));
                    assert_eq!(set.contains(address), scanned, "{address} in {nets:?}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 20_000, "{compared}");
    }

    /// The first and last address of a network, and the ones beside it.
    fn edges(net: IpNet) -> Vec<IpAddr> {
        match net {
            IpNet::V4(net) => {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
                    .to_vec()
            }
            IpNet::V6(net) => {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
                    .to_vec()
            }
        }
    }

    #[test]
    fn the_whole_space_and_single_addresses_are_networks_too() {
        let all = IpSet::parse(b"0.0.0.0/0\n::/0").unwrap();
        assert_eq!(all.len(), 2);
        for address in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff::1"] {
            assert!(all.contains(address.parse().unwrap()), "{address}");
        }
        let ends = IpSet::parse(b"255.255.255.255\n0.0.0.0\nffff::ffff/128").unwrap();
        assert!(ends.contains("255.255.255.255".parse().unwrap()));
        assert!(ends.contains("0.0.0.0".parse().unwrap()));
        assert!(ends.contains("ffff::ffff".parse().unwrap()));
        assert!(!ends.contains("255.255.255.254".parse().unwrap()));
        assert!(!ends.contains("ffff::fffe".parse().unwrap()));
    }

    #[test]
    fn a_mapped_address_is_the_one_it_stands_for() {
        let set = IpSet::parse(b"192.0.2.0/24\n::ffff:198.51.100.0/120").unwrap();
        assert!(set.contains("::ffff:192.0.2.7".parse().unwrap()));
        assert!(set.contains("198.51.100.9".parse().unwrap()));
        assert!(!set.contains("::ffff:203.0.113.1".parse().unwrap()));
    }

    #[test]
    fn neighbours_become_one_range() {
        let set = IpSet::parse(b"10.0.0.0/25\n10.0.0.128/25\n10.0.0.7\n10.0.1.0/24").unwrap();
        assert_eq!(set.len(), 1);
        assert!(!set.contains("10.0.2.0".parse().unwrap()));
    }

    #[test]
    fn comments_and_empty_lines_are_passed_over_and_faults_have_their_line() {
        let text = b"\xef\xbb\xbf# ours\r\n192.0.2.1 # one\r\n\r\n10.0.0.0/8 ; SBL1\n 10.0.0.0/33\nexample.com\n";
        let faults = IpSet::parse(text).unwrap_err();
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6]);
        assert!(faults[1].1.starts_with("`example.com` is no address or network; write"));
        let good = text.split(|byte| *byte == b'/').next().unwrap();
        assert_eq!(IpSet::parse(good).unwrap().len(), 2);
    }

    #[test]
    fn a_file_of_another_kind_does_not_make_a_million_faults() {
        assert_eq!(IpSet::parse(&b"\xff\x00\n".repeat(5000)).unwrap_err().len(), 100);
    }

    #[test]
    fn a_million_networks_are_merged_to_what_they_cover() {
        let mut text = String::new();
        for index in 0_u32..500_000 {
            // Every other /28, then the /29s in them again.
            let address = Ipv4Addr::from_bits((index / 2) << 5 | (index % 2) << 3);
            let prefix = if index % 2 == 0 { 28 } else { 29 };
            writeln!(text, "{address}/{prefix}").unwrap();
            let address = Ipv6Addr::from_bits((0x2a00 << 112) | u128::from(index) << 65);
            writeln!(text, "{address}/64").unwrap();
        }
        let set = IpSet::parse(text.as_bytes()).unwrap();
        assert_eq!(set.len(), 250_000 + 500_000);
        assert!(set.memory() < 12_000_000, "{}", set.memory());
        assert!(
            set.contains("0.0.0.40".parse().unwrap()) && !set.contains("0.0.0.16".parse().unwrap())
        );
        assert!(set.contains("2a00:0:0:2::1".parse().unwrap()));
        assert!(!set.contains("2a00:0:0:1::1".parse().unwrap()));
    }
}
