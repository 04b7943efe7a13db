//! What every answer must be, whatever was sent.

use std::sync::OnceLock;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use uuid::Uuid;

use crate::database::Placing;

/// An answer, read whole unless it is a stream.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads an answer and checks it.
    pub async fn read((method, path): (Method, String), response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_stream = kind.starts_with("text/event-stream");
        let body = if is_stream { Vec::new() } else { body.collect().await.expect("a body").to_bytes().to_vec() };
        let answer = Self { status: parts.status.as_u16(), headers: parts.headers, body };
        answer.check(&method, &path);
        answer
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The sentence of a refusal.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Checks the answer to a purchase that has reached the database, by what that has said.
    pub fn check_placed(&self, (placing, order): (&Placing, Option<Uuid>)) {
        assert_eq!(self.status, placing.status, "{placing:?}: {self:?}");
        let answered = self.json();
        if self.status == 200 {
            assert_eq!(answered["status"], placing.outcome, "{placing:?}: {self:?}");
            let order = order.expect("an order that was accepted").to_string();
            assert_eq!(answered["order_id"], order, "{placing:?}: {self:?}");
        } else {
            assert_eq!(answered["code"], placing.code, "{placing:?}: {self:?}");
        }
    }

    fn check(&self, method: &Method, path: &str) {
        // No passwords are hashed here, and nobody keeps the board fresh. All else has a database that answers.
        let is_unavailable = self.status == 503 && ["/users", "/users/authenticate", "/readyz"].contains(&path);
        assert!(self.status < 500 || is_unavailable, "{method} {path}: {self:?}");
        for name in ["x-request-id", "cache-control", "x-content-type-options"] {
            assert!(self.headers.contains_key(name), "{method} {path} lacks {name}: {self:?}");
        }
        match self.header("content-type") {
            "application/problem+json" => self.check_problem(method),
            "application/json" if method != Method::HEAD => drop(self.json()),
            _ => assert!(self.status < 400 || self.header("content-type").starts_with("text/html"), "{self:?}"),
        }
        if let Some(documented) = documented(method, path) {
            assert!(documented.contains(&self.status), "{method} {path} answers {}: {self:?}", self.status);
        }
    }

    fn check_problem(&self, method: &Method) {
        assert!(self.status >= 400, "{self:?}");
        if method == Method::HEAD {
            return;
        }
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        let word = problem["code"].as_str().expect("a code");
        assert_eq!(problem["type"], format!("urn:flashsale:problem:{word}"), "{self:?}");
        for member in ["title", "error", "request_id"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {self:?}");
        }
        assert_eq!(problem.as_object().map(serde_json::Map::len), Some(6), "{self:?}");
        assert_eq!(self.status == 401, self.headers.contains_key("www-authenticate"), "{self:?}");
    }
}

/// The statuses that the OpenAPI document names; `None` for what it does not describe.
fn documented(method: &Method, path: &str) -> Option<&'static [u16]> {
    type Operation = (Vec<String>, String, Vec<u16>);
    static OPERATIONS: OnceLock<Vec<Operation>> = OnceLock::new();
    let operations = OPERATIONS.get_or_init(|| {
        let document = serde_json::to_value(flashsale::http::document()).expect("the document as JSON");
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let statuses = operation["responses"].as_object().expect("responses").keys();
                let statuses = statuses.map(|status| status.parse().expect("a status")).collect();
                operations.push((segments(path), method.to_uppercase(), statuses));
            }
        }
        // What is named stands before what takes any name.
        operations.sort_by_key(|(path, _, _)| path.iter().filter(|segment| segment.starts_with('{')).count());
        operations
    });
    let asked = segments(path);
    let names = |(path, _, _): &&Operation| {
        let fits = |(known, asked): (&String, &String)| known == asked || known.starts_with('{') && !asked.is_empty();
        path.len() == asked.len() && path.iter().zip(&asked).all(fits)
    };
    // The first path that fits is the one that answers, whether it knows the method or not.
    let path = &operations.iter().find(names)?.0;
    let found = operations.iter().find(|(known, of, _)| known == path && of == method.as_str());
    found.map(|(_, _, statuses)| statuses.as_slice())
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}
