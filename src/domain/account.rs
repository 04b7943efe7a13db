//! What identifies a person: e-mail address and password, parsed once at the edge.

use std::fmt;

use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::zxcvbn;

/// A field that a caller sent and that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidField {
    /// The name of the field as the caller wrote it.
    pub field: &'static str,
    /// What is wrong and what is expected, as the rest of a sentence.
    pub problem: String,
}

impl InvalidField {
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// An e-mail address, trimmed and in lower case, 3 to 254 characters.
///
/// Only what delivery cannot do without is checked: one `@` with something on either side and no white space or
/// control characters. Whether the address exists is known only by writing to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// # Errors
    /// [`InvalidField`] naming `email`.
    pub fn parse(text: &str) -> Result<Self, InvalidField> {
        let email = text.trim().to_lowercase();
        let well_formed = email
            .rsplit_once('@')
            .is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !local.contains('@'))
            && !email.chars().any(|c| c.is_whitespace() || c.is_control());
        if !well_formed {
            return Err(InvalidField::new("email", "must look like name@example.org"));
        }
        if !(3..=254).contains(&email.chars().count()) {
            return Err(InvalidField::new("email", "must be 3 to 254 characters long"));
        }
        Ok(Self(email))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password as its owner typed it. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Shortest and longest password accepted for a new account, in characters. No rules on what it is made of.
    pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

    /// A password for a new account.
    ///
    /// # Errors
    /// [`InvalidField`] naming `password`.
    pub fn parse_new(text: String) -> Result<Self, InvalidField> {
        if !Self::LENGTH.contains(&text.chars().count()) {
            return Err(InvalidField::new("password", "must be 8 to 128 characters long"));
        }
        Ok(Self(text))
    }

    /// A password to be compared with a stored one: whatever was typed, as long as it is bounded.
    ///
    /// # Errors
    /// [`InvalidField`] naming `password`.
    pub fn parse_given(text: String) -> Result<Self, InvalidField> {
        if text.is_empty() || text.chars().count() > *Self::LENGTH.end() {
            return Err(InvalidField::new("password", "must be 1 to 128 characters long"));
        }
        Ok(Self(text))
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether guessers try it first: all of it is one of the 30,000 most used passwords, a word or a name of the dictionary, or
    /// the owner's own address or a part of it; whatever its capitals, backwards, or with figures for letters. Takes up to some
    /// milliseconds.
    pub fn is_common(&self, email: &Email) -> bool {
        let about_the_owner: Vec<&str> =
            std::iter::once(email.as_str()).chain(email.as_str().split('@')).chain(["flashsale"]).collect();
        let entropy = zxcvbn(&self.0, &about_the_owner);
        let [all_of_it] = entropy.sequence() else { return false };
        matches!(all_of_it.pattern, MatchPattern::Dictionary(_))
            && all_of_it.range_inclusive().count() == self.0.chars().count()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Email, Password};

    #[test]
    fn email_is_trimmed_and_lowered() {
        assert_eq!(Email::parse(" Ada@Example.ORG ").unwrap().as_str(), "ada@example.org");
    }

    #[test]
    fn email_without_two_sides_is_refused() {
        for text in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\u{0}", &"x".repeat(300)] {
            let error = Email::parse(text).unwrap_err();
            assert_eq!(error.field, "email", "{text:?}");
        }
    }

    #[test]
    fn email_length_counts_characters() {
        assert!(Email::parse(&format!("{}@example.org", "ü".repeat(242))).is_ok());
        assert!(Email::parse(&format!("{}@example.org", "ü".repeat(243))).is_err());
    }

    #[test]
    fn password_length_counts_characters() {
        assert!(Password::parse_new("ü".repeat(8)).is_ok());
        assert!(Password::parse_new("ü".repeat(7)).is_err());
        assert!(Password::parse_new("x".repeat(129)).is_err());
        assert!(Password::parse_given("x".into()).is_ok());
        assert!(Password::parse_given(String::new()).is_err());
    }

    #[test]
    fn what_guessers_try_first_is_common() {
        let ann = Email::parse("ann.miller@example.org").unwrap();
        let is_common = |text: &str| Password::parse_new(text.into()).unwrap().is_common(&ann);
        for text in
            ["password", "PASSWORD", "p@ssw0rd", "drowssap", "qwertyuiop", "12345678", "password1", "ann.miller"]
        {
            assert!(is_common(text), "{text}");
        }
        for text in ["correct horse battery", "password-1234", "long enough it is", "Zs9!kd0w", &"aß".repeat(64)] {
            assert!(!is_common(text), "{text}");
        }
    }

    #[test]
    fn password_is_never_printed() {
        let password = Password::parse_new("correct horse".into()).unwrap();
        assert!(!format!("{password:?}").contains("horse"));
    }
}
