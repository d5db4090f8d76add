//! What the kernel says of this process, read at each scrape; what cannot be read stays as it was.

use std::fs;

use super::metrics;

/// `/proc` counts CPU time in these, whatever the kernel's own clock (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Takes the readings and sets their metrics.
pub(super) fn show() {
    let _ = show_stat();
    let _ = show_status();
    let _ = show_files();
}

fn show_stat() -> Option<()> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let stat = Stat::parse(&text)?;
    let seconds = &metrics().process_cpu_seconds;
    seconds.inc_by((stat.cpu_seconds - seconds.get()).max(0.0));
    metrics().process_threads.set(stat.threads);
    metrics().process_started_at.set(booted_at()? + stat.started_after_boot);
    Some(())
}

/// What is used of `/proc/self/stat`, in seconds.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: i64,
    started_after_boot: f64,
}

impl Stat {
    /// Fields are counted from 1 as in proc(5); the second, the program's name, may hold anything
    /// but ends at the last parenthesis.
    fn parse(text: &str) -> Option<Self> {
        let (_, after_name) = text.rsplit_once(')')?;
        let field = |number: usize| after_name.split_ascii_whitespace().nth(number - 3);
        let seconds = |number| Some(field(number)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self {
            cpu_seconds: seconds(14)? + seconds(15)?,
            threads: field(20)?.parse().ok()?,
            started_after_boot: seconds(22)?,
        })
    }
}

/// In seconds since 1970.
fn booted_at() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn show_status() -> Option<()> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    metrics().process_memory_bytes.set(kibibytes * 1024);
    Some(())
}

fn show_files() -> Option<()> {
    // One of them is the folder that is being read.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    metrics().process_files.set(i64::try_from(open).ok()?);
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    metrics().process_max_files.set(line.split_ascii_whitespace().next()?.parse().ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::Stat;
    use crate::telemetry::metrics::metrics;

    #[test]
    fn a_program_named_with_a_parenthesis_is_read_all_the_same() {
        let text = "7 (moon) 9 9) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 12 0 4200 9 9 9\n";
        let read = Stat { cpu_seconds: 2.0, threads: 12, started_after_boot: 42.0 };
        assert_eq!(Stat::parse(text), Some(read));
    }

    #[test]
    fn this_process_has_memory_threads_files_and_a_past() {
        super::show();
        assert!(metrics().process_memory_bytes.get() > 1 << 20);
        assert!(metrics().process_threads.get() >= 1);
        assert!(metrics().process_files.get() >= 3);
        assert!(metrics().process_max_files.get() >= 3);
        assert!(metrics().process_started_at.get() > 1_600_000_000.0);
    }
}
