//! Authenticates a consumer by an API key, as Kong's key-auth plugin does.
