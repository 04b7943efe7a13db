//! A plan made into flows for the engine: every part once a server, every request rendered.
//!
//! Users are divided among the servers by number, as a proxy with sticky sessions would: user u is served by server
//! u mod servers, and is request u div servers there. So a user's purchase and the questions that follow have the same
//! number in their flows.

use std::ops::Range;
use std::time::Duration;

use serde_json::json;

use super::people::People;
use super::sales::OnSale;
use super::scenario::{Asks, Pace, Part, Plan};
use super::settings::Settings;
use super::target::Target;
use crate::client::{self, Flow, Requests};

/// What a flow is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub part: usize,
    pub target: usize,
    pub asks: Asks,
}

/// Rendered requests of each kind, by server.
pub struct Stage {
    targets: Vec<Target>,
    rendered: Vec<(Asks, Vec<Requests>)>,
}

impl Stage {
    pub fn render(settings: &Settings, plan: &Plan, targets: &[Target], people: &People, sales: &[OnSale]) -> Self {
        let script = Script { settings, targets, people, sales };
        let mut rendered: Vec<(Asks, Vec<Requests>)> = Vec::new();
        for part in &plan.parts {
            if !rendered.iter().any(|(asks, _)| *asks == part.asks) {
                let by_target = (0..targets.len()).map(|target| script.requests(part.asks, target));
                rendered.push((part.asks, by_target.collect()));
            }
        }
        Self { targets: targets.to_vec(), rendered }
    }

    /// The flows, and what each of them is of. A part nobody of whom is served by a server has no flow there.
    pub fn flows(&self, plan: &Plan, timeout: Duration) -> (Vec<Flow<'_>>, Vec<Route>) {
        let (mut flows, mut routes) = (Vec::new(), Vec::new());
        for (part_number, part) in plan.parts.iter().enumerate() {
            let Some((_, by_target)) = self.rendered.iter().find(|(asks, _)| *asks == part.asks) else { continue };
            for (target, requests) in by_target.iter().enumerate() {
                let numbers = self.numbers(part, target);
                if !numbers.is_empty() {
                    flows.push(self.flow(part, target, requests, numbers, timeout));
                    routes.push(Route { part: part_number, target, asks: part.asks });
                }
            }
        }
        (flows, routes)
    }

    fn numbers(&self, part: &Part, target: usize) -> Range<usize> {
        match part.asks {
            // One who looks is like another, and the tool itself looks at one server.
            Asks::Look => 0..1,
            Asks::Watch => 0..usize::from(target == 0),
            _ => numbers_at(&part.who, target, self.targets.len()),
        }
    }

    fn flow<'a>(
        &'a self,
        part: &Part,
        target: usize,
        requests: &'a Requests,
        numbers: Range<usize>,
        timeout: Duration,
    ) -> Flow<'a> {
        let shares = if part.asks == Asks::Watch { 1 } else { self.targets.len() };
        let (pace, phase) = match part.pace {
            Pace::Closed => (client::Pace::Closed, 0.0),
            Pace::Called => (client::Pace::Called, 0.0),
            Pace::Rate(rate) => (client::Pace::Open(rate / shares as f64), target as f64 / rate),
        };
        let once = (numbers.len() * part.clicks) as u64;
        let holds = part.asks == Asks::Stream;
        Flow {
            address: self.targets[target].address,
            requests,
            connections: if holds { numbers.len() } else { part.connections.div_ceil(shares) },
            numbers,
            copies: part.clicks,
            pace,
            starts_after: part.from + Duration::from_secs_f64(phase),
            time_max: part.lasts,
            count_max: if part.once { once } else { u64::MAX },
            timeout,
            holds,
        }
    }
}

/// The numbers that members of `who` have at a server.
fn numbers_at(who: &Range<usize>, target: usize, targets: usize) -> Range<usize> {
    let number = |member: usize| member.saturating_sub(target).div_ceil(targets);
    number(who.start)..number(who.end)
}

struct Script<'a> {
    settings: &'a Settings,
    targets: &'a [Target],
    people: &'a People,
    sales: &'a [OnSale],
}

impl Script<'_> {
    fn requests(&self, asks: Asks, target: usize) -> Requests {
        let host = &self.targets[target].host;
        let users = (target..self.people.tokens.len()).step_by(self.targets.len());
        match asks {
            Asks::Look | Asks::Watch => std::iter::once(client::get(host, "/sales")).collect(),
            Asks::Stream => {
                let streams = (target..self.settings.streams).step_by(self.targets.len());
                streams.map(|_| client::get(host, "/sales/events")).collect()
            }
            Asks::Buy => users.map(|user| self.purchase(host, user)).collect(),
            Asks::Outcome => users
                .map(|user| {
                    let path = format!("/orders?product_id={}", self.product_of(user));
                    client::get_as(host, &path, &self.people.tokens[user])
                })
                .collect(),
            Asks::SignIn => users
                .map(|user| {
                    let body = json!({ "email": self.people.emails[user], "password": self.people.password });
                    client::post(host, "/users/authenticate", None, &body.to_string())
                })
                .collect(),
        }
    }

    fn purchase(&self, host: &str, user: usize) -> Vec<u8> {
        let (token, body) = (&self.people.tokens[user], json!({ "product_id": self.product_of(user) }).to_string());
        if self.settings.wait {
            client::post_waiting(host, "/orders", token, &body, WAIT)
        } else {
            client::post(host, "/orders", Some(token), &body)
        }
    }

    fn product_of(&self, user: usize) -> &str {
        &self.sales[user % self.sales.len()].product_id
    }
}

/// The longest that the API lets a purchase wait for its outcome.
const WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_is_served_by_one_server() {
        for who in [0..10, 3..10, 4..5, 7..7] {
            let served = (0..3).flat_map(|target| numbers_at(&who, target, 3).map(move |number| number * 3 + target));
            let mut served: Vec<_> = served.collect();
            served.sort_unstable();
            assert_eq!(served, who.clone().collect::<Vec<_>>(), "{who:?}");
        }
    }
}
