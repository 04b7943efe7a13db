//! What `flashsale doctor` says of Redis: what kind it is, and which servers are written to.

use std::time::Duration;

use redis::{InfoDict, Role};

use super::redis::{RedisError, RedisGate};
use crate::config::{RedisServers, deadlines};

/// What Redis is, in a sentence, and what is wrong with that.
pub struct Whereabouts {
    pub text: String,
    pub problem: Option<&'static str>,
}

/// For people, who wait longer than purchases.
const PATIENCE: Duration = deadlines::REDIS_CONNECT;

impl RedisGate {
    /// Connects, and asks who is written to.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn whereabouts(&self) -> Result<Whereabouts, RedisError> {
        let asked = async {
            self.connection.ready().await?;
            match &self.kind {
                RedisServers::Cluster => self.masters_of_cluster().await,
                RedisServers::One | RedisServers::Sentinels { .. } => self.master().await,
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(RedisError::TimedOut(PATIENCE)),
        }
    }

    async fn master(&self) -> redis::RedisResult<Whereabouts> {
        let mut connection = self.connection.clone();
        let role: Role = redis::cmd("ROLE").query_async(&mut connection).await?;
        let info: InfoDict = redis::cmd("INFO").arg("cluster").query_async(&mut connection).await?;
        let address = self.servers.address().unwrap_or_default();
        let of = match &self.kind {
            RedisServers::Sentinels { service, .. } => format!("{} {service}, ", self.kind.name()),
            kind => format!("{}, ", kind.name()),
        };
        let (role, problem) = match role {
            Role::Primary { replicas, .. } => (format!("master with {} replicas", replicas.len()), None),
            _ => ("replica".to_owned(), Some("nothing can be written to a replica: name the master")),
        };
        let is_cluster = info.get::<u8>("cluster_enabled") == Some(1);
        let in_cluster = is_cluster.then_some("it is part of a cluster: write redis+cluster:// in REDIS_URL");
        Ok(Whereabouts { text: format!("{of}{address} is {role}"), problem: problem.or(in_cluster) })
    }

    async fn masters_of_cluster(&self) -> redis::RedisResult<Whereabouts> {
        let mut connection = self.connection.clone();
        let nodes: String = redis::cmd("CLUSTER").arg("NODES").query_async(&mut connection).await?;
        let text = format!("{}, masters {}", self.kind.name(), masters(&nodes).join(", "));
        let state: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await?;
        let is_whole = state.lines().any(|line| line.trim() == "cluster_state:ok");
        Ok(Whereabouts { text, problem: (!is_whole).then_some("its state is not ok: see CLUSTER INFO on its servers") })
    }
}

/// The masters that serve slots, from `CLUSTER NODES`: a line a server, `id host:port@bus flags master … slots`.
fn masters(nodes: &str) -> Vec<String> {
    let master = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (address, flags, slots) = (words.get(1)?, words.get(2)?, words.get(8..).unwrap_or_default());
        let is_up = !flags.contains("fail") && flags.split(',').any(|flag| flag == "master");
        let address = address.split(['@', ',']).next()?;
        (is_up && !slots.is_empty()).then(|| format!("{address} ({})", slots.join(" ")))
    };
    let mut masters: Vec<String> = nodes.lines().filter_map(master).collect();
    masters.sort();
    masters
}

#[cfg(test)]
mod tests {
    use super::masters;

    #[test]
    fn masters_are_those_with_slots_that_are_up() {
        let nodes = "a 10.0.0.2:7002@17002,b.example myself,master - 0 0 2 connected 5461-10922\n\
                     b 10.0.0.1:7001@17001 master - 0 1 1 connected 0-5459 5460\n\
                     c 10.0.0.3:7003@17003 slave b 0 1 1 connected\n\
                     d 10.0.0.4:7004@17004 master,fail - 1 1 3 disconnected 10923-16383\n\
                     e 10.0.0.5:7005@17005 master - 0 1 4 connected\n";
        assert_eq!(masters(nodes), ["10.0.0.1:7001 (0-5459 5460)", "10.0.0.2:7002 (5461-10922)"]);
    }
}
