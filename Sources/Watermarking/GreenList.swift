/// A watermark in the choice of tokens (Kirchenbauer et al. 2023, «A Watermark for Large Language Models», arXiv
/// 2301.10226, algorithm 2): the tokens before a place colour a share γ of the vocabulary green there, and green tokens
/// have δ added to their logits.
///
/// Each token is coloured by itself: it is green when 16 bits of SipHash-2-4 (secret key; the ids before it, the token's
/// id over 4) lie below γ · 65,536. So a list holds γ of the vocabulary on average and not exactly, the colours of
/// different pairs are independent, and whoever counts needs no list. The colour depends on nothing else: not on the
/// place, the batch, or what was drawn.
///
/// | paper | here |
/// |---|---|
/// | γ | ``share`` in 65,536ths |
/// | δ | ``delta`` |
/// | h | ``contextWidth`` |
package struct GreenList: Sendable, Hashable {
    /// Bytes of a key.
    package static let keyLength = 16
    package static let contextLimit = 8
    package static let deltaLimit: Float = 20

    /// Secret: who has it can tell marked text, and can forge and remove marks.
    package let key: [UInt8]
    /// The share of green tokens, in 65,536ths; 1…65,535.
    package let share: UInt16
    /// Added to green tokens' logits; above 0, at most 20.
    package let delta: Float
    /// How many tokens before a token decide about it; 1…8. Few survive edits, many keep the lists secret.
    package let contextWidth: Int
    /// Under the key, before anything is hashed.
    private let start: SipHash

    /// Why there is no such watermark.
    package struct Invalid: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// - Throws: `Invalid` that names the value and its range; never the key.
    package init(key: [UInt8], share: UInt16, delta: Float, contextWidth: Int) throws(Invalid) {
        guard key.count == Self.keyLength else {
            throw Invalid(description: "a watermark's key has \(Self.keyLength) bytes, not \(key.count)")
        }
        guard share > 0 else {
            throw Invalid(description: "a watermark's share of green tokens must lie in 1…65535 of 65536; it is 0")
        }
        guard delta > 0, delta <= Self.deltaLimit else {
            throw Invalid(description: "a watermark's delta is \(delta); it must lie above 0 and be at most 20")
        }
        guard (1...Self.contextLimit).contains(contextWidth) else {
            throw Invalid(
                description: "a watermark's context width is \(contextWidth); it must lie in 1…\(Self.contextLimit)")
        }
        (self.key, self.share, self.delta, self.contextWidth) = (key, share, delta, contextWidth)
        func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        start = SipHash(key: (word(key[..<8]), word(key[8...])))
    }

    /// γ.
    package var gamma: Double { Double(share) / 65_536 }

    /// The colours behind some tokens; nil for fewer than the context has.
    ///
    /// - Parameter tokens: of which the last ``contextWidth`` count.
    package func colours(after tokens: some BidirectionalCollection<Int32>) -> Colours? {
        let context = tokens.suffix(contextWidth)
        guard context.count == contextWidth else { return nil }
        var hash = start
        for id in context { hash.absorb(UInt64(UInt32(bitPattern: id))) }
        return Colours(hash: hash, share: share, delta: delta)
    }

    /// Which tokens are green at one place.
    package struct Colours: Sendable {
        fileprivate let hash: SipHash
        fileprivate let share: UInt16
        fileprivate let delta: Float

        package func isGreen(_ id: Int32) -> Bool {
            let id = UInt32(bitPattern: id)
            return UInt16(truncatingIfNeeded: hash.finish(id >> 2) >> (16 * UInt64(id & 3))) < share
        }

        /// Tells pairs of context and token apart.
        func fingerprint(of id: Int32) -> UInt64 { hash.finish(bytes: UInt64(UInt32(bitPattern: id)), count: 5) }

        /// Adds δ to the green tokens of logits `[V]`.
        package func favour(_ logits: inout [Float]) {
            var words: UInt64 = 0
            for id in logits.indices {
                words = id & 3 == 0 ? hash.finish(UInt32(truncatingIfNeeded: id >> 2)) : words >> 16
                if UInt16(truncatingIfNeeded: words) < share { logits[id] += delta }
            }
        }
    }
}
