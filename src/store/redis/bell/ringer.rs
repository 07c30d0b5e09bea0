//! The task that listens.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use futures_core::Stream as _;
use redis::{
    Msg,
    aio::{PubSubSink, PubSubStream},
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    Rope, Subscribe,
    log::{Read, Watched},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::Shard,
    store::redis::{Connection, Keys},
};

pub(super) struct Ringer {
    keys: Keys,
    connection: Connection,
    requests: mpsc::UnboundedReceiver<Subscribe>,
    rope: Rope,
    shards: BTreeMap<Shard, Watched>,
    channels: BTreeMap<String, Shard>,
    /// Which shard's log was read last, of all in turn.
    turn: Option<Shard>,
    /// How often in a row the log had something that no message had told.
    unheard: u32,
}

/// Messages, where there is a server that they can be had of.
struct Line {
    sink: PubSubSink,
    messages: PubSubStream,
}

/// How often the log of a shard is read although nothing was missed, so far as anybody knows.
const EVERY: Duration = Duration::from_secs(5);

/// The same where no messages can be had.
const EVERY_WITHOUT_MESSAGES: Duration = Duration::from_millis(250);

/// So often in a row, and the connection is one that only looks alive.
const DEAF: u32 = 3;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why listening ended.
enum Over {
    Disconnected,
    NobodyListens,
}

impl Ringer {
    pub(super) fn new(
        keys: Keys,
        connection: Connection,
        requests: mpsc::UnboundedReceiver<Subscribe>,
        rope: Rope,
    ) -> Self {
        let (shards, channels) = (BTreeMap::new(), BTreeMap::new());
        Self { keys, connection, requests, rope, shards, channels, turn: None, unheard: 0 }
    }

    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(line) => {
                    pause = FIRST_PAUSE;
                    match self.listen(line).await {
                        Over::NobodyListens => return,
                        Over::Disconnected => tracing::info!("the connection for session events was lost"),
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no session events for now");
                }
            }
            if self.is_alone() {
                return;
            }
            // Requests wait meanwhile; whoever asked gives up after the store's timeout.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A connection on which everything that is watched is told, and has been told so far.
    async fn connect(&mut self) -> Result<Option<Line>> {
        let line = self.connection.pub_sub().await?;
        let mut line = line.map(|link| {
            let (sink, messages) = link.split();
            Line { sink, messages }
        });
        if let (Some(line), false) = (&mut line, self.channels.is_empty()) {
            let channels: Vec<_> = self.channels.keys().collect();
            within(&self.connection, line.sink.subscribe(channels)).await?;
        }
        for watched in self.shards.values_mut() {
            watched.read_on(&self.connection).await?;
        }
        self.unheard = 0;
        Ok(line)
    }

    async fn listen(&mut self, mut line: Option<Line>) -> Over {
        let mut pace = self.pace(line.is_some());
        loop {
            tokio::select! {
                request = self.requests.recv() => {
                    let Some(request) = request else { return Over::NobodyListens };
                    let shards = self.shards.len();
                    let answer = self.admit(request.watchers, line.as_mut()).await;
                    let failed = answer.is_err();
                    // Whoever asked may have given up.
                    let _ = request.done.send(answer);
                    if failed {
                        return Over::Disconnected;
                    }
                    if self.shards.len() != shards {
                        pace = self.pace(line.is_some());
                    }
                }
                message = next(line.as_mut()) => {
                    let Some(message) = message else { return Over::Disconnected };
                    if self.hear(&message).await.is_err() {
                        return Over::Disconnected;
                    }
                }
                _ = pace.tick() => {
                    let answer = self.look(line.as_mut()).await;
                    if self.shards.is_empty() && self.rope.let_go(&self.requests) {
                        return Over::NobodyListens;
                    }
                    if answer.is_err() || self.unheard >= DEAF {
                        return Over::Disconnected;
                    }
                }
            }
        }
    }

    /// Ticks at which one shard after the other is looked at.
    fn pace(&self, messages: bool) -> Interval {
        let every = if messages { EVERY } else { EVERY_WITHOUT_MESSAGES };
        let shards = u32::try_from(self.shards.len().max(1)).unwrap_or(u32::MAX);
        let mut pace = interval((every / shards).max(Duration::from_millis(1)));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once, and nothing is due yet.
        pace.reset();
        pace
    }

