#!/usr/bin/env python3
"""What a failover costs: a herd buys through 2 API and 2 worker processes while the primary is killed, powered off, frozen or cut
off. Afterwards every acknowledged purchase must be in the database, none twice, nothing oversold, everything sold, the books
balanced. The control loses: the same without synchronous replication, and standbys that lag when the primary dies.

usage: deploy/ha/failover.py [--faults=kill,freeze] [--result=FILE]      (make ha: all of them, about 6 minutes, as root)
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

from cluster import HERE, Cluster
from herd import Herd
from processes import Missing, Process, fail, find_patroni, find_program, free_port, patroni_version, stop_process, wait_for

ROOT = HERE.parent.parent
SECRET = "failover-trials-sign-with-this-0123456789"
PACE_PER_S = 250
# More than is sold at that pace while a fault lasts.
UNITS = 9_000
BUYERS = UNITS + 300
BEFORE_S = 6.0
CONFIRMED_WITHIN_S = 60.0
AFTERWARDS_S = 3.0
# Buying is as bumpy as that without faults.
NO_SILENCE_S = 0.5
SOLD_WITHIN_S = 120.0
# The control's standbys get nothing for so long before the primary dies.
BEHIND_S = 1.0


class Fault:
    """Something that happens to a server, and how it ends. The primary changes, unless it is the standby that is hurt."""

    def __init__(self, says, strike, heal, of_standby=False):
        self.says, self.strike, self.heal, self.of_standby = says, strike, heal, of_standby


FAULTS = {
    "kill": Fault("kill −9 of PostgreSQL, all processes; its Patroni lives", lambda server: server.kill(), lambda server: None),
    "power": Fault("kill −9 of PostgreSQL and Patroni", lambda server: server.power_off(), lambda server: server.start()),
    "freeze": Fault("SIGSTOP to PostgreSQL and Patroni", lambda server: server.freeze(), lambda server: server.thaw()),
    "cut": Fault("nothing gets in or out of its namespace", lambda server: server.cut_off(), lambda server: server.rejoin()),
    "standby": Fault("SIGSTOP to all of a standby", lambda server: server.freeze(), lambda server: server.thaw(), True),
}
CONTROL = "control"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default=",".join([*FAULTS, CONTROL]), help="which, in which order (default: %(default)s)")
    parser.add_argument("--binary", default=os.environ.get("FLASHSALE", ROOT / "target/debug/flashsale"), type=pathlib.Path)
    parser.add_argument("--result", type=pathlib.Path, help="where to write what was found, as JSON")
    parser.add_argument("--ttl", type=int, default=20, help="seconds that Patroni's lock lasts unrenewed (default: %(default)s)")
    parser.add_argument("--haproxy", action="store_true", help="reach the primary by HAProxy instead of several hosts")
    arguments = parser.parse_args()
    chosen = arguments.faults.split(",")
    # SIGTERM ends the trial as ctrl-c does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if unknown := [fault for fault in chosen if fault not in FAULTS and fault != CONTROL]:
            fail(f"unknown: {', '.join(unknown)}; there are {', '.join([*FAULTS, CONTROL])}")
        sys.exit(not run_all(arguments, chosen))
    except Missing as problem:
        sys.exit(f"failover.py: {problem}")


def run_all(arguments, chosen):
    if not arguments.binary.exists():
        fail(f"{arguments.binary} does not exist: build it (make build), or name it by --binary")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="flashsale-ha-"))
    # The servers' account must be able to pass.
    folder.chmod(0o711)
    # The control's new primary lacks what is lost, and is to be taken all the same.
    cluster = Cluster.create(folder / "cluster", network="cut" in chosen, proxy=arguments.haproxy, ttl=arguments.ttl,
                             lag_max=1 << 30)
    system = System(cluster, arguments.binary, folder, arguments.haproxy)
    is_well = False
    try:
        system.start()
        runs = [run_one(cluster, system, name) for name in chosen]
        report = describe(arguments, cluster, runs)
        is_well = all(run["as_expected"] for run in runs)
    finally:
        system.stop()
        if is_well:
            cluster.destroy()
            shutil.rmtree(folder, ignore_errors=True)
        else:
            cluster.destroy(keep_files=True)
            print(f"the logs are in {folder}", file=sys.stderr)
    if arguments.result:
        arguments.result.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return is_well


class System:
    """Redis, 2 API and 2 worker processes, which live through everything that happens to PostgreSQL."""

    def __init__(self, cluster, binary, folder, by_proxy):
        self.cluster, self.binary, self.folder = cluster, binary.resolve(), folder
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.redis_port = free_port()
        passwords = {"api": uuid.uuid4().hex, "worker": uuid.uuid4().hex}
        self.passwords, url = passwords, cluster.proxy_url if by_proxy else cluster.url
        common = {"REDIS_URL": f"redis://127.0.0.1:{self.redis_port}", "JWT_SECRET": SECRET, "RATE_LIMITS": "off",
                  "RUST_BACKTRACE": "1"}
        owner, api, worker = url(), url("api", passwords["api"]), url("worker", passwords["worker"])
        self.owner = {**common, "DATABASE_URL": owner}
        us = {"prefix": list}
        self.redis = Process(folder, "redis", **us)
        self.apis = [Process(folder, f"api-{number}", environment={**common, "DATABASE_URL": api, "BIND_ADDR": address}, **us)
                     for number, address in enumerate(self.addresses)]
        self.workers = [Process(folder, f"worker-{number}", environment={**common, "DATABASE_URL": worker}, **us)
                        for number in range(2)]

    def start(self):
        self.redis.start(find_program("redis-server", "redis-server"), "--port", self.redis_port, "--bind", "127.0.0.1",
                         "--save", "", "--dir", self.folder)
        migrated = subprocess.run([self.binary, "migrate"], check=False, env=self.owner, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        if migrated.returncode:
            fail(f"flashsale migrate failed: {migrated.stdout}")
        logins = {f"{name.upper()}_PASSWORD": password for name, password in self.passwords.items()}
        self.cluster.run_script(ROOT / "deploy/postgres/logins.sql", logins)
        for process, role in [(api, "api") for api in self.apis] + [(worker, "worker") for worker in self.workers]:
            process.start(self.binary, role)
        for address in self.addresses:
            wait_for(f"{address} is ready", lambda address=address: is_ready(address), 30, more=self.tails)

    def tails(self):
        return "\n".join(f"--- {process.name}\n{process.log_tail()}" for process in [*self.apis, *self.workers])

    def stop(self):
        for process in [*self.apis, *self.workers, self.redis]:
            stop_process(process.pid, signal.SIGTERM, process.name)

    def died(self):
        return [process.name for process in [*self.apis, *self.workers] if process.pid() is None]

    def panics(self):
        logs = [(self.folder / f"{process.name}.log").read_text(errors="replace") for process in [*self.apis, *self.workers]]
        return [line for log in logs for line in log.splitlines() if "panicked" in line or "ERROR" in line]


def is_ready(address):
    import http.client
    try:
        connection = http.client.HTTPConnection(address, timeout=3)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def run_one(cluster, system, name):
    """One sale with one fault in it."""
    cluster.change_settings({"synchronous_mode": name != CONTROL and "quorum", "synchronous_mode_strict": name != CONTROL})
    time.sleep(3)
    cluster.wait_until_whole()
    product_id, users = open_sale(cluster)
    for address in system.addresses:
        wait_for(f"{address} knows the sale", lambda address=address: is_ready(address), 30)
    herd = Herd(system.addresses, product_id, users, SECRET, PACE_PER_S)
    herd.start()
    time.sleep(BEFORE_S)
    before = cluster.wait_for_primary(5)
    struck_at, server, heal = strike(cluster, name, before)
    confirmed = wait_until_confirmed(herd, struck_at)
    time.sleep(AFTERWARDS_S)
    heal()
    herd.hurry()
    everybody_answered = herd.join(SOLD_WITHIN_S)
    cluster.wait_until_whole()
    found = check(cluster, system, product_id, herd)
    after = cluster.wait_for_primary()
    is_of_standby = name in FAULTS and FAULTS[name].of_standby
    if not everybody_answered:
        found["wrong"].append("buyers are still waiting for a definite answer")
    if not confirmed:
        found["wrong"].append(f"no purchase was confirmed again within {CONFIRMED_WITHIN_S:.0f} s")
    if (after.name == before.name) != is_of_standby:
        found["wrong"].append(f"{before.name} was the primary, {after.name} is: the fault was not what it should be")
    run = {"fault": name, "says": FAULTS[name].says if name in FAULTS else
           f"control: asynchronous, standbys {BEHIND_S:.0f} s behind when the primary loses its power",
           "synchronous": name != CONTROL, "struck": server.name, "primary_before": before.name, "primary_after": after.name,
           **timings(herd, struck_at, cluster, product_id), **found}
    others = [wrong for wrong in found["wrong"] if name != CONTROL]
    run["as_expected"] = not others if name != CONTROL else found["lost"] > 0
    print(say(run), flush=True)
    return run


def open_sale(cluster):
    """A sale that is open for an hour, and people to buy. Answers its product and their ids."""
    product_id, users = str(uuid.uuid4()), [str(uuid.uuid4()) for _ in range(BUYERS)]
    cluster.query(f"""select flashsale.create_sale('{uuid.uuid4()}', '{product_id}', 'Failover {product_id}', '', 1999, {UNITS},
        clock_timestamp() - interval '1 minute', clock_timestamp() + interval '1 hour');
        insert into flashsale.users (user_id, email, password, is_administrator)
        select id, id || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA', false
        from unnest('{{{','.join(users)}}}'::uuid[]) id""")
    time.sleep(1.0)
    return product_id, users


def strike(cluster, name, primary):
    """When, whom, and what heals it."""
    if name == CONTROL:
        # The standbys have what the network has: what must be lost must not be sent.
        primary.signal(signal.SIGSTOP, primary.wal_senders())
        time.sleep(BEHIND_S)
        struck_at = time.time()
        primary.power_off()
        return struck_at, primary, primary.start
    fault = FAULTS[name]
    server = cluster.standbys()[0] if fault.of_standby else primary
    struck_at = time.time()
    fault.strike(server)
    return struck_at, server, lambda: fault.heal(server)


def wait_until_confirmed(herd, struck_at):
    """Whether purchases were confirmed again: not one that was on its way when the fault struck, but steadily."""
    until = time.time() + CONFIRMED_WITHIN_S
    while time.time() < until:
        now = time.time()
        if len(herd.acknowledged_after(max(now - 1.0, struck_at + 1.0))) > PACE_PER_S / 4:
            return True
        time.sleep(0.05)
    return False


def longest_silence(times, struck_at):
    """Seconds from the fault to the end of the longest silence after it, none if it never was silent; and its length."""
    times = sorted(at for at in times if at > struck_at - 5)
    gaps = [(later - earlier, later) for earlier, later in zip(times, times[1:]) if later > struck_at]
    if not gaps:
        return None, None
    length, end = max(gaps)
    return (round(end - struck_at, 2) if length > NO_SILENCE_S else 0.0), round(length, 2)


def timings(herd, struck_at, cluster, product_id):
    rows = cluster.query(f"select extract(epoch from settled_at) as at from flashsale.orders where product_id = '{product_id}'")
    confirmed, silence = longest_silence([at for at, *_ in herd.acknowledged], struck_at)
    settled, _ = longest_silence([float(row["at"]) for row in rows if row["at"]], struck_at)
    took = sorted(took * 1000 for at, took, *_ in herd.acknowledged if at < struck_at - BEHIND_S)
    return {"confirmed_again_s": confirmed, "silence_s": silence, "settled_again_s": settled,
            "confirmed_before": len(took), "answer_ms_p50": round(statistics.median(took), 1),
            "answer_ms_p95": round(took[int(len(took) * 0.95)], 1)}


def check(cluster, system, product_id, herd):
    """What is not as promised, each as a sentence."""
    wrong = []
    wait_for("every order is settled", lambda: is_drained(cluster, product_id), SOLD_WITHIN_S, 0.5, more=system.tails)
    orders = {row["order_id"]: row for row in cluster.query(
        f"select order_id, user_id, status from flashsale.orders where product_id = '{product_id}'")}
    acknowledged = {(order_id, user_id) for _, _, order_id, user_id in herd.acknowledged}
    lost = [order_id for order_id, user_id in acknowledged if orders.get(order_id, {}).get("user_id") != user_id]
    if lost:
        wrong.append(f"{len(lost)} acknowledged purchases are lost, such as {lost[0]}")
    unkept = [order_id for order_id, _ in acknowledged if orders.get(order_id, {}).get("status") == "failed"]
    if unkept:
        wrong.append(f"{len(unkept)} acknowledged purchases got no unit although they were admitted, such as {unkept[0]}")
    owners = [row["user_id"] for row in orders.values() if row["status"] == "success"]
    if len(owners) != len(set(owners)):
        wrong.append("somebody has two units")
    [book] = cluster.query(f"select * from ops.sale_books where product_id = '{product_id}'")
    if book["balanced"] != "t":
        wrong.append(f"the books do not balance: {book}")
    if int(book["sold"]) > UNITS or len(owners) > UNITS:
        wrong.append(f"oversold: {book['sold']} counted, {len(owners)} orders, {UNITS} units")
    if len(owners) < UNITS:
        wrong.append(f"{len(owners)} of {UNITS} units sold although more wanted one")
    strange = sorted({f"{status} {code}" for status, code, _ in herd.refused if (status, code) != (400, "sold_out")})
    # A purchase whose answer was lost and that was settled meanwhile.
    strange = [refusal for refusal in strange if refusal != "400 already_purchased"]
    if strange:
        wrong.append(f"answered {', '.join(strange)}")
    wrong.extend(f"{name} is dead" for name in system.died())
    wrong.extend(system.panics()[:5])
    return {"acknowledged": len(acknowledged), "lost": len(lost), "sold": len(owners), "units": UNITS,
            "tried_again": herd.tried_again, "wrong": wrong}


def is_drained(cluster, product_id):
    try:
        [row] = cluster.query(f"""select (select count(*) from pgmq.q_purchases) + (select count(*) from flashsale.orders
            where product_id = '{product_id}' and status = 'in_progress') as waiting""")
        return row["waiting"] == "0"
    except Missing:
        return False


def describe(arguments, cluster, runs):
    [row] = cluster.query("select current_setting('server_version') as version")
    return {"measured_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
            "system": platform.platform(), "postgresql": row["version"],
            "patroni": ".".join(map(str, patroni_version(find_patroni()))),
            "ttl_s": arguments.ttl, "by": "HAProxy" if arguments.haproxy else "several hosts", "pace_per_s": PACE_PER_S,
            "units": UNITS, "buyers": BUYERS, "violations": sum(not run["as_expected"] for run in runs), "runs": runs}


def say(run):
    verdict = "as expected" if run["as_expected"] else "NOT AS EXPECTED"
    return (f"{run['fault']:8} {verdict}: {run['acknowledged']} acknowledged, {run['lost']} lost, "
            f"{run['sold']} of {run['units']} sold; "
            f"confirmed again after {run['confirmed_again_s']} s, settled again after {run['settled_again_s']} s; "
            f"before it p50 {run['answer_ms_p50']} ms, p95 {run['answer_ms_p95']} ms"
            + "".join(f"\n         {wrong}" for wrong in run["wrong"]))


if __name__ == "__main__":
    main()
