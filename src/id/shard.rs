//! Where sessions live.

use sha2::{Digest as _, Sha256};

use super::token::RandomSource;
use crate::error::{Error, ErrorKind};

/// One of a namespace's shards: all keys of a shard share one hash slot on Redis Cluster, so that one
/// script can change a session, its user's index and the audit queue together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u16);

impl Shard {
    pub(crate) const fn from_index(index: u16) -> Self {
        Self(index)
    }

    /// 0 up to the shard count, at most 4095.
    pub const fn index(self) -> u16 {
        self.0
    }
}

/// How many shards a namespace has: a power of two from 1 to 4096, fixed for ever when the namespace
/// is first used. 64 by default, which is enough for some millions of sessions and dozens of masters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardCount(u16);

impl ShardCount {
    /// Takes a power of two from 1 to 4096.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for any other number.
    pub fn new(count: u16) -> Result<Self, Error> {
        if count.is_power_of_two() && count <= 4096 {
            Ok(Self(count))
        } else {
            Err(Error::msg(
                ErrorKind::Config,
                format!("{count} shards: the number must be a power of two from 1 to 4096"),
            ))
        }
    }

    /// The number itself.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether the namespace has this shard. A token that names another one was never ours.
    pub const fn contains(self, shard: Shard) -> bool {
        shard.0 < self.0
    }

    /// Every shard, in order.
    pub fn iter(self) -> impl Iterator<Item = Shard> {
        (0..self.0).map(Shard)
    }

    /// The shard of a signed-in user: all sessions of one user share it.
    pub fn of_user(self, user: &str) -> Shard {
        let [first, second, ..] = Sha256::digest(user.as_bytes())[..] else {
            return Shard(0);
        };
        Shard(u16::from_be_bytes([first, second]) & (self.0 - 1))
    }

    /// A shard for a session that belongs to nobody yet.
    pub(crate) fn random(self, random: RandomSource) -> Result<Shard, Error> {
        let mut bytes = [0; 2];
        random(&mut bytes).map_err(|error| Error::new(ErrorKind::Random, error))?;
        Ok(Shard(u16::from_be_bytes(bytes) & (self.0 - 1)))
    }
}

impl Default for ShardCount {
    fn default() -> Self {
        Self(64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_powers_of_two_up_to_4096() {
        for count in [1, 2, 64, 4096] {
            assert_eq!(ShardCount::new(count).unwrap().get(), count);
        }
        for count in [0, 3, 63, 8192, u16::MAX] {
            assert_eq!(ShardCount::new(count).unwrap_err().kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn users_spread_over_all_shards_and_stay_where_they_are() {
        let shards = ShardCount::default();
        let used: std::collections::BTreeSet<_> =
            (0..2000).map(|n| shards.of_user(&format!("user-{n}"))).collect();
        assert_eq!(used.len(), 64);
        assert_eq!(shards.of_user("alice"), shards.of_user("alice"));
    }
}
