//! Peers, brokers and built tools for the tests of this workspace.
