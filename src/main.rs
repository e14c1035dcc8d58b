//! The `greenroom` program.

use std::process::ExitCode;

use rustix::fs::Mode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Called before the standard library begins, which opens `/dev/null` in the place of what is closed.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look_at_output;

extern "C" fn look_at_output() {
    if rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err() {
        greenroom::output::is_closed();
    }
}

fn main() -> ExitCode {
    // Whatever makes a file here: it is for its owner alone.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    greenroom::cli::run()
}
