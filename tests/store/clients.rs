//! The ways to a server: by URL, over a socket, with a client that the application has already, and with
//! a pepper.

use cloakroom::{
    record::EndReason,
    store::{Created, Finished, Loaded, RedisStore, SessionStore as _, Touch},
};

use crate::backend::{IDLE, creation, ending};

#[tokio::test]
async fn a_socket_or_an_existing_client_leads_to_the_same_sessions() {
    let server = servers::Redis::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let stores = [
        RedisStore::new(server.url()).unwrap(),
        RedisStore::new(format!("redis+unix://{}", server.socket().display())).unwrap(),
        RedisStore::with_client(client).build().unwrap(),
    ];
    let create = creation(&[("a", "1")]);
    assert!(matches!(stores[0].create(&create).await.unwrap(), Created::Created { .. }));
    for store in &stores {
        store.ready().await.unwrap();
        assert!(matches!(store.load(create.at, Touch::Refresh, IDLE).await.unwrap(), Loaded::Found(_)));
    }
    let end = ending(create.at, EndReason::LoggedOut);
    assert!(matches!(stores[2].end(&end).await.unwrap(), Finished::Ended { .. }));
}

#[tokio::test]
async fn an_existing_cluster_client_does_too() {
    let cluster = servers::Cluster::start(3).unwrap();
    let client = redis::cluster::ClusterClient::new(cluster.urls()).unwrap();
    let store = RedisStore::with_cluster_client(client).build().unwrap();
    store.ready().await.unwrap();
    for _ in 0..8 {
        let create = creation(&[("a", "1")]);
        assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
        assert!(matches!(store.load(create.at, Touch::Refresh, IDLE).await.unwrap(), Loaded::Found(_)));
    }
    for node in cluster.nodes() {
        let keys = node.command(&["DBSIZE"]).unwrap();
        assert_ne!(keys, "0", "the shards are spread over all masters");
    }
}

/// Who can write to Redis, but does not know the pepper, plants no session.
#[tokio::test]
async fn a_session_opens_under_its_own_pepper_only() {
    let server = servers::Redis::start().unwrap();
    let store = |pepper: Option<u8>| {
        let builder = RedisStore::builder(server.url());
        match pepper {
            Some(byte) => builder.pepper([byte; 32]).build().unwrap(),
            None => builder.build().unwrap(),
        }
    };
    let create = creation(&[("a", "1")]);
    assert!(matches!(store(Some(1)).create(&create).await.unwrap(), Created::Created { .. }));
    for (pepper, found) in [(Some(1), true), (Some(2), false), (None, false)] {
        let loaded = store(pepper).load(create.at, Touch::Refresh, IDLE).await.unwrap();
        assert_eq!(matches!(loaded, Loaded::Found(_)), found, "{pepper:?}");
    }
}
