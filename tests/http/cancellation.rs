//! A client goes away in the middle: all of a commit is left, or none (D5, P4).

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use serde_json::{Value, json};

use crate::harness::{Answer, Gate, Instance, NOBODY, Setup, request, until};

everywhere!(
    a_poll_is_one_poll_of_the_handler,
    a_request_that_is_dropped_takes_its_handler_along,
    a_load_that_is_dropped_changes_nothing,
    a_commit_that_is_dropped_is_whole_or_not_there,
    a_detached_save_that_is_dropped_is_whole_or_not_there,
    a_first_write_that_is_dropped_is_whole_or_not_there,
    a_sign_in_that_is_dropped_leaves_one_session,
    a_sign_in_that_is_dropped_between_its_scripts_is_finished,
    a_renewal_that_is_dropped_leaves_the_old_token_working,
    a_logout_that_is_dropped_is_whole_or_not_there,
);

/// When a request is dropped that has been polled so often.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dropped {
    /// In the same breath: what it asked for last may not even have been sent.
    AtOnce,
    /// When it is about to be polled again: the answer is there, and it never sees it.
    WhenWoken,
}

/// Polls a request so often and then drops it; its answer if it was faster.
pub(crate) async fn run_and_drop(
    instance: &Instance,
    token: &str,
    steps: &str,
    polls: usize,
    dropped: Dropped,
) -> Option<Answer> {
    let mut call = instance.app.call(request(token, steps));
    let mut polled = 0;
    let response = poll_fn(|cx| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match (call.as_mut().poll(cx), dropped) {
            (Poll::Ready(response), _) => Poll::Ready(Some(response)),
            (Poll::Pending, Dropped::AtOnce) if polled == polls => Poll::Ready(None),
            (Poll::Pending, _) => Poll::Pending,
        }
    });
    response.await.map(Answer::of)
}

/// After how many polls, and when.
fn moments() -> impl Iterator<Item = (usize, Dropped)> {
    // No request is polled more often.
    (0..200).flat_map(|polls| [(polls, Dropped::AtOnce), (polls, Dropped::WhenWoken)])
}

/// What all the others rely on: nobody polls in between, wherever the adapter lives.
async fn a_poll_is_one_poll_of_the_handler(setup: Setup) {
    let world = setup.start().await;
    let mut counts = Vec::new();
    for yields in [0, 1, 5] {
        let mut call = world.app.call(request(NOBODY, &"yield; ".repeat(yields)));
        let mut polls = 0;
        let count = |cx: &mut Context<'_>| {
            polls += 1;
            call.as_mut().poll(cx)
        };
        assert_eq!(poll_fn(count).await.status(), 200);
        counts.push(polls - yields);
    }
    assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{counts:?}");
}

async fn a_request_that_is_dropped_takes_its_handler_along(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let gate = Gate::new();
    let mut request = request(&token, "hold");
    request.extensions_mut().insert(gate.clone());
    let mut call = world.app.call(request);
    tokio::select! {
        _ = &mut call => panic!("it is held"),
        () = gate.reached() => assert!(!gate.is_alone()),
    }
    drop(call);
    assert!(gate.is_alone());
}

async fn a_load_that_is_dropped_changes_nothing(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "login alice; write a 1").await.token();
    let other = world.run(NOBODY, "login bob; write a 2").await.token();
    for (polls, dropped) in moments() {
        let answer = run_and_drop(&world, &token, "user; read a; yield; version", polls, dropped).await;
        // The answer that nobody waited for is not taken for that to the next question.
        let told = world.run(&other, "user; read a; version").await.told();
        assert_eq!(told, [json!("bob"), json!(2), json!(1)], "{polls} {dropped:?}");
        let told = world.run(&token, "user; read a; version").await.told();
        assert_eq!(told, [json!("alice"), json!(1), json!(1)], "{polls} {dropped:?}");
        if let Some(answer) = answer {
            assert_eq!((answer.told(), answer.cookie_line()), (told, None));
            assert_eq!(world.sessions(), 2);
            return;
        }
    }
    panic!("no request ever came to its end");
}

/// A handle of its own, in the handler: the layer knows nothing of it and commits nothing.
async fn a_detached_save_that_is_dropped_is_whole_or_not_there(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 0; write b 0").await.token();
    let mut version = 1;
    for (polls, dropped) in moments() {
        let steps = format!("yield; apart a,b {polls}; yield");
        let answer = run_and_drop(&world, &token, &steps, polls, dropped).await;
        let told = world.run(&token, "read a; read b; version").await.told();
        assert_eq!(told[0], told[1], "{polls} {dropped:?}");
        let now = told[2].as_u64().unwrap();
        assert!(now == version || now == version + 1, "{polls} {dropped:?}: {now} after {version}");
        version = now;
        if let Some(answer) = answer {
            assert_eq!((answer.one(), &told[0]), (json!(now), &json!(polls)));
            return;
        }
    }
    panic!("no request ever came to its end");
}

