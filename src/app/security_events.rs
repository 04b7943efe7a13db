//! Who signed in, who could not, who was turned away: one log line each with the words of the OWASP logging vocabulary, and
//! a metric. No e-mail address and no password is in it; an account is named by a hash that stays the same.

use std::net::IpAddr;

use metrics::counter;

use crate::domain::UserId;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityEventKind {
    UserCreated,
    SignInSucceeded,
    SignInFailed,
    SessionEnded,
    /// Signed in, and without the right to do this.
    Forbidden,
    /// A cookie came with a request from another site's page.
    ForeignOrigin,
    RateLimitExceeded,
}

impl SecurityEventKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserCreated => "user_created",
            Self::SignInSucceeded => "authn_login_success",
            Self::SignInFailed => "authn_login_fail",
            Self::SessionEnded => "authn_token_revoked",
            Self::Forbidden => "authz_fail",
            Self::ForeignOrigin => "malicious_cors",
            Self::RateLimitExceeded => "excess_rate_limit_exceeded",
        }
    }
}

/// One event; what is unknown is left out of its line.
#[derive(Debug, Clone, Default)]
pub struct SecurityEvent<'a> {
    pub user_id: Option<UserId>,
    /// The beginning of a keyed hash of the e-mail address, for accounts that may not exist.
    pub account: Option<&'a str>,
    pub address: Option<IpAddr>,
    pub request_id: &'a str,
    pub detail: Option<&'a str>,
}

impl SecurityEvent<'_> {
    /// Counts it and writes its line.
    pub fn note(&self, kind: SecurityEventKind) {
        let event = kind.name();
        counter!("flashsale_security_events_total", "event" => event).increment(1);
        tracing::info!(
            target: "flashsale::security",
            event,
            user_id = self.user_id.map(tracing::field::display),
            account = self.account,
            address = self.address.map(tracing::field::display),
            request_id = self.request_id,
            detail = self.detail,
            "security event"
        );
    }
}
