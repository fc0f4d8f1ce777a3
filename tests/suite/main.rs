//! All tests that need more than one room: one binary, so that the crate is linked once.

mod demo_api;
mod demo_world;
mod kubectl;