async fn a_commit_that_is_dropped_is_whole_or_not_there(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 0; write b 0").await.token();
    let (mut answered, mut version) = (0, 1);
    for (polls, dropped) in moments() {
        let steps = format!("yield; write a {polls}; write b {polls}; yield; remove c");
        let answer = run_and_drop(&world, &token, &steps, polls, dropped).await;
        let told = world.run(&token, "read a; read b; version; keys").await.told();
        assert_eq!(told[0], told[1], "{polls} {dropped:?}");
        assert_eq!(told[3], json!(["a", "b"]));
        let now = told[2].as_u64().unwrap();
        assert!(now == version || now == version + 1, "{polls} {dropped:?}: {now} after {version}");
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
    let steps = "yield; write a 1; login alice; write b 1; yield";
    for (tries, (polls, dropped)) in moments().enumerate() {
        let answer = run_and_drop(&world, NOBODY, steps, polls, dropped).await;
        if let Some(answer) = answer {
            assert_eq!(world.run(&answer.token(), "user; keys").await.told(), [json!("alice"), json!(["b"])]);
            return;
        }
        assert!(world.sessions() <= tries + 1);
    }
    panic!("no request ever came to its end");
}

async fn a_sign_in_that_is_dropped_leaves_one_session(setup: Setup) {
    let world = setup.start().await;
    let mut answered = 0;
    for (before, (polls, dropped)) in moments().enumerate() {
        let token = world.run(NOBODY, "write a 1; write b 1").await.token();
        let steps = "yield; login alice *; write b 2; yield";
        let answer = run_and_drop(&world, &token, steps, polls, dropped).await;
        // Whatever was sent before this is done when this is answered: there is one connection.
        let told = world.run(&token, "user; keys; ended").await.told();
        // The old session, or the new one, in the end: ended and begun are two scripts.
        until("there is one session", || world.sessions() == before + 1);
        let ended = json!("replaced");
        match told[2] == ended {
            true => assert_eq!(told[..2], [Value::Null, json!([])], "{polls} {dropped:?}"),
            false => assert_eq!(told, [Value::Null, json!(["a", "b"]), Value::Null], "{polls} {dropped:?}"),
        }
        if let Some(answer) = answer {
            assert_eq!(told[2], ended);
            let told = world.run(&answer.token(), "user; read a; read b").await.told();
            assert_eq!(told, [json!("alice"), json!(1), json!(2)]);
            answered += 1;
            if answered == 5 {
                return;
            }
        }
    }
    panic!("no request ever came to its end");
}

/// The old session is over, the new one is not there yet, and the client goes away.
async fn a_sign_in_that_is_dropped_between_its_scripts_is_finished(setup: Setup) {
    let world = setup.start().await;
    let token = world.run(NOBODY, "write a 1").await.token();
    let gate = world.store.hold_create();
    let call = world.app.call(request(&token, "login alice *"));
    let task = tokio::spawn(call);
    gate.reached().await;
    assert_eq!(world.sessions(), 0);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    gate.open();
    until("the new session is there", || world.sessions() == 1);
    assert_eq!(world.run(&token, "user; ended").await.told(), [Value::Null, json!("replaced")]);
}

async fn a_renewal_that_is_dropped_leaves_the_old_token_working(setup: Setup) {
    let world = setup.start().await;
    for (before, (polls, dropped)) in moments().enumerate() {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let answer = run_and_drop(&world, &token, "yield; renew; write a 2; yield", polls, dropped).await;
        assert_eq!(world.run(&token, "user").await.one(), "alice", "{polls} {dropped:?}");
        assert_eq!(world.sessions(), before + 1);
        if let Some(answer) = answer {
            assert_eq!(world.run(&answer.token(), "user; read a").await.told(), [json!("alice"), json!(2)]);
            return;
        }
    }
    panic!("no request ever came to its end");
}

async fn a_logout_that_is_dropped_is_whole_or_not_there(setup: Setup) {
    let world = setup.start().await;
    for (polls, dropped) in moments() {
        let token = world.run(NOBODY, "login alice; write a 1").await.token();
        let answer = run_and_drop(&world, &token, "yield; logout; yield", polls, dropped).await;
        let told = Value::Array(world.run(&token, "user; keys; ended").await.told());
        let (before, after) = (json!(["alice", ["a"], null]), json!([null, [], "logged_out"]));
        assert!(told == before || told == after, "{polls} {dropped:?}: {told}");
        if let Some(answer) = answer {
            assert!(answer.removes_cookie());
            assert_eq!(told, after);
            return;
        }
        world.run(&token, "logout").await;
    }
    panic!("no request ever came to its end");
}
