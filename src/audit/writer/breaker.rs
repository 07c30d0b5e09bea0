//! When to leave PostgreSQL alone.

use tokio::time::Instant;

use super::backoff::Backoff;

/// Three failures in a row open it. While it is open nothing is read from Redis either: entries wait best
/// where they are. After a pause comes a probe, after the probe one small batch on trial, and only a batch
/// that was stored closes it. Time and randomness are arguments, so that it can be tested without waiting.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    failures: u32,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant },
    Trial,
}

/// What may be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Everything.
    Closed,
    /// One small batch at a time.
    Trial,
    /// Ask whether PostgreSQL is there.
    Probe,
    /// Nothing, until then.
    Open(Instant),
}

impl Breaker {
    /// This many failures in a row open it.
    const THRESHOLD: u32 = 3;

    pub(super) const fn new() -> Self {
        Self { state: State::Closed, failures: 0, backoff: Backoff::DEFAULT }
    }

    pub(super) fn phase(&self, now: Instant) -> Phase {
        match self.state {
            State::Closed => Phase::Closed,
            State::Trial => Phase::Trial,
            State::Open { until } if now < until => Phase::Open(until),
            State::Open { .. } => Phase::Probe,
        }
    }

    /// The probe was answered. That proves little (the table may be missing), so pauses go on growing
    /// until a batch was stored.
    pub(super) fn answered(&mut self) {
        self.state = State::Trial;
    }

    /// A batch was stored.
    pub(super) fn succeeded(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
        self.backoff.reset();
    }

    /// PostgreSQL was not there.
    pub(super) fn failed(&mut self, now: Instant, random: u64) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= Self::THRESHOLD || !matches!(self.state, State::Closed) {
            self.trip(now, random);
        }
    }

    /// It was there, and trying again at once is useless.
    pub(super) fn trip(&mut self, now: Instant, random: u64) {
        self.state = State::Open { until: now + self.backoff.next(random) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn three_failures_open_it_and_only_a_stored_batch_closes_it() {
        let (mut breaker, start) = (Breaker::new(), Instant::now());
        for _ in 0..2 {
            breaker.failed(start, u64::MAX);
            assert_eq!(breaker.phase(start), Phase::Closed);
        }
        breaker.failed(start, u64::MAX);
        let first = start + Duration::from_millis(50);
        assert_eq!(breaker.phase(start), Phase::Open(first));
        assert_eq!(breaker.phase(first), Phase::Probe);

        // The probe fails: a longer pause.
        breaker.failed(first, u64::MAX);
        let second = first + Duration::from_millis(100);
        assert_eq!(breaker.phase(first), Phase::Open(second));

        // The probe is answered, but the batch fails: longer still, without three more failures.
        breaker.answered();
        assert_eq!(breaker.phase(second), Phase::Trial);
        breaker.failed(second, u64::MAX);
        assert_eq!(breaker.phase(second), Phase::Open(second + Duration::from_millis(200)));

        breaker.answered();
        breaker.succeeded();
        assert_eq!(breaker.phase(second), Phase::Closed);
        breaker.failed(second, u64::MAX);
        assert_eq!(breaker.phase(second), Phase::Closed, "the count began again");
    }

    #[test]
    fn what_no_retry_mends_opens_it_at_once() {
        let (mut breaker, now) = (Breaker::new(), Instant::now());
        breaker.trip(now, u64::MAX);
        assert!(matches!(breaker.phase(now), Phase::Open(_)));
    }
}
