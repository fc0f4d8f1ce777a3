//! The scheduler model.
