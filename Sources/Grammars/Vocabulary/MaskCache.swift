/// Masks that have been found, up to a number of bytes; then all are forgotten.
struct MaskCache<Key: Hashable> {
    private static var limit: Int { 16 << 20 }

    private var masks: [Key: TokenMask] = [:]

    subscript(key: Key) -> TokenMask? { masks[key] }

    mutating func keep(_ mask: TokenMask, for key: Key) {
        if (masks.count + 1) * mask.words.count * 8 > Self.limit { masks.removeAll(keepingCapacity: true) }
        masks[key] = mask
    }
}
