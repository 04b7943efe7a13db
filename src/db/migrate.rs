//! Installs and upgrades the database: migrations, pgmq, queues, functions, views, roles.
//!
//! Running it again changes nothing; two processes at once take turns; a database newer than this binary is refused.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, Executor, PgPool};

use super::primary::Servers;
use super::{DbError, pooler};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

mod sql_files {
    include!(concat!(env!("OUT_DIR"), "/sql_files.rs"));
}
const QUEUE: &str = include_str!("../../sql/queue.sql");
const CHANGED: &str = include_str!("../../sql/changed.sql");
const ROLES: &str = include_str!("../../sql/roles.sql");

/// Names the advisory lock under which all of this happens.
const LOCK_KEY: i64 = 0x666c_6173_6873_616c;
/// Waiting for a connection.
const CONNECT: Duration = Duration::from_secs(5);
const OLDEST_SERVER: i32 = 150_000;

/// Why the database cannot be installed or used.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("DATABASE_URL cannot be used: {0}")]
    Url(String),
    #[error("DATABASE_URL names a database that cannot be reached: {0}")]
    Unreachable(String),
    #[error(
        "DATABASE_URL goes through a pooler that hands sessions on after each transaction (PgBouncer: pool_mode = \
         transaction), which breaks prepared statements and LISTEN: use pool_mode = session, or connect directly"
    )]
    PooledByTransaction,
    #[error("DATABASE_URL names a PostgreSQL {0}: 15 or newer is needed")]
    TooOld(String),
    #[error(
        "the database was migrated by a newer flashsale (it has migration {found}, this binary knows {known}): \
         use that version or a newer one"
    )]
    Newer { found: i64, known: i64 },
    #[error("the database is at migration {found}, this binary needs {known}: run `flashsale migrate`")]
    Older { found: i64, known: i64 },
    #[error("DATABASE_URL names a user without the rights to {doing}: {message}")]
    NoRights { doing: &'static str, message: String },
    #[error("{doing} failed: {message}")]
    Failed { doing: &'static str, message: String },
}

impl InstallError {
    fn while_doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |error| match error.as_database_error() {
            // insufficient_privilege
            Some(db) if db.code().as_deref() == Some("42501") => {
                Self::NoRights { doing, message: db.message().to_owned() }
            }
            Some(db) => Self::Failed { doing, message: db.message().to_owned() },
            None => Self::Unreachable(error.to_string()),
        }
    }
}

fn unusable(error: DbError) -> InstallError {
    match error {
        DbError::Url(problem) => InstallError::Url(problem),
        DbError::Unreachable(problem) => InstallError::Unreachable(problem),
        other => InstallError::Unreachable(other.to_string()),
    }
}

/// Brings the database up to this binary.
///
/// # Errors
/// [`InstallError`], one sentence.
pub async fn migrate(url: &str) -> Result<(), InstallError> {
    let pool = connect(url).await?;
    let mut connection = pool.acquire().await.map_err(InstallError::while_doing("connect"))?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(LOCK_KEY)
        .execute(&mut *connection)
        .await
        .map_err(InstallError::while_doing("wait for another migration"))?;
    let installed = install(&pool, &mut connection).await;
    // Closing the session releases the lock, also after an error.
    let _ = connection.detach().close().await;
    pool.close().await;
    installed
}

/// Lets a role of sql/roles.sql log in, with a new password. Answers the URL to log in by. For databases of our own: an
/// administrator of others creates members of these roles.
///
/// # Errors
/// [`InstallError`], one sentence.
pub async fn log_in_as(role: &'static str, url: &str) -> Result<String, InstallError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| InstallError::Url("it has no scheme".to_owned()))?;
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    let password: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
    let pool = connect(url).await?;
    let altered = pool
        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!("alter role {role} login password '{password}'"))))
        .await
        .map_err(InstallError::while_doing("let the processes log in"));
    pool.close().await;
    altered?;
    Ok(format!("{scheme}://{role}:{password}@{address}"))
}

