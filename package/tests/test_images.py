"""The images, pushed to a registry and pulled again."""

import io
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from . import made
from .registry import Registry, skopeo

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
WASM_LAYER = "application/vnd.module.wasm.content.layer.v1+wasm"


def module_of(manifest, folder):
    """Returns the module that Istio and Envoy Gateway take from an image that skopeo has put
    into `folder`.

    These are the rules of their image fetchers (imagefetcher.go of both): the kind of the manifest
    and of the last layer say which variant it is, and an image that is none is refused.
    """

    def content(layer):
        return Path(folder, layer["digest"].removeprefix("sha256:")).read_bytes()

    layers = manifest["layers"]
    expected = DOCKER_LAYER if manifest["mediaType"] == DOCKER_MANIFEST else OCI_LAYER
    if layers[-1]["mediaType"] == expected:
        with tarfile.open(fileobj=io.BytesIO(content(layers[-1])), mode="r:gz") as archive:
            return archive.extractfile("plugin.wasm").read()
    assert manifest["mediaType"] != DOCKER_MANIFEST and len(layers) == 2, manifest
    return content(next(layer for layer in layers if layer["mediaType"] == WASM_LAYER))


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.registry = Registry()
        cls.addClassCleanup(cls.registry.stop)
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = scratch.name
        command = ["scripts/publish", "--plain-http", f"{cls.registry.address}/gatehouse"]
        environment = {"GATEHOUSE_PACKAGES": str(made.all_packages())}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=made.os.environ | environment)
        cls.version = (made.all_packages() / "SHA256SUMS").read_text().split("gatehouse-admin-")[1].split("-")[0]

    def pulled(self, image):
        folder = tempfile.mkdtemp(dir=self.scratch)
        return self.registry.pull(f"gatehouse/{image}", folder), folder

    def test_istio_and_envoy_gateway_find_the_module_in_both_images_of_each(self):
        for name, file in made.modules().items():
            for tag in (self.version, f"{self.version}-compat"):
                with self.subTest(name=name, tag=tag):
                    self.assertEqual(module_of(*self.pulled(f"{name}:{tag}")), file.read_bytes())

    def test_an_image_that_was_made_for_docker_is_found_too(self):
        source = f"oci:{made.all_packages()}/images/key_auth:{self.version}-compat"
        target = f"docker://{self.registry.address}/gatehouse/key_auth:docker"
        skopeo("copy", "--dest-tls-verify=false", "--format", "v2s2", source, target)
        manifest, folder = self.pulled("key_auth:docker")
        self.assertEqual(manifest["mediaType"], DOCKER_MANIFEST)
        self.assertEqual(module_of(manifest, folder), made.modules()["key_auth"].read_bytes())

    def test_the_digests_in_the_list_are_those_that_the_registry_knows(self):
        lines = (made.all_packages() / "DIGESTS").read_text().splitlines()
        self.assertEqual(len(lines), 2 * len(made.modules()) + 1)
        for line in lines:
            digest, image = line.split()
            manifest = Path(self.pulled(image)[1], "manifest.json")
            self.assertEqual(skopeo("manifest-digest", manifest).strip(), digest, image)


if __name__ == "__main__":
    unittest.main()
