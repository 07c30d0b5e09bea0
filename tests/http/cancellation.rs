//! A client goes away in the middle: all of a commit is left, or none (D5, P4).

use std::{future::poll_fn, task::Poll};

use serde_json::{Value, json};

use crate::harness::{Answer, Instance, NOBODY, Setup, request, until};

everywhere!(
    a_commit_that_is_dropped_is_whole_or_not_there,
    a_first_write_that_is_dropped_is_whole_or_not_there,
    a_sign_in_that_is_dropped_leaves_one_session,
    a_renewal_that_is_dropped_leaves_the_old_token_working,
    a_logout_that_is_dropped_is_whole_or_not_there,
);

/// Polls a request so often and then drops it; its answer if it was faster.
pub(crate) async fn dropped_after(
    instance: &Instance,
    token: &str,
    steps: &str,
    polls: usize,
) -> Option<Answer> {
    let mut call = instance.app.call(request(token, steps));
    let mut polled = 0;
    let response = poll_fn(|cx| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    response.await.map(Answer::of)
}

/// No request is polled more often.
const MANY: usize = 200;

async fn a_commit_that_is_dropped_is_whole_or_not_there(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 0; write b 0").await.token();
    let (mut answered, mut version) = (0, 1);
    for polls in 0..MANY {
        let steps = format!("yield; write a {polls}; write b {polls}; yield; remove c");
        let answer = dropped_after(&world, &token, &steps, polls).await;
        let told = world.run(&token, "read a; read b; version; keys").await.told();
        assert_eq!(told[0], told[1], "after {polls} polls");
        assert_eq!(told[3], json!(["a", "b"]));
        let now = told[2].as_u64().unwrap();
        assert!(now == version || now == version + 1, "after {polls} polls: {now} after {version}");
        version = now;
        if let Some(answer) = answer {
            assert_eq!((answer.status, &told[0]), (200, &json!(polls)));
            answered += 1;
            if answered == 5 {
                break;
            }
        }
    }
    assert_eq!(answered, 5, "no request ever came to its end");
}

async fn a_first_write_that_is_dropped_is_whole_or_not_there(setup: Setup) {
    let world = setup.start().await;
    for polls in 0..MANY {
        let answer =
            dropped_after(&world, NOBODY, "yield; write a 1; login alice; write b 1; yield", polls).await;
        if let Some(answer) = answer {
            assert_eq!(world.run(&answer.token(), "user; keys").await.told(), [json!("alice"), json!(["b"])]);
            return;
        }
        assert!(world.sessions() <= polls);
    }
    panic!("no request ever came to its end");
}

async fn a_sign_in_that_is_dropped_leaves_one_session(setup: Setup) {
    let world = setup.start().await;
    for polls in 0..MANY {
        let token = world.run(NOBODY, "write a 1; write b 1").await.token();
        let answer = dropped_after(&world, &token, "yield; login alice *; write b 2; yield", polls).await;
        // The old session, or the new one, in the end: ended and begun are two scripts.
        until("there is one session", || world.sessions() == polls + 1);
        let told = world.run(&token, "user; keys; ended").await.told();
        let ended = json!("replaced");
        match told[2] == ended {
            true => assert_eq!(told[..2], [Value::Null, json!([])], "after {polls} polls"),
            false => assert_eq!(told, [Value::Null, json!(["a", "b"]), Value::Null], "after {polls} polls"),
        }
        if let Some(answer) = answer {
            assert_eq!(told[2], ended);
            let told = world.run(&answer.token(), "user; read a; read b").await.told();
            assert_eq!(told, [json!("alice"), json!(1), json!(2)]);
            return;
        }
    }
    panic!("no request ever came to its end");
}

async fn a_renewal_that_is_dropped_leaves_the_old_token_working(setup: Setup) {
    let world = setup.start().await;
    for polls in 0..MANY {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let answer = dropped_after(&world, &token, "yield; renew; write a 2; yield", polls).await;
        assert_eq!(world.run(&token, "user").await.one(), "alice", "after {polls} polls");
        assert_eq!(world.sessions(), polls + 1);
        if let Some(answer) = answer {
            assert_eq!(world.run(&answer.token(), "user; read a").await.told(), [json!("alice"), json!(2)]);
            return;
        }
    }
    panic!("no request ever came to its end");
}

async fn a_logout_that_is_dropped_is_whole_or_not_there(setup: Setup) {
    let world = setup.start().await;
    for polls in 0..MANY {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let answer = dropped_after(&world, &token, "yield; logout; yield", polls).await;
        let told = Value::Array(world.run(&token, "user; keys; ended").await.told());
        let (before, after) = (json!(["alice", ["a"], null]), json!([null, [], "logged_out"]));
        assert!(told == before || told == after, "after {polls} polls: {told}");
        if let Some(answer) = answer {
            assert!(answer.removes_cookie());
            assert_eq!(told, after);
            return;
        }
        world.run(&token, "logout").await;
    }
    panic!("no request ever came to its end");
}
