//! A Redis Cluster of masters.

use std::io;
use std::time::Duration;

use crate::redis::Redis;
use crate::wait;

const SLOTS: usize = 16_384;
const OK_BOUND: Duration = Duration::from_secs(20);

/// A Redis Cluster without replicas, on loopback ports. It takes a second or two until the nodes know each other.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts the nodes, deals out the slots evenly in order, and waits until all nodes call the cluster complete.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`], or the nodes do not agree within 20 seconds. Needs Redis 7.
    pub fn start(masters: usize) -> io::Result<Self> {
        if !(1..=SLOTS).contains(&masters) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a cluster has at least one master"));
        }
        let arguments = ["--cluster-node-timeout", "2000", "--cluster-announce-ip", "127.0.0.1"];
        let nodes = (0..masters).map(|_| Redis::node(&arguments)).collect::<io::Result<Vec<_>>>()?;
        let cluster = Self { nodes };
        cluster.deal_slots()?;
        cluster.introduce()?;
        cluster.wait_until_ok()?;
        Ok(cluster)
    }

    /// The URLs of all nodes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The nodes, in the order of their slots.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The nodes, to kill and restart them.
    #[must_use]
    pub fn nodes_mut(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }

    /// Waits until every node serves all slots: after the restart of a node, say.
    ///
    /// # Errors
    ///
    /// It takes more than 20 seconds, as it does when a node is dead.
    pub fn wait_until_ok(&self) -> io::Result<()> {
        let all_ok = || self.nodes.iter().all(|node| self.is_ok(node));
        if wait::until(OK_BOUND, Duration::from_millis(20), all_ok) {
            return Ok(());
        }
        let state =
            |node: &Redis| node.command(&["CLUSTER", "NODES"]).unwrap_or_else(|error| error.to_string());
        let states: Vec<String> = self.nodes.iter().map(state).collect();
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the cluster is not complete:\n{}", states.join("\n")),
        ))
    }

    fn deal_slots(&self) -> io::Result<()> {
        let count = self.nodes.len();
        for (index, node) in self.nodes.iter().enumerate() {
            let first = index * SLOTS / count;
            let last = (index + 1) * SLOTS / count - 1;
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
            // Distinct from the start, or the nodes would first have to settle which of them is newer.
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        }
        Ok(())
    }

    fn introduce(&self) -> io::Result<()> {
        let Some((first, others)) = self.nodes.split_first() else {
            return Ok(());
        };
        for node in others {
            let bus_port = node.bus_port().ok_or_else(|| io::Error::other("a node without a bus port"))?;
            first.command(&[
                "CLUSTER",
                "MEET",
                "127.0.0.1",
                &node.port().to_string(),
                &bus_port.to_string(),
            ])?;
        }
        Ok(())
    }

    fn is_ok(&self, node: &Redis) -> bool {
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        let slots = format!("cluster_slots_ok:{SLOTS}");
        let wanted = ["cluster_state:ok", &known, &slots];
        node.command(&["CLUSTER", "INFO"])
            .is_ok_and(|info| wanted.iter().all(|line| info.lines().any(|found| found == *line)))
    }
}
