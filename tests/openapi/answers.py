"""The OpenAPI document and the answers of a real API agree: scripts/test-openapi.sh.

Every example keeps the schema it stands beside. Every answer that the document names is provoked, operation by operation, and
its body keeps the schema too, but for those in NOT_PROVOKED. Ends with "N passed, N failed".

usage: answers.py <base URL> <token of a user> <token of an administrator>
"""

import http.client
import json
import sys
import urllib.parse
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import jsonschema_rs

# What a quiet API with a database that is there does not answer.
NOT_PROVOKED = {
    "unavailable",  # an outage, or a process that is full: tests/it/http/health.rs, tests/it/http/limits.rs
    "not_ready",  # an outage: tests/it/http/health.rs
    "too_many_requests",  # the limits are off here: tests/it/http/limits.rs
    "request_timeout",  # a body that does not arrive
    "outcome_unknown",  # a COMMIT whose reply is lost: tests/faults
    "order_failed",  # a message that cannot be settled
    "idempotency_key_in_use",  # two requests in the same moment: tests/it/http/idempotency.rs
    "product_archived",  # a database administrator who archived its sales
}
METHODS = ("get", "put", "post", "delete")
JSON = "application/json"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
HEADERS_OF = {429: ("retry-after", "ratelimit", "ratelimit-policy"), 503: ("retry-after",), 401: ("www-authenticate",)}


