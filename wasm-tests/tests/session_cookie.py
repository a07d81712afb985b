"""Sessions of lua-resty-session 4, written from the description of their format alone.

Reads a JSON object from standard input and prints one:
{"do": "open", "secret", "cookies": {name: value}, "name", "remember": bool, "bound": [..]}
    -> {"contents", "flags", "created", "rolling", "idling", "id"} or {"error"}
{"do": "seal", "secret", "contents", "name", "remember", "created", "rolling", "idling", "flags", "bound": [..]}
    -> {"cookies": {name: value}, "id"}
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import sys
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER = 110
COOKIE = 4096
DEFLATED = 0x10


def b64(octets):
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hmac256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def expand(prk, info, length):
    okm, block, n = b"", b"", 1
    while len(okm) < length:
        block = hmac256(prk, block + info + bytes([n]))
        okm, n = okm + block, n + 1
    return okm[:length]


class Keys:
    def __init__(self, secret, session_id, remember):
        ikm = hashlib.sha256(secret.encode()).digest()
        prk = hmac256(b"\0" * 32, ikm)
        if remember:
            okm = hashlib.pbkdf2_hmac("sha256", ikm, b"encryption:" + session_id, 10000, 44)
        else:
            okm = expand(prk, b"encryption:" + session_id, 44)
        self.aes, self.nonce = AESGCM(okm[:32]), okm[32:]
        self.mac_key = expand(prk, b"authentication:" + session_id, 32)

    def mac(self, header, bound):
        parts = [part for part in bound if part]
        if parts:
            header += b"#" + hashlib.sha256("|".join(parts).encode()).digest()
        return hmac256(self.mac_key, header)[:16]


def little(number, length):
    return number.to_bytes(length, "little")


def chunks(name, size):
    """How the characters of the contents are spread over cookies."""
    rooms, left = [], size
    while True:
        n = len(rooms) + 1
        room = COOKIE - len(name) - (HEADER + 1 if n == 1 else 2)
        rooms.append(min(room, left))
        left -= rooms[-1]
        if left <= 0:
            return rooms


def open_session(q):
    first = q["cookies"][q["name"]]
    header = unb64(first[:HEADER])
    kind, flags, session_id = header[0], struct.unpack("<H", header[1:3])[0], header[3:35]
    number = lambda start, end: int.from_bytes(header[start:end], "little")
    size, tag, mac = number(44, 47), header[47:63], header[66:82]
    if kind != 1:
        return {"error": "type"}
    keys = Keys(q["secret"], session_id, q.get("remember", False))
    if keys.mac(header[:66], q.get("bound", [])) != mac:
        return {"error": "mac"}
    text = first[HEADER:]
    for n in range(2, len(chunks(q["name"], size)) + 1):
        text += q["cookies"][q["name"] + str(n)]
    if len(text) != size:
        return {"error": "size"}
    plain = keys.aes.decrypt(keys.nonce, unb64(text) + tag, header[:47])
    if flags & DEFLATED:
        plain = zlib.decompress(plain, -15)
    return {
        "contents": plain.decode(), "flags": flags, "created": number(35, 40), "rolling": number(40, 44),
        "idling": number(63, 66), "id": b64(session_id),
    }


def seal_session(q):
    session_id, plain, flags = os.urandom(32), q["contents"].encode(), q.get("flags", 0)
    if len(plain) > 1024:
        deflate = zlib.compressobj(wbits=-15)
        deflated = deflate.compress(plain) + deflate.flush()
        if len(deflated) < len(plain):
            plain, flags = deflated, flags | DEFLATED
    keys = Keys(q["secret"], session_id, q.get("remember", False))
    size = -(-len(plain) * 4 // 3)
    head = b"\x01" + struct.pack("<H", flags) + session_id
    head += little(q["created"], 5) + little(q.get("rolling", 0), 4) + little(size, 3)
    sealed = keys.aes.encrypt(keys.nonce, plain, head)
    head += sealed[-16:] + little(q.get("idling", 0), 3)
    head += keys.mac(head, q.get("bound", []))
    text, cookies = b64(sealed[:-16]), {}
    for n, room in enumerate(chunks(q["name"], len(text)), 1):
        cookies[q["name"] + ("" if n == 1 else str(n))] = (b64(head) if n == 1 else "") + text[:room]
        text = text[room:]
    return {"cookies": cookies, "id": b64(session_id)}


question = json.load(sys.stdin)
answer = {"open": open_session, "seal": seal_session}[question["do"]](question)
json.dump(answer, sys.stdout)
