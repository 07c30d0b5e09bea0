//! What a session held.

use std::collections::BTreeMap;

use super::HistoryEvent;
use crate::{clock::Timestamp, id::EventId};

/// A session as its events made it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SessionState {
    /// The last version.
    pub version: Option<u64>,
    /// Who was signed in.
    pub user: Option<String>,
    /// Why it was over, where it was.
    pub ended: Option<String>,
    /// Its keys.
    pub keys: BTreeMap<String, KeyState>,
    /// Whether that is all: no version is missing, and every event could be read. An event that is missing or
    /// could not be read may have changed any key.
    pub complete: bool,
}

/// A key, and who wrote it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyState {
    /// What it held.
    pub value: KeyValue,
    /// The event that wrote it.
    pub event: EventId,
    /// Its version.
    pub version: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// Who was signed in then.
    pub user: Option<String>,
}

/// What a key held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValue {
    /// This JSON.
    Json(String),
    /// Something that the trail does not tell.
    Secret,
}

impl SessionState {
    /// Replays events that are in order, as [`history`](super::history()) answers them. Forks are left out.
    pub fn replay(events: &[HistoryEvent]) -> Self {
        let mut state = Self { complete: true, ..Self::default() };
        for event in events.iter().filter(|event| !event.forked) {
            state.apply(event);
        }
        state
    }

    fn apply(&mut self, event: &HistoryEvent) {
        let expected = self.version.unwrap_or_default() + 1;
        self.complete &= event.complete && event.version == Some(expected);
        self.version = event.version.or(self.version);
        self.user = event.user.clone().or(self.user.take());
        if event.cleared {
            self.keys.clear();
        }
        for name in &event.removed {
            self.keys.remove(name);
        }
        let values = event.set.iter().map(|(name, value)| (name, KeyValue::Json(value.clone())));
        for (name, value) in values.chain(event.secret.iter().map(|name| (name, KeyValue::Secret))) {
            let HistoryEvent { event, version, at, user, .. } = event;
            let (event, version, at, user) = (*event, *version, *at, user.clone());
            self.keys.insert(name.clone(), KeyState { value, event, version, at, user });
        }
        if event.kind == "ended" {
            self.ended = Some(event.reason.clone().unwrap_or_else(|| "unknown".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::event::tests::event, *};

    fn keys(state: &SessionState) -> Vec<(&str, &KeyValue)> {
        state.keys.iter().map(|(name, key)| (name.as_str(), &key.value)).collect()
    }

    #[test]
    fn keys_come_and_go_and_are_their_last_writers() {
        let mut first = event(1, None);
        first.set = [("a".into(), "1".into()), ("b".into(), "2".into())].into();
        first.user = Some("ada".into());
        let mut second = event(2, Some(first.event));
        (second.removed, second.secret) = (vec!["a".into()], vec!["otp".into()]);
        let mut third = event(3, Some(second.event));
        (third.cleared, third.set) = (true, [("c".into(), "3".into())].into());
        let mut events = vec![first, second, third];

        let state = SessionState::replay(&events[..2]);
        let two = KeyValue::Json("2".into());
        assert_eq!(keys(&state), [("b", &two), ("otp", &KeyValue::Secret)]);
        assert_eq!((state.keys["b"].version, state.keys["b"].user.as_deref()), (Some(1), Some("ada")));
        assert_eq!((state.version, state.user.as_deref(), state.complete), (Some(2), Some("ada"), true));

        let state = SessionState::replay(&events);
        assert_eq!(keys(&state), [("c", &KeyValue::Json("3".into()))]);
        events.remove(1);
        assert!(!SessionState::replay(&events).complete, "a version is missing");
    }
}
