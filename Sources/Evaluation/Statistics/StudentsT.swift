import Foundation

/// Student's t: how much wider an interval is whose spread was estimated from few residuals.
enum StudentsT {
    private static let table = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281]

    /// The quantile of 0.975; beyond 10 degrees of freedom by Fisher's expansion (Abramowitz and Stegun, 26.7.5).
    static func quantile(_ freedom: Int) -> Double {
        precondition(freedom > 0, "\(freedom) degrees of freedom")
        if freedom <= table.count { return table[freedom - 1] }
        let z = 1.959964, n = Double(freedom)
        let first = (z * z * z + z) / 4
        let second = (5 * z * z * z * z * z + 16 * z * z * z + 3 * z) / 96
        let third = (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * z * z * z - 15 * z) / 384
        return z + first / n + second / (n * n) + third / (n * n * n)
    }
}
