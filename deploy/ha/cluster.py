"""Three PostgreSQL servers under Patroni with one etcd, all on this machine, each in a folder of its own: starting them, asking
who leads, hurting one of them, stopping them. What is in the folder says everything, so another process can go on with it.

With a network each server has a network namespace of its own (which needs root), and can be cut off in it.
"""

import contextlib
import csv
import io
import json
import os
import pathlib
import secrets
import shutil
import signal
import string
import subprocess
import urllib.error
import urllib.request

from processes import (START_S, Missing, Process, account, check_reachable, children_of, fail, find_patroni, find_program, free_port,
                       is_alive, newest_postgres, run, stop_process, wait_for)

HERE = pathlib.Path(__file__).resolve().parent
SERVERS = 3
# Names and addresses of the network; one at a time on a machine.
BRIDGE = "flashsale-ha"
SUBNET = "10.231.77"
ASK_S = 1.0


class Server:
    """One PostgreSQL and its Patroni."""

    def __init__(self, cluster, described):
        self.cluster = cluster
        self.name, self.address, self.namespace = described["name"], described["address"], described["namespace"]
        self.port, self.rest_port = described["port"], described["rest_port"]
        self.folder = cluster.folder / self.name
        self.patroni = Process(self.folder, "patroni", self.namespace)

    def ask(self, path):
        """Status and JSON of Patroni's answer; None when there is none."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.rest_port}{path}", timeout=ASK_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError):
                return error.code, json.load(error)
        except (OSError, ValueError):
            pass
        return None

    def is_primary(self):
        answer = self.ask("/primary")
        return answer is not None and answer[0] == 200

    def state(self):
        answer = self.ask("/patroni")
        return answer[1] if answer else {}

    def start(self):
        self.patroni.start(find_patroni(), self.folder / "patroni.yml")

    def postmaster(self):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((self.folder / "data/postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
            if str(self.folder).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() and is_alive(pid):
                return pid
        return None

    def postgres_processes(self):
        """The postmaster first, so that it starts nothing anew."""
        postmaster = self.postmaster()
        return [postmaster, *children_of(postmaster)] if postmaster else []

    def processes(self):
        patroni = self.patroni.pid()
        return ([patroni, *children_of(patroni)] if patroni else []) + self.postgres_processes()

    def wal_senders(self):
        """The processes by which this server feeds its standbys."""
        titles = {pid: pathlib.Path(f"/proc/{pid}/cmdline") for pid in self.postgres_processes()}
        return [pid for pid, title in titles.items() if b"walsender" in title.read_bytes()]

    def signal(self, number, processes):
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def is_gone(self):
        return not self.processes()

    # What can happen to a machine.

    def kill(self):
        """PostgreSQL dies, all of its processes at once; its Patroni lives."""
        self.signal(signal.SIGKILL, self.postgres_processes())

    def power_off(self):
        """Nothing of it is left but its disk."""
        self.signal(signal.SIGKILL, self.processes())

    def freeze(self):
        self.signal(signal.SIGSTOP, self.processes())

    def thaw(self):
        self.signal(signal.SIGCONT, self.processes())

    def cut_off(self):
        """Nothing gets in or out of its namespace any more, and nobody is told."""
        for rule in ("add table inet cut", "add chain inet cut in { type filter hook input priority 0; policy drop; }",
                     "add chain inet cut out { type filter hook output priority 0; policy drop; }",
                     "add rule inet cut in iif lo accept", "add rule inet cut out oif lo accept"):
            run("ip", "netns", "exec", self.namespace, find_program("nft", "nftables"), rule)

    def rejoin(self):
        run("ip", "netns", "exec", self.namespace, find_program("nft", "nftables"), "delete table inet cut")


class Cluster:
    """All of it, in one folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        described = json.loads((self.folder / "trial.json").read_text(encoding="utf-8"))
        self.password, self.proxy_port = described["password"], described["proxy_port"]
        self.network, self.etcd_url, self.address = described["network"], described["etcd"], described["address"]
        self.servers = [Server(self, server) for server in described["servers"]]
        self.etcd = Process(self.folder / "etcd", "etcd")
        self.proxy = Process(self.folder / "proxy", "haproxy")

    # Making it.

    @classmethod
    def create(cls, folder, *, network=False, proxy=False, synchronous=True, ttl=20, lag_max=1 << 20):
        """Writes the folder, starts everything, waits until it can be used."""
        folder = pathlib.Path(folder).resolve()
        if (folder / "trial.json").exists():
            fail(f"{folder} has a trial already: end it first (trial.py down)")
        if network and os.geteuid() != 0:
            fail("a network of its own needs root: leave --network away to run on 127.0.0.1")
        folder.mkdir(parents=True, exist_ok=True)
        check_reachable(folder, find_patroni())
        write_description(folder, network, proxy)
        cluster = cls(folder)
        try:
            if network:
                make_network(cluster.servers)
            replication = {"synchronous": "quorum", "strict": "on"} if synchronous else {"synchronous": "off", "strict": "off"}
            cluster.write_configurations({**replication, "ttl": ttl, "lag_max": lag_max})
            cluster.start()
            cluster.create_database()
        except BaseException:
            cluster.destroy(keep_files=True)
            raise
        return cluster

    def write_configurations(self, settings):
        user = account()
        common = {**settings, "programs": newest_postgres(), "password": self.password,
                  "etcd": self.etcd_url.removeprefix("http://"), "network": f"{SUBNET}.0/24" if self.network else "127.0.0.1/32"}
        for server in self.servers:
            values = {**common, "name": server.name, "address": server.address, "port": server.port,
                      "rest_port": server.rest_port, "folder": server.folder}
            self.write(server.folder, "patroni.yml", values, user)
        host, client_port = common["etcd"].split(":")
        self.write(self.etcd.folder, "etcd.yml", {"name": "etcd", "address": host, "client_port": client_port,
                                                  "peer_port": free_port(), "folder": self.etcd.folder}, user)
        if self.proxy_port:
            line = "    server {0.name} {0.address}:{0.port} check port {0.rest_port}".format
            self.write(self.proxy.folder, "haproxy.cfg", {"address": self.address, "proxy_port": self.proxy_port,
                                                          "servers": "\n".join(map(line, self.servers))}, user)

    @staticmethod
    def write(folder, name, values, user):
        folder.mkdir(mode=0o700)
        path = folder / name
        path.write_text(string.Template((HERE / name).read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        path.chmod(0o600)
        if user:
            for owned in (folder, path):
                os.chown(owned, user.pw_uid, user.pw_gid)

    def start(self):
        self.etcd.start(find_program("etcd", "etcd-server"), f"--config-file={self.etcd.folder}/etcd.yml")
        wait_for("etcd answers", self.etcd_answers, 30, more=self.tails)
        for server in self.servers:
            server.start()
        if self.proxy_port:
            self.proxy.start(find_program("haproxy", "haproxy"), "-db", "-f", self.proxy.folder / "haproxy.cfg")
        self.wait_until_whole()

    def etcd_answers(self):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"{self.etcd_url}/health", timeout=ASK_S) as answer:
                return answer.status == 200
        return False

    def create_database(self):
        """The owner of the database, who migrates. Not a superuser."""
        # pgmq and the ops views look at what the server says of itself.
        for statement in (f"create role flashsale login createrole password '{self.password}'",
                          "create database flashsale owner flashsale",
                          "grant pg_read_all_stats to flashsale with admin option"):
            self.query(statement, user="postgres", database="postgres")

    # Using it.

    def url(self, user="flashsale", password=None, database="flashsale"):
        """All servers: the client finds the primary."""
        hosts = ",".join(f"{server.address}:{server.port}" for server in self.servers)
        return f"postgres://{user}:{password or self.password}@{hosts}/{database}?target_session_attrs=read-write"

    def proxy_url(self, user="flashsale", password=None):
        return f"postgres://{user}:{password or self.password}@{self.address}:{self.proxy_port}/flashsale"

    def query(self, statement, user="flashsale", database="flashsale"):
        """The rows that a statement answers on the primary, each as a mapping from names to texts."""
        psql = find_program("psql", "postgresql-client")
        done = subprocess.run([psql, "-Xq", "--csv", "-v", "ON_ERROR_STOP=1", self.url(user, database=database)], input=statement,
                              check=False, capture_output=True, text=True, env={**os.environ, "PGCONNECT_TIMEOUT": "3"})
        if done.returncode:
            fail(f"the database refused: {done.stderr.strip()}\n{statement[:200]}")
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def run_script(self, path, environment):
        psql = find_program("psql", "postgresql-client")
        done = subprocess.run([psql, "-Xq", self.url(), f"--file={path}"], check=False, capture_output=True, text=True,
                              env={**os.environ, **environment, "PGCONNECT_TIMEOUT": "3"})
        if done.returncode:
            fail(f"{path} failed: {done.stderr.strip()}")

    def primary(self):
        return next((server for server in self.servers if server.is_primary()), None)

    def standbys(self):
        """Those whose word a COMMIT may wait for."""
        return [server for server in self.servers if (server.ask("/quorum") or (0,))[0] == 200]

    def wait_for_primary(self, limit_s=START_S):
        return wait_for("a server leads", self.primary, limit_s, more=self.tails)

    def wait_until_whole(self, limit_s=START_S):
        """One leads, the others follow it, and what it commits is on a second one where that is wanted."""
        wait_for("one leads and two follow", self.is_whole, limit_s, 0.25, more=self.tails)

    def is_whole(self):
        states = [server.state() for server in self.servers]
        timelines = {state.get("timeline") for state in states}
        leads = [state for state in states if state.get("role") in ("master", "primary")]
        follow = [state for state in states if state.get("role") in ("replica", "standby")]
        are_running = all(state.get("state") in ("running", "streaming") for state in states)
        if not (are_running and len(leads) == 1 and len(follow) == SERVERS - 1 and len(timelines) == 1):
            return False
        streaming = [entry for entry in leads[0].get("replication", []) if entry.get("state") == "streaming"]
        is_synchronous = self.settings().get("synchronous_mode", False)
        return len(streaming) == SERVERS - 1 and (not is_synchronous or len(self.standbys()) == SERVERS - 1)

    def settings(self):
        """Patroni's, as they are in etcd."""
        for server in self.servers:
            if answer := server.ask("/config"):
                return answer[1]
        return {}

    def change_settings(self, changes):
        server = self.wait_for_primary()
        request = urllib.request.Request(f"http://{server.address}:{server.rest_port}/config", json.dumps(changes).encode(),
                                         {"content-type": "application/json"}, method="PATCH")
        with urllib.request.urlopen(request, timeout=10):
            pass

    def tails(self):
        return "\n".join(f"--- {process.folder.name}\n{process.log_tail()}" for process in
                         (self.etcd, *(server.patroni for server in self.servers)))

    # Ending it.

    def stop(self):
        """Patroni stops its PostgreSQL; the primary last, so that nobody takes over."""
        primary = self.primary()
        for server in sorted(self.servers, key=lambda server: server is primary):
            server.thaw()
            stop_process(server.patroni.pid, signal.SIGTERM, server.name)
            stop_process(server.postmaster, signal.SIGINT, f"PostgreSQL of {server.name}")
        for process in (self.proxy, self.etcd):
            stop_process(process.pid, signal.SIGTERM, process.name)

    def destroy(self, keep_files=False):
        self.stop()
        if self.network:
            remove_network(self.servers)
        if keep_files:
            (self.folder / "trial.json").unlink(missing_ok=True)
            return
        for folder in (self.etcd.folder, self.proxy.folder, *(server.folder for server in self.servers)):
            shutil.rmtree(folder, ignore_errors=True)
        (self.folder / "trial.json").unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def write_description(folder, network, proxy):
    def server(number):
        address = f"{SUBNET}.{10 + number}" if network else "127.0.0.1"
        ports = (5432, 8008) if network else (free_port(), free_port())
        return {"name": f"postgres{number}", "address": address, "port": ports[0], "rest_port": ports[1],
                "namespace": f"{BRIDGE}-{number}" if network else None}

    own = f"{SUBNET}.1" if network else "127.0.0.1"
    described = {"network": network, "password": secrets.token_hex(16), "address": own, "etcd": f"http://{own}:{free_port()}",
                 "proxy_port": free_port() if proxy else None, "servers": [server(number + 1) for number in range(SERVERS)]}
    path = folder / "trial.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(described, indent=1), encoding="utf-8")


def make_network(servers):
    if pathlib.Path(f"/sys/class/net/{BRIDGE}").exists():
        fail(f"there is a network {BRIDGE} already: another trial has it")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{SUBNET}.1/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for number, server in enumerate(servers, 1):
        run("ip", "netns", "add", server.namespace)
        run("ip", "link", "add", f"fsha{number}", "type", "veth", "peer", "name", "eth0", "netns", server.namespace)
        run("ip", "link", "set", f"fsha{number}", "master", BRIDGE, "up")
        run("ip", "-n", server.namespace, "address", "add", f"{server.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", server.namespace, "link", "set", device, "up")


def remove_network(servers):
    for command in [("ip", "netns", "delete", server.namespace) for server in servers] + [("ip", "link", "delete", BRIDGE)]:
        with contextlib.suppress(Missing):
            run(*command)
