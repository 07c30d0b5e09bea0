//! A call of a script that most requests make.

use redis::{Cmd, RedisResult, Script, ServerErrorKind, ToRedisArgs, Value};

use super::connection::Link;

/// What [`redis::ScriptInvocation`] is, written into one piece of memory as it comes: there, each key and argument is
/// one of its own first, thirty in a commit.
pub(super) struct Call<'a> {
    script: &'a Script,
    command: Cmd,
}

impl<'a> Call<'a> {
    /// A call with these keys, and room for so many arguments and bytes.
    pub(super) fn new<'k>(
        script: &'a Script,
        keys: impl Iterator<Item = &'k str> + Clone,
        args: usize,
        bytes: usize,
    ) -> Self {
        const EVALSHA: usize = 7 + 40 + 4;
        let (count, of_keys) =
            keys.clone().fold((0, 0), |(count, bytes), key| (count + 1, bytes + key.len()));
        let mut command = Cmd::with_capacity(3 + count + args, EVALSHA + of_keys + bytes);
        command.arg("EVALSHA").arg(script.get_hash()).arg(count);
        for key in keys {
            command.arg(key);
        }
        Self { script, command }
    }

    pub(super) fn arg<T: ToRedisArgs>(&mut self, arg: T) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// Runs it, and brings the script where it is not known.
    pub(super) async fn put(&self, link: &mut Link) -> RedisResult<Value> {
        match link.reply(&self.command).await {
            Err(error) if error.kind() == redis::ErrorKind::Server(ServerErrorKind::NoScript) => {
                Box::pin(self.script.load_async(link)).await?;
                Box::pin(link.reply(&self.command)).await
            }
            answer => answer,
        }
    }
}
