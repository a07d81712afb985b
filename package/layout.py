"""An OCI image layout (image-spec 1.1, image-layout.md): one directory that holds the images of
one repository.
"""

import hashlib
import shutil

from .repeatable import to_json

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(data):
    """Returns the digest of `data` as OCI writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """A layout that is written to `folder`, which is emptied first."""

    def __init__(self, folder):
        self.folder = folder
        self.images = []
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_bytes(to_json({"imageLayoutVersion": "1.0.0"}))

    def blob(self, media_type, data, annotations=None):
        """Stores `data` and returns its descriptor."""
        name = digest(data)
        (self.folder / "blobs" / name.replace(":", "/")).write_bytes(data)
        descriptor = {"mediaType": media_type, "digest": name, "size": len(data)}
        return descriptor | ({"annotations": annotations} if annotations else {})

    def image(self, tag, config, layers, annotations):
        """Stores an image of these descriptors under `tag`, and returns the digest of its
        manifest.
        """
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
            "annotations": annotations,
        }
        descriptor = self.blob(MANIFEST, to_json(manifest), {"org.opencontainers.image.ref.name": tag})
        self.images.append(descriptor)
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": self.images,
        }
        (self.folder / "index.json").write_bytes(to_json(index))
        return descriptor["digest"]
