//! How long to wait after a failure.

use std::time::Duration;

/// Exponential, with full jitter: anything between nothing and a ceiling that begins at 50 ms and doubles
/// each time up to 5 s, so that many writers that failed together do not come back together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) const BASE: Duration = Duration::from_millis(50);
    pub(super) const CAP: Duration = Duration::from_secs(5);
    pub(super) const DEFAULT: Self = Self { failures: 0 };

    /// The next pause. `random` is uniform over all of `u64`.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        // The upper 32 bits as a fraction of 2^32.
        ceiling.mul_f64((random >> 32) as f64 / f64::from(u32::MAX))
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    fn ceiling(&self) -> Duration {
        // 2^20 times 50 ms is half a day: far above every cap, and far from an overflow.
        Self::BASE.saturating_mul(1 << self.failures.min(20)).min(Self::CAP)
    }
}

/// Jitter. Where the operating system has no random bytes there is none, which only costs some bunching.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ceiling_doubles_to_the_cap_and_begins_again_after_a_success() {
        let mut backoff = Backoff::DEFAULT;
        let ceilings: Vec<_> = (0..9).map(|_| backoff.next(u64::MAX).as_millis()).collect();
        assert_eq!(ceilings, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.reset();
        assert_eq!(backoff.next(u64::MAX), Duration::from_millis(50));
        assert_eq!(backoff.next(0), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn never_above_the_cap(random in any::<u64>(), failures in any::<u32>()) {
            let mut backoff = Backoff { failures };
            prop_assert!(backoff.next(random) <= Duration::from_secs(5));
        }
    }
}
