//! One conversation with Redis: bounded, reconnecting, repeated where that is safe.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind as RedisKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ScriptInvocation, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
};
#[cfg(feature = "cluster")]
use redis::{cluster::ClusterClient, cluster_async::ClusterConnection};
use tokio::{sync::OnceCell, time::Instant};

#[cfg(all(feature = "audit", feature = "cluster"))]
use super::masters::Whom;
use super::{call::Call, pulse::Pulse};
use crate::error::{Error, ErrorKind, Result};

/// Where Redis is.
#[derive(Clone)]
pub(super) enum Source {
    Single(Box<Client>),
    /// The nodes are those that were named; an existing client tells none.
    #[cfg(feature = "cluster")]
    Cluster(Box<ClusterClient>, Vec<Client>),
}

/// A connection that is made at the first use and mends itself: one multiplexed socket, or one to each
/// master of a cluster. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Inner>);

struct Inner {
    source: Source,
    timeout: Duration,
    /// Made by the first who asks; another takes its place when it is given up.
    link: Mutex<Arc<OnceCell<Link>>>,
    pulse: Pulse,
}

#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(ClusterConnection),
}

/// How long to wait before a question is asked again that Redis could not answer yet.
const PAUSE: Duration = Duration::from_millis(20);

/// How often to go on after a refused connection or a reply that makes no sense: a first refusal may be
/// one that is minutes old, and half a reply is what a cut connection leaves.
const SETBACKS: u32 = 2;

impl Connection {
    pub(super) fn new(source: Source, timeout: Duration) -> Self {
        Self(Arc::new(Inner { source, timeout, link: Mutex::default(), pulse: Pulse::default() }))
    }

