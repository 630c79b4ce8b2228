"""Coronary flow: from a tree of vessels to FFR with its interval, its reasons, and the worth of a stent."""
