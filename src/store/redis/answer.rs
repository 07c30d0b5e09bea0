//! What a script answers.

use redis::Value;

use super::codec::{ended, number};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    id::{Address, SessionRef},
    record::Ended,
};

/// A script's answer: a word, then what belongs to it.
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Answer {
    pub(super) fn of(value: Value) -> Result<Self> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(strange()),
        }
    }

    pub(super) fn take(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Nil)
    }

    pub(super) fn word(&mut self) -> Vec<u8> {
        match self.take() {
            Value::BulkString(bytes) => bytes,
            _ => Vec::new(),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        match self.take() {
            Value::Int(number) => u64::try_from(number).ok(),
            Value::BulkString(text) => number(&text),
            _ => None,
        }
        .ok_or_else(strange)
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    pub(super) fn ended(&mut self) -> Ended {
        let (reason, at, device) = (self.word(), self.word(), self.word());
        ended(&reason, &at, &device)
    }

    pub(super) fn successor(&mut self, at: Address) -> Result<Address> {
        let reference: [u8; 32] = self.word().try_into().map_err(|_| strange())?;
        Ok(Address { reference: SessionRef::from_bytes(reference), ..at })
    }
}

pub(super) fn strange() -> Error {
    Error::msg(
        ErrorKind::Corrupt,
        "a script answered what it never answers: is another release's data in this namespace?",
    )
}
