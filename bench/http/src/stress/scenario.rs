//! The scenarios, as data: who asks for what, from when until when, how fast, over how many connections. One engine runs
//! them all.

use std::ops::Range;
use std::time::Duration;

use super::arguments::Scenario;
use super::settings::Settings;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// `POST /orders`
    Buy,
    /// `GET /orders` of the product: what has become of my order?
    Outcome,
    /// `GET /sales`
    Look,
    /// `GET /sales`, by the tool itself: how many units are left?
    Watch,
    /// `POST /users/authenticate`
    SignIn,
    /// `GET /sales/events`, held
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As soon as the last one is answered.
    Closed,
    /// So many a second.
    Rate(f64),
    /// When an answer gives reason to ask.
    Called,
}

/// People who do the same thing for some time.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: &'static str,
    pub asks: Asks,
    /// Who, by number; of streams, which ones.
    pub who: Range<usize>,
    /// Times each of them asks at the same moment.
    pub clicks: usize,
    /// Nobody's turn comes twice.
    pub once: bool,
    pub pace: Pace,
    pub from: Duration,
    pub lasts: Duration,
    pub connections: usize,
}

/// A whole scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    pub parts: Vec<Part>,
    /// When the sales open, from the start of the load.
    pub opens_after: Duration,
    /// When the last request falls due by itself.
    pub lasts: Duration,
    /// A crowd comes at the opening: when the last unit went, and when everybody knew, is counted from there.
    pub has_crowd: bool,
}

/// How often the stock is looked at by the tool itself, per second.
pub const WATCH_RATE: f64 = 20.0;
/// Event streams opened per second.
pub const STREAMS_PER_SECOND: f64 = 2_000.0;
const CROWD_LASTS: Duration = Duration::from_secs(1);
const ALL: f64 = 1.0;

impl Plan {
    pub fn of(settings: &Settings) -> Self {
        let cast = Cast { settings };
        let (rate, whole) = (settings.rate, Duration::from_secs_f64(settings.seconds));
        let (parts, opens_after) = match settings.scenario {
            Scenario::Herd => (vec![cast.crowd(Duration::ZERO)], Duration::ZERO),
            Scenario::Buy => (vec![cast.buyers("buy", 0.0..ALL, Duration::ZERO, whole)], Duration::ZERO),
            Scenario::Refuse => (cast.sold_out(whole), Duration::ZERO),
            Scenario::Look => (vec![cast.lookers("look", rate, Duration::ZERO, whole)], Duration::ZERO),
            Scenario::SignIn => (cast.sign_in_surge(whole), Duration::ZERO),
            Scenario::Day => (cast.day(whole), whole.mul_f64(DAY_OPENS)),
            Scenario::Streams => (cast.pages(whole), Duration::ZERO),
        };
        let lasts = parts.iter().map(|part| part.from + part.lasts).max().unwrap_or_default();
        let mut plan =
            Self { parts, opens_after, lasts, has_crowd: matches!(settings.scenario, Scenario::Herd | Scenario::Day) };
        if settings.users > 0 {
            plan.parts.push(cast.those_who_ask());
            plan.parts.push(cast.watch(lasts));
        }
        plan
    }
}

/// The day, in shares of its length and of --rate. bench/STRESS.md has the same table.
const DAY_OPENS: f64 = 0.2;
const DAY_LATE: f64 = 0.6;
const DAY_READERS_AFTER: f64 = 0.35;
const DAY_REFUSED: f64 = 0.5;
const DAY_ASKERS: f64 = 0.15;

struct Cast<'a> {
    settings: &'a Settings,
}

