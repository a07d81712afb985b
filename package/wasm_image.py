"""The two images of a Wasm module that Istio and Envoy Gateway pull.

Both take the two variants of the Wasm image specification (https://github.com/solo-io/wasm, spec/),
and look at nothing but the layers:

* *oci* (spec.md): exactly two layers, of which one is the module as it is, and the other its
  description;
* *compat* (spec-compat.md): one layer, a tar archive with the file `plugin.wasm`. Registries,
  scanners and `docker pull` that know container images only take this one.
"""

from .layout import Layout, digest
from .repeatable import Entry, gzip, tar, to_json

MODULE = "application/vnd.module.wasm.content.layer.v1+wasm"
DESCRIPTION = "application/vnd.module.wasm.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
# A reader that finds this one in a registry knows the variant without looking at the layer.
COMPAT = {"module.wasm.image/variant": "compat"}
TITLE = "org.opencontainers.image.title"


def description(root_ids):
    """Returns what the specification calls the runtime configuration. No gateway reads it;
    people do.
    """
    value = {"type": "envoy_proxy", "abiVersions": ["0.2.1"], "config": {"root_ids": root_ids}}
    return to_json(value)


def write(folder, version, module, root_ids, annotations, when):
    """Writes both images of `module` (bytes) into the layout `folder`: tags `version` and
    `version-compat`.

    `annotations` describe the image, and `when` (seconds since 1970) dates the files of the layer.
    Returns the digests by tag.
    """
    layout, described = Layout(folder), description(root_ids)
    config = layout.blob(DESCRIPTION, described)
    layers = [
        config | {"annotations": {TITLE: "runtime-config.json"}},
        layout.blob(MODULE, module, {TITLE: "plugin.wasm"}),
    ]
    digests = {version: layout.image(version, config, layers, annotations)}

    archive = tar([Entry("plugin.wasm", module), Entry("runtime-config.json", described)], when)
    config = {"architecture": "wasm", "os": "wasip1", "rootfs": {"type": "layers", "diff_ids": [digest(archive)]}}
    tag = version + "-compat"
    layers = [layout.blob(LAYER, gzip(archive))]
    digests[tag] = layout.image(tag, layout.blob(CONFIG, to_json(config)), layers, annotations | COMPAT)
    return digests
