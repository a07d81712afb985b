//! The vocabulary between a filter's core and its host: heads, edits, calls, replies, steps.
