//! A cluster loses a master.

use cloakroom::store::{RedisStore, SessionStore as _};
use http::StatusCode;
use servers::Cluster;

use crate::client::{Client, TIMEOUT};

/// Sessions on the other masters are served all the while, those on the lost one when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_master_takes_only_its_own_sessions_along() {
    let cluster = Cluster::start(3).unwrap();
    for node in cluster.nodes() {
        // By default the others would refuse, too, as long as a part of the slots is missing.
        node.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).unwrap();
    }
    let store = RedisStore::cluster(cluster.urls()).timeout(TIMEOUT).audit(true).build().unwrap();
    store.ready().await.unwrap();
    let mut clients = Vec::new();
    // One of 130 dozens has none on this master.
    let everywhere = || {
        let sessions = |node: &servers::Redis| !node.command(&["KEYS", "*:s:*"]).unwrap().is_empty();
        cluster.nodes().iter().all(sessions)
    };
    while clients.len() < 12 || !everywhere() {
        assert!(clients.len() < 200, "sessions are on all masters");
        let mut client = Client::of(store.clone());
        client.expect("/add", "1").await;
        clients.push(client);
    }
    // Stopped and not killed: these nodes keep nothing on disk.
    cluster.nodes()[1].pause().unwrap();

    let (mut served, mut refused) = (0, 0);
    for client in &mut clients {
        let answer = client.get("/").await;
        match answer.status {
            StatusCode::OK => {
                assert_eq!(answer.body, "1", "never an empty session instead of an outage");
                served += 1;
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                assert_eq!(answer.set_cookie, None);
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused, on three masters");

    cluster.nodes()[1].resume().unwrap();
    for client in &mut clients {
        let answer = client.recovered("/add").await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "2"));
    }
}
