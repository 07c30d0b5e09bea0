//! The script ran, and its reply got lost: what was asked for happens exactly once.

use http::StatusCode;
use servers::Redis;

use crate::{
    client::{Client, prepared},
    proxy::Proxy,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_is_cut_anywhere_counts_once() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let mut client = Client::of(prepared(&proxy.url()).await);
    client.expect("/add", "1").await;
    let mut expected = 1;
    // A commit's reply has some 60 bytes; beyond it nothing is cut and nothing must change.
    for bytes in 0..70 {
        let before = proxy.cuts();
        proxy.cut_after(bytes);
        expected += 1;
        client.expect("/add", &expected.to_string()).await;
        if bytes < 40 {
            assert_eq!(proxy.cuts(), before + 1, "the reply was cut after {bytes} bytes");
        }
    }
    client.expect("/", &expected.to_string()).await;
    // The trail agrees: the creation and each addition, once.
    let stream = redis.command(&["KEYS", "session:*:audit"]).unwrap();
    assert_eq!(redis.command(&["XLEN", &stream]).unwrap(), expected.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_sign_in_renewal_and_logout_survive_a_lost_reply() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let store = prepared(&proxy.url()).await;
    for bytes in [0, 1, 7, 20] {
        let mut client = Client::of(store.clone());
        for (path, shown) in [("/add", "1"), ("/login", "1"), ("/add", "2"), ("/renew", "2"), ("/add", "3")] {
            proxy.cut_after(bytes);
            let answer = client.get(path).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (StatusCode::OK, shown),
                "{path}, cut after {bytes}"
            );
        }
        proxy.cut_after(bytes);
        assert_eq!(client.get("/logout").await.status, StatusCode::OK);
        client.expect("/", "0").await;
    }
    assert!(proxy.cuts() >= 24, "{} cuts", proxy.cuts());
    let left = redis.command(&["KEYS", "session:*:s:*"]).unwrap();
    assert_eq!(left, "", "no session is left that nobody holds");
}
