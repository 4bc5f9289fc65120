internal import ConfigurationFiles
internal import Crypto
internal import Foundation
package import Watermarking

/// The watermark of a policy: under which key text is marked, and under which it is looked for.
package struct Watermark: Sendable, Equatable {
    package struct Key: Sendable, Hashable {
        /// Tells keys apart and tells nothing of them: the beginning of a hash.
        package let id: String
        package let list: GreenList
    }

    package static let keyLimit = 8
    /// The first marks; text that the others marked is still known.
    package let keys: [Key]
    /// Standard deviations from which on a text counts as marked.
    package let threshold: Double

    /// Makes a key of a secret of any length: SHA-256 of a name and the secret, its first 16 bytes.
    ///
    /// - Throws: `GreenList.Invalid` for numbers out of range.
    static func key(
        secret: [UInt8], gamma: Double, delta: Double, contextWidth: Int
    ) throws(GreenList.Invalid) -> Key {
        func hash(_ name: String) -> [UInt8] { Array(SHA256.hash(data: Array(name.utf8) + [0] + secret)) }
        let list = try GreenList(
            key: Array(hash("nephele green list").prefix(GreenList.keyLength)),
            share: UInt16(exactly: (gamma * 65_536).rounded()) ?? 0, delta: Float(delta), contextWidth: contextWidth)
        let id = hash("nephele green list id").prefix(4).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return Key(id: id.joined(), list: list)
    }
}

/// What a text says under each of several keys.
package struct WatermarkVerdict: Sendable, Equatable {
    /// The key that speaks loudest.
    package var keyID: String
    package var evidence: WatermarkEvidence
    /// How likely so much evidence or more is without a watermark under any of the keys.
    package var pValue: Double
    package var isMarked: Bool
}

extension WatermarkVerdict {
    /// - Parameters:
    ///   - found: under each key; not empty.
    ///   - threshold: in standard deviations; the text counts as marked when its p-value is at most the normal
    ///     distribution's tail beyond it. So the rate of false alarms is at most that, for short texts and many keys too.
    package init(_ found: [(key: Watermark.Key, evidence: WatermarkEvidence)], threshold: Double) {
        precondition(!found.isEmpty, "a watermark is looked for under no key")
        let best = found.dropFirst().reduce(found[0]) { $1.evidence.pValue < $0.evidence.pValue ? $1 : $0 }
        (keyID, evidence) = (best.key.id, best.evidence)
        // Bonferroni: several keys have as many chances.
        pValue = min(1, best.evidence.pValue * Double(found.count))
        isMarked = pValue <= WatermarkEvidence.tail(beyond: threshold)
    }
}
