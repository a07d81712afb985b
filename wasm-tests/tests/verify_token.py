"""Checks a JWT with PyJWT: reads {"token", "keys"} from standard input, prints {"header", "claims"}.

`keys` is a JWK Set, a PEM public key or certificate, or empty for the first certificate in the token's `x5c`.
"""

import base64
import json
import sys

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key


def key_for(header, keys):
    if not keys:
        return x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0], validate=True)).public_key()
    if keys.startswith("{"):
        return jwt.PyJWKSet.from_json(keys)[header["kid"]].key
    if "CERTIFICATE" in keys:
        return x509.load_pem_x509_certificate(keys.encode()).public_key()
    return load_pem_public_key(keys.encode())


question = json.load(sys.stdin)
header = jwt.get_unverified_header(question["token"])
# The audience is for the test to look at. Everything else that PyJWT checks, it checks: exp, nbf, iat, jti, iss.
# On a slow machine a token of a minute may be looked at late; the test itself holds its times against the clock.
claims = jwt.decode(
    question["token"], key_for(header, question["keys"]), algorithms=[header["alg"]], leeway=3600,
    options={"verify_aud": False})
json.dump({"header": header, "claims": claims}, sys.stdout)
