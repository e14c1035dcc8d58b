//! Signals to processes that a test has started, without a program `kill`, which a small machine lacks.

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal by its name, `TERM` for example. Panics where the process is gone.
pub fn send(process: u32, name: &str) {
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
