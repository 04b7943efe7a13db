"""Many buyers of one sale, each of whom asks until the answer is definite, as a shopper's page does. Every acknowledgement is
remembered with the time it came.
"""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import threading
import time
import uuid

BUYERS_AT_ONCE = 48
ANSWER_S = 15.0
AGAIN_S = 0.1
# Answers that ask for another try; none at all is another.
TRY_AGAIN = (429, 503, 504)


def sign_token(secret, user_id):
    """As the API would: the buyers need no passwords."""
    now = int(time.time())
    claims = {"iss": "flashsale", "aud": "flashsale", "sub": user_id, "sid": str(uuid.uuid4()), "iat": now, "nbf": now,
              "exp": now + 3600}
    parts = [encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    return ".".join([*parts, encode(hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest())])


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Herd:
    """Buys at a steady pace, so that the sale lasts longer than a failover; or faster, when it has been seen."""

    def __init__(self, addresses, product_id, user_ids, secret, pace_per_s):
        self.addresses, self.product_id, self.secret = addresses, product_id, secret
        self.users, self.pace_per_s = iter(user_ids), pace_per_s
        self.lock = threading.Lock()
        # (seconds by time.time(), seconds that the answer took, order id, user id)
        self.acknowledged, self.refused, self.tried_again = [], [], {}
        self.due = time.monotonic()
        self.threads = [threading.Thread(target=self.buy_on, args=(number,), daemon=True) for number in range(BUYERS_AT_ONCE)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def hurry(self):
        with self.lock:
            self.pace_per_s = float("inf")

    def join(self, limit_s):
        """Whether everybody has been answered."""
        until = time.monotonic() + limit_s
        for thread in self.threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def count(self):
        with self.lock:
            return len(self.acknowledged)

    def acknowledged_after(self, moment):
        with self.lock:
            return [at for at, *_ in self.acknowledged if at > moment]

    def next_user(self):
        """Whose turn it is, and how long to wait for it."""
        with self.lock:
            self.due = max(self.due + 1 / self.pace_per_s, time.monotonic() - 0.05)
            return next(self.users, None), self.due - time.monotonic()

    def buy_on(self, number):
        addresses = itertools.cycle(self.addresses[number % 2:] + self.addresses[:number % 2])
        connection = http.client.HTTPConnection(next(addresses), timeout=ANSWER_S)
        while True:
            user_id, pause = self.next_user()
            if user_id is None:
                return
            time.sleep(max(0.0, pause))
            headers = {"authorization": f"Bearer {sign_token(self.secret, user_id)}", "content-type": "application/json"}
            while True:
                asked = time.time()
                status, answer = ask(connection, json.dumps({"product_id": self.product_id}), headers)
                if status == 200:
                    with self.lock:
                        self.acknowledged.append((time.time(), time.time() - asked, answer["order_id"], user_id))
                elif status is None or status in TRY_AGAIN:
                    with self.lock:
                        word = answer.get("code", "no answer")
                        self.tried_again[word] = self.tried_again.get(word, 0) + 1
                    if status is None:
                        connection = http.client.HTTPConnection(next(addresses), timeout=ANSWER_S)
                    time.sleep(AGAIN_S)
                    continue
                else:
                    with self.lock:
                        self.refused.append((status, answer.get("code"), user_id))
                break


def ask(connection, body, headers):
    """Status and JSON; no status where no answer came."""
    try:
        connection.request("POST", "/orders", body, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()
        return None, {}
