//! Events, in memory.

use std::collections::{HashMap, VecDeque};

use crate::{
    audit::Payload,
    events::{EventPosition, SessionEvent, SessionEvents, Told, Watch, Watchers},
    id::{Shard, ShardCount},
    record::Version,
};

/// The last events, and who watches.
#[derive(Default)]
pub(super) struct Log {
    events: VecDeque<SessionEvent>,
    /// The position of the youngest event that was dropped.
    dropped: Option<EventPosition>,
    watchers: HashMap<Shard, Watchers>,
}

const CAPACITY: usize = 1_000;

impl Log {
    pub(super) fn tell(&mut self, position: EventPosition, version: Version, payload: &Payload<'_>) {
        let event = Told::of(payload).into_event(position, version, payload);
        if let Some(watchers) = self.watchers.get_mut(&position.shard()) {
            watchers.tell(event.clone());
            if watchers.forget_the_gone() {
                self.watchers.remove(&position.shard());
            }
        }
        if self.events.len() >= CAPACITY {
            self.dropped = self.events.pop_front().map(|event| event.position);
        }
        self.events.push_back(event);
    }

    pub(super) fn subscribe(&mut self, watch: &Watch, shards: ShardCount) -> SessionEvents {
        let shards = watch.shards(shards);
        let (events, watchers) = SessionEvents::new(watch, shards.len());
        if let Some(first) = watchers.first().filter(|_| watch.is_elsewhere(&shards)) {
            first.missed();
        }
        for (shard, mut watcher) in shards.into_iter().zip(watchers) {
            if let Some(since) = watch.since_on(shard) {
                // Positions of all shards are of one clock here.
                if self.dropped.is_some_and(|dropped| dropped.entry_is_after(&since)) {
                    watcher.missed();
                }
                let later = |event: &&SessionEvent| event.position > since && event.position.shard() == shard;
                for event in self.events.iter().filter(later) {
                    watcher.tell(&std::sync::Arc::new(event.clone()));
                }
            }
            self.watchers.entry(shard).or_default().add(watcher);
        }
        events
    }
}
