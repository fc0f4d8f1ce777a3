//! One test binary for everything that needs more than one room: linking is what costs.

mod live;
mod rooms;
mod world;