impl Cast<'_> {
    fn part(&self, name: &'static str, asks: Asks, pace: Pace, from: Duration, lasts: Duration) -> Part {
        Part {
            name,
            asks,
            who: 0..self.settings.users,
            clicks: 1,
            once: false,
            pace: if self.settings.closed && pace != Pace::Called { Pace::Closed } else { pace },
            from,
            lasts,
            connections: self.settings.connections,
        }
    }

    /// Everybody, each as often as they click, in one second.
    fn crowd(&self, from: Duration) -> Part {
        let requests = self.settings.users * self.settings.clicks;
        let pace = Pace::Rate(requests as f64 / CROWD_LASTS.as_secs_f64());
        let part = self.part("herd", Asks::Buy, pace, from, CROWD_LASTS);
        Part { clicks: self.settings.clicks, once: true, ..part }
    }

    /// A share of the users, each asking once unless there are too few of them.
    fn buyers(&self, name: &'static str, share: Range<f64>, from: Duration, lasts: Duration) -> Part {
        let number = |share: f64| (self.settings.users as f64 * share).round() as usize;
        let part = self.part(name, Asks::Buy, Pace::Rate(self.settings.rate), from, lasts);
        Part { who: number(share.start)..number(share.end), ..part }
    }

    fn lookers(&self, name: &'static str, rate: f64, from: Duration, lasts: Duration) -> Part {
        Part { who: 0..1, ..self.part(name, Asks::Look, Pace::Rate(rate), from, lasts) }
    }

    fn watch(&self, lasts: Duration) -> Part {
        let pace = Pace::Rate(WATCH_RATE);
        Part { connections: 4, pace, ..self.part("watch", Asks::Watch, pace, Duration::ZERO, lasts) }
    }

    /// As many as there are units buy; a second later everybody asks again and again.
    fn sold_out(&self, lasts: Duration) -> Vec<Part> {
        let units = (self.settings.stock as usize * self.settings.sales).min(self.settings.users);
        let first = self.part("sell out", Asks::Buy, Pace::Rate(units as f64), Duration::ZERO, CROWD_LASTS);
        let first = Part { who: 0..units, once: true, ..first };
        let pace = Pace::Rate(self.settings.rate);
        vec![first, self.part("refuse", Asks::Buy, pace, 2 * CROWD_LASTS, lasts)]
    }

    /// Purchases before and during the surge are told apart, so that it shows what the surge costs them.
    fn sign_in_surge(&self, lasts: Duration) -> Vec<Part> {
        let before = lasts.div_f64(3.0);
        let pace = Pace::Rate(self.settings.sign_in_rate);
        vec![
            self.buyers("buy before", 0.0..1.0 / 3.0, Duration::ZERO, before),
            self.buyers("buy during", 1.0 / 3.0..ALL, before, lasts - before),
            self.part("sign in", Asks::SignIn, pace, before, lasts - before),
        ]
    }

    fn streams(&self, from: Duration, opened_in: Duration) -> Part {
        let count = self.settings.streams;
        let rate = (count as f64 / opened_in.as_secs_f64()).max(1.0);
        let part = self.part("streams", Asks::Stream, Pace::Rate(rate), from, opened_in + CROWD_LASTS);
        Part { who: 0..count, once: true, connections: count, ..part }
    }

    fn pages(&self, lasts: Duration) -> Vec<Part> {
        let opened_in = Duration::from_secs_f64(self.settings.streams as f64 / STREAMS_PER_SECOND);
        let open = opened_in + CROWD_LASTS;
        vec![self.streams(Duration::ZERO, opened_in), self.buyers("buy", 0.0..ALL, open, lasts)]
    }

    fn day(&self, whole: Duration) -> Vec<Part> {
        let (rate, opens) = (self.settings.rate, whole.mul_f64(DAY_OPENS));
        let sold_out = opens + CROWD_LASTS;
        let (rest, late) = (whole.saturating_sub(sold_out), whole.mul_f64(DAY_LATE));
        let sign_ins = Pace::Rate(self.settings.sign_in_rate);
        let asking = |share: f64| Pace::Rate(rate * share);
        vec![
            self.streams(Duration::ZERO, opens),
            self.lookers("look before", rate, Duration::ZERO, opens),
            self.crowd(opens),
            self.lookers("look after", rate * DAY_READERS_AFTER, opens, whole - opens),
            self.part("refused", Asks::Buy, asking(DAY_REFUSED), sold_out, rest),
            self.part("askers", Asks::Outcome, asking(DAY_ASKERS), sold_out, rest),
            self.part("sign in", Asks::SignIn, sign_ins, late, whole - late),
        ]
    }

    /// Buyers who were accepted, or do not know whether they were.
    fn those_who_ask(&self) -> Part {
        self.part("outcome", Asks::Outcome, Pace::Called, Duration::ZERO, Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(scenario: Scenario) -> Settings {
        Settings {
            scenario,
            users: 1000,
            sales: 1,
            stock: 20,
            clicks: 2,
            streams: 100,
            rate: 100.0,
            sign_in_rate: 5.0,
            seconds: 30.0,
            closed: false,
            connections: 16,
            timeout: Duration::from_secs(15),
            wait: false,
        }
    }

    #[test]
    fn the_crowd_of_a_day_comes_when_the_sale_opens() {
        let plan = Plan::of(&settings(Scenario::Day));
        let crowd = plan.parts.iter().find(|part| part.name == "herd").unwrap();
        assert_eq!((crowd.from, plan.opens_after), (Duration::from_secs(6), Duration::from_secs(6)));
        assert_eq!(crowd.pace, Pace::Rate(2000.0));
        assert_eq!(plan.lasts, Duration::from_secs(30));
    }

    #[test]
    fn nobody_buys_twice_around_a_surge_of_sign_ins() {
        let plan = Plan::of(&settings(Scenario::SignIn));
        let buyers: Vec<_> = plan.parts.iter().filter(|part| part.asks == Asks::Buy).collect();
        assert_eq!((buyers[0].who.clone(), buyers[1].who.clone()), (0..333, 333..1000));
    }

    #[test]
    fn only_who_buys_has_something_to_ask_for() {
        let asks = |scenario| Plan::of(&settings(scenario)).parts.iter().any(|part| part.asks == Asks::Outcome);
        assert!(asks(Scenario::Herd) && asks(Scenario::Streams));
        let looks = Plan::of(&Settings { users: 0, ..settings(Scenario::Look) });
        assert_eq!(looks.parts.len(), 1);
    }
}
