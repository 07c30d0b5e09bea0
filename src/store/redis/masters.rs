//! The servers that hold keys, one by one. See `audit::verify`.

#[cfg(feature = "cluster")]
use std::collections::HashMap;

#[cfg(feature = "cluster")]
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};

use super::RedisStore;
use crate::error::Result;

/// Who is asked.
#[derive(Clone, Debug)]
pub(crate) enum Whom {
    /// Whoever has the key that is asked for.
    Owner,
    #[cfg(feature = "cluster")]
    EachMaster,
    #[cfg(feature = "cluster")]
    One { host: String, port: u16 },
}

#[cfg(feature = "cluster")]
impl Whom {
    pub(super) fn route(&self) -> Option<RoutingInfo> {
        match self {
            Self::Owner => None,
            Self::EachMaster => Some(RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None))),
            Self::One { host, port } => {
                let node = SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
                Some(RoutingInfo::SingleNode(node))
            }
        }
    }

    /// By `host:port`, as the driver names it.
    fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        Some(Self::One { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl RedisStore {
    /// All who hold keys: the server, or each master of the cluster.
    #[cfg(feature = "cluster")]
    pub(crate) async fn masters(&self) -> Result<Vec<Whom>> {
        if !self.connection.is_cluster() {
            return Ok(vec![Whom::Owner]);
        }
        let answers: HashMap<String, String> =
            self.connection.query_at(&Whom::EachMaster, &redis::cmd("PING")).await?;
        Ok(answers.keys().filter_map(|address| Whom::parse(address)).collect())
    }

    /// All who hold keys: the server.
    #[cfg(not(feature = "cluster"))]
    pub(crate) async fn masters(&self) -> Result<Vec<Whom>> {
        Ok(vec![Whom::Owner])
    }

    /// Some keys of sessions that this one has, and where to go on; 0 begins and ends.
    pub(crate) async fn scan(&self, master: &Whom, cursor: u64) -> Result<(u64, Vec<String>)> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.keys.sessions()).arg("COUNT").arg(1000);
        match master {
            Whom::Owner => self.connection.query(&scan).await,
            #[cfg(feature = "cluster")]
            node => self.connection.query_at(node, &scan).await,
        }
    }
}
