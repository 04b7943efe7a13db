//! Users put into the database by SQL and tokens signed here, so that ten thousand of them cost a second, not an hour
//! of argon2, and so that the tests need not believe the code that signs the real ones.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// The signing key of every stack. Long enough, and easy to find in a log that should not have it.
pub const JWT_SECRET: &str = "integration-tests-sign-with-this-0123456789";
const TOKEN_LIFE_S: u64 = 3600;

#[derive(Clone, Debug)]
pub struct User {
    pub id: Uuid,
    pub token: String,
}

/// The claims of a good token of a user; tests of bad tokens spoil one of them.
pub fn claims(user_id: Uuid) -> Value {
    let now = now_s();
    json!({
        "iss": "flashsale", "aud": "flashsale", "sub": user_id, "sid": Uuid::new_v4(),
        "iat": now, "nbf": now, "exp": now + TOKEN_LIFE_S,
    })
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

pub fn sign(claims: &Value, secret: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).expect("sign a token")
}

/// A user with a token whom the database does not know.
pub fn stranger() -> User {
    let id = Uuid::new_v4();
    User { id, token: sign(&claims(id), JWT_SECRET) }
}

/// Inserts `count` users who cannot log in (their password is no hash of anything) and signs a token for each.
pub async fn insert_users(database: &Client, count: usize, is_administrator: bool) -> Vec<User> {
    let users: Vec<User> = (0..count).map(|_| stranger()).collect();
    let ids: Vec<Uuid> = users.iter().map(|user| user.id).collect();
    database
        .execute(
            "insert into flashsale.users (user_id, email, password, is_administrator)
             select id, id || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA', $2
             from unnest($1::uuid[]) id",
            &[&ids, &is_administrator],
        )
        .await
        .expect("insert users");
    users
}
