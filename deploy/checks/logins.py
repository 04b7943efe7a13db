"""deploy/postgres/logins.sql on a real PostgreSQL: the logins are members of their roles and nothing more, the second run changes
their passwords, and it says so when a password was forgotten. A throw-away server, which runs as somebody else when we are root.

usage: logins.py <folder of initdb, pg_ctl and psql>
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from problems import ROOT, end

UNPRIVILEGED = 65534
ROLES = {"api": "flashsale_api", "worker": "flashsale_worker"}


class Postgres:
    """A server that is reached by its socket only, asks for passwords, and is gone after the test."""

    def __init__(self, programs, folder):
        self.programs, self.folder = pathlib.Path(programs), folder

    def server_program(self, name, *arguments):
        run_as = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([self.programs / name, f"--pgdata={self.folder}/data", *arguments], cwd=self.folder, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **run_as)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stdout}")

    @contextlib.contextmanager
    def running(self):
        password = pathlib.Path(self.folder, "password")
        password.write_text("owner", encoding="utf-8")
        if os.geteuid() == 0:
            shutil.chown(self.folder, UNPRIVILEGED, UNPRIVILEGED)
            shutil.chown(password, UNPRIVILEGED, UNPRIVILEGED)
        self.server_program("initdb", "--username=owner", f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off -c log_statement=all"
        self.server_program("pg_ctl", "--wait", f"--log={self.folder}/log", f"--options={options}", "start")
        try:
            yield
        finally:
            self.server_program("pg_ctl", "--mode=immediate", "stop")

    def psql(self, user, password, *arguments, **variables):
        """Status and what was printed."""
        environment = {"PATH": os.environ["PATH"], "PGHOST": self.folder, "PGDATABASE": "postgres", "PGUSER": user,
                       "PGPASSWORD": password, **variables}
        done = subprocess.run([self.programs / "psql", "-XAtq", *arguments], env=environment, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout.strip()


def problems(postgres):
    script = f"--file={ROOT}/deploy/postgres/logins.sql"
    for role in ROLES.values():
        postgres.psql("owner", "owner", "-c", f"create role {role} nologin")
    status, said = postgres.psql("owner", "owner", script, API_PASSWORD="one")
    if status == 0 or "WORKER_PASSWORD is not set" not in said:
        yield f"a forgotten password: psql ended with {status} and said {said!r}"
    for number in ("one", "two"):
        passwords = {login: f"{login}'s {number}" for login in ROLES}
        status, said = postgres.psql("owner", "owner", script, API_PASSWORD=passwords["api"], WORKER_PASSWORD=passwords["worker"])
        if status != 0 or said:
            yield f"run {number}: psql ended with {status} and said {said!r}"
        for login, role in ROLES.items():
            yield from bad_login(postgres, login, passwords[login], role)
    if postgres.psql("api", "api's one", "-c", "select 1")[0] == 0:
        yield "api can still log in with its old password"
    if "api''s" in pathlib.Path(postgres.folder, "log").read_text(encoding="utf-8"):
        yield "a password is in the server's log"


def bad_login(postgres, login, password, role):
    asked = ("select string_agg(m.roleid::regrole::text, ',') || ' ' || pg_has_role(current_user, m.roleid, 'usage') || ' ' || "
             "bool_or(r.rolsuper or r.rolcreaterole or r.rolcreatedb) from pg_auth_members m join pg_roles r on r.oid = m.member "
             "where r.rolname = current_user group by m.roleid")
    answer = postgres.psql(login, password, "-c", asked)
    if answer != (0, f"{role} true false"):
        yield f"{login}: expected a member of {role} with its rights and no others, found {answer}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="flashsale-logins.") as folder:
        server = Postgres(sys.argv[1], folder)
        with server.running():
            found = list(problems(server))
    end(found)
