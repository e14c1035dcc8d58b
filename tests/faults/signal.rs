//! Signals to child processes, without the program `kill`, which minimal systems lack.

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal by name, such as `TERM`. Panics if the process has ended.
pub(crate) fn send(process: u32, name: &str) {
    let signal = match name {
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        "KILL" => Signal::KILL,
        "STOP" => Signal::STOP,
        "CONT" => Signal::CONT,
        _ => panic!("no test sends {name}"),
    };
    let process = Pid::from_raw(process.cast_signed()).expect("a process id");
    kill_process(process, signal).unwrap();
}
