//! JWT, JWS, JWK, JWKS and hashing; signing and verifying in Wasm or by the host.