    async fn admit(
        &mut self,
        watchers: Vec<(Shard, crate::events::Watcher, Option<crate::events::EventPosition>)>,
        line: Option<&mut Line>,
    ) -> Result<()> {
        let new: Vec<_> = watchers.iter().map(|(shard, ..)| *shard).collect();
        let new: Vec<_> = new.into_iter().filter(|shard| !self.shards.contains_key(shard)).collect();
        if let (Some(line), false) = (line, new.is_empty()) {
            // First the channel, then the log: what happens in between is in both.
            let channels: Vec<_> = new.iter().map(|shard| self.keys.log(*shard)).collect();
            within(&self.connection, line.sink.subscribe(channels)).await?;
        }
        for shard in new {
            let watched = Watched::begin(&self.keys, &self.connection, shard).await?;
            self.channels.insert(watched.channel().to_owned(), shard);
            self.shards.insert(shard, watched);
        }
        for (shard, watcher, since) in watchers {
            let Some(watched) = self.shards.get_mut(&shard) else { continue };
            match since {
                None => watched.watchers.add(watcher),
                Some(since) => {
                    watched.read_on(&self.connection).await?;
                    watched.resume(&self.connection, watcher, since).await?;
                }
            }
        }
        Ok(())
    }

    async fn hear(&mut self, message: &Msg) -> Result<()> {
        let shard = self.channels.get(message.get_channel_name());
        let Some(watched) = shard.and_then(|shard| self.shards.get_mut(shard)) else { return Ok(()) };
        if watched.hear(message.get_payload_bytes()) {
            self.unheard = 0;
        }
        if watched.must_read() {
            watched.read_on(&self.connection).await?;
        }
        Ok(())
    }

    /// Looks after the next shard: is anybody there still, and was anything not told?
    async fn look(&mut self, line: Option<&mut Line>) -> Result<()> {
        let next = self.shards.range((after(self.turn), std::ops::Bound::Unbounded)).next();
        let Some(shard) = next.or_else(|| self.shards.iter().next()).map(|(shard, _)| *shard) else {
            return Ok(());
        };
        self.turn = Some(shard);
        let Some(watched) = self.shards.get_mut(&shard) else { return Ok(()) };
        if !watched.watchers.forget_the_gone() {
            if watched.read_on(&self.connection).await? == Read::Something && line.is_some() {
                self.unheard += 1;
            }
            return Ok(());
        }
        if let Some(watched) = self.shards.remove(&shard) {
            self.channels.remove(watched.channel());
            if let Some(line) = line {
                within(&self.connection, line.sink.unsubscribe(watched.channel())).await?;
            }
        }
        Ok(())
    }

    /// While there is no connection: whether nobody waits for one.
    fn is_alone(&mut self) -> bool {
        self.shards.retain(|_, watched| !watched.watchers.forget_the_gone());
        self.channels.retain(|_, shard| self.shards.contains_key(shard));
        if self.requests.is_closed() && self.requests.is_empty() {
            return true;
        }
        self.shards.is_empty() && self.rope.let_go(&self.requests)
    }
}

fn after(turn: Option<Shard>) -> std::ops::Bound<Shard> {
    turn.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded)
}

/// The next message; never where there is nobody to have it of.
async fn next(line: Option<&mut Line>) -> Option<Msg> {
    match line {
        Some(line) => std::future::poll_fn(|context| Pin::new(&mut line.messages).poll_next(context)).await,
        None => std::future::pending().await,
    }
}

/// The driver waits for a confirmation for ever.
async fn within<T>(connection: &Connection, work: impl Future<Output = redis::RedisResult<T>>) -> Result<T> {
    match tokio::time::timeout(connection.timeout(), work).await {
        Ok(answer) => answer.map_err(|error| Error::new(ErrorKind::Unavailable, error)),
        Err(_) => Err(Error::msg(ErrorKind::Unavailable, "Redis confirmed no subscription in time")),
    }
}
