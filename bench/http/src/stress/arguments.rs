//! What `http` can be told, and what it says about itself.

use std::path::PathBuf;

use clap::ValueEnum;
use uuid::Uuid;

const EXAMPLES: &str = "\
Examples:
  # 5,000 people want 100 units in the first second. Everything through the API: they sign up, the administrator opens
  # the sale. Start the server with RATE_LIMITS=off, or it will rightly refuse a crowd from one address.
  STRESS_ADMIN_PASSWORD=… flashsale-bench http --base-url http://127.0.0.1:8080 --scenario herd --users 5000 \\
      --admin-email admin@example.com

  # The same with 100,000 people, made in seconds: by SQL, with tokens signed here.
  DATABASE_URL=… JWT_SECRET=… flashsale-bench http --scenario herd --users 100000 --connections 4096

  # 2,000 purchases a second for a minute over two APIs and four sales, with the figures in a file.
  flashsale-bench http --base-url http://10.0.0.1:8080 --base-url http://10.0.0.2:8080 \\
      --scenario buy --rate 2000 --seconds 50 --sales 4 --output buy.json

  # A sale of your own that is about to open: the load waits for its start.
  flashsale-bench http --scenario herd --users 2000 --product-id 01890000-…

  # How fast do 10,000 open pages see that a unit was sold?
  flashsale-bench http --scenario streams --streams 10000

Every flag, what is measured and how to read it: bench/STRESS.md.";

/// Load servers of your own with a scenario, watch what becomes of every request, and have the books audited
///
/// The loop is open: requests are due at a fixed rate whatever the server does, and latency counts from the moment a
/// request was due, so that a server that stalls cannot hide it. --closed asks again only when answered.
///
/// Users and sales come from one of two places. With DATABASE_URL they are made by SQL (users also need JWT_SECRET, to
/// sign their tokens with), and the verdict is read from the database. Without, users sign up through the API, which
/// costs the server two password hashes each, --admin-email creates the sales, and the verdict is what `GET /orders`
/// tells every buyer and `GET /sales` shows. Without an administrator the sales on offer are bought from.
///
/// Ends with status 0 when the books balance; otherwise, or when the run breaks off, with 1.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// A server, such as http://127.0.0.1:8080; repeat it for several APIs of one system, among which users are divided
    #[arg(long = "base-url", default_value = "http://127.0.0.1:8080", help_heading = "Whom")]
    pub base_urls: Vec<String>,
    /// The server's database, to make users and sales in and to read the verdict from
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, help_heading = "Whom")]
    pub database_url: Option<String>,
    /// Signing key of the server, to sign users' tokens with; needs --database-url
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, help_heading = "Whom")]
    pub jwt_secret: Option<String>,
    /// An administrator of the server, to create the sales; the password is read from STRESS_ADMIN_PASSWORD
    #[arg(long, help_heading = "Whom")]
    pub admin_email: Option<String>,
    #[arg(long, env = "STRESS_ADMIN_PASSWORD", hide = true, hide_env_values = true)]
    pub admin_password: Option<String>,

    /// What happens
    #[arg(long, value_enum, default_value_t = Scenario::Buy, help_heading = "What")]
    pub scenario: Scenario,
    /// Different users, each with a token of their own, at most 100000
    /// [default: herd, day: 5000; refuse: 1000; streams: one a purchase; buy, sign-in: one a purchase]
    #[arg(long, help_heading = "What")]
    pub users: Option<usize>,
    /// Sales at once, among which users are divided
    #[arg(long, default_value_t = 1, help_heading = "What")]
    pub sales: usize,
    /// Units of each sale [default: herd, day: a 50th of its users; refuse: 1; otherwise one for each of its users]
    #[arg(long, help_heading = "What")]
    pub stock: Option<u32>,
    /// Buy this product, which must be on sale or about to be, instead of making a sale
    #[arg(long, help_heading = "What")]
    pub product_id: Option<Uuid>,
    /// Times each user of the crowd asks at the same moment [default: 2; herd and day only]
    #[arg(long, help_heading = "What")]
    pub clicks: Option<usize>,
    /// Event streams held [default: streams: 10000, day: a tenth of the users]
    #[arg(long, help_heading = "What")]
    pub streams: Option<usize>,
    /// How buyers learn what became of their order
    #[arg(long, value_enum, default_value_t = Learn::Ask, help_heading = "What")]
    pub learn: Learn,

    /// Requests per second of what the scenario is named after
    /// [default: buy: 500; refuse, look: 2000; day: 500; sign-in: 200 purchases; streams: 2 purchases]
    #[arg(long, help_heading = "How fast")]
    pub rate: Option<f64>,
    /// Sign-ins per second [default: 20; day: 5]
    #[arg(long, help_heading = "How fast")]
    pub sign_in_rate: Option<f64>,
    /// How long; of streams: once they are open [default: 10; day: 30; the crowd of a herd comes in one second]
    #[arg(long, help_heading = "How fast")]
    pub seconds: Option<f64>,
    /// Ask again when answered instead of at a rate: shows how much goes, not how long a user waits
    #[arg(long, help_heading = "How fast")]
    pub closed: bool,
    /// Connections of each part of the scenario, each with one request at a time
    #[arg(long, default_value_t = 512, help_heading = "How fast")]
    pub connections: usize,
    /// Seconds after which a request without an answer is given up, and how long after the end outcomes are waited for
    #[arg(long, default_value_t = 15, help_heading = "How fast")]
    pub timeout_seconds: u64,

    /// Write everything to this file as JSON, whole histograms included
    #[arg(long, help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// A line a second even on a terminal
    #[arg(long, help_heading = "Output")]
    pub plain: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Everybody wants one in the first second of the sale, at 50 times the stock
    Herd,
    /// Purchases at a steady rate, each by another user, with units for all
    Buy,
    /// Purchases of what is sold out, at a steady rate
    Refuse,
    /// GET /sales at a steady rate
    Look,
    /// Purchases at a steady rate; after a third of the time people sign in besides
    SignIn,
    /// Readers, the crowd at T0, refusals, sign-ins, people who ask for their orders, open event streams
    Day,
    /// Event streams held while a few units are sold: how soon does each show it?
    Streams,
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| out.write_str(value.get_name()))
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learn {
    /// GET /orders after 250 ms, then less and less often, until it is settled
    Ask,
    /// POST /orders with `Prefer: wait=10`; then as above if that was not enough
    Wait,
}
