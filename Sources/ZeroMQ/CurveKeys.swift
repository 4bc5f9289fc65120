internal import CZeroMQ

/// A public key of CurveZMQ: 32 bytes, as Z85 text of 40 characters.
package struct CurvePublicKey: Sendable, Hashable, CustomStringConvertible {
    package static let textLength = 40
    static let byteCount = 32

    package let text: String

    package var description: String { text }

    /// `nil` for what is no key.
    package init?(_ text: String) {
        guard text.utf8.count == Self.textLength else { return nil }
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        guard zmq_z85_decode(&bytes, text) != nil else { return nil }
        self.text = text
    }

    /// From the 32 bytes that a handshake carries; `nil` for another number of them.
    init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        var text = [CChar](repeating: 0, count: Self.textLength + 1)
        guard zmq_z85_encode(&text, bytes, bytes.count) != nil else { return nil }
        self.text = String(decoding: text.prefix(Self.textLength).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A key pair of CurveZMQ. Whatever prints it prints the public half.
package struct CurveKeyPair: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let publicKey: CurvePublicKey
    /// Z85 text, to be written into a file that nobody else reads.
    package let secretText: String

    package var description: String { "key pair \(publicKey)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }

    /// A new one.
    /// - Throws: `ZeroMQError` where libzmq was built without CURVE.
    package init() throws(ZeroMQError) {
        var open = [CChar](repeating: 0, count: CurvePublicKey.textLength + 1)
        var secret = open
        try check("making a key pair") { zmq_curve_keypair(&open, &secret) }
        let text = { (characters: [CChar]) in
            String(decoding: characters.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard let publicKey = CurvePublicKey(text(open)) else {
            throw ZeroMQError(operation: "making a key pair", number: EINVAL)
        }
        (self.publicKey, secretText) = (publicKey, text(secret))
    }

    /// `nil` where the two are no keys, or do not belong together.
    package init?(publicText: String, secretText: String) {
        guard let publicKey = CurvePublicKey(publicText), CurvePublicKey(secretText) != nil else { return nil }
        var derived = [CChar](repeating: 0, count: CurvePublicKey.textLength + 1)
        guard zmq_curve_public(&derived, secretText) == 0,
            derived.dropLast().map({ UInt8(bitPattern: $0) }) == [UInt8](publicText.utf8)
        else { return nil }
        (self.publicKey, self.secretText) = (publicKey, secretText)
    }
}
