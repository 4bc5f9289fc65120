extension ServiceDescription {
    /// A new instance of `service`, with an id of its own.
    package init(service: String) {
        self.init(instanceID: Self.newInstanceID(), service: service)
    }

    /// Layers of the model that this shard holds.
    package var layers: Range<Int> {
        get { firstLayer..<firstLayer + layerCount }
        set { (firstLayer, layerCount) = (newValue.lowerBound, newValue.count) }
    }

    /// 128 random bits in hexadecimal.
    package static func newInstanceID() -> String {
        var text: [UInt8] = []
        text.reserveCapacity(32)
        for word in [UInt64.random(in: .min ... .max), .random(in: .min ... .max)] {
            for shift in stride(from: 60, through: 0, by: -4) { text.append(digits[Int(word >> UInt64(shift) & 15)]) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// This description as number `epoch` of its instance.
    package func with(epoch: UInt64) -> Self {
        var copy = self
        copy.epoch = epoch
        return copy
    }

    mutating func validate() throws { capacity = max(1, capacity) }
}
