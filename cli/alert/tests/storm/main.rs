//! Placeholder of the storm.
