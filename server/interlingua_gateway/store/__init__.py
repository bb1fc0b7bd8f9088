"""What outlives a call: counters and blobs, in memory or in Redis."""
