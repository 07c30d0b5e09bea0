//! The epoch, in memory.

use super::State;
use crate::{
    audit::Payload,
    clock::Timestamp,
    id::{EventId, ShardCount},
    record::Version,
    store::Raise,
};

impl State {
    pub(super) fn raise_epoch(
        &mut self,
        raise: &Raise,
        shards: ShardCount,
        now: Timestamp,
        audit: bool,
    ) -> u64 {
        let epoch = self.epochs.values().copied().max().unwrap_or_default() + 1;
        for shard in shards.iter() {
            self.epochs.insert(shard, epoch);
            let payload = Payload::of_namespace(EventId::new(), &raise.context);
            self.append(audit, shard, now, Version::new(epoch), EventId::NONE, &payload);
        }
        epoch
    }
}
