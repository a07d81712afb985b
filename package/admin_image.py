"""The image of gatehouse-admin: a static program, an unprivileged user, and nothing else to run."""

from .layout import Layout, digest
from .repeatable import Entry, gzip, rfc3339, tar, to_json
from .wasm_image import CONFIG, LAYER

# The user has no name in most clusters; this number is the customary one of images without a shell.
USER = 65532
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def files(program, documents):
    """Returns the files of the image. `/data` is the only place that the program writes to, for
    SQLite.
    """
    names = [("root", 0, "/nonexistent"), ("gatehouse", USER, "/data")]
    passwd = "".join(f"{name}:x:{number}:{number}::{home}:/nonexistent\n" for name, number, home in names)
    group = "".join(f"{name}:x:{number}:\n" for name, number, _ in names)
    yield Entry("gatehouse-admin", program, 0o755)
    yield Entry("data", None, 0o750, USER)
    # The program and SQLite write nothing here; a volume may be put over it.
    yield Entry("tmp", None, 0o1777)
    yield Entry("etc", None, 0o755)
    yield Entry("etc/passwd", passwd.encode())
    yield Entry("etc/group", group.encode())
    # Names of hosts first by /etc/hosts, where a container engine puts its own.
    yield Entry("etc/nsswitch.conf", b"hosts: files dns\n")
    yield Entry("licenses", None, 0o755)
    for name, content in documents.items():
        yield Entry(f"licenses/{name}", content)


def config(machine, diff_id, labels, when):
    """Returns the image's configuration (image-spec, config.md)."""
    return {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": rfc3339(when),
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": ["/gatehouse-admin"],
            "Cmd": ["serve"],
            "Env": ["GATEHOUSE_LISTEN=0.0.0.0:8001", "GATEHOUSE_DATABASE_URL=sqlite:/data/gatehouse.db"],
            "ExposedPorts": {"8001/tcp": {}},
            "Volumes": {"/data": {}},
            "WorkingDir": "/data",
            "StopSignal": "SIGTERM",
            "Labels": labels,
            # An extension of Docker's, in nanoseconds. Docker and Podman obey it; Kubernetes has
            # probes of its own.
            "Healthcheck": {
                "Test": ["CMD", "/gatehouse-admin", "health"],
                "Interval": 10_000_000_000,
                "Timeout": 5_000_000_000,
                "StartPeriod": 10_000_000_000,
                "Retries": 3,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "make package", "comment": "gatehouse-admin and its licences"}],
    }


def write(folder, version, machine, program, documents, annotations, when):
    """Writes the image into the layout `folder` under the tag `version`. Returns the digests by
    tag.
    """
    layout = Layout(folder)
    archive = tar(files(program, documents), when)
    layers = [layout.blob(LAYER, gzip(archive))]
    described = config(machine, digest(archive), annotations, when)
    return {version: layout.image(version, layout.blob(CONFIG, to_json(described)), layers, annotations)}
