//! Those who must be refused: forged tokens, malformed requests, ended sessions, people who guess passwords.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::Books;
use crate::harness::history::Answer;
use crate::record::{Guess, Record};

/// What one API process grants one address: sign-ins at once and after that each second, as the contract says.
const SIGN_INS_BURST: usize = 50;
const SIGN_INS_PER_SECOND: usize = 5;
/// Those that were counted a moment before or after we looked at the clock.
const SIGN_INS_SLACK: usize = 5;

impl Books {
    pub fn strangers_who_got_through(&self) -> Vec<String> {
        let got_through = |record: &&Record| match record {
            Record::Stranger { what, status } if what.starts_with("token") => ![0, 401, 503].contains(status),
            Record::Stranger { status, .. } => !(*status == 0 || *status == 503 || (400..500).contains(status)),
            _ => false,
        };
        let records = self.records.iter().filter(got_through);
        let mut wrong: Vec<String> = records.map(|record| format!("strangers must be refused: {record:?}")).collect();
        let mut refused: HashMap<&str, bool> = HashMap::new();
        for record in &self.records {
            if let Record::Stranger { what, status } = record {
                *refused.entry(what).or_default() |= (400..500).contains(status);
            }
        }
        // Who never ends the head gets no answer.
        let never = refused.into_iter().filter(|(what, refused)| !refused && *what != "slow head");
        wrong.extend(never.map(|(what, _)| format!("strangers must be refused: {what}: none of them was")));
        wrong
    }

    /// A token of an ended session buys nothing, nowhere, once everybody has had the time to hear of it.
    pub fn ended_sessions_that_work(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for record in &self.records {
            let Record::LoggedOut { user_id, answered_us, within_us } = record else { continue };
            let later = self.buys.iter().filter(|buy| buy.user_id == *user_id && buy.sent_us > answered_us + within_us);
            let taken = later.filter(|buy| match &buy.answer {
                Answer::Ok { .. } => true,
                Answer::Refused { status, .. } => ![0, 401, 503].contains(status),
                Answer::Unknown(_) => false,
            });
            wrong.extend(taken.map(|buy| format!("strangers must be refused: a token of an ended session: {buy:?}")));
        }
        wrong
    }

    /// Guesses are answered alike whether the user exists, and no address gets more of them than it was granted.
    pub fn guesses_that_got_through(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut answered: HashMap<(Ipv4Addr, &str), Vec<i64>> = HashMap::new();
        for guess in self.guesses() {
            let expected: &[u16] = if guess.is_right { &[0, 200, 429, 503] } else { &[0, 401, 429, 503] };
            if !expected.contains(&guess.status) || (guess.status == 401 && guess.code != "invalid_credentials") {
                wrong.push(format!("strangers must be refused: {guess:?}"));
            }
            if [200, 401, 503].contains(&guess.status) {
                answered.entry((guess.from, &guess.api)).or_default().push(guess.sent_us);
            }
        }
        for ((from, api), sent) in answered {
            let first = sent.iter().min().copied().unwrap_or_default();
            let last = sent.iter().max().copied().unwrap_or_default();
            let seconds = usize::try_from((last - first) / 1_000_000 + 1).unwrap_or_default();
            let granted = SIGN_INS_BURST + SIGN_INS_PER_SECOND * seconds + SIGN_INS_SLACK;
            if sent.len() > granted {
                let tries = sent.len();
                wrong.push(format!("strangers must be refused: {tries} guesses from {from} at {api} in {seconds} s"));
            }
        }
        wrong
    }

    pub fn guesses(&self) -> impl Iterator<Item = &Guess> {
        self.records.iter().filter_map(|record| match record {
            Record::Guess(guess) => Some(guess),
            _ => None,
        })
    }

    pub fn broken_promises(&self) -> Vec<String> {
        let broken = self.records.iter().filter_map(|record| match record {
            Record::Promise { what, kept: false } => Some(what),
            _ => None,
        });
        broken.map(|what| format!("broken: {what}")).collect()
    }
}
