//! What is really stored, seen past the application.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom::id::Token;
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use sha2::{Digest as _, Sha256};

use crate::meta;

/// A look at one namespace of one shard, on a connection of its own.
#[derive(Clone)]
pub struct Eye {
    connection: MultiplexedConnection,
    prefix: String,
}

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub version: u64,
    pub count: u64,
    pub user: Option<String>,
}

impl Eye {
    /// The namespace must be set up already.
    pub async fn on(url: &str, namespace: &str) -> Self {
        let client = redis::Client::open(url).unwrap();
        // A busy machine must not fail who only looks.
        let patient = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(20)))
            .set_response_timeout(Some(Duration::from_secs(20)));
        let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await.unwrap();
        let epochs: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{namespace}:*:epoch"))
            .query_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(epochs.len(), 1, "a namespace of one shard");
        Self { connection, prefix: epochs[0].strip_suffix("epoch").unwrap().to_owned() }
    }

    pub fn key(&self, kind: &str, token: &str) -> String {
        let reference = Token::parse(token.as_bytes()).unwrap().address().reference;
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(reference.as_bytes()));
        format!("{}{kind}:{hash}", self.prefix)
    }

    /// The session under this very token, and how many audit entries there are, at one moment.
    pub async fn look(&self, token: Option<&str>) -> (Option<Seen>, u64) {
        let key = token.map_or_else(|| "none".to_owned(), |token| self.key("s", token));
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("HMGET").arg(key).arg(&["h", "p", "m"]);
        pipe.cmd("XLEN").arg(format!("{}audit", self.prefix));
        type Fields = (Option<Vec<u8>>, Option<Vec<u8>>, Option<String>);
        let ((heads, packed, held), entries): (Fields, u64) =
            pipe.query_async(&mut self.connection.clone()).await.unwrap();
        let seen = heads.map(|heads| {
            let (version, ..) = meta::heads(&heads);
            let values = meta::values(&packed.unwrap());
            let count = values.get("count").map_or(0, |(_, json)| json.parse().unwrap());
            let user = held.as_deref().map(meta::user).filter(|user| !user.is_empty());
            Seen { version, count, user: user.map(str::to_owned) }
        });
        (seen, entries)
    }

    /// How many sessions there are, each of them whole; and nothing lives for ever that should not.
    pub async fn whole(&self) -> usize {
        let mut connection = self.connection.clone();
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("{}*", self.prefix)).query_async(&mut connection).await.unwrap();
        let kinds = keys.iter().map(|key| key.strip_prefix(&self.prefix).unwrap());
        let kinds: Vec<_> = kinds.filter(|kind| !["epoch", "audit", "due"].contains(kind)).collect();
        let mut sessions = 0;
        for kinds in kinds.chunks(500) {
            let mut pipe = redis::pipe();
            for kind in kinds {
                pipe.cmd("PTTL").arg(format!("{}{kind}", self.prefix));
                if kind.starts_with("s:") {
                    sessions += 1;
                    let names = ["h", "m", "p"];
                    pipe.cmd("HMGET").arg(format!("{}{kind}", self.prefix)).arg(&names);
                }
            }
            let answers: Vec<redis::Value> = pipe.query_async(&mut connection).await.unwrap();
            for answer in answers {
                match answer {
                    redis::Value::Array(fields) => {
                        assert!(!fields.contains(&redis::Value::Nil), "half a session: {fields:?}");
                    }
                    ttl => assert_ne!(ttl, redis::Value::Int(-1), "a key has no end: {kinds:?}"),
                }
            }
        }
        sessions
    }
}
