//! The engine: begin, arrive, complete, advance, cancel, reconcile.
