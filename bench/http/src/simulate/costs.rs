//! What each step of a purchase costs, in µs of a processor: measured (docs/PERFORMANCE.md, "Where the time goes"), to be
//! measured again on the machines in question.

use serde::Serialize;

#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct Costs {
    /// Load generator, a request and its answer; counts with --one-machine only: people bring their own processors
    #[arg(long, value_name = "US", default_value_t = 12.0)]
    pub generator_us: f64,
    /// API: reading a request and verifying its token
    #[arg(long, value_name = "US", default_value_t = 9.0)]
    pub read_us: f64,
    /// API: writing an answer
    #[arg(long, value_name = "US", default_value_t = 7.0)]
    pub answer_us: f64,
    /// API: what a purchase that is placed takes besides: gate, batch, outcome
    #[arg(long, value_name = "US", default_value_t = 16.0)]
    pub purchase_us: f64,
    /// Redis: one question to the gate
    #[arg(long, value_name = "US", default_value_t = 4.0)]
    pub gate_us: f64,
    /// PostgreSQL: a call of place_orders, whatever it carries
    #[arg(long, value_name = "US", default_value_t = 310.0)]
    pub place_call_us: f64,
    /// PostgreSQL: placing one order more in a call
    #[arg(long, value_name = "US", default_value_t = 20.0)]
    pub place_us: f64,
    /// PostgreSQL: a call of settle_orders, whatever it carries
    #[arg(long, value_name = "US", default_value_t = 310.0)]
    pub settle_call_us: f64,
    /// PostgreSQL and worker: settling one order more in a call
    #[arg(long, value_name = "US", default_value_t = 16.0)]
    pub settle_us: f64,
    /// Waiting for the disk at each COMMIT, without a processor; a synchronous standby adds its round trip
    #[arg(long, value_name = "US", default_value_t = 150.0)]
    pub commit_us: f64,
    /// All processor costs times this: they are of a rush that has lasted for seconds, and a first second takes more;
    /// fitted to real herds (docs/SCALING.md, "Checked against a real run")
    #[arg(long, value_name = "FACTOR", default_value_t = 1.4)]
    pub burst_factor: f64,
}

impl Costs {
    /// What a step costs in the first second.
    pub fn of_burst(mut self) -> Self {
        let of_processors = [
            &mut self.generator_us,
            &mut self.read_us,
            &mut self.answer_us,
            &mut self.purchase_us,
            &mut self.gate_us,
            &mut self.place_call_us,
            &mut self.place_us,
            &mut self.settle_call_us,
            &mut self.settle_us,
        ];
        for cost in of_processors {
            *cost *= self.burst_factor;
        }
        self
    }
}
