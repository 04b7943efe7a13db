"""Drives a running trial (trial.sh): herds on sales of both shards through both API processes, a shard killed under way and
started again, and after each the books of every shard and over all. Knows the tables a DBA may rely on and what the clients were
answered, and believes neither router nor API. Only the standard library. scripts/test-sharding.sh starts and stops the trial.

usage: test.py <file of trial.sh env> <JWT_SECRET> [buyers [connections]]
"""

import asyncio
import base64
import collections
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import time
import uuid

CONNECTIONS = int(sys.argv[4]) if len(sys.argv) > 4 else 200
DRAINED_WITHIN_S = 30
TICKS_PER_S = 100

TRIAL = pathlib.Path(__file__).with_name("trial.sh")
ENV = dict(line.split("=", 1) for line in pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").split())
SECRET = sys.argv[2]
BUYERS = int(sys.argv[3]) if len(sys.argv) > 3 else 3000
APIS = [ENV["API0"], ENV["API1"]]
SHARDS = [ENV["SHARD0_URL"], ENV["SHARD1_URL"]]
BEGAN = time.monotonic()
counts = {"passed": 0, "failed": 0}


def check(name, problems):
    """One check; `problems` is what is wrong, as lines."""
    found = [str(problem) for problem in problems]
    counts["failed" if found else "passed"] += 1
    print(f"{time.monotonic() - BEGAN:5.1f} s  {name}: {'good' if not found else 'failed'}", flush=True)
    for line in found[:10]:
        print(f"  {line}", flush=True)


def rows(url, sql):
    """The rows of a statement, each a list of texts."""
    done = subprocess.run(
        ["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", url],
        input=sql, capture_output=True, text=True, check=False, timeout=60,
    )
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr.strip()} in {sql[:300]}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def wait_for(what, within_s, ask):
    """Asks until the answer is empty; then nothing is wrong."""
    end = time.monotonic() + within_s
    while True:
        try:
            found = ask()
        except (RuntimeError, OSError) as error:
            found = error
        if not found or time.monotonic() > end:
            return [f"{what}: {found} after {within_s} s"] if found else []
        time.sleep(0.1)


# Clients


def token_of(user_id):
    now = int(time.time())
    claims = {"iss": "flashsale", "aud": "flashsale", "sub": user_id, "sid": str(uuid.uuid4()),
              "iat": now, "nbf": now, "exp": now + 3600}
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")  # noqa: E731
    body = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
    return (body + b"." + encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest())).decode()


class Client:
    """One connection that is opened again when it breaks."""

    def __init__(self, api):
        self.api, self.reader, self.writer = api, None, None

    async def send(self, method, path, token=None, body=None, headers=""):
        """Status, body and headers; status 0 for no answer."""
        try:
            return await asyncio.wait_for(self.exchange(method, path, token, body, headers), 20)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            return 0, {"code": repr(error)}

    async def exchange(self, method, path, token, body, headers):
        if self.writer is None:
            host, port = APIS[self.api].split(":")
            self.reader, self.writer = await asyncio.open_connection(host, int(port))
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data)}\r\n{headers}"
        if token:
            head += f"authorization: Bearer {token}\r\n"
        if data:
            head += "content-type: application/json\r\n"
        self.writer.write(head.encode() + b"\r\n" + data)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in answer[1:] if ": " in line)
        data = await self.reader.readexactly(int(fields.get("content-length", 0)))
        if fields.get("connection") == "close":
            self.close()
        return int(answer[0].split(" ")[1]), json.loads(data) if data[:1] in b"{[" and data else {}

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


Buy = collections.namedtuple("Buy", "user product at status code order_id")


async def herd(users, products, connections=CONNECTIONS, give_up_s=0, on_share=None):
    """Every user buys every product, in one crowd; 503 and unknown outcomes are tried again until give_up_s is over. on_share is
    called when a third is answered; requests under way go on meanwhile, and new ones wait. Answers all that was answered."""
    wanted = [(user, product) for user in users for product in products]
    wanted.sort(key=lambda pair: hashlib.md5(f"{pair}".encode()).digest())
    pending = collections.deque(wanted)
    answers, began = [], time.monotonic()
    may_press = asyncio.Event()
    may_press.set()

    async def press(number):
        client = Client(number % len(APIS))
        nonlocal on_share
        while pending:
            user, product = pending.popleft()
            while True:
                await may_press.wait()
                status, body = await client.send("POST", "/orders", users[user], {"product_id": product})
                code = body.get("code", "ok" if status == 200 else "")
                answers.append(Buy(user, product, time.monotonic() - began, status, code, body.get("order_id")))
                if on_share and len(answers) > len(wanted) / 3:
                    called, on_share = on_share, None
                    may_press.clear()
                    await asyncio.to_thread(called)
                    may_press.set()
                if status == 200 or 400 <= status < 500 or time.monotonic() - began > give_up_s:
                    break
                await asyncio.sleep(0.2)
        client.close()

    await asyncio.gather(*(press(number) for number in range(connections)))
    return answers


