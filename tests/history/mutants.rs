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
    include_str!("../../src/store/redis/scripts/index.lua"),
    include_str!("../../src/store/redis/scripts/create.lua")
);
const COMMIT: &str = concat!(
    include_str!("../../src/store/redis/scripts/tell.lua"),
    include_str!("../../src/store/redis/scripts/due.lua"),
    include_str!("../../src/store/redis/scripts/meta.lua"),
    include_str!("../../src/store/redis/scripts/commit.lua")
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
        find: "local place = place_of(recent, tail)",
        replace: "local place = nil",
        breaks: I4Trail,
    },
    Mutant {
        name: "a commit brings an ended session back",
        source: COMMIT,
        find: "return {'gone', x[3] or 'unknown', x[4] or '', x[5] or ''}",
        replace: "redis.call('HSET', session, 'v', ARGV[2], 'h', 'h' .. ARGV[3], 'm', 'm 0 9999999999999 0 0 - - - - 0 0 ') \
                  was = redis.call('HMGET', session, 'v', 'h', 'm')",
        breaks: I1EndIsFinal,
    },
    Mutant {
        name: "a commit counts by two",
        source: COMMIT,
        find: "local version = current + 1",
        replace: "local version = current + 2",
        breaks: I2Versions,
    },
    Mutant {
        name: "a commit leaves no entry",
        source: COMMIT,
        find: "tell(KEYS[4], KEYS[5], counted, head, entry, ARGV[7], unpack(told or {}))",
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
        find: "tell(KEYS[3], KEYS[4], string.format('%.0f', was[1] + 1), head_of(was[2]), apart(ARGV[3]))",
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
        find: "redis.call('RENAME', session, KEYS[6])",
        replace: "redis.call('COPY', session, KEYS[6])",
        breaks: I5OneToken,
    },
    Mutant {
        name: "a commit does not restart the idle time",
        source: COMMIT,
        find: "redis.call('PEXPIRE', session, ARGV[4])",
        replace: "",
        breaks: I7Lifetime,
    },
    Mutant {
        name: "a session begins without an idle time",
        source: CREATE,
        find: "redis.call('PEXPIRE', session, ARGV[2])",
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
        name: "a user is signed in to the session that is there",
        source: COMMIT,
        find: "'v', counted}, {}, nil, nil",
        replace: "'v', counted, 'm', (string.gsub(was[3], ' 0 0 (.*)$', ' 7 0 mallory%1'))}, \
                  {}, nil, nil",
        breaks: I8Rotation,
    },
];
