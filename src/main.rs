//! The `greenroom` program.

use std::process::ExitCode;

use rustix::fs::Mode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs before the standard library starts, because that opens `/dev/null` for closed standard streams.
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
    // All files created by this process are accessible to their owner only.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    greenroom::cli::run()
}
