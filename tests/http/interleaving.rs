//! Many sessions over one connection, with clients that go away at random moments: nobody ever sees
//! another's data (D5; CVE-2023-28858).

use std::sync::Arc;

use serde_json::json;

use crate::{
    cancellation::{Dropped, run_and_drop},
    harness::{NOBODY, Setup},
};

everywhere!(nobody_sees_anothers_data);

const SESSIONS: usize = 500;
const CLIENTS: usize = 32;
const REQUESTS: usize = 150;

async fn nobody_sees_anothers_data(setup: Setup) {
    let world = setup.start().await;
    let mut tokens = Vec::new();
    for owner in 0..SESSIONS {
        tokens.push(
            world.run(NOBODY, &format!("login user-{owner}; write owner {owner}; count n")).await.token(),
        );
    }
    let tokens = Arc::new(tokens);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (instance, tokens) = ((*world).clone(), Arc::clone(&tokens));
            tokio::spawn(async move {
                let mut random = Random(client as u64 + 1);
                let mut answered = 0;
                for _ in 0..REQUESTS {
                    let owner = random.below(SESSIONS);
                    let steps = match random.below(3) {
                        0 => "user; read owner; yield; count n".to_owned(),
                        1 => format!("user; read owner; write echo {owner}; save"),
                        _ => "user; read owner".to_owned(),
                    };
                    // Half of them are dropped, somewhere between the first poll and the last.
                    let polls = if random.below(2) == 0 { random.below(12) } else { usize::MAX };
                    let dropped = [Dropped::AtOnce, Dropped::WhenWoken][random.below(2)];
                    let answer = run_and_drop(&instance, &tokens[owner], &steps, polls, dropped).await;
                    let Some(answer) = answer else { continue };
                    answered += 1;
                    let told = answer.told();
                    assert_eq!(told[..2], [json!(format!("user-{owner}")), json!(owner)], "client {client}");
                    assert_eq!(answer.set_cookies(), [""; 0]);
                }
                answered
            })
        })
        .collect();
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    assert!(answered >= CLIENTS * REQUESTS / 4, "{answered}");
    for (owner, token) in tokens.iter().enumerate() {
        let told = world.run(token, "user; read owner; read echo").await.told();
        assert_eq!(told[..2], [json!(format!("user-{owner}")), json!(owner)]);
        assert!(told[2].is_null() || told[2] == owner, "{told:?}");
    }
    assert_eq!(world.sessions(), SESSIONS);
}

/// Xorshift: the same requests in every run, as far as the scheduler lets them.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
