//! The processor time of a process.

use std::{fs, path::Path};

/// What all threads of a process have used so far, in microseconds: to the nanosecond, where `/proc/PID/stat` would
/// count in hundredths of a second. NaN where it is not to be had. A thread that has ended, be it while we read, is
/// no longer counted, so take the difference while none of them ends.
#[must_use]
pub fn cpu(pid: u32) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return f64::NAN };
    let times: Vec<f64> = threads.flatten().filter_map(|thread| of_thread(&thread.path())).collect();
    if times.is_empty() { f64::NAN } else { times.iter().sum::<f64>() / 1e3 }
}

/// Nanoseconds: the first word of `schedstat`.
fn of_thread(thread: &Path) -> Option<f64> {
    fs::read_to_string(thread.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn work_is_counted() {
        let before = cpu(std::process::id());
        if before.is_nan() {
            return; // Not on this system.
        }
        // A test beside this one may end meanwhile and take its thread's time along: all the more is to do here then.
        let started = Instant::now();
        while cpu(std::process::id()) < before + 1000.0 {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "half a minute of work and less than a millisecond"
            );
        }
    }
}
