//! Looking for tokens where none may be.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use servers::{Postgres, Redis};

use crate::rows;

/// A place and its bytes.
pub type Dump = (String, Vec<u8>);

/// Every key and value, and the append-only file, which holds every command that ever wrote.
pub fn of_redis(redis: &Redis) -> Vec<Dump> {
    let mut dumps = Vec::new();
    let keys = redis.command(&["KEYS", "*"]).unwrap();
    assert!(keys.contains(":s:") || keys.contains(":x:"), "no session at all: {keys}");
    for key in keys.lines() {
        let kind = redis.command(&["TYPE", key]).unwrap();
        let value = match kind.as_str() {
            "hash" => redis.command(&["HGETALL", key]),
            "stream" => redis.command(&["XRANGE", key, "-", "+"]),
            "string" => redis.command(&["GET", key]),
            "zset" => redis.command(&["ZRANGE", key, "0", "-1"]),
            "set" => redis.command(&["SMEMBERS", key]),
            "list" => redis.command(&["LRANGE", key, "0", "-1"]),
            other => panic!("{key} is a {other}"),
        };
        dumps.push((format!("Redis' {key}"), format!("{key}\n{}", value.unwrap()).into_bytes()));
    }
    let files = redis.dir().join("appendonlydir").read_dir().unwrap();
    for path in files.map(|entry| entry.unwrap().path()) {
        dumps.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    let written: usize =
        dumps.iter().filter(|(place, _)| place.ends_with(".aof")).map(|(_, d)| d.len()).sum();
    assert!(written > 1000, "this is no record of what was written: {written} bytes");
    dumps
}

/// Every row of the trail as text, the raw payloads included.
pub fn of_postgres(postgres: &Postgres) -> Vec<u8> {
    let all = "SELECT event::text, convert_from(delta_raw, 'UTF8') FROM cloakroom.session_event AS event";
    rows(postgres, all).join("\n").into_bytes()
}

/// In none of its spellings.
pub fn assert_absent(token: &str, dumps: &[Dump]) {
    let raw = URL_SAFE_NO_PAD.decode(token).unwrap();
    assert_eq!(raw.len(), 32);
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut spellings = vec![token.as_bytes().to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE] {
        spellings.push(engine.encode(&raw).into_bytes());
        // A token inside of something longer that was encoded as a whole, or hex of the text.
        spellings.push(engine.encode(token).into_bytes());
    }
    spellings.push(raw);
    for (place, bytes) in dumps {
        for spelling in &spellings {
            let found = bytes.windows(spelling.len()).any(|window| window == spelling);
            assert!(!found, "{place} holds a token as {:?}", String::from_utf8_lossy(spelling));
        }
    }
}
