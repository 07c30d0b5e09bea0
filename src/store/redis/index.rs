//! The index of a user's sessions, as it was read; `scripts/index.lua` says what it holds.

use std::{sync::LazyLock, time::Duration};

use redis::{Script, ScriptInvocation};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    RedisStore,
    answer::{Answer, strange},
};
use crate::{
    audit::Payload,
    clock::{Timestamp, millis},
    error::{Error, ErrorKind, Result},
    id::{Address, EventId, IdleClass, SessionHandle, SessionRef, Shard},
    record::EndReason,
    store::{CapPolicy, Create, End, Generation, RESERVATION, Reserved, SignIn},
};

static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(include_str!("scripts/index.lua"), include_str!("scripts/reserve.lua")))
});

/// All that a user's index holds.
#[derive(Default)]
pub(super) struct Index {
    /// As the scripts compare it; empty where there is no index.
    pub(super) revision: String,
    pub(super) generation: Generation,
    pub(super) members: Vec<Member>,
}

/// One of its sessions.
pub(super) struct Member {
    pub(super) handle: SessionHandle,
    /// In the session's key.
    pub(super) hash: String,
    pub(super) reference: SessionRef,
    pub(super) generation: Generation,
    pub(super) epoch: u64,
    pub(super) idle: Duration,
    pub(super) created_at: Timestamp,
    pub(super) deadline: Timestamp,
    pub(super) authenticated_at: Timestamp,
    pub(super) told: Told,
}

/// The free text of an entry.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Told {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
}

/// Where a session is, as an entry begins.
pub(super) fn place(hash: &str, reference: &SessionRef) -> String {
    format!("{hash} {reference}")
}

impl Member {
    /// `None` for what is no entry of this release.
    pub(super) fn parse(handle: &str, entry: &str) -> Option<Self> {
        let handle = SessionHandle::parse(handle)?;
        let mut parts = entry.splitn(9, ' ');
        let hash = parts.next()?.to_owned();
        let reference = SessionRef::parse(parts.next()?)?;
        let mut number = || parts.next()?.parse::<u64>().ok();
        Some(Self {
            handle,
            hash,
            reference,
            generation: Generation::new(number()?),
            epoch: number()?,
            idle: Duration::from_millis(number()?),
            created_at: Timestamp::from_millis(number()?),
            deadline: Timestamp::from_millis(number()?),
            authenticated_at: Timestamp::from_millis(number()?),
            told: serde_json::from_str(parts.next()?).unwrap_or_default(),
        })
    }

    pub(super) fn at(&self, shard: Shard) -> Address {
        Address { reference: self.reference, shard, class: IdleClass::default() }
    }
}

impl Index {
    /// `HGETALL`.
    pub(super) async fn read(store: &RedisStore, shard: Shard, user: &str) -> Result<Self> {
        let key = store.keys.user(shard, user);
        let fields: Vec<(String, String)> = store.connection.query(redis::cmd("HGETALL").arg(key)).await?;
        let mut index = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "rev" => index.revision = value,
                "gen" => index.generation = Generation::new(value.parse().unwrap_or_default()),
                name => index.members.extend(Member::parse(name, &value)),
            }
        }
        Ok(index)
    }

    /// What the script needs to list the session that `create` makes, and to make room for it.
    pub(super) fn enter(
        &self,
        store: &RedisStore,
        create: &Create,
        sign_in: &SignIn,
        began: Option<Generation>,
        script: &mut ScriptInvocation<'_>,
    ) {
        let (keys, shard, listing) = (&store.keys, create.at.shard, create.listing());
        script.key(keys.user(shard, &sign_in.user));
        let cap = listing.and_then(|listing| listing.cap);
        let told = Told {
            method: sign_in.method.clone(),
            device: create.device.clone(),
            address: listing.and_then(|listing| listing.address.clone()),
        };
        script
            .arg(listing.map(|listing| listing.handle.to_string()).unwrap_or_default())
            .arg(serde_json::to_string(&told).unwrap_or_default())
            .arg(began.map(|began| began.get().to_string()).unwrap_or_default())
            .arg(cap.map(|cap| cap.limit.to_string()).unwrap_or_default())
            .arg(match cap.map(|cap| cap.policy) {
                Some(CapPolicy::EvictOldest) => "oldest",
                Some(CapPolicy::EvictLeastRecentlyUsed) => "unused",
                Some(CapPolicy::Reject) | None => "nobody",
            })
            .arg(&self.revision)
            .arg(listing.map(|listing| millis(listing.remember)).unwrap_or_default())
            .arg(self.members.len());
        for member in &self.members {
            let end = End {
                at: member.at(shard),
                event: EventId::new(),
                reason: EndReason::Evicted,
                keep_fields: false,
                remember: Duration::ZERO,
                user: Some(sign_in.user.clone()),
                context: create.context.clone(),
            };
            script
                .key(keys.session(shard, &member.hash))
                .key(keys.aftermath(shard, &member.hash))
                .arg(member.handle.to_string())
                .arg(end.event.as_bytes())
                .arg(store.told(|| Payload::from(&end)));
        }
    }
}