async fn install(pool: &PgPool, connection: &mut PgConnection) -> Result<(), InstallError> {
    run_migrations(connection).await?;
    install_pgmq(pool).await?;
    let mut transaction = connection.begin().await.map_err(InstallError::while_doing("begin"))?;
    let mut script = String::from("set local check_function_bodies = off; set local client_min_messages = warning;\n");
    script.push_str(QUEUE);
    script.push_str(CHANGED);
    for (_, function) in sql_files::FUNCTIONS {
        script.push_str(function);
        script.push_str(";\n");
    }
    // A view's columns may change, which `create or replace` refuses.
    for (view, _) in sql_files::VIEWS {
        script.push_str(&format!("drop view if exists ops.{view} cascade;\n"));
    }
    for (_, view) in sql_files::VIEWS {
        script.push_str(view);
        script.push_str(";\n");
    }
    script.push_str(ROLES);
    transaction
        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(script)))
        .await
        .map_err(InstallError::while_doing("create queues, functions, views and roles"))?;
    transaction.commit().await.map_err(InstallError::while_doing("commit"))
}

async fn run_migrations(connection: &mut PgConnection) -> Result<(), InstallError> {
    MIGRATIONS.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => InstallError::Newer { found, known: newest_migration() },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            InstallError::while_doing("run migrations")(error)
        }
        other => InstallError::Failed { doing: "run migrations", message: other.to_string() },
    })
}

/// pgmq comes as SQL inside its crate: no network, no extension, no superuser. An installed extension is left alone.
async fn install_pgmq(pool: &PgPool) -> Result<(), InstallError> {
    let is_extension: bool =
        sqlx::query_scalar("select exists (select from pg_catalog.pg_extension where extname = 'pgmq')")
            .fetch_one(pool)
            .await
            .map_err(InstallError::while_doing("look for pgmq"))?;
    if is_extension {
        return Ok(());
    }
    pgmq::PGMQueueExt::new_with_pool(pool.clone())
        .await
        .install_sql_from_embedded()
        .await
        .map_err(|e| InstallError::Failed { doing: "install pgmq", message: e.to_string() })
}

/// Whether the database is one this binary can serve: reachable, new enough, migrated, not newer.
///
/// # Errors
/// [`InstallError`], one sentence saying what to do.
pub async fn check(url: &str) -> Result<(), InstallError> {
    let pool = connect(url).await?;
    let found = installed_migration(&pool).await;
    pool.close().await;
    compare(found?)
}

/// A newer database serves an older binary: that is how a rolling upgrade goes. Only `migrate` refuses it.
pub(super) fn compare(found: i64) -> Result<(), InstallError> {
    let known = newest_migration();
    if found < known { Err(InstallError::Older { found, known }) } else { Ok(()) }
}

async fn installed_migration(pool: &PgPool) -> Result<i64, InstallError> {
    let doing = "read the installed migrations";
    let exists: bool = sqlx::query_scalar("select to_regprocedure('flashsale.installed_migration()') is not null")
        .fetch_one(pool)
        .await
        .map_err(InstallError::while_doing(doing))?;
    if !exists {
        return Ok(0);
    }
    sqlx::query_scalar("select flashsale.installed_migration()")
        .fetch_one(pool)
        .await
        .map_err(InstallError::while_doing(doing))
}

fn newest_migration() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

async fn connect(url: &str) -> Result<PgPool, InstallError> {
    // sqlx knows one server only.
    let servers = Servers::new(url, "flashsale migrate", CONNECT).map_err(unusable)?;
    let url = servers.find_primary_url().await.map_err(unusable)?;
    let options: PgConnectOptions = url.parse().map_err(|e: sqlx::Error| InstallError::Url(e.to_string()))?;
    // A user named flashsale would find the schema of that name first, and sqlx's table somewhere else each time.
    let options = options.application_name("flashsale migrate").options([("search_path", "public")]);
    // A pool would try a refused connection again until its time-out.
    let first = tokio::time::timeout(CONNECT, PgConnection::connect_with(&options))
        .await
        .map_err(|_| InstallError::Unreachable(format!("no answer within {CONNECT:?}")))?
        .map_err(|e| InstallError::Unreachable(e.to_string()))?;
    let _ = first.close().await;
    // Before any prepared statement: behind such a pooler it fails now and then, and never with a clear word.
    match pooler::sessions_are_ours(url, "flashsale migrate").await {
        Ok(true) => {}
        Ok(false) => return Err(InstallError::PooledByTransaction),
        Err(error) => return Err(InstallError::Unreachable(error.to_string())),
    }
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(CONNECT)
        .connect_with(options)
        .await
        .map_err(|e| InstallError::Unreachable(e.to_string()))?;
    let (number, name): (i32, String) =
        sqlx::query_as("select current_setting('server_version_num')::int, current_setting('server_version')")
            .fetch_one(&pool)
            .await
            .map_err(InstallError::while_doing("read the server's version"))?;
    if number < OLDEST_SERVER {
        return Err(InstallError::TooOld(name));
    }
    Ok(pool)
}
