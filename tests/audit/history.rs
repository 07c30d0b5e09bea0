//! What the trail tells afterwards: one session's history, and numbers over many.

use cloakroom::{
    audit::{KeyValue, SessionState, history, sessions_of},
    record::EndReason,
};

use crate::{
    sessions::{Visit, add, set},
    site::{Site, shared},
};

async fn drain(site: &Site) {
    let writer = site.writer();
    let stopping = writer.stop_handle();
    let running = tokio::spawn(writer.run());
    site.until_drained().await;
    stopping.stop();
    assert_eq!(running.await.unwrap().dead, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_follows_renewals_and_tells_the_state_at_a_time() {
    let site = shared(1).await;
    let begin = [("cart", set("[\"tea\"]"), false), ("otp", set("\"hidden\""), true)];
    let mut visit = Visit::begin(&site.store, Some("alice"), Some("phone"), &begin).await;
    let first = visit.at.reference;
    visit.commit(&[("n", add(41), false), ("bad", set("\"a\\u0000b\""), false)]).await;
    visit.renew().await;
    visit.commit(&[("n", add(1), false), ("cart", cloakroom::record::Write::Remove, false)]).await;
    visit.renew().await;
    let last = visit.at.reference;
    visit.end(EndReason::LoggedOut).await;
    Visit::begin(&site.store, Some("alice"), None, &[]).await;
    drain(&site).await;

    let sessions = sessions_of(&site.pool, &site.namespace, "alice", 9).await.unwrap();
    let [_, session] = sessions.as_slice() else { panic!("{sessions:?}") };
    assert_eq!(
        (session.first, session.last, session.events),
        (first, last, 6),
        "one session over both renewals"
    );
    assert!(session.ended && session.last_event_at >= session.began_at);

    for reference in [first, last] {
        let events = history(&site.pool, &site.namespace, reference, None).await.unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["signed_in", "changed", "renewed", "changed", "renewed", "ended"]);
        assert_eq!(events.iter().map(|event| event.version.unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert!(events.iter().all(|event| event.complete && !event.forked));
        assert_eq!((events[0].device.as_deref(), events[0].user.as_deref()), (Some("phone"), Some("alice")));

        let state = SessionState::replay(&events);
        assert_eq!(state.ended.as_deref(), Some(EndReason::LoggedOut.as_str()));
        let json = |text: &str| KeyValue::Json(text.into());
        let keys: Vec<_> = state.keys.iter().map(|(name, key)| (name.as_str(), key.value.clone())).collect();
        // What jsonb takes not is told all the same.
        assert_eq!(keys, [("bad", json("\"a\\u0000b\"")), ("n", json("42")), ("otp", KeyValue::Secret)]);
        assert!(state.complete);

        let then = history(&site.pool, &site.namespace, reference, Some(events[1].at)).await.unwrap();
        let state = SessionState::replay(&then[..2]);
        assert!(then.len() < 6 && state.keys["cart"].value == json("[\"tea\"]"));
        assert_eq!(state.keys["n"].value, json("41"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_views_count_users_lengths_devices_and_reasons() {
    let site = shared(1).await;
    let mut phone = Visit::begin(&site.store, Some("alice"), Some("phone"), &[]).await;
    let laptop = Visit::begin(&site.store, Some("alice"), Some("laptop"), &[]).await;
    let other = Visit::begin(&site.store, Some("bob"), Some("phone"), &[]).await;
    let nobody = Visit::begin(&site.store, None, Some("phone"), &[]).await;
    phone.renew().await;
    phone.commit(&[("a", set("1"), false)]).await;
    phone.end(EndReason::LoggedOut).await;
    laptop.end(EndReason::LoggedOut).await;
    nobody.end(EndReason::Absolute).await;
    drain(&site).await;

    let users: Vec<(i64, i64)> = sqlx::query_as("SELECT users, events FROM cloakroom.active_users_by_day")
        .fetch_all(&site.pool)
        .await
        .unwrap();
    assert_eq!(users, [(2, 7)]);
    let devices: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT device, sign_ins, users FROM cloakroom.sign_ins_by_device ORDER BY 1")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    assert_eq!(devices, [("laptop".into(), 1, 1), ("phone".into(), 2, 2)]);
    let reasons: Vec<(String, i64)> =
        sqlx::query_as("SELECT reason, sessions FROM cloakroom.session_ends_by_day ORDER BY 2 DESC")
            .fetch_all(&site.pool)
            .await
            .unwrap();
    let [signed_out, absolute] =
        [EndReason::LoggedOut, EndReason::Absolute].map(|reason| reason.as_str().to_owned());
    assert_eq!(reasons, [(signed_out, 2), (absolute, 1)]);
    let lengths: Vec<(Vec<u8>, i64, bool, bool)> = sqlx::query_as(
        "SELECT ref, events, ended_at IS NULL, seconds >= 0 FROM cloakroom.session_lengths ORDER BY events DESC, 3",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap();
    assert_eq!(
        lengths.iter().map(|row| (row.1, row.2, row.3)).collect::<Vec<_>>(),
        [
            (4, false, true), // over its renewal
            (2, false, true),
            (2, false, true),
            (1, true, true),
        ]
    );
    assert_eq!(lengths[3].0, other.at.reference.as_bytes());
}
