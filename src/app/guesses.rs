//! Wrong passwords for one account are bounded without locking its owner out: each address has a few, all addresses together
//! some more, and a browser that the account was signed in with before has its own. A right password never counts.

use std::net::IpAddr;

use uuid::Uuid;

use super::rate_limits::{BucketKey, Limit, RateLimits, TooManyRequests};

/// The buckets that a wrong password would be taken from.
pub struct Guesses<'a> {
    rates: &'a RateLimits,
    account: &'a [u8],
    buckets: Vec<(Limit, BucketKey)>,
}

impl<'a> Guesses<'a> {
    /// Of an account, by the hash of its e-mail address whether it exists or not, at an address or a browser it knows.
    pub fn of(rates: &'a RateLimits, account: &'a [u8], device: Option<Uuid>, address: IpAddr) -> Self {
        let whole = BucketKey::of_hash(account);
        let buckets = match device {
            Some(device) => vec![(Limit::Guesses, BucketKey::of_user(device))],
            None => {
                let here = whole.and(BucketKey::of_address(address));
                vec![(Limit::Guesses, here), (Limit::AccountGuesses, whole)]
            }
        };
        Self { rates, account, buckets }
    }

    /// Whether a password may be tried.
    ///
    /// # Errors
    /// [`TooManyRequests`].
    pub async fn may_guess(&self) -> Result<(), TooManyRequests> {
        for (limit, key) in &self.buckets {
            self.rates.look(*limit, *key).await?;
        }
        Ok(())
    }

    /// The password was wrong: this one counts.
    ///
    /// # Errors
    /// [`TooManyRequests`] when the next will be refused.
    pub async fn note_wrong(&self) -> Result<(), TooManyRequests> {
        let mut noted = Ok(());
        for (limit, key) in &self.buckets {
            noted = noted.and(self.rates.take(*limit, *key).await.map(drop));
        }
        noted
    }

    /// What the account is called in the logs.
    pub fn account_name(&self) -> String {
        self.account.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use uuid::Uuid;

    use super::Guesses;
    use crate::app::rate_limits::{Limit, RateLimits};

    const ACCOUNT: &[u8] = &[9; 32];

    fn address(last: u32) -> IpAddr {
        IpAddr::from([10, 0, (last >> 8) as u8, last as u8])
    }

    #[tokio::test]
    async fn strangers_who_guess_keep_neither_another_address_nor_a_known_browser_out() {
        let rates = RateLimits::new(true, None);
        let stranger = Guesses::of(&rates, ACCOUNT, None, address(1));
        for _ in 0..=Limit::Guesses.shape().size {
            stranger.may_guess().await.unwrap();
            let _ = stranger.note_wrong().await;
        }
        assert!(stranger.may_guess().await.is_err());
        assert!(Guesses::of(&rates, ACCOUNT, None, address(2)).may_guess().await.is_ok(), "another address");
        assert!(Guesses::of(&rates, &[8; 32], None, address(1)).may_guess().await.is_ok(), "another account");
        for number in 0..=Limit::AccountGuesses.shape().size {
            let _ = Guesses::of(&rates, ACCOUNT, None, address(1000 + number)).note_wrong().await;
        }
        assert!(Guesses::of(&rates, ACCOUNT, None, address(2)).may_guess().await.is_err(), "from everywhere");
        let known = Guesses::of(&rates, ACCOUNT, Some(Uuid::from_u128(3)), address(2));
        assert!(known.may_guess().await.is_ok());
    }
}
