//! The program's memory: what it is taken of, and how what is not used goes back.

pub mod heap;
pub mod image;
mod seldom;
mod trim;

pub use seldom::Seldom;
pub use trim::trim;
