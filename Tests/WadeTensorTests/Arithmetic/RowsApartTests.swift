//! Rows that know nothing of each other: to the last bit the same in any company.
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite("Rows apart")
struct RowsApartTests {
    private func bits(_ tensor: Tensor) -> [UInt32] { tensor.values.map(\.bitPattern) }

    @Test(
        "a row of a layer has the same bits among 1 to 40 rows, at any place",
        arguments: Precision.allCases)
    func layers(precision: Precision) {
        for (inputs, outputs) in [(16, 7), (192, 768), (1024, 260), (2048, 64), (3000, 64)] {
            let layer = Linear(
                weight: noise([outputs, inputs], seed: 2), bias: noise([outputs], seed: 3),
                arithmetic: Arithmetic(precision: precision))
            let x = noise([40, inputs])
            let alone = (0..<40).map { bits(layer.rowwise(x[$0..<$0 + 1])) }
            for count in [2, 3, 5, 6, 7, 8, 13, 24, 25, 40] {
                let start = (40 - count) / 2
                let together = layer.rowwise(x[start..<start + count])
                for row in 0..<count {
                    #expect(
                        bits(together[row]) == alone[start + row],
                        "\(precision) \(inputs)x\(outputs), row \(row) of \(count)")
                }
            }
            expectClose(layer.rowwise(x), layer(x), within: 1e-3, "\(precision) \(inputs)")
        }
    }

    @Test(
        "elementwise functions give a row the same bits among any others",
        arguments: [Activation.gelu, .geluTanh, .quickGELU, .silu, .squaredReLU])
    func activations(activation: Activation) {
        for width in [7, 48, 1000] {
            let x = noise([9, width])
            let together = activation(x)
            for row in 0..<9 {
                #expect(bits(together[row]) == bits(activation(x[row..<row + 1])), "\(activation)")
            }
        }
    }

    private struct Pasts {
        let seen: [SeenKeys]
        let queries: Tensor
    }

    /// Eleven sequences behind two prefixes or none, with pasts of different lengths.
    private func pasts(_ width: Int) -> Pasts {
        let prefixes = [90, 13].enumerated().map { place, count in
            (
                keys: noise([count, width], seed: UInt64(20 + place)),
                values: noise([count, width], seed: UInt64(30 + place))
            )
        }
        let seen = (0..<11).map { row in
            let own = 1 + (row * 5) % 12
            return SeenKeys(
                shared: row % 3 == 2 ? nil : prefixes[row % 3],
                keys: noise([own, width], seed: UInt64(40 + row)),
                values: noise([own, width], seed: UInt64(60 + row)))
        }
        return Pasts(seen: seen, queries: noise([11, width], seed: 5))
    }

    @Test("a step of attention is its definition, and a row has the same bits in any batch")
    func steps() {
        for (heads, width) in [(2, 16), (4, 256), (3, 240)] {
            for slopes in [nil, (0..<heads).map { 0.5 / Float($0 + 1) }] {
                let attention = Attention(
                    heads: heads, scale: 0.3, alibiSlopes: slopes, engine: .oneDNN)
                let (seen, queries) = (pasts(width).seen, pasts(width).queries)
                let shared = pasts(width)
                let alone = (0..<11).map { row in
                    attention.step(shared.queries[row..<row + 1], over: [shared.seen[row]])
                }
                for row in 0..<11 {
                    let keys = (seen[row].shared.map { [$0.keys] } ?? []) + [seen[row].keys]
                    let values = (seen[row].shared.map { [$0.values] } ?? []) + [seen[row].values]
                    let count = keys.reduce(0) { $0 + $1.rows }
                    let expected = Attention.naive(
                        queries[row..<row + 1], keys: .concatenated(keys),
                        values: .concatenated(values), heads: heads, scale: 0.3
                    ) { _, _ in true }
                    // The definition counts positions from the first query; without slopes it needs none.
                    if slopes == nil {
                        expectClose(alone[row], expected, within: 2e-5, "row \(row)")
                    } else {
                        let causal = attention(
                            queries[row..<row + 1], keys: keys, values: values,
                            mask: .causal(past: count - 1))
                        expectClose(alone[row], causal, within: 2e-5, "row \(row)")
                    }
                }
                let orders: [[Int]] = [
                    Array(0..<11), Array((0..<11).reversed()), [3, 0, 6, 9, 1], [4, 4, 2, 7],
                    [0, 3],
                ]
                for order in orders {
                    let queries = Tensor.concatenated(order.map { shared.queries[$0..<$0 + 1] })
                    let together = attention.step(queries, over: order.map { shared.seen[$0] })
                    for (place, row) in order.enumerated() {
                        #expect(
                            bits(together[place]) == bits(alone[row]),
                            "\(heads) heads of \(width), row \(row) in \(order)")
                    }
                }
            }
        }
    }
}
