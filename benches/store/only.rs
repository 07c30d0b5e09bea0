//! What is measured of it all.

use crate::window::OPERATIONS;

/// As the environment says.
pub(crate) struct Only {
    operation: Option<usize>,
    pub(crate) tasks: Option<usize>,
    pub(crate) bytes: Option<usize>,
}

impl Only {
    pub(crate) fn asked() -> Self {
        let asked = |name| std::env::var(name).ok();
        let number = |name| asked(name).map(|text| text.parse().unwrap());
        let operation = asked("BENCH_OPERATION");
        let place = |name: String| OPERATIONS.iter().position(|operation| *operation == name).unwrap();
        Self { operation: operation.map(place), tasks: number("BENCH_TASKS"), bytes: number("BENCH_BYTES") }
    }

    pub(crate) fn is_all(&self) -> bool {
        self.operation.is_none() && self.tasks.is_none() && self.bytes.is_none()
    }

    pub(crate) fn operations(&self) -> Vec<usize> {
        self.operation.map_or_else(|| (0..OPERATIONS.len()).collect(), |one| vec![0, one])
    }
}
