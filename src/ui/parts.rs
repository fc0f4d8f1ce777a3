//! Parts of screens that views and overlays both draw: a cell, pods node by node, where proxies send whom.
//!
//! Views and overlays know nothing of each other; what both need is here.

pub mod cell;
pub mod placement;
mod proxies;

pub use self::proxies::together;
