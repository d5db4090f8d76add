//! `moongate completions`: what a shell needs to complete our commands.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::{definition, terminal};

const EXAMPLES: &str = "\
Examples:
  moongate completions bash > /etc/bash_completion.d/moongate
  moongate completions zsh > \"${fpath[1]}/_moongate\"
  moongate completions fish > ~/.config/fish/completions/moongate.fish";

/// Print a shell's completion script
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    terminal::say(&script(arguments.shell));
    ExitCode::SUCCESS
}

fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition(), "moongate", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::script;
    use clap::ValueEnum as _;
    use clap_complete::Shell;

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in ["demo", "run", "check", "docs", "completions"] {
                assert!(script.contains(command), "{shell}: {command}");
            }
        }
    }
}
