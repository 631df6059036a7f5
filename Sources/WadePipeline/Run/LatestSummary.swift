//! How far a run has come, for whoever has to speak for it when it cannot.
import Synchronization

/// The latest counts of a run, kept where another thread can read them.
package final class LatestSummary: Sendable {
    private let summary = Mutex(RunSummary())
    private let start = ContinuousClock.now

    /// The counts of a run that begins now.
    package init() {}

    /// Notes how far the run is.
    package func update(_ progress: RunProgress) {
        summary.withLock { summary in
            summary = progress.summary
            summary.files = progress.filesFound
        }
    }

    /// The counts, as those of a run that ends now because of `reason`.
    package func stopped(by reason: StopRequest.Reason) -> RunSummary {
        var summary = summary.withLock { $0 }
        summary.stop = reason
        summary.seconds = Double((ContinuousClock.now - start).components.seconds)
        return summary
    }
}
