"""Image, compose file, units and Kubernetes manifests against the binary and against each other: what no schema knows.

usage: manifests.py image | compose | kubernetes | settings | deadlines       prints what is wrong
"""

import re
import sys

import yaml

from problems import ROOT, documents_of, end, seconds_of, sources, text_of

COMPOSE = yaml.safe_load(text_of("docker-compose.yml"))
MANIFESTS = sorted(path.name for path in (ROOT / "deploy/kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
OBJECTS = [(name, document) for name in MANIFESTS for document in documents_of(f"deploy/kubernetes/{name}")]
UNITS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "deploy/systemd").glob("*.service")}

# Read by a library, so that the source does not name it.
READ_BY_A_LIBRARY = {"RUST_LOG"}
# What a process of this role may take to stop: src/config/deadlines.rs.
LONGEST_STOP = {"api": "GRACEFUL_STOP", "worker": "SETTLE_STATEMENT"}


def image():
    """Of the stage that is shipped."""
    stages = re.split(r"(?m)^FROM ", text_of("Dockerfile"))
    shipped = stages[-1]
    user = re.search(r"(?m)^USER (\d+)(:\d+)?$", shipped)
    if not user or int(user.group(1)) == 0:
        yield "Dockerfile: USER must be a number, and not root's, so that Kubernetes can see it"
    if not re.search(r"(?m)^HEALTHCHECK (?!NONE)", shipped):
        yield "Dockerfile: HEALTHCHECK is missing"
    for stage in stages[1:]:
        yield from unpinned("Dockerfile", stage.split()[0])


def unpinned(where, name):
    """Distroless images have no versions, only what they are."""
    tag = name.rpartition(":")[2] if ":" in name else ""
    if not (re.search(r"\d", tag) or name.startswith("gcr.io/distroless/")):
        yield f"{where}: {name} has no version"


def compose():
    for name, service in COMPOSE["services"].items():
        where = f"docker-compose.yml, {name}"
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"]:
            yield f"{where}: its root must be read-only, and all capabilities be dropped"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{where}: no-new-privileges is missing"
        if any(not str(port).startswith("127.0.0.1:") for port in service.get("ports", [])):
            yield f"{where}: its port must be published on 127.0.0.1 only"
        if service["image"] != "flashsale":
            yield from unpinned(where, service["image"])
        if service.get("restart") and "memory" not in service.get("deploy", {}).get("resources", {}).get("limits", {}):
            yield f"{where}: a memory limit is missing"
        for mounted in (str(volume).split(":")[0] for volume in service.get("volumes", [])):
            if mounted.startswith("./") and not (ROOT / mounted).exists():
                yield f"{where}: {mounted} does not exist"
    edge = COMPOSE["networks"]["edge"]["ipam"]["config"][0]["subnet"]
    if COMPOSE["services"]["api"]["environment"]["TRUSTED_PROXIES"] != edge:
        yield f"docker-compose.yml: TRUSTED_PROXIES of the API is not the network of the proxy, {edge}"


def kubernetes():
    listed = documents_of("deploy/kubernetes/kustomization.yaml")[0]["resources"]
    for name in set(MANIFESTS) ^ {*listed, "secret.example.yaml"}:
        yield f"deploy/kubernetes/kustomization.yaml and the folder do not agree on {name}"
    pods = {document["metadata"]["name"]: document["spec"]["template"] for _, document in OBJECTS if is_workload(document)}
    for name, template in pods.items():
        yield from badly_secured(name, template["spec"])
    labels = [template["metadata"]["labels"] for template in pods.values()]
    for name, document in OBJECTS:
        where = f"deploy/kubernetes/{name}, {document['kind']} {document['metadata']['name']}"
        selector = selector_of(document)
        if selector and not any(selector.items() <= one.items() for one in labels):
            yield f"{where}: no pod has the labels {selector}"
        target = document.get("spec", {}).get("scaleTargetRef", {}).get("name")
        if target and target not in pods:
            yield f"{where}: scales {target}, which does not exist"
        yield from missing_references(where, document)


def is_workload(document):
    return document["kind"] in ("Deployment", "Job")


def selector_of(document):
    spec = document.get("spec", {})
    selector = spec.get("podSelector", spec.get("selector", {}))
    return selector.get("matchLabels", selector)


