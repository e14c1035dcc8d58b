//! Process metrics from the operating system, under the names of Prometheus' own client libraries.

use std::fs;

use prometheus::{Counter, Gauge, IntGauge};

use super::Instruments;

/// CPU, memory, file descriptors and threads of this process.
#[derive(Debug)]
pub struct ProcessMeter {
    cpu: Counter,
    started: Gauge,
    resident: IntGauge,
    virtual_size: IntGauge,
    open_files: IntGauge,
    most_files: IntGauge,
    threads: IntGauge,
}

impl ProcessMeter {
    pub fn new(instruments: &Instruments) -> Self {
        let seconds = "Total user and system CPU time spent in seconds.";
        let started = "Start time of the process since unix epoch in seconds.";
        let gauge = |name, help| instruments.gauge(name, help);
        Self {
            cpu: instruments.registered(Counter::new("process_cpu_seconds_total", seconds)),
            started: instruments.registered(Gauge::new("process_start_time_seconds", started)),
            resident: gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
            virtual_size: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
            open_files: gauge("process_open_fds", "Number of open file descriptors."),
            most_files: gauge("process_max_fds", "Maximum number of open file descriptors."),
            threads: gauge("process_threads", "Number of OS threads in the process."),
        }
    }

    /// Updates all gauges. A value that cannot be read keeps its last value, as on systems other than Linux.
    pub fn look(&self) {
        if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
            self.read(&stat);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // `read_dir` itself holds one of them open.
            self.open_files.set(files.count() as i64 - 1);
        }
        if let Ok((most, _)) = rlimit::Resource::NOFILE.get() {
            self.most_files.set(i64::try_from(most).unwrap_or(i64::MAX));
        }
    }

    /// Parses `/proc/self/stat`. proc_pid_stat(5) numbers its fields from 1; the second, the name, may
    /// contain spaces.
    fn read(&self, stat: &str) -> Option<()> {
        let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        self.cpu.reset();
        self.cpu.inc_by((field(14)? + field(15)?) as f64 / ticks);
        self.threads.set(field(20)? as i64);
        self.started.set(booted()? + field(22)? as f64 / ticks);
        self.virtual_size.set(field(23)? as i64);
        self.resident.set((field(24)? * rustix::param::page_size() as u64) as i64);
        Some(())
    }
}

/// Returns the boot time of the machine in seconds since 1970.
fn booted() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_memory() {
        let meter = ProcessMeter::new(&Instruments::default());
        let mut sum = 0_u64;
        while meter.cpu.get() == 0.0 {
            sum = (0..1_000_000_u64).fold(sum, |sum, number| sum.wrapping_mul(31).wrapping_add(number));
            meter.look();
        }
        assert_ne!(sum, 0);
        assert!(meter.resident.get() > 1 << 20 && meter.virtual_size.get() >= meter.resident.get());
        assert!(meter.threads.get() >= 1 && meter.open_files.get() >= 3);
        let now = crate::core::model::Timestamp::now().0 as f64 / 1e6;
        assert!((0.0..3_600.0).contains(&(now - meter.started.get())), "{}", meter.started.get());
    }
}
