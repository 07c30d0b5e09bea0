//! The name that Redis gives to a stream's entry.

use std::{fmt, str::FromStr};

use crate::clock::Timestamp;

/// `milliseconds-sequence` by Redis' clock. Within one stream every id is larger than those before it,
/// even where the clock steps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::audit) struct StreamId {
    millis: u64,
    sequence: u64,
}

impl StreamId {
    pub(in crate::audit) const fn millis(self) -> u64 {
        self.millis
    }

    /// The first of a millisecond.
    pub(in crate::audit) const fn first_of(at: Timestamp) -> Self {
        Self { millis: at.as_millis(), sequence: 0 }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }
}

impl FromStr for StreamId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (millis, sequence) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self { millis: millis.parse()?, sequence: sequence.parse()? })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_written_and_ordered_as_numbers() {
        let [small, large] = ["99-5", "100-0"].map(|text| text.parse::<StreamId>().unwrap());
        assert!(small < large);
        assert_eq!((small.to_string().as_str(), large.millis()), ("99-5", 100));
        for text in ["", "-", "a-1", "1-", "-1", "1-2-3", "18446744073709551616-0"] {
            assert!(text.parse::<StreamId>().is_err(), "{text}");
        }
    }
}
