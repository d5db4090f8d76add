# Short names for what is done often: `just` lists them.

_default:
    @just --list

# All that must hold: installs what is needed, formats, lints, tests
check:
    tests/run

# Only the tests whose names contain WORD
test WORD:
    tests/run {{WORD}}

# The small shop behind Moongate
demo *ARGUMENTS:
    cargo run --release -- demo {{ARGUMENTS}}

# The generated pages, written again
docs:
    cargo run --quiet -- docs

# Side by side with nginx and lua-nginx-module
bench *ARGUMENTS:
    tests/benches/side_by_side {{ARGUMENTS}}