def summary(answers):
    return dict(collections.Counter(f"{answer.status} {answer.code}" for answer in answers))


# The books


def not_drained():
    return [
        f"{url}: {row}" for url in SHARDS
        for row in rows(url, "select q, o from (select (select count(*) from pgmq.q_purchases) q, (select count(*) from "
                             "flashsale.orders where status = 'in_progress') o) x where q + o > 0")
    ]


def books(answers, expected_sold):
    """What is wrong on a shard, between them, and with what clients were promised. expected_sold: units by product."""
    yield from wait_for("the queues are empty and every order is settled", DRAINED_WITHIN_S, not_drained)
    seen, sold = {}, collections.Counter()
    for number, url in enumerate(SHARDS):
        for row in rows(url, "select name, sold, quantity from ops.sale_books where not balanced or sold > quantity"):
            yield f"shard {number}: the books do not balance: {row}"
        for row in rows(url, "select o.order_id from flashsale.orders o where not exists (select from flashsale.products p "
                             "where p.product_id = o.product_id) or not exists (select from flashsale.users u where "
                             "u.user_id = o.user_id)"):
            yield f"shard {number}: order {row} is not of a product and a user that are here"
        for row in rows(url, "select user_id, product_id, count(*) from flashsale.orders where failure_reason is null "
                             "group by 1, 2 having count(*) > 1"):
            yield f"shard {number}: twice: {row}"
        for row in rows(url, "select * from pgmq.q_purchases_dead"):
            yield f"shard {number}: a dead letter: {row}"
        for order_id, user, product, status in rows(
            url, "select order_id, user_id, product_id, status from flashsale.orders"
        ):
            if order_id in seen:
                yield f"order {order_id} is on two shards"
            seen[order_id] = (user, product, status)
            sold[product] += status == "success"
    yield from broken_promises(answers, seen)
    for product, units in expected_sold.items():
        if sold[product] != units:
            yield f"product {product}: {sold[product]} sold, not {units}"


def broken_promises(answers, orders):
    in_doubt = {(a.user, a.product) for a in answers if a.status in (0, 500, 504)}
    promised = {a.order_id for a in answers if a.order_id}
    products = {a.product for a in answers}
    for answer in answers:
        if answer.status == 200:
            found = orders.get(answer.order_id)
            if found != (answer.user, answer.product, "success"):
                yield f"a 200 was answered and the order is {found}: {answer}"
        elif answer.status == 500:
            yield f"500: {answer}"
    for order_id, (user, product, _) in orders.items():
        if product in products and order_id not in promised and (user, product) not in in_doubt:
            yield f"order {order_id} of {user} was promised to nobody"


def cpu_of(server):
    """Seconds of processor that a server has used: its processes, and those that have ended."""
    postmaster = (pathlib.Path(ENV["SHARDING_DIR"]) / server / "data/postmaster.pid").read_text().split()[0]
    ticks = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if path.parent.name == postmaster:
            ticks += sum(int(stat[at]) for at in (11, 12, 13, 14))
        elif stat[1] == postmaster:
            ticks += int(stat[11]) + int(stat[12])
    return ticks / TICKS_PER_S


# The checks


def same_signatures():
    """The router has each function that processes may call, with the parameters and columns that it has on a shard."""
    sql = """select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                    (select string_agg(r, ' ') from unnest(array['flashsale_api', 'flashsale_worker']) r
                     where has_function_privilege(r, p.oid, 'execute'))
             from pg_proc p where p.pronamespace = 'flashsale'::regnamespace
                 and (has_function_privilege('flashsale_api', p.oid, 'execute')
                      or has_function_privilege('flashsale_worker', p.oid, 'execute')
                      or p.proname in ('set_user_disabled', 'end_sessions_of_user'))"""
    shard, router = ({tuple(row) for row in rows(url, sql)} for url in (SHARDS[0], ENV["ROUTER_URL"]))
    yield from (f"on the shards only: {row}" for row in sorted(shard - router))
    yield from (f"on the router only: {row}" for row in sorted(router - shard))
    if len(shard) < 30:
        yield f"only {len(shard)} functions were compared"


