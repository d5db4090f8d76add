//! What functions ask of the node itself.
