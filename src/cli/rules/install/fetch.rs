//! Bytes from a file or a URL, no more than allowed.

use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

/// For the whole of it: nobody waits longer for 32 MiB.
const PATIENCE: Duration = Duration::from_secs(120);

/// The bytes of a file, or of what a URL leads to.
///
/// # Errors
/// If it is not there, or is larger than `limit`; the text names the next step.
pub(super) fn fetch(place: &str, limit: u64) -> Result<Vec<u8>, String> {
    let bytes = match place.split_once("://") {
        Some(("http" | "https", _)) => download(place, limit)?,
        Some((scheme, _)) => {
            return Err(format!("`{place}`: `{scheme}` is not understood, http and https are"));
        }
        None => read(place, limit)?,
    };
    if bytes.len() as u64 > limit {
        return Err(format!("`{place}` is larger than {} MiB", limit >> 20));
    }
    Ok(bytes)
}

fn read(path: &str, limit: u64) -> Result<Vec<u8>, String> {
    let fault = |error| format!("`{path}` cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fault)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(fault)?;
    Ok(bytes)
}

fn download(url: &str, limit: u64) -> Result<Vec<u8>, String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
    let agent = ureq::Agent::new_with_config(config);
    let fault = |error: ureq::Error| {
        format!(
            "{url} cannot be fetched: {error}\n  = help: fetch it elsewhere and name the file with \
             --from (and --signature, --key)"
        )
    };
    let request =
        agent.get(url).header("User-Agent", concat!("moongate/", env!("CARGO_PKG_VERSION")));
    let mut response = request.call().map_err(fault)?;
    response.body_mut().with_config().limit(limit + 1).read_to_vec().map_err(fault)
}
