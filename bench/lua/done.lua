
function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '\n{"calls": %d, "microseconds": %d, "bytes": %d, "failed": %d, "p50": %d, "p99": %d}\n',
        summary.requests, summary.duration, summary.bytes, failed, latency:percentile(50), latency:percentile(99)))
end
