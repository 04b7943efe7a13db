//! Wrong passwords for one account are bounded without locking its owner out: each address has a few, and when many addresses
//! guess, each has hardly any. An address that has not guessed wrong yet is never refused, nor is a browser that the account was
//! signed in with before for what others do. A right password never counts.

use std::net::IpAddr;

use uuid::Uuid;

use super::rate_limits::{BucketKey, Limit, RateLimits, TooManyRequests};

/// Where somebody tries passwords for an account.
pub struct Guesses<'a> {
    rates: &'a RateLimits,
    account: &'a [u8],
    /// This address or known browser.
    here: BucketKey,
    /// All addresses; none for a known browser.
    everywhere: Option<BucketKey>,
}

impl<'a> Guesses<'a> {
    /// Of an account, by the hash of its e-mail address whether it exists or not, at an address or a browser it knows.
    pub fn of(rates: &'a RateLimits, account: &'a [u8], device: Option<Uuid>, address: IpAddr) -> Self {
        let whole = BucketKey::of_hash(account);
        let (here, everywhere) = match device {
            Some(device) => (BucketKey::of_user(device), None),
            None => (whole.and(BucketKey::of_address(address)), Some(whole)),
        };
        Self { rates, account, here, everywhere }
    }

    /// Whether a password may be tried.
    ///
    /// # Errors
    /// [`TooManyRequests`].
    pub async fn may_guess(&self) -> Result<(), TooManyRequests> {
        self.rates.look(Limit::Guesses, self.here).await?;
        if let Some(everywhere) = self.everywhere
            && self.rates.look(Limit::AccountGuesses, everywhere).await.is_err()
        {
            self.rates.look(Limit::FirstGuesses, self.here).await?;
        }
        Ok(())
    }

    /// The password was wrong: this one counts.
    ///
    /// # Errors
    /// [`TooManyRequests`] when the next will be refused.
    pub async fn note_wrong(&self) -> Result<(), TooManyRequests> {
        let mut noted = self.rates.take(Limit::Guesses, self.here).await;
        if let Some(everywhere) = self.everywhere {
            noted = noted.and(self.rates.take(Limit::AccountGuesses, everywhere).await);
            // That it is empty matters only while the one above is.
            let _ = self.rates.take(Limit::FirstGuesses, self.here).await;
        }
        noted.map(drop)
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
        let owner = Guesses::of(&rates, ACCOUNT, None, address(2));
        assert!(owner.may_guess().await.is_ok(), "an address that has not guessed wrong");
        for _ in 0..=Limit::FirstGuesses.shape().size {
            let _ = owner.note_wrong().await;
        }
        assert!(owner.may_guess().await.is_err(), "one of many that guess has two tries");
        let known = Guesses::of(&rates, ACCOUNT, Some(Uuid::from_u128(3)), address(2));
        assert!(known.may_guess().await.is_ok());
    }
}
