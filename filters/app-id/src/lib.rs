//! Lets a consumer's request through only with one of the consumer's own App IDs.
