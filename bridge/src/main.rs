//! The program `standpipe`.

mod cli;
mod exit;
mod log;
mod open_files;
mod signal;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main().into()
}
