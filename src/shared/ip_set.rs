//! A set of addresses and networks: sorted, merged ranges.

/// A set of addresses and networks.
#[derive(Debug, Default)]
pub struct IpSet {}
