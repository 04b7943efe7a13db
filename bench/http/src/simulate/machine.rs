//! Processors that are shared: in every step those who have work get equal parts of them, as a kernel does it.

use std::collections::VecDeque;

/// What runs in threads on one machine and works through its jobs in order.
pub struct Role<J> {
    machine: usize,
    threads: f64,
    waiting: VecDeque<(f64, J)>,
    /// Of the first waiting job.
    done_us: f64,
    pub busy_us: f64,
}

impl<J> Role<J> {
    pub fn new(machine: usize, threads: usize) -> Self {
        Self { machine, threads: threads as f64, waiting: VecDeque::new(), done_us: 0.0, busy_us: 0.0 }
    }

    pub fn push(&mut self, cost_us: f64, job: J) {
        self.waiting.push_back((cost_us, job));
    }

    /// Before all that waits: a task that goes on without having to wait for anything.
    pub fn go_on(&mut self, cost_us: f64, job: J) {
        self.waiting.push_front((cost_us, job));
    }

    /// Threads that would run if there were processors for all.
    fn wanted(&self) -> f64 {
        self.threads.min(self.waiting.len() as f64)
    }

    /// Works for so long; answers what is finished.
    fn work(&mut self, budget_us: f64) -> Vec<J> {
        let mut left = budget_us;
        let mut finished = Vec::new();
        while let Some((cost_us, _)) = self.waiting.front() {
            let missing = cost_us - self.done_us;
            if missing > left {
                self.done_us += left;
                left = 0.0;
                break;
            }
            left -= missing;
            self.done_us = 0.0;
            finished.extend(self.waiting.pop_front().map(|(_, job)| job));
        }
        self.busy_us += budget_us - left;
        finished
    }
}

/// Lets every role work for a step; `cores` are those of each machine. Answers what each has finished.
pub fn step<J>(roles: &mut [Role<J>], cores: &[f64], step_us: f64) -> Vec<(usize, Vec<J>)> {
    let mut wanted = vec![0.0; cores.len()];
    for role in roles.iter() {
        wanted[role.machine] += role.wanted();
    }
    let share: Vec<f64> =
        cores.iter().zip(wanted).map(|(cores, wanted)| (cores / f64::max(wanted, 1e-9)).min(1.0)).collect();
    let finished = roles.iter_mut().map(|role| role.work(step_us * role.wanted() * share[role.machine]));
    finished.enumerate().filter(|(_, jobs)| !jobs.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_want_one_core_get_half_of_it_each() {
        let mut roles = vec![Role::new(0, 1), Role::new(0, 1)];
        roles[0].push(50.0, "a");
        roles[1].push(30.0, "b");
        assert_eq!(step(&mut roles, &[1.0], 60.0), [(1, vec!["b"])]);
        assert_eq!(step(&mut roles, &[1.0], 20.0), [(0, vec!["a"])]);
        assert_eq!([roles[0].busy_us, roles[1].busy_us], [50.0, 30.0]);
    }

    #[test]
    fn threads_beyond_the_jobs_do_not_run() {
        let mut roles = vec![Role::new(0, 8)];
        roles[0].push(100.0, ());
        assert!(step(&mut roles, &[8.0], 60.0).is_empty());
        roles[0].push(100.0, ());
        assert_eq!(step(&mut roles, &[8.0], 100.0).len(), 1);
    }
}
