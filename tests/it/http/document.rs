//! The OpenAPI document and the API agree, in both directions. That answers keep their schemas: tests/openapi/answers.py;
//! that no address is left out: src/http/router.rs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::harness::{Connection, Http, Reply, Request, Sale, Stack};

const PROBLEM_JSON: &str = "application/problem+json";

/// The document that an API process serves.
pub struct Document(Value);

/// An operation as the document describes it.
struct Described<'a> {
    name: &'a str,
    method: String,
    path: &'a str,
    operation: &'a Value,
}

impl Document {
    pub async fn of(http: Http) -> Self {
        Self(http.get("/openapi.json").send().await.expect(200).value())
    }

    fn items(&self) -> impl Iterator<Item = (&str, &serde_json::Map<String, Value>)> {
        let items = self.0["paths"].as_object().unwrap();
        items.iter().map(|(path, item)| (path.as_str(), item.as_object().unwrap()))
    }

    fn operations(&self) -> impl Iterator<Item = Described<'_>> {
        self.items().flat_map(|(path, item)| {
            item.iter().map(move |(method, operation)| Described {
                name: operation["operationId"].as_str().unwrap(),
                method: method.to_uppercase(),
                path,
                operation,
            })
        })
    }

    fn operation(&self, name: &str) -> Described<'_> {
        self.operations().find(|described| described.name == name).unwrap_or_else(|| panic!("no operation {name}"))
    }

    /// Fails unless an operation's description knows the status, the code, the sentence and the headers of this refusal.
    #[track_caller]
    pub fn expect_example_of(&self, name: &str, reply: &Reply) {
        let problem = reply.value();
        let answer = &self.operation(name).operation["responses"][reply.status.to_string()];
        let examples = answer["content"][PROBLEM_JSON]["examples"].as_object();
        let examples = examples.unwrap_or_else(|| panic!("{name}: {} is not described", reply.status));
        let sentences = examples.keys().map(|name| &self.0["components"]["examples"][name]["value"]);
        let said: Vec<&Value> = sentences.filter(|said| said["code"] == problem["code"]).collect();
        assert!(said.iter().any(|said| said["error"] == problem["error"]), "{name} {problem}: described are {said:#?}");
        for header in answer["headers"].as_object().into_iter().flat_map(serde_json::Map::keys) {
            assert!(reply.header(header).is_some(), "{name} {}: {header} is described and not sent", reply.status);
        }
    }
}

impl Described<'_> {
    /// A request to this operation about a sale, with a body that is not one where it takes JSON.
    fn request(&self, http: Http, sale: &Sale) -> Request {
        let path = self.path.replace("{flash_sale_id}", &sale.flash_sale_id.to_string());
        let path = path.replace("{product_id}", &sale.product_id.to_string());
        let request = http.request(&self.method, &path);
        if self.operation["requestBody"].is_object() { request.json(&json!({})) } else { request }
    }

    fn is_stream(&self) -> bool {
        self.operation["responses"]["200"]["content"]["text/event-stream"].is_object()
    }

    /// Whether who is not signed in is refused.
    fn needs_session(&self) -> bool {
        self.operation["security"].as_array().is_some_and(|ways| !ways.contains(&json!({})))
    }

    #[track_caller]
    fn expect_described(&self, reply: &Reply) {
        let answer = &self.operation["responses"][reply.status.to_string()];
        let kind = reply.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let is_described = answer["content"].as_object().is_none_or(|content| content.contains_key(kind));
        assert!(answer.is_object() && is_described, "{}: {} {kind} is not described", self.name, reply.status);
        if kind == PROBLEM_JSON {
            let codes = &answer["content"][kind]["schema"]["allOf"][1]["properties"]["code"]["enum"];
            let problem = reply.value();
            assert!(codes.as_array().unwrap().contains(&problem["code"]), "{}: {codes} lacks {problem}", self.name);
        }
    }

    /// What is sent and what is answered to it when all is well, as the document shows it.
    fn requests(&self) -> impl Iterator<Item = &Value> {
        let examples = self.operation["requestBody"]["content"]["application/json"]["examples"].as_object();
        examples.into_iter().flat_map(serde_json::Map::values).map(|example| &example["value"])
    }

    fn success(&self) -> u16 {
        let mut statuses = self.operation["responses"].as_object().unwrap().keys();
        statuses.find_map(|status| status.parse().ok().filter(|status| (200..300).contains(status))).unwrap()
    }
}

