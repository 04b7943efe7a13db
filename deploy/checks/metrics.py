"""Rules and dashboard against the binary: every metric they ask for is one that src/telemetry/metrics.rs describes, every alert
says what to do, is tested and has its section in the runbook, every panel can be read.

usage: metrics.py check                 prints what is wrong
       metrics.py queries               prints the dashboard's queries as recording rules, for promtool
"""

import itertools
import json
import re
import sys

import yaml

from problems import ROOT, documents_of, end, text_of

ALERTS = "deploy/prometheus/alerts.yml"
TESTS = "deploy/prometheus/alerts.test.yml"
DASHBOARD = "deploy/grafana/flashsale.json"
RUNBOOK = "docs/OPERATIONS.md"


def described():
    """The names by which the metrics of src/telemetry/metrics.rs can be asked for; a histogram has three."""
    names = set()
    for kind, name in re.findall(r'describe_(counter|gauge|histogram)!\(\s*"(\w+)"', text_of("src/telemetry/metrics.rs")):
        names |= {name + suffix for suffix in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def alerts():
    groups = documents_of(ALERTS)[0]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels():
    return json.loads(text_of(DASHBOARD))["panels"]


def queries():
    return [target["expr"] for panel in panels() for target in panel.get("targets", [])]


def unknown_metrics():
    asked = [(ALERTS, rule["expr"]) for rule in alerts()] + [(DASHBOARD, query) for query in queries()]
    asked += [("deploy/kubernetes/worker.yaml", line) for line in text_of("deploy/kubernetes/worker.yaml").splitlines()]
    known = described()
    unknown = {(file, name) for file, text in asked for name in re.findall(r"\bflashsale_\w+", text) if name not in known}
    return [f"{file} asks for {name}, which src/telemetry/metrics.rs does not describe" for file, name in sorted(unknown)]


def bad_alerts():
    tested = set(re.findall(r'alertname="(\w+)"', text_of(TESTS)))
    sections = anchors(RUNBOOK)
    for rule in alerts():
        name, notes = rule["alert"], rule.get("annotations", {})
        if rule.get("labels", {}).get("severity") not in ("critical", "warning"):
            yield f"{name}: severity must be critical or warning"
        if not notes.get("summary") or not notes.get("description"):
            yield f"{name}: a summary and a description of what to do are needed"
        if notes.get("runbook_url") != f"{RUNBOOK}#{name.lower()}":
            yield f"{name}: runbook_url must be {RUNBOOK}#{name.lower()}"
        if name.lower() not in sections:
            yield f"{name} has no section of that name in {RUNBOOK}"
        if name not in tested:
            yield f"{name} is not tested in {TESTS}"


def anchors(page):
    """What the headings of a page can be linked by."""
    if not (ROOT / page).exists():
        return set()
    headings = re.findall(r"(?m)^#+ (.*)$", text_of(page))
    return {re.sub(r"[^\w -]", "", heading.strip()).lower().replace(" ", "-") for heading in headings}


def bad_panels():
    shown = [panel for panel in panels() if panel["type"] != "row"]
    for panel in shown:
        name = f'{DASHBOARD}, "{panel["title"]}"'
        if not panel.get("description") or not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{name}: needs a description and a unit"
    for source in set(re.findall(r'"type": "prometheus",\s+"uid": "([^"]*)"', text_of(DASHBOARD))) - {"${datasource}"}:
        yield f"{DASHBOARD}: must ask the data source that is chosen above, not {source}"
    ids = [panel["id"] for panel in panels()]
    if len(ids) != len(set(ids)):
        yield f"{DASHBOARD}: two panels have the same id"
    for one, other in itertools.combinations(panels(), 2):
        if overlap(one["gridPos"], other["gridPos"]):
            yield f'{DASHBOARD}: "{one["title"]}" lies over "{other["title"]}"'


def overlap(one, other):
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h")))


def as_rules():
    """Grafana's own variables are filled in; the names of the rules only have to differ."""
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries())
    ]
    return yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]})


if __name__ == "__main__":
    if sys.argv[1:] == ["queries"]:
        print(as_rules())
    elif sys.argv[1:] == ["check"]:
        end([*unknown_metrics(), *bad_alerts(), *bad_panels()])
    else:
        sys.exit(__doc__)
