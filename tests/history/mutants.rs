//! Ways to break the scripts, and the promise that each breaks.
//!
//! `find` is a short piece of Lua that stands in the script exactly once; who changes the script changes it
//! here. A piece that is not found fails the test.

use crate::checker::Invariant::{self, *};

pub struct Mutant {
    pub name: &'static str,
    /// The script, word for word as the application loads it.
    pub source: &'static str,
    pub find: &'static str,
    pub replace: &'static str,
    pub breaks: Invariant,
}

const CREATE: &str = concat!(
    include_str!("../../src/store/redis/scripts/tell.lua"),
    include_str!("../../src/store/redis/scripts/due.lua"),
    include_str!("../../src/store/redis/scripts/meta.lua"),
    include_str!("../../src/store/redis/scripts/recent.lua"),
    include_str!("../../src/store/redis/scripts/index.lua"),
    include_str!("../../src/store/redis/scripts/create.lua")
);
const COMMIT: &str = concat!(
    include_str!("../../src/store/redis/scripts/tell.lua"),
    include_str!("../../src/store/redis/scripts/commit.lua"),
    include_str!("../../src/store/redis/scripts/recent.lua"),
    include_str!("../../src/store/redis/scripts/due.lua"),
    include_str!("../../src/store/redis/scripts/meta.lua"),
    include_str!("../../src/store/redis/scripts/merge.lua")
);
const END: &str = concat!(
    "#!lua flags=allow-oom\n",
    include_str!("../../src/store/redis/scripts/tell.lua"),
    include_str!("../../src/store/redis/scripts/due.lua"),
    include_str!("../../src/store/redis/scripts/meta.lua"),
    include_str!("../../src/store/redis/scripts/end.lua")
);

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "watched keys are not checked",
        source: COMMIT,
        find: "if #names > 0 then",
        replace: "if false then",
        breaks: I3NoLostWrite,
    },
    Mutant {
        name: "a repeat is not recognised",
        source: COMMIT,
        find: "local place = place_of(events, tail)",
        replace: "local place = nil",
        breaks: I4Trail,
    },
    Mutant {
        name: "a commit brings an ended session back",
        source: COMMIT,
        find: "return {'gone', x[3] or 'unknown', x[4] or '', x[5] or ''}",
        replace: "heads = ARGV[1] redis.call('HSET', session, 'h', heads, 'm', 'm 0 9999999999999 0 0 - - - - 0 0 ', \
                  'p', 'p')",
        breaks: I1EndIsFinal,
    },
    Mutant {
        name: "a commit counts by two",
        source: COMMIT,
        find: "local version = last + 1",
        replace: "local version = last + 2",
        breaks: I2Versions,
    },
    Mutant {
        name: "a commit at once counts by two",
        source: COMMIT,
        find: "redis.call('HSET', session, 'h', ARGV[2], 'p', ARGV[5])",
        replace: "redis.call('HSET', session, 'h', \
                  (string.gsub(ARGV[2], '%d+', function(v) return string.format('%.0f', v + 1) end, 1)), 'p', ARGV[5])",
        breaks: I2Versions,
    },
    Mutant {
        name: "any session is taken for the one that was loaded",
        source: COMMIT,
        find: "if heads == ARGV[1] and",
        replace: "if heads and",
        breaks: I3NoLostWrite,
    },
    Mutant {
        name: "a commit leaves no entry",
        source: COMMIT,
        find: "tell(KEYS[4], KEYS[5], counted, head, entry, notice, unpack(told or {}))",
        replace: "",
        breaks: I4Trail,
    },
    Mutant {
        name: "a commit at once leaves no entry",
        source: COMMIT,
        find: "tell(KEYS[4], KEYS[5], version, string.sub(heads, space + 1, space + 16), entry, notice,\n      \
               unpack(ARGV, results, first - 1))",
        replace: "",
        breaks: I4Trail,
    },
    Mutant {
        name: "a session begins without an entry",
        source: CREATE,
        find: "tell(KEYS[4], KEYS[5], '1', ARGV[9], apart(ARGV[8]))",
        replace: "",
        breaks: I4Trail,
    },
    Mutant {
        name: "an end leaves no entry",
        source: END,
        find: "tell(KEYS[3], KEYS[4], string.format('%.0f', version + 1), head, apart(ARGV[3]))",
        replace: "",
        breaks: I4Trail,
    },
    Mutant {
        name: "an end does not delete",
        source: END,
        find: "redis.call('DEL', session)",
        replace: "",
        breaks: I1EndIsFinal,
    },
    Mutant {
        name: "a sign-in does not end the session before",
        source: END,
        find: "redis.call('RENAME', session, remains)",
        replace: "redis.call('COPY', session, remains)",
        breaks: I1EndIsFinal,
    },
    Mutant {
        name: "a renewal keeps the old key",
        source: COMMIT,
        find: "redis.call('RENAME', session, KEYS[7])",
        replace: "redis.call('COPY', session, KEYS[7])",
        breaks: I5OneToken,
    },
    Mutant {
        name: "a commit does not restart the idle time",
        source: COMMIT,
        find: "if ARGV[4] ~= '' then redis.call('PEXPIRE', session, ARGV[4]) end\nif",
        replace: "if",
        breaks: I7Lifetime,
    },
    Mutant {
        name: "a commit at once does not restart the idle time",
        source: COMMIT,
        find: "if ARGV[4] ~= '' then redis.call('PEXPIRE', session, ARGV[4]) end\n  return",
        replace: "return",
        breaks: I7Lifetime,
    },
    Mutant {
        name: "a session begins without an idle time",
        source: CREATE,
        find: "redis.call('PEXPIREAT', session, string.format('%.0f', now + ARGV[2]))",
        replace: "",
        breaks: I7Lifetime,
    },
    Mutant {
        name: "a commit ignores the deadline",
        source: COMMIT,
        find: "if now >= tonumber(deadline) then",
        replace: "if false then",
        breaks: I7Lifetime,
    },
    Mutant {
        name: "a commit at once ignores the deadline",
        source: COMMIT,
        find: "and now < tonumber(ARGV[7]) then",
        replace: "then",
        breaks: I7Lifetime,
    },
    Mutant {
        name: "a user is signed in to the session that is there",
        source: COMMIT,
        find: "set[#set + 1] = 'h' .. counted .. ' ' .. event .. recent",
        replace: "set[#set + 1] = 'h' .. counted .. ' ' .. event .. recent set[#set + 1] = 'm' \
                  set[#set + 1] = (string.gsub(known, ' 0 0 (.*)$', ' 7 0 mallory%1'))",
        breaks: I8Rotation,
    },
];
