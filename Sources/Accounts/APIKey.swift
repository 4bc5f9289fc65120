internal import Crypto
internal import Foundation

/// The secret that a client sends, and what is kept of it.
package struct APIKey: Sendable {
    /// `nph-` and 32 random bytes in base64url: nobody guesses it, so a plain digest keeps it.
    package let secret: String

    package init() {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        secret =
            "nph-"
            + Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    /// What the store knows a key by: SHA-256 of its bytes, in hex.
    package static func digest(of secret: String) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in SHA256.hash(data: Array(secret.utf8)) {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// The beginning of a secret, for lists: it tells keys apart and opens nothing.
    package var hint: String { String(secret.prefix(10)) + "…" }
}
