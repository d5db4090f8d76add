//! The `moongate` program: reads the command line, does what it says, exits 0, 1 or 2.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: moongate::memory::heap::Allocator = moongate::memory::heap::Allocator;

fn main() -> ExitCode {
    moongate::cli::main()
}
