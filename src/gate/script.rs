//! A script that runs inside Redis, sent by its hash. A server that does not know it (restarted, a replica that took over)
//! is sent the text instead, with the same keys, and knows it from then on.
//!
//! The driver's own way is `SCRIPT LOAD`, which has no keys: in a cluster it goes to every server, and fails as long as one of
//! them is down, which is just when a new master needs it.

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind};

/// A script and its hash. All of its keys must be in one slot of a cluster.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Runs it with these keys and what `arguments` adds.
    ///
    /// # Errors
    /// What Redis or the way to it says.
    pub async fn run<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &[&str],
        arguments: impl Fn(&mut Cmd) + Sync,
    ) -> RedisResult<T> {
        let call = |name: &str, script: &str| {
            let mut call = redis::cmd(name);
            call.arg(script).arg(keys.len()).arg(keys);
            arguments(&mut call);
            call
        };
        match call("EVALSHA", &self.hash).query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                call("EVAL", self.text).query_async(connection).await
            }
            answer => answer,
        }
    }
}
