//! A PostgreSQL of one test in a container of its own, by testcontainers. Says its URL on the first line of its output and
//! obeys its input, a word a line: `stop` (kill -9) and `start`, each answered with `done`. The end of the input ends the
//! container, so it does not outlive the test that started this program.
//!
//! usage: flashsale-containers <port> [image's tag, 18 if none is given]

use anyhow::{Context as _, bail};
use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

const PASSWORD: &str = "of-a-test";
const DATABASE: &str = "flashsale";
const READY: &str = "database system is ready to accept connections";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().context("usage: flashsale-containers <port> [tag]")?;
    let port = port.parse().with_context(|| format!("{port:?} is no port"))?;
    let tag = arguments.next().unwrap_or_else(|| "18".to_owned());
    let container = start(port, &tag).await.context("Docker does not start PostgreSQL")?;
    println!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/{DATABASE}");
    let obeyed = obey(&container).await;
    container.rm().await.context("the container cannot be removed")?;
    obeyed
}

/// On a port that stays the same when the server is started again.
async fn start(port: u16, tag: &str) -> anyhow::Result<ContainerAsync<GenericImage>> {
    let image = GenericImage::new("postgres", tag)
        // The image starts it twice: first for itself, without a port, to make the database.
        .with_wait_for(WaitFor::message_on_stdout("PostgreSQL init process complete; ready for start up"))
        .with_wait_for(WaitFor::message_on_stderr(READY))
        .with_mapped_port(port, 5432.tcp())
        .with_env_var("POSTGRES_PASSWORD", PASSWORD)
        .with_env_var("POSTGRES_DB", DATABASE)
        .with_cmd(["postgres", "-c", "max_connections=300"]);
    Ok(image.start().await?)
}

async fn obey(container: &ContainerAsync<GenericImage>) -> anyhow::Result<()> {
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "stop" => container.stop_with_timeout(Some(0)).await?,
            "start" => container.start().await?,
            other => bail!("{other:?} is neither stop nor start"),
        }
        println!("done");
    }
    Ok(())
}
