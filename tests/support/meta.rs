//! What a session's hash in Redis says of it, for tests that look behind the store or meddle with it.
#![allow(dead_code, unreachable_pub, reason = "each test crate takes some of it")]

/// Places in the field `m`.
pub const EPOCH: usize = 0;
pub const DEADLINE: usize = 1;
pub const CREATED: usize = 2;
pub const CLASS: usize = 3;
pub const AUTHENTICATED: usize = 4;
/// How long it is.
pub const USER: usize = 8;
pub const METHOD: usize = 9;

const SET_DEADLINE: &str = "local m = redis.call('HGET', KEYS[1], 'm')
    return redis.call('HSET', KEYS[1], 'm', (string.gsub(m, '^(%d+) %d+', '%1 ' .. ARGV[1])))";

/// The command that sets the deadline of the session under this key, in ms.
pub fn set_deadline<'a>(key: &'a str, deadline: &'a str) -> [&'a str; 5] {
    ["EVAL", SET_DEADLINE, "1", key, deadline]
}

/// The word at `place`.
pub fn word(meta: &str, place: usize) -> &str {
    meta.split(' ').nth(place).unwrap()
}

pub fn number(meta: &str, place: usize) -> u64 {
    word(meta, place).parse().unwrap()
}

/// The same with another word there.
pub fn with(meta: &str, place: usize, new: &str) -> String {
    let mut words: Vec<_> = meta.split(' ').collect();
    words[place] = new;
    words.join(" ")
}

fn texts(meta: &str) -> (&str, &str, &str) {
    let texts = meta.splitn(11, ' ').nth(10).unwrap();
    let (user, texts) = texts.split_at(word(meta, USER).parse().unwrap());
    let (method, device) = texts.split_at(word(meta, METHOD).parse().unwrap());
    (user, method, device)
}

pub fn user(meta: &str) -> &str {
    texts(meta).0
}

pub fn method(meta: &str) -> &str {
    texts(meta).1
}

pub fn with_user(meta: &str, new: &str) -> String {
    let (_, method, device) = texts(meta);
    let words = meta.splitn(9, ' ').take(8).collect::<Vec<_>>().join(" ");
    format!("{words} {} {} {new}{method}{device}", new.len(), method.len())
}
