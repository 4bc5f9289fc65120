import Foundation

/// How signatures are cut into bands so that sets above a similarity mostly share one and others mostly do not
/// (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4).
package struct Banding: Sendable, Hashable {
    package var bands: Int
    package var rows: Int

    package init(bands: Int, rows: Int) { (self.bands, self.rows) = (bands, rows) }

    /// The bands with the least sum of false positives below the threshold and false negatives above it, as areas under
    /// 1 − (1 − sʳ)ᵇ: the choice of `datasketch.MinHashLSH(threshold, num_perm)`.
    package init(threshold: Double, places: Int) {
        precondition((0...1).contains(threshold) && places > 0, "bands for \(threshold) of \(places) places")
        var best = (error: Double.infinity, banding: Banding(bands: 1, rows: 1))
        for bands in 1...places {
            for rows in 1...(places / bands) {
                func isPair(_ s: Double) -> Double { 1 - pow(1 - pow(s, Double(rows)), Double(bands)) }
                let error =
                    (Self.integral(isPair, 0, threshold) + Self.integral({ 1 - isPair($0) }, threshold, 1)) * 0.5
                if error < best.error { best = (error, Banding(bands: bands, rows: rows)) }
            }
        }
        self = best.banding
    }

    /// Gauss and Legendre's rule with five points on each of 32 parts: exact to some 1e-12 for these curves.
    private static func integral(_ curve: (Double) -> Double, _ low: Double, _ high: Double) -> Double {
        let parts = 32, half = (high - low) / Double(2 * parts)
        var sum = 0.0
        for part in 0..<parts {
            let middle = low + half * Double(2 * part + 1)
            sum += 0.568888888888888889 * curve(middle)
            for (node, weight) in [
                (0.538469310105683091, 0.478628670499366468), (0.906179845938663993, 0.236926885056189088),
            ] {
                sum += weight * (curve(middle - node * half) + curve(middle + node * half))
            }
        }
        return sum * half
    }
}

/// Which of the signatures added so far are near one: those that share a band and agree in enough places.
package struct NearIndex: Sendable {
    private let places: Int
    private let banding: Banding
    private let threshold: Double
    /// Signatures, one behind the other.
    private var signatures: [UInt32] = []
    /// Of each band the last entry with a value, and of each entry the one before it with the same; −1 for none.
    private var heads: [[UInt64: Int32]]
    private var previous: [[Int32]]

    /// Entries of a band that one signature is compared with, at most.
    private static let chainLimit = 10_000
    /// Signatures that had more.
    package private(set) var cutChains = 0

    package init(places: Int, banding: Banding, threshold: Double) {
        precondition(banding.bands * banding.rows <= places, "\(banding) of \(places) places")
        (self.places, self.banding, self.threshold) = (places, banding, threshold)
        heads = Array(repeating: [:], count: banding.bands)
        previous = Array(repeating: [], count: banding.bands)
    }

    package var count: Int { places == 0 ? 0 : signatures.count / places }

    /// About the bytes that an entry takes: the signature, and in each band a link and, at a load of three quarters of a
    /// table whose room doubles, up to 43 bytes.
    package var bytesPerEntry: Int { 2 * 4 * places + banding.bands * (2 * 4 + 43) }

    /// All added signatures that share a band with this one, ascending.
    package mutating func candidates(of signature: [UInt32]) -> [Int] {
        precondition(signature.count == places, "a signature of \(signature.count) places, not \(places)")
        var found = Set<Int32>()
        var isCut = false
        for band in 0..<banding.bands {
            var entry = heads[band][key(signature, band)] ?? -1, left = Self.chainLimit
            while entry >= 0, left > 0 {
                found.insert(entry)
                entry = previous[band][Int(entry)]
                left -= 1
            }
            if entry >= 0 { isCut = true }
        }
        if isCut { cutChains += 1 }
        return found.map { Int($0) }.sorted()
    }

    /// The first of the added signatures that is as similar as the threshold or more.
    package mutating func near(_ signature: [UInt32]) -> Int? {
        candidates(of: signature).first { entry in
            MinHash.similarity(signatures[entry * places..<(entry + 1) * places], signature) >= threshold
        }
    }

    package mutating func add(_ signature: [UInt32]) {
        precondition(signature.count == places, "a signature of \(signature.count) places, not \(places)")
        let entry = Int32(count)
        signatures += signature
        for band in 0..<banding.bands {
            previous[band].append(heads[band].updateValue(entry, forKey: key(signature, band)) ?? -1)
        }
    }

    private func key(_ signature: [UInt32], _ band: Int) -> UInt64 {
        var hash: UInt64 = 0x243F_6A88_85A3_08D3
        for place in band * banding.rows..<(band + 1) * banding.rows {
            hash = (hash ^ UInt64(signature[place])) &* 0xFF51_AFD7_ED55_8CCD
            hash ^= hash >> 32
        }
        return hash
    }
}
