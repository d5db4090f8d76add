//! What holds where nothing is said: figures that protect.

use std::time::Duration;

use super::{BodyLimits, Budget, HealthCheck, Limits, OnExceeded, RuleBudget, Timeouts};

impl Default for Budget {
    fn default() -> Self {
        Self {
            cpu: Duration::from_millis(10),
            memory: 32 << 20,
            wait: Duration::from_secs(5),
            connections: 8,
        }
    }
}

impl Default for RuleBudget {
    fn default() -> Self {
        Self { time: Duration::from_secs(5), work: 256 << 20, exceeded: OnExceeded::Refuse }
    }
}

impl Default for BodyLimits {
    fn default() -> Self {
        let pause = Duration::from_secs(120);
        Self { memory: 1 << 20, total: 100 << 20, response: 1 << 20, pause }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_client: 256,
            head_bytes: 32 << 10,
            headers: 100,
            bare_line_feeds: false,
            target_bytes: 8 << 10,
            head_time: Duration::from_secs(10),
            handshake_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            body_time: Duration::from_secs(120),
            write_time: Duration::from_secs(60),
            requests_per_connection: 10_000,
            body: BodyLimits::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            read: Duration::from_secs(60),
            write: Duration::from_secs(60),
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            max_fails: 3,
            fail_time: Duration::from_secs(10),
            path: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            status: None,
        }
    }
}
