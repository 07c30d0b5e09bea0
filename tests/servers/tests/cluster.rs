//! A Redis Cluster, through its public door.

use std::{io, thread};

use servers::{Cluster, Redis};

#[test]
fn three_masters_share_the_slots_and_survive_a_restart() -> io::Result<()> {
    let mut cluster = Cluster::start(3)?;
    assert_eq!(cluster.urls().len(), 3);

    // CRC16 says: slot 12182, which is node 2's.
    assert_eq!(cluster.nodes()[2].command(&["SET", "foo", "1"])?, "OK");
    let moved = cluster.nodes()[0].command(&["GET", "foo"]).unwrap_err();
    let target = format!("MOVED 12182 127.0.0.1:{}", cluster.nodes()[2].port());
    assert_eq!(moved.to_string(), target);

    let node = &mut cluster.nodes_mut()[1];
    node.kill()?;
    node.restart()?;
    // Its own view comes back two seconds after the restart.
    cluster.wait_until_ok()
}

#[test]
fn two_clusters_in_parallel() -> io::Result<()> {
    thread::scope(|scope| {
        let one = scope.spawn(|| Cluster::start(1));
        let two = scope.spawn(|| Cluster::start(2));
        let (one, two) = (one.join().unwrap()?, two.join().unwrap()?);
        let ok = |node: &Redis| node.command(&["CLUSTER", "KEYSLOT", "foo"]);
        for node in one.nodes().iter().chain(two.nodes()) {
            assert_eq!(ok(node)?, "12182");
        }
        Ok(())
    })
}
