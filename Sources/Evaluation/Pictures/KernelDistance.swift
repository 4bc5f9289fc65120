import Foundation

/// The unbiased squared maximum mean discrepancy of two sets with the kernel (x·y/d + 1)³ (Bińkowski et al., Demystifying MMD
/// GANs, arXiv 1801.01401): 0 on average where both are of one distribution, so that it can be below 0.
package struct KernelDistance {
    private let within: [[Double]]
    private let others: [[Double]]
    private let across: [[Double]]

    /// - Parameters: features of pictures, and of those that they are compared with; two of each at least.
    package init(_ features: [[Double]], reference: [[Double]]) {
        precondition(features.count > 1 && reference.count > 1, "\(features.count) and \(reference.count) pictures")
        within = Self.kernels(features, features)
        others = Self.kernels(reference, reference)
        across = Self.kernels(features, reference)
    }

    private static func kernels(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
        a.map { x in
            b.map { y in
                var sum = 0.0
                for place in x.indices { sum += x[place] * y[place] }
                let base = sum / Double(x.count) + 1
                return base * base * base
            }
        }
    }

    package var value: Double { value(Array(within.indices), Array(others.indices)) }

    /// Of some pictures, each as often as it is named. A picture is never compared with itself.
    private func value(_ own: [Int], _ reference: [Int]) -> Double {
        func mean(_ kernels: [[Double]], _ places: [Int]) -> Double {
            var sum = 0.0, count = 0
            for (i, a) in places.enumerated() {
                for (j, b) in places.enumerated() where i != j && a != b {
                    sum += kernels[a][b]
                    count += 1
                }
            }
            return count == 0 ? 0 : sum / Double(count)
        }
        var sum = 0.0
        for a in own { for b in reference { sum += across[a][b] } }
        return mean(within, own) + mean(others, reference) - 2 * sum / Double(own.count * reference.count)
    }

    /// With an interval by pictures of both sets drawn again.
    package func estimate(_ bootstrap: Bootstrap) -> Estimate {
        let first = within.count, second = others.count
        var estimate = Estimate(value: value, count: min(first, second))
        var own: [[Int]] = [], reference: [[Int]] = []
        _ = bootstrap.estimate(count: first) {
            own.append($0); return 0
        }
        _ = Bootstrap(seed: bootstrap.seed &+ 1, draws: bootstrap.draws).estimate(count: second) {
            reference.append($0)
            return 0
        }
        let values = zip(own, reference).dropFirst().map { value($0, $1) }.sorted()
        estimate.low = Bootstrap.quantile(values, 0.025)
        estimate.high = Bootstrap.quantile(values, 0.975)
        return estimate
    }
}
