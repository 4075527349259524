"""From detections to passages: one road user crossing the counting line, once. See README.md."""
