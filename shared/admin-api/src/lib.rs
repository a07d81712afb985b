//! The types of the admin HTTP API, used by the filters and by the service.
