//! The `wheelhouse` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    wheelhouse::cli::main()
}
