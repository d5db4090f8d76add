//! A thousand swaps under load.