def badly_secured(name, pod):
    """What a manifest has to say for the pod security standard "restricted", and that nothing can be written."""
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield f"{name}: runAsNonRoot and seccompProfile RuntimeDefault are needed"
    for container in pod["containers"]:
        inner = container.get("securityContext", {})
        if inner.get("allowPrivilegeEscalation") is not False or inner.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{name}: allowPrivilegeEscalation false and all capabilities dropped are needed"
        if not inner.get("readOnlyRootFilesystem"):
            yield f"{name}: its root must be read-only"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{name}: a memory limit is missing"
        if container["image"] != "flashsale":
            yield f"{name}: kustomization.yaml gives the image flashsale its registry and version, not {container['image']}"


def missing_references(where, document):
    """Secrets, config maps and ports that a pod names."""
    known = {(other["kind"], other["metadata"]["name"]) for _, other in OBJECTS}
    text = yaml.safe_dump(document)
    for kind, pattern in (("ConfigMap", r"configMapRef:\s+name: (\S+)"), ("Secret", r"secretRef:\s+name: (\S+)"),
                          ("Secret", r"secretName: (\S+)"), ("ServiceAccount", r"serviceAccountName: (\S+)")):
        for name in re.findall(pattern, text):
            if (kind, name) not in known:
                yield f"{where}: there is no {kind} {name}"
    for container in document["spec"]["template"]["spec"]["containers"] if is_workload(document) else []:
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if port not in ports | {None}:
                yield f"{where}: {probe} asks port {port}, which the container does not have"


def settings():
    """Every variable that is set for the binary is one that it reads: a misspelt one would be ignored."""
    read = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', sources())) | READ_BY_A_LIBRARY
    for where, name in settings_made():
        if name not in read:
            yield f"{where} sets {name}, which the binary does not read"


def settings_made():
    for name in re.findall(r"(?m)^(?:ENV| {3,}) ?([A-Z_]+)=", re.split(r"(?m)^FROM ", text_of("Dockerfile"))[-1]):
        yield "Dockerfile", name
    for service, options in COMPOSE["services"].items():
        if options["image"] == "flashsale":
            yield from ((f"docker-compose.yml, {service},", name) for name in options.get("environment", {}))
    for unit, text in UNITS.items():
        for line in re.findall(r"(?m)^Environment=(.*)$", text):
            yield from ((f"deploy/systemd/{unit}", name) for name in re.findall(r"(\w+)=", line))
    for file, document in OBJECTS:
        where = f"deploy/kubernetes/{file}"
        if document["kind"] in ("ConfigMap", "Secret") and document["metadata"]["name"] != "flashsale-signing-key":
            yield from ((where, name) for name in document.get("data", document.get("stringData")))
        for container in document["spec"]["template"]["spec"]["containers"] if is_workload(document) else []:
            yield from ((where, variable["name"]) for variable in container.get("env", []))


def deadlines():
    """Whoever stops a process gives it longer than it may take."""
    for role, deadline in LONGEST_STOP.items():
        constant = rf"pub const {deadline}: Duration = Duration::from_secs\((\d+)\)"
        found = re.search(constant, text_of("src/config/deadlines.rs"))
        if not found:
            yield f"src/config/deadlines.rs: {deadline} is not where deploy/checks/manifests.py looks for it"
            continue
        for where, given in stop_times(role):
            if given <= int(found.group(1)):
                yield f"{where}: gives a process {given} s to stop, which is not longer than {deadline}, {found.group(1)} s"


def stop_times(role):
    yield f"docker-compose.yml, {role}", seconds_of(COMPOSE["services"][role]["stop_grace_period"])
    unit = f"flashsale-{role}@.service"
    yield f"deploy/systemd/{unit}", seconds_of(re.search(r"(?m)^TimeoutStopSec=(\S+)$", UNITS[unit]).group(1))
    for name, document in OBJECTS:
        if document["kind"] == "Deployment" and document["metadata"]["name"] == f"flashsale-{role}":
            pod = document["spec"]["template"]["spec"]
            pause = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            yield f"deploy/kubernetes/{name}", pod["terminationGracePeriodSeconds"] - pause


CHECKS = {check.__name__: check for check in (image, compose, kubernetes, settings, deadlines)}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(__doc__)
    end(CHECKS[sys.argv[1]]())