def make_users(count):
    """Users at home only, with their tokens."""
    users = {str(uuid.uuid4()): "" for _ in range(count)}
    for user in users:
        users[user] = token_of(user)
    ids = ",".join(users)
    rows(ENV["HOME_URL"], "insert into flashsale.users (user_id, email, password) select id, id || '@example.com', "
                          f"'$argon2id$none' from unnest('{{{ids}}}'::uuid[]) id")
    return users


async def make_sales(administrator, quantity):
    """A sale on each shard; both API processes know them."""
    sales, client = {}, Client(0)
    while len(sales) < len(SHARDS):
        status, sale = await client.send("POST", "/sales", administrator, {
            "name": "Lamp", "price_in_cents": 100, "quantity": quantity, "start_date": "2000-01-01T00:00:00Z",
            "end_date": "2100-01-01T00:00:00Z"})
        assert status == 201, sale
        found = rows(ENV["ROUTER_URL"], f"select shard from sharding.placements where id = '{sale['product_id']}'")
        sales.setdefault(int(found[0][0]), sale["product_id"])
    deadline = time.monotonic() + 10
    for api in range(len(APIS)):
        watcher = Client(api)
        while True:
            _, board = await watcher.send("GET", "/sales")
            if set(sales.values()) <= {sale["product_id"] for sale in board["sales"]} or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
    return [sales[shard] for shard in sorted(sales)]