class Document:
    """The document, and what of it was seen to be true."""

    def __init__(self, document):
        self.document = document
        self.operations = {
            operation["operationId"]: (method, path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in METHODS
        }
        self.seen = set()

    def resolve(self, value):
        while "$ref" in value:
            place = self.document
            for name in value["$ref"].removeprefix("#/").split("/"):
                place = place[name]
            value = place
        return value

    def wrong_with(self, schema, value):
        """What of a value breaks a schema, as sentences."""
        whole = {"allOf": [schema], "components": self.document["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return [f"{error.message} at /{'/'.join(map(str, error.instance_path))}" for error in validator.iter_errors(value)]

    def bodies(self, name):
        """Each body of an operation: where it stands, its media type and what is said of it."""
        operation = self.operations[name][2]
        answers = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for place, body in answers.items():
            for kind, content in body.get("content", {}).items():
                yield place, kind, content

    def codes(self, name, status):
        """The codes that a status of an operation may have; None where it is no refusal."""
        answer = self.operations[name][2]["responses"][status]
        problem = answer.get("content", {}).get("application/problem+json")
        return problem["schema"]["allOf"][1]["properties"]["code"]["enum"] if problem else [None]

    def unseen(self):
        for name, (_, _, operation) in self.operations.items():
            for status in operation["responses"]:
                for code in self.codes(name, status):
                    if code not in NOT_PROVOKED and (name, status, code) not in self.seen:
                        yield f"{name} {status} {code or ''}: is in the document and was not provoked"


class Api:
    """Asks and judges the answers; what is wrong is kept."""

    def __init__(self, base, user, administrator):
        self.address = urllib.parse.urlsplit(base).netloc
        self.user, self.administrator = user, administrator
        self.passed, self.wrong = 0, []
        self.document = Document(json.loads(self.send("GET", "/openapi.json")[2]))

    def send(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        is_stream = answer.headers.get_content_type() == "text/event-stream"
        text = b"" if is_stream else answer.read()
        connection.close()
        return answer.status, answer.headers, text

    def expect(self, name, status, code=None, *, token=None, cookie=None, body=None, headers=None, query="", **ids):
        """Asks an operation and compares the answer with the document; its body as JSON, if it is that."""
        method, path, _ = self.document.operations[name]
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if cookie:
            sent["Cookie"] = f"flashsale_session={cookie}"
        if isinstance(body, dict):
            body = json.dumps(body)
            sent.setdefault("Content-Type", JSON)
        status_found, answered, text = self.send(method.upper(), path.format(**ids) + query, body, sent)
        found = self.judge(name, status_found, answered, text)
        asked = f"{name}: {status} {code or ''} was expected, {status_found} {text[:200]!r} was answered"
        self.check(asked, status_found == status and (code is None or (found or {}).get("code") == code))
        self.document.seen.add((name, str(status_found), code))
        return found

    def judge(self, name, status, headers, text):
        described = self.document.operations[name][2]["responses"].get(str(status))
        if described is None:
            return self.check(f"{name}: {status} is not in the document: {text[:200]!r}", False)
        kind = headers.get_content_type()
        content = described.get("content", {})
        self.check(f"{name} {status}: the document knows of no {kind}", not text or kind in content)
        named = {header.lower() for header in described.get("headers", {})}
        for header in HEADERS_OF.get(status, ()):
            self.check(f"{name} {status}: {header} is not in both", header in named and header in headers)
        if not text or not kind.endswith("json"):
            return None
        value = json.loads(text)
        wrong = self.document.wrong_with(content.get(kind, {}).get("schema", {}), value)
        self.check(f"{name} {status}: {wrong}", not wrong)
        return value

    def check(self, sentence, is_right):
        if is_right:
            self.passed += 1
        else:
            self.wrong.append(sentence)


def check_examples(api):
    document = api.document
    for name in document.operations:
        for place, kind, content in document.bodies(name):
            for example, value in content.get("examples", {}).items():
                value = document.resolve(value)["value"]
                wrong = document.wrong_with(content.get("schema", {}), value)
                api.check(f"{name} {place}: example {example}: {wrong}", not wrong)
                if kind == "application/problem+json":
                    api.check(f"{name} {place}: example {example} is of {value['status']}", place == str(value["status"]))


def moment(**distance):
    return (datetime.now(timezone.utc) + timedelta(**distance)).isoformat()


class Shop:
    """Sales in every state, and the requests that tell of them."""

    def __init__(self, api):
        self.api = api
        self.running = self.sale()

    def sale(self, status=201, code=None, start=-1, end=60, **members):
        sale = {"quantity": 5, "start_date": moment(minutes=start), "end_date": moment(minutes=end), **members}
        if "product_id" not in members:
            sale |= {"name": "lamp", "price_in_cents": 100}
        return self.api.expect("create_sale", status, code, token=self.api.administrator, body=sale)

    def buy(self, product_id, status, code=None, token=None, wait=True):
        headers = {"Prefer": "wait=10"} if wait else {}
        body = {"product_id": product_id}
        return self.api.expect("place_order", status, code, token=token or self.api.user, body=body, headers=headers)


def accounts(api):
    account = {"email": f"{uuid4()}@example.org", "password": "long enough for anybody"}
    wrong = account | {"password": "wrong"}
    api.expect("create_user", 201, body=account)
    api.expect("create_user", 409, "email_taken", body=account)
    api.expect("authenticate", 401, "invalid_credentials", body=wrong)
    token = api.expect("authenticate", 200, body=account)["token"]
    api.expect("find_session", 200)
    api.expect("find_session", 200, token=token)
    api.expect("end_session", 204, token=token)
    other = {"email": f"{uuid4()}@example.org", "password": "long enough for anybody"}
    reuse(api, "create_user", other, account)
    reuse(api, "authenticate", account, wrong)


def sales(api, shop):
    running, nowhere = shop.running, str(uuid4())
    sale, product = running["flash_sale_id"], running["product_id"]
    administrator = api.administrator
    shop.sale(404, "product_not_found", product_id=nowhere)
    shop.sale(409, "sale_overlaps", product_id=product)
    api.expect("list_sales", 200, query=f"?product_id={product}")
    api.expect("list_sales", 304, headers={"If-None-Match": "*"})
    api.expect("list_sales", 400, "invalid_request", query="?product_id=lamp")
    api.expect("follow_sales", 200)
    api.expect("follow_sales", 401, "unauthorized", query="?orders=true")
    api.expect("follow_sales", 400, "invalid_request", query="?orders=perhaps")
    watched = ("find_sale_activity", "find_sale_report", "export_sale_report")
    for name in ("find_sale", "export_sale_calendar", *watched):
        token = administrator if name in watched else None
        api.expect(name, 200, token=token, flash_sale_id=sale)
        api.expect(name, 404, "sale_not_found", token=token, flash_sale_id=nowhere)
        api.expect(name, 400, "invalid_request", token=token, flash_sale_id="%FF")
    later = shop.sale(product_id=product, start=120, end=180)["flash_sale_id"]
    change = lambda status, code=None, **body: api.expect("update_sale", status, code, token=administrator, body=body)
    change(200, flash_sale_id=sale, quantity=4)
    change(404, "sale_not_found", flash_sale_id=nowhere, quantity=4)
    change(409, "sale_overlaps", flash_sale_id=later, start_date=moment(minutes=30))
    end = lambda status, code, of: api.expect("end_sale", status, code, token=administrator, body={"flash_sale_id": of})
    end(404, "sale_not_found", nowhere)
    end(409, "sale_not_active", later)
    end(200, None, shop.sale()["flash_sale_id"])
    new = {"name": "lamp", "price_in_cents": 1, "quantity": 1, "start_date": moment(hours=1), "end_date": moment(hours=2)}
    reuse(api, "create_sale", new, new | {"quantity": 2}, administrator)
    reuse(api, "update_sale", {"flash_sale_id": later, "quantity": 7}, {"flash_sale_id": later, "quantity": 8}, administrator)
    reuse(api, "end_sale", {"flash_sale_id": nowhere}, {"flash_sale_id": later}, administrator)


def orders(api, shop):
    product = shop.running["product_id"]
    api.expect("find_order", 404, "order_not_found", token=api.user, query=f"?product_id={product}")
    api.expect("find_order", 400, "invalid_request", token=api.user, query="?product_id=lamp")
    shop.buy(product, 200)
    shop.buy(product, 400, "already_purchased")
    api.expect("update_sale", 409, "quantity_below_sold", token=api.administrator,
               body={"flash_sale_id": shop.running["flash_sale_id"], "quantity": 0})
    api.expect("find_order", 200, token=api.user)
    api.expect("list_order_history", 200, token=api.user)
    api.expect("follow_orders", 200, token=api.user)
    shop.buy(shop.sale(quantity=0)["product_id"], 400, "sold_out")
    shop.buy(shop.sale(start=10)["product_id"], 400, "sale_not_started")
    shop.buy(shop.sale(start=-20, end=-10)["product_id"], 400, "sale_ended")
    shop.buy(str(uuid4()), 404, "product_not_found")
    reuse(api, "place_order", {"product_id": str(uuid4())}, {"product_id": product}, api.user)


def pictures(api, shop):
    product, nowhere, png = shop.running["product_id"], str(uuid4()), {"Content-Type": "image/png"}
    administrator = api.administrator
    api.expect("find_picture", 200, product_id=product)
    api.expect("find_picture", 304, headers={"If-None-Match": "*"}, product_id=product)
    put = lambda status, code, body, of=product, headers=png: api.expect(
        "put_picture", status, code, token=administrator, body=body, headers=headers, product_id=of)
    put(204, None, PNG)
    put(413, "picture_too_large", PNG + bytes(1024 * 1024))
    put(415, "picture_type_unsupported", b"lamp")
    api.expect("delete_picture", 204, token=administrator, product_id=product)
    for name, sent in (("find_picture", {}), ("delete_picture", {}), ("put_picture", {"body": PNG, "headers": png})):
        api.expect(name, 404, "product_not_found", token=administrator, product_id=nowhere, **sent)
        api.expect(name, 400, "invalid_request", token=administrator, product_id="%FF", **sent)


def operation(api):
    for name in ("live", "ready", "metrics"):
        api.expect(name, 200)


def refusals_of_all(api):
    """What extractors and layers refuse, of every operation that the document says it of."""
    ids = {"flash_sale_id": str(uuid4()), "product_id": str(uuid4())}
    for name, (_, _, described) in api.document.operations.items():
        kind = next(iter(described.get("requestBody", {}).get("content", {})), None)
        body = {"headers": {"Content-Type": kind}, "body": "{}"} if kind else {}
        codes = {code for status in described["responses"] for code in api.document.codes(name, status)}
        token = api.administrator
        if "unauthorized" in codes and name != "follow_sales":
            api.expect(name, 401, "unauthorized", **body, **ids)
        if "forbidden" in codes:
            api.expect(name, 403, "forbidden", token=api.user, **body, **ids)
        if "foreign_origin" in codes:
            foreign = {**body, "headers": {**body.get("headers", {}), "Origin": "https://evil.example"}}
            api.expect(name, 403, "foreign_origin", cookie=token, **foreign, **ids)
        if kind == JSON:
            api.expect(name, 400, "invalid_request", token=token, **body, **ids)
            api.expect(name, 413, "payload_too_large", token=token, body={"name": "x" * 20_000}, **ids)
            api.expect(name, 415, "unsupported_media_type", token=token, body="{}", headers={"Content-Type": "text/plain"}, **ids)


def reuse(api, name, first, second, token=None):
    """One Idempotency-Key for two bodies."""
    key = {"Idempotency-Key": str(uuid4())}
    method, path, _ = api.document.operations[name]
    sent = {**key, "Content-Type": JSON} | ({"Authorization": f"Bearer {token}"} if token else {})
    api.send(method.upper(), path, json.dumps(first), sent)
    api.expect(name, 422, "idempotency_key_reused", token=token, body=second, headers=key)


def main():
    api = Api(*sys.argv[1:4])
    check_examples(api)
    shop = Shop(api)
    accounts(api)
    sales(api, shop)
    orders(api, shop)
    pictures(api, shop)
    operation(api)
    refusals_of_all(api)
    for sentence in api.document.unseen():
        api.check(sentence, False)
    for sentence in api.wrong:
        print(f"answers: {sentence}", file=sys.stderr)
    print(f"{api.passed} passed, {len(api.wrong)} failed")


if __name__ == "__main__":
    main()
