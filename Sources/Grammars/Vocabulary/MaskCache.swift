/// What has been found of masks, up to a number of bytes; then all is forgotten.
struct MaskCache<Key: Hashable, Value> {
    private static var limit: Int { 16 << 20 }

    private var values: [Key: Value] = [:]
    private var bytes = 0

    subscript(key: Key) -> Value? { values[key] }

    /// - Parameter mask: what takes the room of the value.
    mutating func keep(_ value: Value, of mask: TokenMask, for key: Key) {
        bytes += mask.words.count * 8
        if bytes > Self.limit {
            values.removeAll(keepingCapacity: true)
            bytes = mask.words.count * 8
        }
        values[key] = value
    }
}
