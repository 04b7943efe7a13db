"""The functions of the router (deploy/sharding/router) against sql/functions and sql/roles.sql: one that processes call and that
has no route there, or another signature, is found here, on machines without PL/Proxy too.

usage: routes.py        prints what is wrong
"""

import re

from problems import ROOT, end, text_of

ROUTER = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "deploy/sharding/router").glob("*.sql")))
HEADER = r"create or replace function flashsale\.%s\s*(\(.*?)\nlanguage "
# Not granted to any process: `flashsale user` calls them as the owner of the database.
OF_THE_OWNER = {"set_user_disabled", "end_sessions_of_user"}


def granted(text, role):
    """The functions that a role may execute."""
    lists = re.findall(r"grant execute on function\s(.*?)\sto ([a-z_, ]+);", text, re.DOTALL)
    named = [names for names, to in lists if role in to.replace(" ", "").split(",")]
    return {name for names in named for name in re.findall(r"flashsale\.(\w+)", names)}


def signature(text, name):
    """Parameters and columns of a function, blanks made equal."""
    found = re.findall(HEADER % name, text, re.DOTALL)
    return [re.sub(r"\s*([(),])\s*", r"\1", re.sub(r"\s+", " ", header)) for header in found]


def routes():
    everything = set(OF_THE_OWNER)
    for role in ("flashsale_api", "flashsale_worker"):
        here, there = granted(text_of("sql/roles.sql"), role), granted(ROUTER, role)
        yield from (f"{role} may execute {name}, but not on the router (router/7-rights.sql)" for name in here - there)
        yield from (f"{role} may execute {name} on the router only (router/7-rights.sql)" for name in there - here)
        everything |= here
    for name in sorted(everything):
        wanted, found = signature(text_of(f"sql/functions/{name}.sql"), name), signature(ROUTER, name)
        if not found:
            yield f"{name} has no route in deploy/sharding/router"
        elif wanted != found:
            yield f"{name} differs:\n  sql/functions: {wanted}\n  router:        {found}"
    if len(everything) < 30:
        yield f"only {len(everything)} functions were compared: the check has gone blind"


end(routes())
