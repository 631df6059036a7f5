//! Numbers between two bounds, as decimal digits.
import Foundation
import WadeFlamingo

/// Whole numbers or decimal fractions within bounds, both bounds included once they are rounded to the digits that there are.
package struct NumberRange: Sendable, Equatable {
    /// Digits that a number may have: what double precision holds exactly.
    private static let digits = 15
    /// Digits after the point where nobody says how many.
    private static let usualDecimals = 6

    /// A bound as it was given.
    struct Bound: Sendable, Equatable {
        var value: Double
        var isExcluded = false
    }

    let minimum: Bound?
    let maximum: Bound?
    /// Most digits after the point; 0 for whole numbers.
    let decimals: Int
    /// The bounds as whole multiples of 10^-decimals.
    private let least: Int
    private let most: Int

    /// Numbers from `minimum` to `maximum` with at most `decimals` digits after the point, six if the bounds leave room for as many;
    /// nil when there are none, or none of at most 15 digits.
    init?(minimum: Bound?, maximum: Bound?, decimals: Int?) {
        self.minimum = minimum
        self.maximum = maximum
        let whole = [minimum, maximum].compactMap { $0 }.map { abs($0.value) }.max() ?? 0
        let wholeDigits = "\(Int(whole))".utf8.count
        guard wholeDigits <= Self.digits else { return nil }
        let decimals = decimals ?? min(Self.usualDecimals, Self.digits - wholeDigits)
        guard decimals >= 0, decimals + wholeDigits <= Self.digits else { return nil }
        self.decimals = decimals
        var end = 1
        for _ in 0..<Self.digits { end *= 10 }
        least = minimum.map { Self.units($0, decimals, upwards: true) } ?? 1 - end
        most = maximum.map { Self.units($0, decimals, upwards: false) } ?? end - 1
        guard least <= most else { return nil }
    }

    /// The nearest multiple of 10^-decimals within the bound.
    private static func units(_ bound: Bound, _ decimals: Int, upwards: Bool) -> Int {
        // The shortest decimal that reads back as the bound is what people wrote.
        let exact = (Decimal(string: "\(bound.value)") ?? 0) * pow(Decimal(10), decimals)
        var units = Int((bound.value * pow(10, Double(decimals))).rounded())
        while Decimal(units) > exact { units -= 1 }
        while Decimal(units + 1) <= exact { units += 1 }
        let isExact = Decimal(units) == exact
        if upwards { return isExact && !bound.isExcluded ? units : units + 1 }
        return isExact && bound.isExcluded ? units - 1 : units
    }

    /// Whether `value` is such a number; how many digits it is written with does not matter.
    func admits(_ value: JSONValue) -> Bool {
        let number: Double
        switch value {
        case .integer(let integer): number = Double(integer)
        case .number(let fraction) where decimals > 0: number = fraction
        default: return false
        }
        if let minimum, number < minimum.value || minimum.isExcluded && number == minimum.value {
            return false
        }
        if let maximum, number > maximum.value || maximum.isExcluded && number == maximum.value {
            return false
        }
        return true
    }

    /// What a recipe says about it.
    var description: JSONValue {
        ["decimals": .integer(decimals), "least": .integer(least), "most": .integer(most)]
    }

    // MARK: - Digits

    /// The numbers' spellings: no leading zeros, no `-0`, a point only with digits behind it.
    var pattern: BytePattern {
        var signs: [BytePattern] = []
        if most >= 0 { signs.append(magnitudes(from: max(least, 0), to: most)) }
        if least < 0 {
            signs.append(
                .sequence([.text("-"), magnitudes(from: max(1, -most), to: -least)]))
        }
        return .choice(signs)
    }

    /// Spellings of the units `low` to `high`, sorted by the number of digits before the point.
    private func magnitudes(from low: Int, to high: Int) -> BytePattern {
        var lengths: [BytePattern] = []
        var first = 0
        var end = 10
        for _ in 0..<decimals { end *= 10 }
        var wholeDigits = 1
        while wholeDigits + decimals <= Self.digits, first <= high {
            if end > low {
                let spelling = Spelling(
                    low: max(low, first), high: min(high, end - 1), wholeDigits: wholeDigits,
                    decimals: decimals)
                lengths.append(spelling.rest(0, lowTight: true, highTight: true))
            }
            (first, end) = (end, end * 10)
            wholeDigits += 1
        }
        return .choice(lengths)
    }
}

/// Numbers with the same number of digits before the point.
private struct Spelling {
    private let low: [UInt8]
    private let high: [UInt8]
    private let wholeDigits: Int
    private var count: Int { low.count }
    private static let digit = BytePattern.oneOf([0x30...0x39])

    init(low: Int, high: Int, wholeDigits: Int, decimals: Int) {
        func digits(_ number: Int) -> [UInt8] {
            let text = Array("\(number)".utf8)
            return [UInt8](repeating: 0x30, count: wholeDigits + decimals - text.count) + text
        }
        self.low = digits(low)
        self.high = digits(high)
        self.wholeDigits = wholeDigits
    }

    /// What may follow the first `place` digits, of which all are those of `low` (`lowTight`) or of `high` (`highTight`). Digits
    /// after the point that are left out are zeros.
    func rest(_ place: Int, lowTight: Bool, highTight: Bool) -> BytePattern {
        if !lowTight && !highTight { return free(place) }
        var ways: [BytePattern] = []
        if place >= wholeDigits, !lowTight || low[place...].allSatisfy({ $0 == 0x30 }) {
            ways.append(.bytes([]))
        }
        guard place < count else { return .choice(ways) }
        let (first, last) = (lowTight ? low[place] : 0x30, highTight ? high[place] : 0x39)
        func add(_ digits: ClosedRange<UInt8>, _ lowTight: Bool, _ highTight: Bool) {
            let point = place == wholeDigits ? [BytePattern.text(".")] : []
            ways.append(
                .sequence(
                    point + [
                        .oneOf([digits]),
                        rest(place + 1, lowTight: lowTight, highTight: highTight),
                    ]))
        }
        if first == last {
            add(first...first, lowTight, highTight)
        } else if first < last {
            var (begin, end) = (first, last)
            if lowTight {
                add(first...first, true, false)
                begin += 1
            }
            if highTight {
                add(last...last, false, true)
                end -= 1
            }
            if begin <= end { add(begin...end, false, false) }
        }
        return .choice(ways)
    }

    private func free(_ place: Int) -> BytePattern {
        let decimals = count - wholeDigits
        if place > wholeDigits {
            return .repeated(Self.digit, least: 0, most: count - place)
        }
        let whole = BytePattern.repeated(
            Self.digit, least: wholeDigits - place, most: wholeDigits - place)
        guard decimals > 0 else { return whole }
        let fraction = BytePattern.repeated(Self.digit, least: 1, most: decimals)
        return .sequence([whole, .optional(.sequence([.text("."), fraction]))])
    }
}
