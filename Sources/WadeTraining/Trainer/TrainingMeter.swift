//! Means of what was measured since the log was last written.

/// Sums and counts by name, in the order in which names first came.
struct TrainingMeter {
    private var names: [String] = []
    private var sums: [String: (sum: Double, count: Double)] = [:]

    mutating func add(_ name: String, sum: Double, count: Double) { add(name, sum, count) }

    mutating func add(_ name: String, _ sum: Double, _ count: Double) {
        if sums[name] == nil { names.append(name) }
        let old = sums[name] ?? (0, 0)
        sums[name] = (old.sum + sum, old.count + count)
    }

    /// Replaces what was measured under `name` by one value.
    mutating func set(_ name: String, _ value: Double) {
        if sums[name] == nil { names.append(name) }
        sums[name] = (value, 1)
    }

    /// The means; begins anew.
    mutating func summary() -> [(name: String, mean: Double)] {
        defer {
            names = []
            sums = [:]
        }
        return names.compactMap { name in
            guard let value = sums[name], value.count > 0 else { return nil }
            return (name, value.sum / value.count)
        }
    }
}
