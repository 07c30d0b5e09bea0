//! Reading `Cookie`: the exact name over raw bytes (C3, C4).

use serde_json::Value;

use crate::harness::{NAME, NOBODY, Setup};

everywhere!(
    forged_names_open_nothing_and_hide_nothing,
    the_cookie_is_found_on_any_line,
    a_stray_byte_elsewhere_signs_nobody_out,
);

async fn forged_names_open_nothing_and_hide_nothing(setup: Setup) {
    let world = setup.start().await;
    let victim = world.run(NOBODY, "write a 1").await.token();
    let planted = world.run(NOBODY, "write a 2").await.token();
    let mut forged: Vec<Vec<u8>> = [
        format!("%5F%5FHost-Http-id={planted}"),
        format!("__Host-Http-i%64={planted}"),
        format!("\u{2000}{NAME}={planted}"),
        format!("\u{a0}{NAME}={planted}"),
        format!("\u{85}{NAME}={planted}"),
        format!("{NAME} ={planted}"),
        format!("\"{NAME}\"={planted}"),
        format!("__HOST-Http-id={planted}"),
        format!("__host-http-id={planted}"),
        format!("={NAME}={planted}"),
        format!("$Version=1, {NAME}={planted}"),
        format!("a=b, {NAME}={planted}"),
        format!("{NAME}x={planted}"),
        format!("x{NAME}={planted}"),
        NAME.to_owned(),
    ]
    .map(String::into_bytes)
    .into();
    forged.push([b"\xa0", NAME.as_bytes(), b"=", planted.as_bytes()].concat());
    let genuine = format!("{NAME}={victim}").into_bytes();
    for forged in forged {
        let text = String::from_utf8_lossy(&forged);
        assert_eq!(world.run_with_cookies(&[&forged], "read a").await.one(), Value::Null, "{text}");
        for both in [[&*forged, &*genuine], [&*genuine, &*forged]] {
            let one_line = both.join(&b"; "[..]);
            assert_eq!(world.run_with_cookies(&[one_line], "read a").await.one(), 1, "{text}");
            assert_eq!(world.run_with_cookies(&both, "read a").await.one(), 1, "{text} on two lines");
        }
    }
}

async fn the_cookie_is_found_on_any_line(setup: Setup) {
    let world = setup.start().await;
    let ours = format!("{NAME}={}", world.run(NOBODY, "write a 1").await.token());
    for lines in [
        vec![ours.clone()],
        vec![format!("a=1; {ours}; b=2")],
        vec![format!("a=1;{ours};b=2")],
        vec![format!(" \t{ours}")],
        // As HTTP/2 splits one header (RFC 9113 §8.2.3).
        vec!["a=1".to_owned(), ours.clone(), "b=2".to_owned()],
        vec![ours.clone(), String::new(), "a=1; b=2".to_owned()],
    ] {
        assert_eq!(world.run_with_cookies(&lines, "read a").await.one(), 1, "{lines:?}");
    }
}

async fn a_stray_byte_elsewhere_signs_nobody_out(setup: Setup) {
    let world = setup.start().await;
    let ours = format!("{NAME}={}", world.run(NOBODY, "write a 1").await.token()).into_bytes();
    let stray = b"junk=\xff\xfe";
    for lines in [
        vec![[&stray[..], b"; ", &ours].concat()],
        vec![[&ours, &b"; "[..], stray].concat()],
        vec![stray.to_vec(), ours.clone()],
    ] {
        assert_eq!(world.run_with_cookies(&lines, "read a").await.one(), 1);
    }
}
