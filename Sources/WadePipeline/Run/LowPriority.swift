//! A run that leaves the machine to others.
internal import CLinux

/// The lowest priority that the system has.
package enum LowPriority {
    /// Gives every thread of this process, and all that it will start, nice 19 and the idle class of the disk; false when the
    /// system refuses some of it.
    package static func take() -> Bool { linux_lower_priority(19) == 0 }
}
