#!/bin/sh
# Makes new keys and signatures for the self-test of a host's cryptography.
set -eu
cd "$(dirname "$0")"
message=$(mktemp)
trap 'rm -f "$message"' EXIT
printf 'gatehouse self-test' >"$message"

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 |
    openssl pkcs8 -topk8 -nocrypt -outform DER -out rsa.private.der
openssl pkey -in rsa.private.der -pubout -outform DER -out rsa.public.der
for bits in 256 384 512; do
    openssl dgst "-sha$bits" -sign rsa.private.der -out "rs$bits.signature" "$message"
done
for pair in 256:P-256 384:P-384 512:P-521; do
    key=es${pair%%:*}
    openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:${pair#*:}" |
        openssl pkcs8 -topk8 -nocrypt -outform DER -out "$key.private.der"
    openssl pkey -in "$key.private.der" -pubout -outform DER -out "$key.public.der"
    openssl dgst "-sha${pair%%:*}" -sign "$key.private.der" -out "$key.signature" "$message"
done
