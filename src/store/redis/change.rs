//! The scripts that begin and end a session, each behind one typed function.

use std::{collections::BTreeMap, sync::LazyLock};

use redis::Script;

use super::{
    RedisStore,
    answer::{Answer, strange},
    codec::Values,
    index::{Index, Retries, place},
    layout,
};
use crate::{
    audit::Payload,
    clock::{Timestamp, millis},
    error::Result,
    id::Address,
    record::{Fields, Version, Write, merge},
    store::{Create, Created, End, Finished, Generation},
};

static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("scripts/tell.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/recent.lua"),
        include_str!("scripts/index.lua"),
        include_str!("scripts/create.lua")
    ))
});
static GRACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/grace.lua")));
static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        "#!lua flags=allow-oom\n",
        include_str!("scripts/tell.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/end.lua")
    ))
});

pub(super) async fn create(store: &RedisStore, create: &Create) -> Result<Created> {
    // A new session has no values that an operation could start from.
    let resolved;
    let create = if create.delta.has_operations() {
        resolved = Create { delta: merge::resolved(&Fields::default(), &create.delta), ..create.clone() };
        &resolved
    } else {
        create
    };
    let Some((sign_in, listing)) = create.sign_in.as_ref().zip(create.listing()) else {
        return begin(store, create, None, &Index::default()).await?.ok_or_else(strange);
    };
    if listing.cap.is_none() {
        return begin(store, create, listing.began, &Index::default()).await?.ok_or_else(strange);
    }
    let mut began = listing.began;
    let mut retries = Retries::new(store);
    loop {
        let index = Index::read(store, create.at.shard, &sign_in.user).await?;
        // A revocation that is made between two tries is one that the sign-in has to heed.
        let began = *began.get_or_insert(index.generation);
        if let Some(answer) = begin(store, create, Some(began), &index).await? {
            return Ok(answer);
        }
        retries.wait().await?;
    }
}

/// One try; `None` if the index is not what `index` says any more.
async fn begin(
    store: &RedisStore,
    create: &Create,
    began: Option<Generation>,
    index: &Index,
) -> Result<Option<Created>> {
    let (keys, at) = (&store.keys, create.at);
    let hash = keys.hash(&at.reference);
    let sign_in = create.sign_in.as_ref();
    let predecessor = create.predecessor.map_or(crate::id::EventId::NONE, |(_, event)| event);
    let mut script = CREATE.prepare_invoke();
    script
        .key(keys.session(at.shard, &hash))
        .key(keys.aftermath(at.shard, &hash))
        .key(keys.epoch(at.shard))
        .key(keys.audit(at.shard))
        .key(keys.log(at.shard))
        .key(keys.due(at.shard))
        .arg(create.event.as_bytes())
        .arg(millis(create.idle))
        .arg(millis(create.absolute))
        .arg(at.class.index())
        .arg(sign_in.map_or("", |sign_in| &sign_in.user))
        .arg(sign_in.and_then(|sign_in| sign_in.method.as_deref()).unwrap_or(""))
        .arg(create.device.as_deref().unwrap_or(""))
        .arg(store.told(|| Payload::from(create)))
        .arg(predecessor.as_bytes())
        .arg(place(&hash, &at.reference));
    if let Some(sign_in) = sign_in {
        index.enter(store, create, sign_in, began, &mut script);
    }
    let values = create.delta.changes.iter().filter_map(|(name, change)| match &change.write {
        Write::Set(value) => Some((name, value, Version::new(1), change.secret)),
        Write::Remove | Write::Apply(_) => None,
    });
    for (name, field) in layout::fields(values) {
        script.arg(name).arg(field);
    }
    let mut answer = Answer::of(store.connection.script(&script).await?)?;
    match answer.word().as_slice() {
        b"created" => Ok(Some(Created::Created { at: answer.timestamp()? })),
        b"taken" => Ok(Some(Created::Taken)),
        b"rejected" => Ok(Some(Created::Rejected)),
        b"revoked" => Ok(Some(Created::Revoked(answer.ended()))),
        b"changed" => Ok(None),
        _ => Err(strange()),
    }
}

/// See the script.
pub(super) async fn shorten_grace(store: &RedisStore, at: Address, from: &str, end: Timestamp) -> Result<()> {
    let mut script = GRACE.prepare_invoke();
    script.key(store.keys.aftermath(at.shard, from)).arg(end.as_millis());
    store.connection.script::<i64>(&script).await.map(drop)
}

pub(super) async fn end(store: &RedisStore, end: &End) -> Result<Finished> {
    let (keys, at) = (&store.keys, end.at);
    let hash = keys.hash(&at.reference);
    let mut script = END.prepare_invoke();
    script
        .key(keys.session(at.shard, &hash))
        .key(keys.aftermath(at.shard, &hash))
        .key(keys.audit(at.shard))
        .key(keys.log(at.shard))
        .key(keys.remains(at.shard, &hash))
        .key(keys.epoch(at.shard))
        .key(keys.due(at.shard));
    if let Some(user) = &end.user {
        script.key(keys.user(at.shard, user));
    }
    script
        .arg(end.event.as_bytes())
        .arg(end.reason.as_str())
        .arg(store.told(|| Payload::from(end)))
        .arg(millis(end.remember))
        .arg(u8::from(end.keep_fields))
        .arg(place(&hash, &at.reference));
    let mut answer = Answer::of(store.connection.script(&script).await?)?;
    match answer.word().as_slice() {
        b"ended" => {
            let now = answer.timestamp()?;
            let fields = Values::from_value(answer.take()).map_or_else(BTreeMap::new, Values::into_fields);
            Ok(Finished::Ended { at: now, event: end.event, fields })
        }
        // A session whose idle time ran out leaves no trace until a sweep finds it: that it is over is all that
        // is known.
        b"gone" => Ok(Finished::Gone(answer.ended())),
        b"moved" => Ok(Finished::Moved(answer.successor(at)?)),
        _ => Err(strange()),
    }
}
