//! `cloakroom seal-key`, `cloakroom writer --seal-key` and `cloakroom verify`

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use crate::{
    program::Running,
    site::{Site, file, shared, until},
};

/// Stores what waits, sealed.
async fn seal(site: &Site, key: &str) {
    let writer = Running::start(site.command(&["writer", "--seal-key", key]));
    until("everything is stored", async || site.queue().is_empty().await.unwrap()).await;
    let (status, _, log) = tokio::task::spawn_blocking(move || writer.stop("TERM")).await.unwrap();
    assert!(status.success(), "{log}");
    let secret = fs::read_to_string(key).unwrap();
    assert!(!log.contains(secret.trim().split_once(':').unwrap().1), "the log tells the key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sealed_verifies_and_what_was_edited_does_not() {
    let site = shared().await;
    let key = file("key");
    let made = site.run(&["seal-key", &key, "--name", "2026"]).await;
    let public = made.out.trim().to_owned();
    assert!(made.code == 0 && public.starts_with("2026:") && public.len() == 5 + 64, "{made:?}");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(&key).unwrap();
    assert!(!made.out.contains(secret.trim()) && secret.trim().len() == public.len());
    let twice = site.run(&["seal-key", &key]).await;
    assert!(twice.code == 2 && fs::read_to_string(&key).unwrap() == secret, "{twice:?}");
    assert_eq!(site.run(&["seal-key", &key, "--public"]).await.out, made.out);

    let mut ada = site.sign_in("ada").await;
    ada.set("n", "1", false).await;
    seal(&site, &key).await;
    let sound = site.run(&["verify", "--json", "--seals", &public]).await;
    let told = sound.json();
    assert_eq!((sound.code, &told["sound"], &told["alive"]), (0, &json!(true), &json!(1)), "{told}");
    assert!(told["signed_seals"].as_u64() > Some(0) && told["unsealed_rows"] == json!(0), "{told}");
    let text = site.run(&["verify"]).await;
    assert!(text.code == 0 && text.out.contains("nothing is wrong") && text.err.is_empty(), "{text:?}");

    // Another key under that name is not the writer's.
    let other = file("other");
    let other = site.run(&["seal-key", &other, "--name", "2026"]).await.out.trim().to_owned();
    let forged = site.run(&["verify", "--seals", &other]).await;
    assert!(forged.code == 1 && forged.out.contains("BadSignature"), "{forged:?}");
    // Of several one fits.
    assert_eq!(site.run(&["verify", "--seals", &other, &public]).await.code, 0);
    let anchor = site.run(&["verify", "--anchor", &"0".repeat(64)]).await;
    assert!(anchor.code == 1 && anchor.out.contains("AnchorMissing"), "{anchor:?}");

    let edit = "UPDATE cloakroom.session_event SET device = 'tablet' WHERE version = 1";
    sqlx::query(edit).execute(&site.pool).await.unwrap();
    let edited = site.run(&["verify", "--seals", &public]).await;
    let reference = ada.at.reference.to_string();
    assert!(
        edited.code == 1 && edited.out.contains(&reference) && edited.out.contains("edited"),
        "{edited:?}"
    );
    assert_eq!(site.run(&["verify", "--seals", &public, "--json"]).await.json()["sound"], json!(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_lost_is_found() {
    let site = shared().await;
    let ada = site.sign_in("ada").await;
    site.drain().await;
    site.forget().await;
    let lost = site.run(&["verify", "--shards", "2"]).await;
    let reference = ada.at.reference.to_string();
    assert!(lost.code == 1 && lost.out.contains(&reference) && lost.out.contains("ahead"), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_told_without_showing_it() {
    let site = shared().await;
    let key = file("wrong");
    fs::write(&key, "2026:hunter2").unwrap();
    for arguments in [
        vec!["writer", "--seal-key", &key],
        vec!["seal-key", "--public", &key],
        vec!["verify", "--seals", "2026:beef"],
        vec!["verify", "--anchor", "beef"],
        vec!["seal-key", "/nowhere/key"],
        vec!["seal-key", "--name", "a b", "key"],
    ] {
        let wrong = site.run(&arguments).await;
        assert!(wrong.code == 2 && wrong.err.starts_with("error: "), "{arguments:?}: {wrong:?}");
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
    }
}
