"""Bills of materials and licences."""

import hashlib
import json
import re
import unittest
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from package import licences

from . import made

CHECK = JsonStrictValidator(SchemaVersion.V1_6)


def bills():
    """Returns each bill by name, as text."""
    return {path.name.split(".")[0]: path.read_text() for path in (made.all_packages() / "sbom").iterdir()}


def crates(bill):
    """Returns the names of the components of a bill."""
    return {component["name"] for component in json.loads(bill)["components"]}


class Bills(unittest.TestCase):
    def test_every_module_and_the_service_has_a_valid_bill(self):
        self.assertEqual(set(bills()), set(made.modules()) | {"gatehouse-admin"})
        for name, bill in bills().items():
            self.assertIsNone(CHECK.validate_str(bill), name)

    def test_the_validation_would_find_a_mistake(self):
        wrong = bills()["cors"].replace('"type": "library"', '"type": "a library"')
        self.assertIsNotNone(CHECK.validate_str(wrong))

    def test_a_bill_names_what_is_linked_and_nothing_else(self):
        found = {name: crates(bill) for name, bill in bills().items()}
        self.assertLessEqual({"gatehouse-key-auth", "serde_json", "rust-std", "wasi-libc"}, found["key_auth"])
        self.assertLessEqual({"gatehouse-admin", "sqlx", "ring", "rust-std"}, found["gatehouse-admin"])
        for name, names in found.items():
            # Compilers and engines of the tests, macros, and what only build scripts use.
            strangers = {"wasmtime", "proptest", "serde_derive", "syn", "cc", "gatehouse-meta"} & names
            self.assertFalse(strangers, name)
        self.assertFalse(found["cors"] & {"sqlx", "tokio", "jose"})

    def test_a_bill_has_the_checksums_of_the_lock_file(self):
        lock = Path("Cargo.lock").read_text()
        for component in json.loads(bills()["gatehouse-admin"])["components"]:
            if component.get("purl", "").startswith("pkg:cargo/"):
                [checksum] = component["hashes"]
                name, version = re.escape(component["name"]), re.escape(component["version"])
                locked = re.search(rf'name = "{name}"\nversion = "{version}"\nsource.*\nchecksum = "(\w+)"', lock)
                self.assertEqual(checksum["content"], locked[1])

    def test_the_bill_of_the_service_names_the_scripts_of_its_page(self):
        found = {it["bom-ref"]: it for it in json.loads(bills()["gatehouse-admin"])["components"]}
        for name, file in [("preact", "preact.mjs"), ("htm", "htm.mjs"), ("%40picocss/pico", "pico.css")]:
            [component] = [it for ref, it in found.items() if ref.startswith(f"pkg:npm/{name}@")]
            content = (Path("admin/ui/vendor") / file).read_bytes()
            self.assertEqual(component["hashes"][0]["content"], hashlib.sha256(content).hexdigest())
        self.assertFalse([ref for ref in json.loads(bills()["cors"])["components"] if "pkg:npm" in str(ref)])

    def test_the_licence_of_every_foreign_crate_is_there_with_its_text(self):
        text = (made.all_packages() / "THIRD-PARTY.txt").read_text()
        for bill in bills().values():
            for component in json.loads(bill)["components"]:
                if "purl" in component:
                    title = f"{component['name']} {component['version']}"
                    self.assertIn(f"  {title}: {component['licenses'][0]['expression']}\n", text)
                    self.assertRegex(text, rf"(?m)^{re.escape(title)}, [\w.-]+$")
        self.assertIn("Permission is hereby granted, free of charge", text)

    def test_a_crate_that_leaves_the_apache_licence_out_gets_its_text_and_no_other_licence_is_guessed(self):
        class Crate(str):
            name, version, source = "bare", "1", "a registry"
            license = property(str)
            licence_files = staticmethod(list)

        text = licences.text([Crate("MIT OR Apache-2.0")], [], static=False).decode()
        self.assertIn("bare 1, LICENSE\n", text)
        self.assertIn("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION", text)
        for other in ("MIT", "Apache-2.0-with-changes"):
            with self.assertRaisesRegex(SystemExit, "bare 1 .* comes without the text"):
                licences.text([Crate(other)], [], static=False)


if __name__ == "__main__":
    unittest.main()
