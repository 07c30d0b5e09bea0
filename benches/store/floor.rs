//! What the driver and Redis take for the same commands with nothing of ours around them: no store can do with less that
//! checks as much.

use redis::{Cmd, Pipeline, Script, Value, aio::ConnectionLike};

use crate::support::{Bare, IDLE};

/// The least that a commit does: the state is the one that was loaded, the epoch has not been raised, the deadline is
/// not over; then the change, and the idle time anew. Nothing is merged, told or left as it was.
const COMMIT: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    if redis.call('HGET', KEYS[1], 'h') == ARGV[1] and redis.call('GET', KEYS[2]) == ARGV[2]
      and now < tonumber(ARGV[3]) then
      redis.call('HSET', KEYS[1], 'h', ARGV[4], 'p', ARGV[5])
      redis.call('PEXPIRE', KEYS[1], ARGV[6])
      return now
    end";

/// Hashes as sessions' are: what one is, by which state it is known, and its values.
#[derive(Clone)]
pub(crate) struct Floor {
    link: Bare,
    epoch: String,
    /// Where each is. As a load is asked of one session, and commits go from one to the next, so are these.
    keys: Vec<String>,
    turn: usize,
    /// Of two states, each becomes the other.
    states: [Vec<u8>; 2],
    /// What a commit writes besides.
    packed: Vec<u8>,
    /// The name of the script.
    commit: String,
}

impl Floor {
    /// So many, with these values each; of task `nth`.
    pub(crate) async fn of(mut link: Bare, nth: usize, count: usize, keys: usize, value: &str) -> Self {
        let tag = format!("{{floor-{nth}}}");
        let epoch = format!("{tag}:epoch");
        let states = [1, 2].map(|state| format!("h{state} {}", "x".repeat(16 + 64)).into_bytes());
        // As the store lays them out: those that are small together.
        let together = value.len() <= 128;
        let packed = format!("p{}", if together { value.repeat(keys) } else { "x".repeat(20) }).into_bytes();
        let keys_of: Vec<String> = (0..count).map(|number| format!("{tag}:s:{number:0>43}")).collect();
        for key in &keys_of {
            let mut hash = redis::cmd("HSET");
            hash.arg(key).arg("h").arg(&states[0]).arg("m").arg("x".repeat(64)).arg("p").arg(&packed);
            for nth in 0..if together { 0 } else { keys } {
                hash.arg(format!(".key-{nth}")).arg(value);
            }
            link.ask(&hash).await;
        }
        link.ask(redis::cmd("SET").arg(&epoch).arg(0)).await;
        // On every node of a cluster.
        link.ask(redis::cmd("SCRIPT").arg("LOAD").arg(COMMIT)).await;
        let commit = Script::new(COMMIT).get_hash().to_owned();
        Self { link, epoch, keys: keys_of, turn: 0, states, packed, commit }
    }

    /// The commands of a load.
    pub(crate) async fn load(&mut self) {
        let key = &self.keys[0];
        let mut pipe = Pipeline::with_capacity(4);
        pipe.cmd("HVALS").arg(key);
        pipe.cmd("PEXPIRE").arg(key).arg(IDLE.as_millis() as u64);
        pipe.cmd("PEXPIRETIME").arg(key);
        pipe.cmd("GET").arg(&self.epoch);
        let replies = match &mut self.link {
            Bare::One(link) => link.req_packed_commands(&pipe, 0, 4).await,
            Bare::Cluster(link) => link.req_packed_commands(&pipe, 0, 4).await,
        };
        assert!(matches!(replies.unwrap()[..], [Value::Array(_), Value::Int(1), Value::Int(_), _]));
    }

    pub(crate) async fn commit(&mut self) {
        let key = &self.keys[self.turn % self.keys.len()];
        let round = self.turn / self.keys.len();
        let [from, to] = [round, round + 1].map(|round| &self.states[round % 2]);
        self.turn += 1;
        let mut call = Cmd::with_capacity(11, 512 + self.packed.len());
        call.arg("EVALSHA").arg(&self.commit).arg(2).arg(key).arg(&self.epoch);
        call.arg(from).arg(0).arg(u64::MAX).arg(to).arg(&self.packed).arg(IDLE.as_millis() as u64);
        assert!(matches!(self.link.ask(&call).await, Value::Int(_)));
    }
}
