//! The `greenroom` program.

use std::{
    ffi::{c_int, c_long},
    process::ExitCode,
};

use rustix::fs::Mode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    safe fn mi_option_set(option: c_int, value: c_long);
}

/// Number of `mi_option_purge_delay` in version 2 of mimalloc.
const PURGE_DELAY: c_int = 15;

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
    // Freed memory is returned to the system at once. By default a thread returns it when it allocates again.
    // Threads that index, hash or read from time to time would each keep the most that they ever used.
    mi_option_set(PURGE_DELAY, 0);
    // Builds for tests take failpoints from the variable FAILPOINTS.
    let _failpoints = fail::has_failpoints().then(fail::FailScenario::setup);
    greenroom::cli::run()
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        safe fn mi_option_get(option: c_int) -> c_long;
    }

    #[test]
    fn the_number_is_that_of_the_purge_delay() {
        // The default: 10 ms.
        assert_eq!(mi_option_get(PURGE_DELAY), 10);
        mi_option_set(PURGE_DELAY, 0);
        assert_eq!(mi_option_get(PURGE_DELAY), 0);
    }
}
