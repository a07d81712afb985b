"""A bill of materials in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/)."""

import hashlib
import re
import uuid

from .repeatable import rfc3339, to_json

NAMESPACE = uuid.UUID("6c1d4f0e-3b76-5f0e-9d2c-6a1f2a4f5c11")


def purl(crate):
    """Returns the package URL of a crate; one of ours has none, since it is published nowhere."""
    return f"pkg:cargo/{crate.name}@{crate.version}" if crate.source else None


def component(crate):
    """Returns a crate as a component."""
    found = {
        "type": "library",
        "bom-ref": purl(crate) or f"gatehouse:{crate.name}@{crate.version}",
        "name": crate.name,
        "version": crate.version,
        "scope": "required",
        "licenses": [{"expression": re.sub(r"\s+", " ", crate.license)}],
    }
    if crate.source:
        found["purl"] = purl(crate)
    if crate.checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
    if crate.repository:
        found["externalReferences"] = [{"type": "vcs", "url": crate.repository}]
    return found


def runtime(name, version, license, url):
    """Returns a component that is no crate: the library of a language. `version` may be None, if
    nothing tells it.
    """
    return {
        "type": "library",
        "bom-ref": f"runtime:{name}",
        "name": name,
        **({"version": version} if version else {}),
        "scope": "required",
        "licenses": [{"expression": license}],
        "externalReferences": [{"type": "website", "url": url}],
    }


def document(name, version, kind, content, crates, others, when):
    """Returns the bill of `content` (bytes), which was made of `crates` and `others`: components
    that are no crates.

    `kind` is CycloneDX's type of it, such as `library` or `application`. The serial number follows
    from the content.
    """
    described = hashlib.sha256(content).hexdigest()
    components = [component(crate) for crate in crates] + others
    subject = f"gatehouse:{name}@{version}"
    return to_json(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, name + described)}",
            "version": 1,
            "metadata": {
                "timestamp": rfc3339(when),
                "component": {
                    "type": kind,
                    "bom-ref": subject,
                    "name": name,
                    "version": version,
                    "licenses": [{"license": {"id": "Apache-2.0"}}],
                    "hashes": [{"alg": "SHA-256", "content": described}],
                },
            },
            "components": components,
            "dependencies": [
                {"ref": subject, "dependsOn": sorted(found["bom-ref"] for found in components)},
            ],
        }
    )
