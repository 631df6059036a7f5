//! What a parser did although it must not.

/// The bytes neither read nor refused as promised.
package struct BrokenPromise: Error, CustomStringConvertible {
    /// What happened.
    package let description: String

    /// Throws unless `holds`.
    static func unless(_ holds: Bool, _ description: @autoclosure () -> String) throws {
        if !holds { throw BrokenPromise(description: description()) }
    }
}

/// The value of `read`, or nil when it throws one of the `allowed` errors, whose message may reach a terminal and so must hold no
/// control characters. Any other error is a broken promise.
func refusing<Value>(
    _ allowed: [any Error.Type], _ read: () throws -> Value
) throws -> Value? {
    do {
        return try read()
    } catch let promise as BrokenPromise {
        throw promise
    } catch {
        let isAllowed = allowed.contains { $0 == type(of: error) }
        try BrokenPromise.unless(isAllowed, "an error of type \(type(of: error)): \(error)")
        let message = "\(error)"
        let isPlain = message.unicodeScalars.allSatisfy { scalar in
            scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value)
        }
        try BrokenPromise.unless(isPlain, "a message with control characters: \(message)")
        return nil
    }
}
