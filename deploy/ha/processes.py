"""What the cluster is made of: finding programs, waiting, and processes that go on when the program that started them ends."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

# The first that knows quorums. Those before 3.0.3 (Debian 12 has 3.0.2) lose what was sold: a primary that was frozen takes the
# lock back from whoever has it by now (https://github.com/patroni/patroni/pull/2689).
PATRONI_MIN = (4, 0, 0)
START_S = 120.0


class Missing(Exception):
    """Something that must be installed, or be otherwise."""


def find_program(name, package, *folders):
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path) or fail(f"{name} is missing (Debian: apt-get install {package})")


def fail(problem):
    raise Missing(problem)


def find_patroni():
    """The program, by $PATRONI or on the path."""
    patroni = os.environ.get("PATRONI") or find_program("patroni", "patroni, or by pip")
    if patroni_version(patroni) < PATRONI_MIN:
        fail(f"{patroni} is older than {'.'.join(map(str, PATRONI_MIN))}: install a newer one in a virtual environment "
             "(pip install --requirement deploy/ha/requirements.txt) and name it in PATRONI")
    return patroni


def patroni_version(patroni):
    said = subprocess.run([patroni, "--version"], check=False, capture_output=True, text=True).stdout
    return tuple(int(part) for part in said.split()[-1].split(".")[:3]) if said else fail(f"{patroni} --version says nothing")


def newest_postgres():
    """The folder of initdb and the others."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = folders[-1] if folders else shutil.which("initdb")
    return pathlib.Path(found or fail("PostgreSQL's initdb is missing (Debian: apt-get install postgresql)")).parent


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def account():
    """Whom servers run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return fail("there is neither a user postgres nor a user nobody to run PostgreSQL as")


def as_account():
    """What goes before a command, so that it runs as that account."""
    user = account()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"] if user else []


def check_reachable(*paths):
    for path in paths:
        if subprocess.run([*as_account(), "test", "-x", path], check=False).returncode:
            fail(f"the account that PostgreSQL runs as cannot reach {path}: choose another place")


def run(*command):
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        fail(f"{' '.join(map(str, command))} failed: {done.stdout.strip()}")


def wait_for(what, probe, limit_s=START_S, every_s=0.1, more=str):
    """What the probe answers as soon as it answers anything. `more` is said too when it never does."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if found := probe():
            return found
        time.sleep(every_s)
    return fail(f"not within {limit_s:.0f} s: {what}\n{more()}")


def is_alive(pid):
    with contextlib.suppress(OSError, IndexError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    return False


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(entry.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.parent.name))
    return found


class Process:
    """A program that goes on when we end; its process id and its log are in its folder, which its command names."""

    def __init__(self, folder, name, namespace=None, environment=None, prefix=as_account):
        self.folder, self.name, self.namespace = pathlib.Path(folder), name, namespace
        self.environment, self.prefix = environment or {}, prefix

    @property
    def pid_file(self):
        return self.folder / f"{self.name}.pid"

    def start(self, *command):
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        with open(self.folder / f"{self.name}.log", "ab") as log:
            # Each of these becomes the next, so the process id is the program's.
            started = subprocess.Popen([*inside, *self.prefix(), *map(str, command)], cwd=self.folder, start_new_session=True,
                                       env=self.whole_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.pid_file.write_text(f"{started.pid}\n", encoding="utf-8")
        # Nobody else buries it while we live.
        self.started = started

    def whole_environment(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.folder), "LC_ALL": "C.UTF-8",
                **self.environment}

    def pid(self):
        """None when it does not run. A process id may be somebody else's by now: ours names its folder."""
        if hasattr(self, "started"):
            self.started.poll()
        with contextlib.suppress(OSError, ValueError):
            pid = int(self.pid_file.read_text(encoding="utf-8"))
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            if (hasattr(self, "started") or str(self.folder).encode() in command) and is_alive(pid):
                return pid
        return None

    def log_tail(self):
        with contextlib.suppress(OSError):
            return "\n".join((self.folder / f"{self.name}.log").read_text(errors="replace").splitlines()[-15:])
        return ""


def stop_process(find, number, name):
    for attempt in (number, signal.SIGKILL):
        pid = find()
        if pid is None:
            return
        os.kill(pid, attempt)
        with contextlib.suppress(Missing):
            wait_for(f"{name} ends", lambda: find() is None, 20)
