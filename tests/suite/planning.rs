//! Properties and texts of plans.
