#!/usr/bin/env python3
"""PostgreSQL that fails over, on one machine, for trying out: etcd, three servers under Patroni, HAProxy if wanted.

usage: deploy/ha/trial.py up [--network] [--haproxy] [--asynchronous] [--ttl=N] | status | url | psql [arguments] | down
"""

import argparse
import os
import sys

from cluster import Cluster
from processes import Missing, find_program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=".data/ha", help="where everything is kept (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything, and say how to log in")
    up.add_argument("--network", action="store_true", help="each server in a network namespace of its own (needs root)")
    up.add_argument("--haproxy", action="store_true", help="one address for the primary, too")
    up.add_argument("--asynchronous", action="store_true", help="without synchronous replication: loses purchases")
    up.add_argument("--ttl", type=int, default=20, help="seconds that a lock lasts unrenewed (default: %(default)s)")
    commands.add_parser("status", help="who leads, who follows")
    commands.add_parser("url", help="DATABASE_URL of its owner")
    commands.add_parser("psql", help="open the database on the primary; more arguments are psql's")
    commands.add_parser("down", help="stop everything and delete it")
    arguments, others = parser.parse_known_args()
    if others and arguments.command != "psql":
        parser.error(f"unknown: {' '.join(others)}")
    arguments.others = others
    try:
        sys.exit(COMMANDS[arguments.command](arguments))
    except Missing as problem:
        sys.exit(f"trial.py: {problem}")
    except FileNotFoundError:
        sys.exit(f"trial.py: nothing is up in {arguments.folder}: start it with `trial.py up`")


def up(arguments):
    cluster = Cluster.create(arguments.folder, network=arguments.network, proxy=arguments.haproxy,
                             synchronous=not arguments.asynchronous, ttl=arguments.ttl)
    status(arguments)
    print(f"DATABASE_URL='{cluster.url()}'")
    if cluster.proxy_port:
        print(f"DATABASE_URL='{cluster.proxy_url()}'   # by HAProxy")


def status(arguments):
    for server in Cluster(arguments.folder).servers:
        state = server.state()
        role = "primary" if server.is_primary() else state.get("role", "does not answer")
        quorum = (server.ask("/quorum") or (0,))[0] == 200
        print(f"{server.name} {server.address}:{server.port} {role}{' of the quorum' if quorum else ''},"
              f" {state.get('state', 'unknown')}, timeline {state.get('timeline', 'unknown')}")


def url(arguments):
    print(Cluster(arguments.folder).url())


def psql(arguments):
    os.execv(find_program("psql", "postgresql-client"), ["psql", Cluster(arguments.folder).url(), *arguments.others])


def down(arguments):
    Cluster(arguments.folder).destroy()


COMMANDS = {"up": up, "status": status, "url": url, "psql": psql, "down": down}

if __name__ == "__main__":
    main()