    /// One command.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when there is no answer in time.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.ask(Question::Command(command)).await
    }

    /// How long one question takes at most.
    pub(super) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// One command, to a server of a cluster, or to each of them.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    #[cfg(all(feature = "audit", feature = "cluster"))]
    pub(super) async fn query_at<T: FromRedisValue>(&self, whom: &Whom, command: &Cmd) -> Result<T> {
        self.ask(Question::At(whom, command)).await
    }

    /// Another connection to the same place, for replies that are large or late: on a shared one everything
    /// behind them waits.
    pub(super) fn apart(&self) -> Self {
        Self::new(self.0.source.clone(), self.0.timeout)
    }

    /// Several commands in one round trip.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub(crate) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T> {
        self.ask(Question::Commands(commands)).await
    }

    /// The same, each reply as it is.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query); that of one command is the error of all.
    pub(super) async fn replies(&self, commands: &Pipeline) -> Result<Vec<Value>> {
        match self.ask(Question::Replies(commands)).await? {
            Value::Array(replies) => Ok(replies),
            other => Ok(vec![other]),
        }
    }

    /// One script, which must be safe to repeat.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub(super) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        self.ask(Question::Script(script)).await
    }

    /// The same, as [`Call`] has it.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Value> {
        self.ask(Question::Call(call)).await
    }

    /// Asks, and asks again after a lost connection or a "not now", until the time is up. Dropping
    /// this leaves the shared connection in order: the driver owns the socket and pairs replies itself.
    async fn ask<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T> {
        let deadline = Instant::now() + self.0.timeout;
        self.0.pulse.keep(self.0.timeout);
        let mut setbacks = 0;
        loop {
            let answer = self.attempt(&question, deadline).await?;
            let error = match answer.and_then(|answer| Ok(T::from_redis_value(answer)?)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            setbacks += u32::from(error.is_connection_refusal() || error.kind() == RedisKind::Parse);
            if setbacks >= SETBACKS || !passes(&error) || Instant::now() + PAUSE >= deadline {
                return Err(failure(error));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks once. The outer error is that the time is up.
    async fn attempt(&self, question: &Question<'_>, deadline: Instant) -> Result<RedisResult<Value>> {
        let cell = Arc::clone(&self.0.link.lock().unwrap_or_else(PoisonError::into_inner));
        // Where it is made, it stays: it is large.
        let answer = pin!(async {
            let mut link = match cell.get() {
                Some(link) => link.clone(),
                // Once in the life of a connection; below, too, what is rare is kept out of the future that every
                // question makes.
                None => Box::pin(self.link(&cell)).await?,
            };
            question.put(&mut link).await
        });
        let answer = tokio::time::timeout_at(deadline, answer).await;
        // A cluster's client looks after its connections one by one.
        if !self.is_cluster()
            && answer
                .as_ref()
                .map_or(true, |answer| answer.as_ref().is_err_and(RedisError::is_unrecoverable_error))
        {
            self.give_up(&cell);
        }
        answer.map_err(|_| {
            let text = format!("Redis did not answer within {:?}", self.0.timeout);
            Error::msg(ErrorKind::Unavailable, text)
        })
    }

    /// Whoever asks next makes a new connection: this one is lost, or may never answer again, and nobody else would
    /// notice, since it is open, and a firewall has forgotten it.
    fn give_up(&self, cell: &Arc<OnceCell<Link>>) {
        let mut current = self.0.link.lock().unwrap_or_else(PoisonError::into_inner);
        // Of many that fail together, only the first.
        if Arc::ptr_eq(&current, cell) {
            *current = Arc::default();
        }
    }

    async fn link(&self, cell: &OnceCell<Link>) -> RedisResult<Link> {
        let make = || async {
            match &self.0.source {
                Source::Single(client) => {
                    // The time is bounded above, for each question by itself.
                    let config = AsyncConnectionConfig::new()
                        .set_connection_timeout(Some(self.0.timeout))
                        .set_response_timeout(None);
                    client.get_multiplexed_async_connection_with_config(&config).await.map(Link::Single)
                }
                #[cfg(feature = "cluster")]
                Source::Cluster(client, _) => client.get_async_connection().await.map(Link::Cluster),
            }
        };
        cell.get_or_try_init(make).await.cloned()
    }

    /// A connection for messages; a cluster's nodes tell them to one another, so that any will do. `None` where
    /// no node is known.
    pub(super) async fn pub_sub(&self) -> Result<Option<PubSub>> {
        let nodes = match &self.0.source {
            Source::Single(client) => std::slice::from_ref(&**client),
            #[cfg(feature = "cluster")]
            Source::Cluster(_, nodes) => nodes,
        };
        let mut failure = None;
        for node in nodes {
            match tokio::time::timeout(self.0.timeout, node.get_async_pubsub()).await {
                Ok(Ok(link)) => return Ok(Some(link)),
                Ok(Err(error)) => failure = Some(self::failure(error)),
                Err(_) => {
                    let text = format!("Redis did not answer within {:?}", self.0.timeout);
                    failure = Some(Error::msg(ErrorKind::Unavailable, text));
                }
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// Whether a cluster is behind it, where one pipeline must stay on one shard.
    pub(super) fn is_cluster(&self) -> bool {
        match self.0.source {
            Source::Single(_) => false,
            #[cfg(feature = "cluster")]
            Source::Cluster(..) => true,
        }
    }
}

enum Question<'a> {
    Command(&'a Cmd),
    Commands(&'a Pipeline),
    Replies(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
    Call(&'a Call<'a>),
    #[cfg(all(feature = "audit", feature = "cluster"))]
    At(&'a Whom, &'a Cmd),
}

impl Question<'_> {
    async fn put(&self, link: &mut Link) -> RedisResult<Value> {
        match self {
            Self::Replies(commands) => Ok(Value::Array(link.replies(commands).await?)),
            Self::Call(call) => call.put(link).await,
            Self::Command(command) => command.query_async(link).await,
            Self::Commands(commands) => commands.query_async(link).await,
            Self::Script(script) => Box::pin(script.invoke_async(link)).await,
            #[cfg(all(feature = "audit", feature = "cluster"))]
            Self::At(whom, command) => match (link, whom.route()) {
                (Link::Cluster(link), Some(route)) => {
                    Box::pin(link.route_command(Cmd::clone(command), route)).await?.extract_error()
                }
                (link, _) => command.query_async(link).await,
            },
        }
    }
}

impl Link {
    /// What most requests ask is asked of the driver itself: through [`ConnectionLike`] each question is one block of
    /// memory more, and each answer is taken apart and put together again.
    async fn replies(&mut self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let count = commands.len();
        let replies = match self {
            Self::Single(link) => link.send_packed_commands(commands, 0, count).await?,
            #[cfg(feature = "cluster")]
            Self::Cluster(link) => link.req_packed_commands(commands, 0, count).await?,
        };
        match replies.iter().find(|reply| matches!(reply, Value::ServerError(_))) {
            Some(Value::ServerError(error)) => Err(error.clone().into()),
            _ => Ok(replies),
        }
    }

    /// The same of one command.
    pub(super) async fn reply(&mut self, command: &Cmd) -> RedisResult<Value> {
        let reply = match self {
            Self::Single(link) => link.send_packed_command(command).await?,
            #[cfg(feature = "cluster")]
            Self::Cluster(link) => link.req_packed_command(command).await?,
        };
        match reply {
            Value::ServerError(error) => Err(error.into()),
            reply => Ok(reply),
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> redis::RedisFuture<'a, redis::Value> {
        match self {
            Self::Single(link) => link.req_packed_command(cmd),
            #[cfg(feature = "cluster")]
            Self::Cluster(link) => link.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> redis::RedisFuture<'a, Vec<redis::Value>> {
        match self {
            Self::Single(link) => link.req_packed_commands(pipeline, offset, count),
            #[cfg(feature = "cluster")]
            Self::Cluster(link) => link.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(link) => link.get_db(),
            #[cfg(feature = "cluster")]
            Self::Cluster(link) => link.get_db(),
        }
    }
}

/// Whether the same question may be answered a moment later.
fn passes(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, NoScript, ReadOnly, TryAgain};
    error.is_connection_dropped()
        || error.is_connection_refusal()
        || matches!(error.kind(), RedisKind::ClusterConnectionNotFound | RedisKind::Parse)
        || matches!(
            error.kind(),
            // The driver loads a script again once; a server may forget it again, or another be asked. And
            // it follows a pipeline to and fro some times whose keys are on two nodes: their slot moves.
            RedisKind::Server(
                Ask | BusyLoading | ClusterDown | MasterDown | Moved | NoScript | ReadOnly | TryAgain
            )
        )
}

/// Redis' own words, without what it quotes: they go to the log, never to a client.
fn failure(error: RedisError) -> Error {
    let kind = match error.kind() {
        RedisKind::UnexpectedReturnType => ErrorKind::Corrupt,
        // Also half a reply: an outage, whatever the store holds.
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, error)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's own Debug would tell the password.
        f.debug_struct("Connection").field("cluster", &self.is_cluster()).finish_non_exhaustive()
    }
}
