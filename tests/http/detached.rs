//! A handle for work that outlives the response writes and signs out, and makes no token: nothing is left
//! to carry it.

use serde_json::json;

use crate::harness::{NOBODY, Setup};

everywhere!(what_makes_a_token_is_refused, it_writes_to_the_session_of_its_request);

async fn what_makes_a_token_is_refused(setup: Setup) {
    let world = setup.start().await;
    let answer = world.run(NOBODY, "apart-refused login; apart-refused write").await;
    assert_eq!(answer.told(), [json!("AfterCommit"), json!("AfterCommit")]);
    assert_eq!((answer.issued(), world.sessions()), (None, 0));

    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let answer = world.run(&token, "apart-refused login; apart-refused renew; apart-refused prove").await;
    assert_eq!(answer.told(), [json!("AfterCommit"), json!("AfterCommit"), json!("AfterCommit")]);
    assert_eq!((answer.issued(), world.sessions()), (None, 1));
    assert_eq!(world.run(&token, "user; read a").await.told(), [json!("alice"), json!(1)]);
}

async fn it_writes_to_the_session_of_its_request(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let answer = world.run(&token, "apart b 2").await;
    assert_eq!((answer.told(), answer.issued()), (vec![json!(2)], None));
    assert_eq!(world.run(&token, "read a; read b").await.told(), [json!(1), json!(2)]);
}