/// See the script. Without [`CapPolicy::Reject`] there is nothing to reserve, and one `HGET` tells the
/// generation.
pub(super) async fn reserve(store: &RedisStore, create: &Create) -> Result<Reserved> {
    let Some((sign_in, listing)) = create.sign_in.as_ref().zip(create.listing()) else {
        return Ok(Reserved::Reserved(Generation::default()));
    };
    let (keys, shard) = (&store.keys, create.at.shard);
    let key = keys.user(shard, &sign_in.user);
    let Some(cap) = listing.cap.filter(|cap| cap.policy == CapPolicy::Reject) else {
        let generation: Option<u64> = store.connection.query(redis::cmd("HGET").arg(key).arg("gen")).await?;
        return Ok(Reserved::Reserved(Generation::new(generation.unwrap_or_default())));
    };
    let replaced = listing.replaces.map(|reference| keys.hash(&reference)).unwrap_or_default();
    let mut retries = Retries::new(store);
    loop {
        let index = Index::read(store, shard, &sign_in.user).await?;
        let mut script = RESERVE.prepare_invoke();
        script
            .key(&key)
            .key(keys.epoch(shard))
            .arg(listing.handle.to_string())
            .arg(&index.revision)
            .arg(cap.limit.get())
            .arg(&replaced)
            .arg(millis(RESERVATION));
        for member in &index.members {
            script.key(keys.session(shard, &member.hash)).arg(member.handle.to_string());
        }
        let mut answer = Answer::of(store.connection.script(&script).await?)?;
        match answer.word().as_slice() {
            b"reserved" => return Ok(Reserved::Reserved(Generation::new(answer.number()?))),
            b"rejected" => return Ok(Reserved::Rejected),
            b"changed" => retries.wait().await?,
            _ => return Err(strange()),
        }
    }
}

/// Tries until the store's timeout is over.
pub(super) struct Retries {
    deadline: Instant,
    tries: u32,
}

impl Retries {
    pub(super) fn new(store: &RedisStore) -> Self {
        Self { deadline: Instant::now() + store.connection.timeout(), tries: 0 }
    }

    /// Waits up to 1, 2, 4 … 32 ms.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the time is up.
    pub(super) async fn wait(&mut self) -> Result<()> {
        if Instant::now() >= self.deadline {
            let text = "the sessions of this user change too often";
            return Err(Error::msg(ErrorKind::Unavailable, text));
        }
        let mut byte = [0; 1];
        // Without random bytes there is no jitter; it is a courtesy, not a protection.
        let _ = getrandom::fill(&mut byte);
        let [byte] = byte;
        let most = 1000_u64 << self.tries.min(5);
        tokio::time::sleep(Duration::from_micros(most * u64::from(byte) / 256)).await;
        self.tries += 1;
        Ok(())
    }
}
