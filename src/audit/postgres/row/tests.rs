use proptest::prelude::*;

use super::*;
use crate::{
    audit::RequestContext,
    id::{EventId, Shard},
};

fn keys() -> ShardKeys {
    let [stream, lease, dead, tries, shed] =
        ["audit", "lease", "dead", "tries", "shed"].map(|name| format!("app:{{t7}}:{name}"));
    ShardKeys { namespace: "app".into(), shard: Shard::from_index(7), stream, lease, dead, tries, shed }
}

fn row(payload: &str) -> Row {
    row_of("1700000000123-4", "3", EventId::NONE.as_bytes(), payload.as_bytes())
}

fn row_of(id: &str, version: &str, predecessor: &[u8], payload: &[u8]) -> Row {
    Row::new(&keys(), &Waiting::for_test(id, version, predecessor, payload))
}

const ID: &str = "0193a0b1-0000-7000-8000-000000000001";
const REF: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn payload(rest: &str) -> String {
    format!(r#"{{"schema":1,"id":"{ID}","kind":"changed","ref":"{REF}",{rest}"context":{{}}}}"#)
}

#[test]
fn an_entry_as_we_write_it_fills_its_columns() {
    let context = RequestContext {
        method: Some("POST".into()),
        route: Some("/cart".into()),
        ip: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("curl".into()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
    };
    let (id, reference) = (EventId::new(), SessionRef::parse(REF).unwrap());
    let written = Payload {
        user: Some("alice"),
        auth_method: Some("passkey"),
        device: Some("Ada's phone"),
        related: Some(reference),
        lifetime: Some(86_400_000),
        idle_class: Some(2),
        cleared: true,
        ..Payload::blank(id, reference, &context)
    };
    let predecessor = EventId::new();
    let row = row_of("1700000000123-4", "3", predecessor.as_bytes(), written.to_json().as_bytes());
    assert_eq!((row.event_id, row.occurred_at, row.version), (id.as_uuid(), 1_700_000_000_123, Some(3)));
    assert_eq!((row.reference, row.related), (Some(reference), Some(reference)));
    assert_eq!(row.predecessor, Some(predecessor.as_uuid()));
    assert_eq!((row.kind.as_str(), row.user.as_deref()), ("changed", Some("alice")));
    assert_eq!((&*row.namespace, row.device.as_deref()), ("app", Some("Ada's phone")));
    assert_eq!((row.lifetime, row.idle_class), (Some(86_400_000), Some(2)));
    assert_eq!(row.client_ip.as_deref(), Some("2001:db8::1"));
    assert_eq!(row.delta.as_deref(), Some(r#"{"cleared":true}"#));
    assert_eq!((row.schema, row.flags, row.delta_raw), (1, 0, None));
    assert_eq!((row.shard, row.stream_id.as_str()), (7, "1700000000123-4"));
}

#[test]
fn a_session_without_changes_has_no_delta_and_its_first_event_no_predecessor() {
    let row = row(&payload(""));
    assert_eq!((row.delta, row.predecessor, row.flags), (None, None, 0));
}

#[test]
fn values_are_kept_as_they_were_written() {
    let row = row(&payload(r#""set":{"cart":["tea"],"n":1.50},"removed":["note"],"secret":["otp"],"#));
    let expected = r#"{"set":{"cart":["tea"],"n":1.50},"removed":["note"],"secret":["otp"]}"#;
    assert_eq!(row.delta.as_deref(), Some(expected));
}

#[test]
fn what_jsonb_refuses_is_kept_as_bytes() {
    let deep = format!(r#"{}1{}"#, "[".repeat(200), "]".repeat(200));
    for value in [r#""\u0000""#, r#""\ud800""#, "1e999999", &deep] {
        let payload = payload(&format!(r#""set":{{"k":{value}}},"#));
        let row = row(&payload);
        assert_eq!((row.flags, row.delta.as_deref()), (RAW, None), "{value}");
        assert_eq!(row.delta_raw.as_deref(), Some(payload.as_bytes()));
        assert_eq!(row.event_id.to_string(), ID, "the rest of the row is as ever");
    }
}

#[test]
fn a_text_with_nul_or_without_end_is_cleaned_and_kept_whole_beside() {
    let payload =
        payload(&format!(r#""user":"a\u0000b","auth_method":"{}","set":{{"k":1}},"#, "x".repeat(9000)));
    let row = row(&payload);
    assert_eq!(row.user.as_deref(), Some("a\u{FFFD}b"));
    assert_eq!(row.auth_method.map(|text| text.len()), Some(512));
    assert_eq!((row.flags, row.delta.as_deref()), (ALTERED, Some(r#"{"set":{"k":1}}"#)));
    assert_eq!(row.delta_raw.as_deref(), Some(payload.as_bytes()));
}

#[test]
fn a_later_layout_is_kept_as_bytes_under_its_own_id() {
    let payload = payload(r#""set":{"k":1},"#).replace(r#""schema":1"#, r#""schema":40000"#);
    let row = row(&payload);
    assert_eq!((row.schema, row.flags, row.delta), (i16::MAX, RAW, None));
    assert_eq!((row.event_id.to_string().as_str(), row.kind.as_str()), (ID, "changed"));
}

#[test]
fn an_unreadable_part_does_not_hide_the_names() {
    // A lone surrogate in a text that must be read, and an address that is none.
    for part in [r#""user":"\ud800","#, r#""lifetime":-1,"#, r#""idle_class":"x","#] {
        let row = row(&payload(part));
        assert_eq!((row.event_id.to_string().as_str(), row.flags), (ID, RAW), "{part}");
        assert_eq!((row.reference.is_some(), row.kind.as_str(), row.schema), (true, "changed", 1));
    }
}

#[test]
fn an_entry_without_an_id_gets_one_that_is_the_same_on_every_redelivery() {
    let mut seen = std::collections::HashSet::new();
    for payload in ["", "\0", "{", "[]", "{}", r#"{"id":7}"#, r#"{"id":"nobody"}"#] {
        let (first, again) = (row(payload), row(payload));
        assert_eq!(first.key(), again.key(), "{payload:?}");
        assert_ne!(first.flags & RAW, 0);
        assert_eq!(first.delta_raw.as_deref(), Some(payload.as_bytes()));
        seen.insert(first.event_id);
    }
    assert_eq!(seen.len(), 1, "it comes from the place, not from the payload");
    assert_ne!(row_of("1700000000123-5", "3", &[0; 16], b"").event_id, row("").event_id);
    let elsewhere = ShardKeys { stream: "other:{t7}:audit".into(), ..keys() };
    let entry = Waiting::for_test("1700000000123-4", "3", &[0; 16], b"");
    assert_ne!(Row::new(&elsewhere, &entry).event_id, row("").event_id);
}

#[test]
fn a_time_past_the_calendar_is_its_last_moment() {
    let row = row_of("18446744073709551615-0", "3", &[0; 16], b"");
    assert_eq!(row.occurred_at, LAST_MOMENT);
}

proptest! {
    /// Whatever stands in the stream becomes a row that breaks no rule of the table.
    #[test]
    fn every_entry_becomes_a_row(
        version in prop::collection::vec(any::<u8>(), 0..24),
        predecessor in prop::collection::vec(any::<u8>(), 0..20),
        payload in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            any::<(String, String, String)>().prop_map(|(user, key, value)| {
                serde_json::json!({
                    "schema": 1, "id": ID, "kind": user, "ref": REF, "user": user, "set": { key: value },
                    "context": { "route": value, "user_agent": user },
                }).to_string().into_bytes()
            }),
        ],
        millis in any::<u64>(),
    ) {
        let mut entry = Waiting::for_test(&format!("{millis}-0"), "", &predecessor, &payload);
        entry.version = version;
        let row = Row::new(&keys(), &entry);
        let texts = [Some(&row.kind), row.user.as_ref(), row.route.as_ref(), row.user_agent.as_ref(), row.delta.as_ref()];
        prop_assert!(texts.into_iter().flatten().all(|text| !text.contains('\0')));
        prop_assert!(row.delta.as_deref().is_none_or(jsonb::accepts));
        prop_assert_eq!(row.flags == 0, row.delta_raw.is_none());
        prop_assert!(row.delta_raw.is_none_or(|raw| raw == payload));
        prop_assert!((0..=LAST_MOMENT).contains(&row.occurred_at));
    }
}
