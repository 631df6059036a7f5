//! How far a quantity may lie from what the original computed: the one place where this is said, for every precision.

package import WadeTensor

/// What is compared, by where it stands in a model.
package enum VerifiedQuantity: Sendable, CaseIterable {
    /// What vision encoder and resampler make of a picture, every stage of them.
    case visual
    /// The language model's states, and what a gated block adds.
    case state
    case logits
    /// Log-probabilities, and the scores of beams, which are sums of them.
    case score
}

/// The largest difference that is no fault, and how it is measured.
package enum VerificationTolerance: Sendable, Equatable {
    /// Of any value, in its own unit: sums in another order.
    case largest(Float)
    /// The root of the sum of squared differences over that of the expected values: rounded operands.
    case relative(Float)

    /// What is allowed in `precision`. In float32 it is what the fixtures' README states, from two independent implementations and
    /// from double precision. What is rounded is off by a share of its size that the depth decides: the limits are about twice the largest
    /// error over all fixtures, whose layers are a few dozen numbers wide, so that errors average out less than in a published model.
    package static func of(
        _ quantity: VerifiedQuantity, in precision: Precision,
        family: FlamingoConfiguration.Family
    ) -> VerificationTolerance {
        switch precision {
        case .float32:
            switch (quantity, family) {
            case (.visual, .idefics), (.state, .idefics): .largest(2e-4)
            case (.logits, .idefics): .largest(5e-4)
            case (.visual, _): .largest(1e-4)
            case (.state, _), (.logits, _): .largest(2e-3)
            case (.score, _): .largest(1e-3)
            }
        case .bfloat16:
            quantity == .visual ? .relative(0.04) : .relative(0.15)
        case .int8:
            quantity == .visual ? .relative(0.15) : .relative(0.5)
        case .int4:
            // Vision encoder and resampler stay int8. A group of 32 weights has a twelfth of its size as error, and the fixtures' layers,
            // random and 40 wide, make it twenty times larger on the way (bfloat16's and int8's alike): the limit says no more than
            // that the outcome is still of the same kind. That the products are those of the rounded weights is tested to the bit.
            quantity == .visual ? .relative(0.15) : .relative(1.25)
        }
    }

    /// Token ids are equal in float32 only: the originals' best logit leads by no more than 0.004 in places.
    package static func comparesTokens(in precision: Precision) -> Bool { precision == .float32 }

    /// How far `found` is from `expected`, as this tolerance measures it, and the limit.
    package func measured(_ found: Tensor, _ expected: Tensor) -> (difference: Float, limit: Float)
    {
        let comparison = Comparison(found, expected)
        switch self {
        case .largest(let limit): return (comparison.difference, limit)
        case .relative(let limit): return (comparison.relative, limit)
        }
    }
}
