//! GET, PUT and DELETE /products/{id}/picture: what a product looks like, and what nobody may make it look like.

use std::time::Duration;

use uuid::Uuid;

use crate::harness::{Parts, Reply, Request, Stack, User, eventually};

/// The smallest picture there is: one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9";
const WEBP: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0/\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0";
const AVIF: &[u8] = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf";
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

fn path(product_id: impl std::fmt::Display) -> String {
    format!("/products/{product_id}/picture")
}

fn put(stack: &Stack, user: &User, product_id: Uuid, kind: &str, bytes: &[u8]) -> Request {
    stack.http().request("PUT", &path(product_id)).bearer(&user.token).body(kind, bytes)
}

async fn shown(stack: &Stack, product_id: Uuid) -> Reply {
    stack.http().get(&path(product_id)).send().await.expect(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn product_without_a_picture_has_one_drawn_for_it() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let (one, other) = (stack.sale(1).await, stack.sale(1).await);
    let drawn = shown(&stack, one.product_id).await;
    assert_eq!(drawn.header("content-type"), Some("image/svg+xml"));
    assert!(drawn.text().starts_with("<svg") && drawn.text().contains("viewBox=\"0 0 800 800\""), "{}", drawn.text());
    let elsewhere = stack.apis[1].http.get(&path(one.product_id)).send().await.expect(200);
    assert_eq!((elsewhere.body.clone(), elsewhere.header("etag")), (drawn.body.clone(), drawn.header("etag")));
    assert_ne!(shown(&stack, other.product_id).await.body, drawn.body, "every product has its own");
    for id in [Uuid::new_v4().to_string(), "x".to_owned(), "%00".to_owned(), "9".repeat(3000)] {
        stack.http().get(&path(&id)).send().await.problem(404, "product_not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploaded_picture_is_shown_byte_by_byte_and_by_every_api() {
    let stack = Stack::with(Parts { apis: 2, ..Parts::default() }).await;
    let administrator = stack.administrator().await;
    let product_id = stack.sale(1).await.product_id;
    let drawn = shown(&stack, product_id).await;
    stack.apis[1].http.get(&path(product_id)).send().await.expect(200);
    for (kind, bytes) in [("image/jpeg", JPEG), ("image/webp", WEBP), ("image/avif", AVIF), ("image/png", PNG)] {
        put(&stack, &administrator, product_id, kind, bytes).send().await.expect(204);
        let picture = shown(&stack, product_id).await;
        assert_eq!((picture.header("content-type"), picture.body.as_slice()), (Some(kind), bytes));
    }
    let picture = shown(&stack, product_id).await;
    let etag = picture.header("etag").expect("an ETag").to_owned();
    assert!(picture.header("cache-control").is_some_and(|value| value.contains("max-age=")), "{picture:?}");
    let policy = picture.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert_eq!(picture.header("x-content-type-options"), Some("nosniff"));
    let known = async |tag: &str| stack.http().get(&path(product_id)).header("if-none-match", tag).send().await;
    for tag in [etag.as_str(), &format!("\"other\", {etag}"), "*"] {
        let reply = known(tag).await.expect(304);
        assert!(reply.body.is_empty() && reply.header("etag") == Some(&*etag), "{reply:?}");
    }
    known(drawn.header("etag").unwrap()).await.expect(200);
    let elsewhere = stack.apis[1].http;
    eventually("the other API shows it too", SHOWN_WITHIN, async || {
        let reply = elsewhere.get(&path(product_id)).send().await;
        if reply.body == PNG { Ok(()) } else { Err(format!("{} bytes", reply.body.len())) }
    })
    .await;

    let delete = || stack.http().delete(&path(product_id)).bearer(&administrator.token);
    delete().send().await.expect(204);
    delete().send().await.expect(204);
    assert_eq!(shown(&stack, product_id).await.body, drawn.body, "the one drawn for it again");
    known(&etag).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn picture_that_is_none_or_too_large_is_refused() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let product_id = stack.sale(1).await.product_id;
    let drawn = shown(&stack, product_id).await.body;
    let script = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let refused: [(&str, &[u8]); 9] = [
        ("image/png", JPEG),
        ("image/jpeg", PNG),
        ("image/png", b""),
        ("image/png", b"<html>"),
        ("image/svg+xml", script),
        ("image/png", script),
        ("image/gif", b"GIF89a"),
        ("text/html", PNG),
        ("", PNG),
    ];
    for (kind, bytes) in refused {
        let reply = put(&stack, &administrator, product_id, kind, bytes).send().await;
        reply.problem(415, "picture_type_unsupported");
    }
    let of_size = |bytes: usize| [PNG, &vec![0; bytes - PNG.len()]].concat();
    let large = put(&stack, &administrator, product_id, "image/png", &of_size(1024 * 1024 + 1)).send().await;
    large.problem(413, "picture_too_large");
    assert_eq!(shown(&stack, product_id).await.body, drawn, "nothing was changed");
    put(&stack, &administrator, product_id, "image/png", &of_size(1024 * 1024)).send().await.expect(204);
    assert_eq!(shown(&stack, product_id).await.body.len(), 1024 * 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn picture_is_changed_by_administrators_only() {
    let stack = Stack::start().await;
    let administrator = stack.administrator().await;
    let user = stack.user().await;
    let product_id = stack.sale(1).await.product_id;
    let nothing = Uuid::new_v4();
    for method in ["PUT", "DELETE"] {
        let request = |id: &str| stack.http().request(method, &path(id)).body("image/png", PNG);
        request(&product_id.to_string()).send().await.problem(401, "unauthorized");
        request(&product_id.to_string()).bearer(&user.token).send().await.problem(403, "forbidden");
        for id in [nothing.to_string(), "x".to_owned()] {
            request(&id).send().await.problem(401, "unauthorized");
            request(&id).bearer(&administrator.token).send().await.problem(404, "product_not_found");
        }
    }
    // Who you are is checked before what you sent.
    stack.http().request("PUT", &path(product_id)).body("text/plain", "x").send().await.expect(401);
    let pictures: i64 =
        stack.database().await.query_one("select count(*) from flashsale.product_pictures", &[]).await.unwrap().get(0);
    assert_eq!(pictures, 0);
}