async def hears_of_success(token):
    """An event stream is told only what its API process hears from the shard: nobody asks on its behalf."""
    host, port = APIS[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /orders/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n".encode())
    try:
        await asyncio.wait_for(reader.readuntil(b'"success"'), 10)
        return []
    except (asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
        return [f"the outcome was not heard: {error!r}"]
    finally:
        writer.close()


async def account_by_hand():
    """Sign up at one process, sign in at the other, buy on both shards, see the orders at the first; as anybody would."""
    person = {"email": f"{uuid.uuid4()}@example.com", "password": "correct horse 9 battery"}
    first, second = Client(0), Client(1)
    status, made = await first.send("POST", "/users", body=person)
    if status != 201:
        return [f"POST /users: {status} {made}"], None
    status, again = await second.send("POST", "/users", body=person)
    wrong = [] if (status, again.get("code")) == (409, "email_taken") else [f"POST /users again: {status} {again}"]
    rows(ENV["HOME_URL"], f"update flashsale.users set is_administrator = true where user_id = '{made['user_id']}'")
    _, session = await second.send("POST", "/users/authenticate", body=person)
    token = session["token"]
    products = await make_sales(token, 5)
    for product in products:
        heard = asyncio.create_task(hears_of_success(token))
        await asyncio.sleep(0.2)  # or the order may be settled before anybody listens
        status, order = await second.send("POST", "/orders", token, {"product_id": product}, "prefer: wait=10\r\n")
        wrong += await heard
        wrong += [] if order.get("status") == "success" else [f"POST /orders: {status} {order}"]
        status, order = await first.send("GET", f"/orders?product_id={product}", token)
        wrong += [] if order.get("status") == "success" else [f"GET /orders: {status} {order}"]
    _, newest = await first.send("GET", "/orders", token)
    _, history = await first.send("GET", "/orders/history", token)
    wrong += [] if newest.get("product_id") == products[-1] else [f"GET /orders: {newest}, not of {products[-1]}"]
    if [order["product_id"] for order in history.get("orders", [])] != products[::-1]:
        wrong.append(f"GET /orders/history: {history}")
    for number, url in enumerate(SHARDS):
        if rows(url, f"select password, email from flashsale.users where user_id = '{made['user_id']}'") != [
            ["$argon2id$kept at home", f"{made['user_id']}@home.invalid"]
        ]:
            wrong.append(f"shard {number} has no copy of the user, or too much of it")
    return wrong, token


async def measure(name, users, products):
    """A herd in which everybody gets a unit, and what it costs each server."""
    servers = ("router", "shard0", "shard1")
    before, began = {server: cpu_of(server) for server in servers}, time.monotonic()
    answers = await herd(users, products)
    took = time.monotonic() - began
    wrong = list(books(answers, {product: len(users) for product in products}))
    wrong += [] if summary(answers) == {"200 ok": len(answers)} else [summary(answers)]
    used = {server: (cpu_of(server) - before[server]) * 1e6 / len(answers) for server in servers}
    check(f"{name}: {len(answers)} purchases, everybody has one of each", wrong)
    print(f"  {len(answers) / took:.0f} a second with clients and all servers on this machine; of processor a purchase: router "
          f"{used['router']:.0f} us, its shard {used['shard0'] + used['shard1']:.0f} us", flush=True)


async def survive(administrator, users):
    """Shard 1 is killed under a herd on both: the other goes on, its own answers are 503, and afterwards all balances."""
    # Fewer for the one that goes: an API tries for four seconds to place a purchase before it answers 503.
    crowds = [users, dict(list(users.items())[:300])]
    quantities = [len(users) * 2 // 3, len(crowds[1])]
    here, gone = [(await make_sales(administrator, quantity))[shard] for shard, quantity in enumerate(quantities)]
    killed = {}

    def kill():
        killed["at"] = time.monotonic()
        subprocess.run([TRIAL, "kill", "1"], check=True, capture_output=True)

    began = time.monotonic()
    answers_here, answers_gone = await asyncio.gather(
        herd(crowds[0], [here], CONNECTIONS // 4), herd(crowds[1], [gone], min(CONNECTIONS, 80), on_share=kill)
    )
    others = summary([answer for answer in answers_here if answer.at > killed["at"] - began])
    check("the other shard's sale goes on", [] if others and set(others) <= {"200 ok", "400 sold_out"} else [others])
    asked = (Client(1).send("POST", "/orders", token, {"product_id": gone}) for token in list(users.values())[-20:])
    dead = collections.Counter(f"{status} {body.get('code')}" for status, body in await asyncio.gather(*asked))
    check("answers for the shard that is gone are 503", [] if dead == {"503 unavailable": 20} else [dict(dead)])
    print(f"  under the kill: {summary(answers_here)} here, {summary(answers_gone)} there", flush=True)
    check("the API stays ready, and lists the sales of both", await still_serves(users, here, gone))
    subprocess.run([TRIAL, "start", "1"], check=True, capture_output=True)
    again = await herd(crowds[0], [here], give_up_s=20) + await herd(crowds[1], [gone], give_up_s=20)
    # Who has a unit is told so; that is no promise of another order.
    told = answers_here + answers_gone + [answer for answer in again if answer.code != "already_purchased"]
    wrong = list(books(told, {here: quantities[0], gone: quantities[1]}))
    check("when it is back, everything is sold, nothing twice, every promise is kept", wrong)
    print(f"  when it is back: {summary(again)}", flush=True)


async def still_serves(users, here, gone):
    """For longer than a board may be old (10 s): everything that does not need the shard that is gone."""
    wrong, token, end = collections.Counter(), next(iter(users.values())), time.monotonic() + 12
    while time.monotonic() < end:
        mixed = await asyncio.gather(*(
            Client(0).send("GET", f"/orders?product_id={product}", token) for product in (here, gone, here, gone)
        ))
        for (status, body), product in zip(mixed, (here, gone, here, gone)):
            if (status == 503) != (product == gone):
                wrong[f"GET /orders of the {'dead' if product == gone else 'living'}: {status} {body.get('code')}"] += 1
        for api in range(len(APIS)):
            ready, _ = await Client(api).send("GET", "/readyz")
            _, board = await Client(api).send("GET", "/sales")
            if ready != 200 or not {here, gone} <= {sale["product_id"] for sale in board["sales"]}:
                wrong[f"/readyz {ready}, {len(board['sales'])} sales"] += 1
        await asyncio.sleep(0.2)
    status, _ = await Client(0).send("POST", "/users", body={"email": f"{uuid.uuid4()}@example.com", "password": "a long one 9!"})
    if status != 201:
        wrong[f"POST /users: {status}"] += 1
    return [f"{times} times {what}" for what, times in wrong.items()]


async def main():
    check("the router has every function, as the shards have it", same_signatures())
    wrong, administrator = await account_by_hand()
    check("sign up, sign in, buy on both shards", wrong)
    users = make_users(BUYERS)
    for name in ("new to the shards", "known to the shards"):
        products = await make_sales(administrator, BUYERS)
        await measure(f"a herd {name}", users, products)
    for number, url in enumerate(SHARDS):
        known = rows(url, "select count(*) from flashsale.users")[0][0]
        check(f"users are known on shard {number}", [] if int(known) == BUYERS + 1 else [f"{known} of {BUYERS + 1}"])
    await survive(administrator, users)
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(counts["failed"] > 0)


asyncio.run(main())
