//! Whether a session of ours is one of the server's. A pooler between them may hand the server's sessions on after each
//! transaction, and then nothing works that a session keeps: prepared statements, LISTEN, locks.

use super::DbError;
use super::primary::Servers;
use crate::config::deadlines;

/// Asks on two connections that are open at the same time which process of the server serves them. Two sessions have two
/// processes; a pooler by transactions gives the second the process that the first has just left.
///
/// # Errors
/// [`DbError`] when the database does not answer.
pub async fn sessions_are_ours(url: &str, application: &str) -> Result<bool, DbError> {
    let (first, first_process) = served_by(url, application).await?;
    let (second, second_process) = served_by(url, application).await?;
    drop((first, second));
    Ok(first_process != second_process)
}

/// A connection and the process behind it, by a simple query: a prepared one would already be too much for such a pooler.
async fn served_by(url: &str, application: &str) -> Result<(tokio_postgres::Client, Option<String>), DbError> {
    let limit = deadlines::STATEMENT_CLIENT;
    let ask = async {
        let (client, connection) = Servers::new(url, application, deadlines::STATEMENT)?.connect().await?;
        tokio::spawn(connection);
        let messages = client.simple_query("select pg_backend_pid()").await.map_err(DbError::sent)?;
        let process = messages.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok((client, process))
    };
    tokio::time::timeout(limit, ask).await.map_err(|_| DbError::TimedOut(limit))?
}
