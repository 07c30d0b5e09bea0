//! A delta as `scripts/commit.lua` takes it.

use super::layout::{Elsewhere, laid_out};
use crate::record::{Change, Delta, FieldName, Operation, Version, Write, packed::SECRET};

/// Mode, name and value of each change, in the order of their names; several operations on one key follow one another.
/// `elsewhere` is what each does to fields of their own, or empty where the script has to find out.
pub(super) fn changes<'a>(
    delta: &'a Delta,
    version: Version,
    elsewhere: &'a [Elsewhere],
) -> impl Iterator<Item = (&'static str, &'a str, Vec<u8>)> {
    delta.changes.iter().enumerate().flat_map(move |(nth, (name, change))| {
        let (write, operations) = match &change.write {
            Write::Apply(operations) => (None, operations.as_slice()),
            _ => {
                let elsewhere = elsewhere.get(nth).copied().unwrap_or(Elsewhere::Nothing);
                (Some(written(name, change, version, elsewhere)), [].as_slice())
            }
        };
        let operations = operations.iter().map(|operation| operated(operation, change.secret));
        write.into_iter().chain(operations).map(|(mode, value)| (mode, name.as_str(), value))
    })
}

fn written(
    name: &FieldName,
    change: &Change,
    version: Version,
    elsewhere: Elsewhere,
) -> (&'static str, Vec<u8>) {
    let (value, modes) = match (&change.write, change.watched) {
        (Write::Set(value), None) => (Some(value), ["s", "so", "sx"]),
        (Write::Set(value), Some(true)) => (Some(value), ["S", "So", "Sx"]),
        (Write::Set(value), Some(false)) => (Some(value), ["T", "To", "Tx"]),
        (_, None) => (None, ["d", "d", "dx"]),
        (_, Some(true)) => (None, ["D", "D", "Dx"]),
        (_, Some(false)) => (None, ["E", "E", "Ex"]),
    };
    let [nothing, set, remove] = modes;
    let mode = match elsewhere {
        Elsewhere::Nothing => nothing,
        Elsewhere::Set => set,
        Elsewhere::Remove => remove,
    };
    (mode, value.map(|value| laid_out(name, value, version, change.secret)).unwrap_or_default())
}

fn operated(operation: &Operation, secret: bool) -> (&'static str, Vec<u8>) {
    match operation {
        Operation::Increment(by) => ("+", flagged(&by.to_string(), secret)),
        Operation::Max(other) => (">", flagged(&other.to_string(), secret)),
        Operation::Push { element, cap } => ("p", flagged(&format!("{cap}:{}", element.as_str()), secret)),
        Operation::Add(element) => ("a", flagged(element.as_str(), secret)),
        Operation::Discard(element) => ("r", flagged(element.as_str(), secret)),
    }
}

fn flagged(value: &str, secret: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + value.len());
    bytes.push(if secret { SECRET } else { 0 });
    bytes.extend_from_slice(value.as_bytes());
    bytes
}