/// An answer whose body, if it has an end, is read.
async fn ask(http: Http, described: &Described<'_>, request: Request) -> Reply {
    if !described.is_stream() {
        return request.send().await;
    }
    let mut connection = Connection::open(http.address).await.unwrap();
    connection.stream.write_all(&request.bytes()).await.unwrap();
    let mut reply = connection.read_head().await.unwrap();
    if reply.status != 200 {
        reply = request.send().await;
    }
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_takes_the_methods_that_the_document_names() {
    let stack = Stack::start().await;
    for (path, item) in Document::of(stack.http()).await.items() {
        let address = path.replace(['{', '}'], "");
        let reply = stack.http().request("PATCH", &address).send().await;
        let allowed = reply.header("allow").unwrap_or_default().to_owned();
        reply.problem(405, "method_not_allowed");
        let mut described: BTreeSet<String> = item.keys().map(|method| method.to_uppercase()).collect();
        if described.contains("GET") {
            described.insert("HEAD".to_owned());
        }
        let allowed: BTreeSet<String> = allowed.split(',').map(|method| method.trim().to_owned()).collect();
        assert_eq!(allowed, described, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_as_the_document_says() {
    let stack = Stack::start().await;
    let http = stack.http();
    let sale = stack.sale(3).await;
    for described in Document::of(http).await.operations() {
        let request = described.request(http, &sale);
        let reply = ask(http, &described, request.clone()).await;
        described.expect_described(&reply);
        assert_eq!(reply.status == 401, described.needs_session(), "{}: {}", described.name, reply.text());
        // One of its own: an operation may end it.
        let administrator = stack.administrator().await;
        let reply = ask(http, &described, request.bearer(&administrator.token)).await;
        described.expect_described(&reply);
        assert!(![401, 403, 405].contains(&reply.status), "{}: {}", described.name, reply.text());
        let is_there = reply.status != 404 || described.name == "find_order";
        assert!(is_there, "{}: {}", described.name, reply.text());
    }
}

/// Sends the examples of an operation about a sale, which has other ids than the examples.
async fn send_examples(stack: &Stack, document: &Document, name: &str, sale: &Sale) -> Vec<Reply> {
    let described = document.operation(name);
    let administrator = stack.administrator().await;
    let mut replies = Vec::new();
    for example in described.requests() {
        let mut body = example.clone();
        for (member, id) in [("flash_sale_id", sale.flash_sale_id), ("product_id", sale.product_id)] {
            if let Some(stated) = body.get_mut(member) {
                assert!(stated.as_str().is_some_and(|text| Uuid::parse_str(text).is_ok()), "{name}: {stated} is no id");
                *stated = json!(id);
            }
        }
        let request = stack.http().request(&described.method, described.path).bearer(&administrator.token).json(&body);
        replies.push(request.send().await.expect(described.success()));
    }
    assert!(!replies.is_empty(), "{name} has no example of a request");
    replies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_a_request_is_taken() {
    let stack = Stack::start().await;
    let document = Document::of(stack.http()).await;
    let running = stack.sale(3).await;
    send_examples(&stack, &document, "create_user", &running).await;
    send_examples(&stack, &document, "authenticate", &running).await;
    send_examples(&stack, &document, "place_order", &running).await;
    let created = send_examples(&stack, &document, "create_sale", &running).await;
    let mut created = created.iter().map(|reply| Sale::of(&reply.value()));
    let of_new_product = created.find(|sale| sale.product_id != running.product_id).unwrap();
    send_examples(&stack, &document, "update_sale", &of_new_product).await;
    send_examples(&stack, &document, "end_sale", &running).await;
    let takes_json =
        |described: &Described| described.operation["requestBody"]["content"]["application/json"].is_object();
    assert_eq!(document.operations().filter(takes_json).count(), 6, "send the examples of a new one here");
}
